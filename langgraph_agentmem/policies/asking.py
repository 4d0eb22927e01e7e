"""Reads a question: what it is looked up by, and what each of its words weighs among a tenant's chunks."""

from datetime import date
from typing import NamedTuple

from langgraph_agentmem.policies import dates
from langgraph_agentmem.policies.dates import Days
from langgraph_agentmem.policies.frequencies import Frequencies
from langgraph_agentmem.policies.weighing import ONCE, labels_in, rarity
from langgraph_agentmem.policies.words import Reader, Word, dimension

_MOST_WORDS = 64
_COMMON_SHARE = 0.25
"""A word that more of the chunks hold tells nothing apart: neither by words nor in the text that is embedded."""
_ALWAYS_TELLING = 10
"""So many chunks may hold a word, however few there are."""
_MATCHES = 500
"""Chunks that are found by the rarest words of a question, as estimated, where not all are compared."""


class ReadQuestion(NamedTuple):
    """A question as it is looked up.

    Attributes:
        words: Its distinct full words, in order.
        labels: What in it may be a label.
        days: Those that it asks for.
    """

    text: str
    words: list[Word]
    labels: list[str]
    days: list[Days]


class WeighedQuestion(NamedTuple):
    """A question to a tenant.

    Attributes:
        weights: Of its words, by where they are weighed.
        best: What a short chunk weighs that says each of its words once.
        rare: Where its rarest words are weighed.
        whole: Whether these are all that a chunk could be found by, but for its vector.
        words: All of its words, as entities' names are compared with them.
        telling: Those of them by which an entity is looked for: a name that most chunks hold tells nothing apart.
        labels: What in it may be a label.
        dates: Where the days that it asks for stand among a chunk's words.
        days: The same as dates.
    """

    weights: dict[int, float]
    best: float
    rare: list[int]
    whole: bool
    words: list[str]
    telling: list[str]
    labels: list[str]
    dates: list[int]
    days: list[Days]


def read(query: str, reader: Reader, today: date) -> ReadQuestion:
    """A question that is asked on a day, read."""
    words, labels = reader.asked(query)[:_MOST_WORDS], labels_in(reader.words(query)[:_MOST_WORDS])
    return ReadQuestion(query, words, labels, dates.asked(query, today))


def to_be_embedded(question: ReadQuestion, frequencies: Frequencies, reader: Reader) -> str:
    """The question without its common words: names that most chunks hold draw every chunk alike."""
    common = {word.text for word in question.words if _is_common(word, frequencies)}
    # "who is" alone asks for nothing
    return reader.without(question.text, common) if 0 < len(common) < len(question.words) else question.text


def weighed(question: ReadQuestion, frequencies: Frequencies) -> WeighedQuestion:
    """What a question's words weigh; common ones only where the rest are in no chunk."""
    telling = [word for word in question.words if not _is_common(word, frequencies)]
    if not any(frequencies.of(dimension(word.text)) for word in telling):
        telling = question.words
    holding = {(at := dimension(word.text)): frequencies.of(at) for word in telling}
    weights = {at: rarity(chunks, frequencies.chunks, frequencies.said_share) for at, chunks in holding.items()}
    # a part that no chunk holds was probably read for nothing: no answer is the worse for not having it
    needed = {at for word in telling if holding[at := dimension(word.text)] or not word.part}
    texts, named = ([word.text for word in words] for words in (question.words, telling))
    best, days = sum(weights[at] for at in needed) * ONCE or 1.0, question.days
    rare = _rarest(holding)
    whole = not days and len(telling) == len(question.words) and len(rare) == len(holding)
    return WeighedQuestion(weights, best, rare, whole, texts, named, question.labels, dates.looked_up(days), days)


def _is_common(word: Word, frequencies: Frequencies) -> bool:
    return frequencies.of(dimension(word.text)) > max(_ALWAYS_TELLING, _COMMON_SHARE * frequencies.chunks)


def _rarest(holding: dict[int, float]) -> list[int]:
    found: list[int] = []
    together = 0.0
    for at in sorted(holding, key=lambda at: (holding[at], at)):
        together += holding[at]
        if found and together > _MATCHES:
            break
        found.append(at)
    return found
