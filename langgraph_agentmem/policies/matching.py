"""Which statements and names are about the same thing."""

import re

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies.chunking import statements

_WORD = re.compile(r"\w+(?:[.,:/-]\w+)*", re.UNICODE)
_SUBJECT_END = re.compile(
    r"\s*(?P<verb>:(?=\s|$)|=|→|->|\b(?:is|are|was|were|has|have|had|lives|works|uses|prefers|likes|wants|needs|costs|"
    r"runs|starts|ends|moved|changed|chose)\b)\s*",
    re.IGNORECASE,
)
_SAME_VERB = {":": "is", "=": "is", "→": "is", "->": "is", "are": "is", "was": "is", "were": "is"} | {
    "have": "has", "had": "has"
}  # fmt: skip
_NO_SUBJECT = {"i", "you", "he", "she", "it", "we", "they", "this", "that", "these", "those", "there", "here"}
_LONGEST_SUBJECT = 6
_RELATED = 0.5
"""Below this similarity, statements without a common subject have nothing to do with each other."""


class Match(Value):
    """How an old text relates to a new one.

    Attributes:
        similarity: Of their closest statements, 0 to 1.
        replaced: How many statements of the old text the new one says anew.
        leftover: The statements of the old text that it does not, one a line.
        clear: Whether the similarity is so high, or so low, that there is nothing to decide.
    """

    similarity: float
    replaced: int
    leftover: str
    clear: bool


def compare(old: str, new: str, threshold: float) -> Match:
    """How an old text relates to a new one, statement by statement.

    Args:
        old: A text that was taken away.
        new: A text that came.
        threshold: Similarity from which statements are the same.
    """
    ours, theirs = statements(old), statements(new)
    new_names = _names_or_numbers(new)
    best = [max((_statement_match(mine, other) for other in theirs), default=(0.0, False)) for mine in ours]
    scores = [similarity for similarity, _ in best]
    replaced = [similarity >= threshold or same for similarity, same in best]
    leftover = [text for text, gone in zip(ours, replaced, strict=True) if not gone]
    # half similar without a common subject; a common subject and little else; or so similar that only a name or a
    # number tells them apart
    unsure = [
        similarity
        for mine, (similarity, same) in zip(ours, best, strict=True)
        if _RELATED <= similarity < threshold or (same and similarity < threshold)
        or (similarity >= threshold and not same and _names_or_numbers(mine) - new_names)
    ]  # fmt: skip
    return Match(
        similarity=max(scores, default=0.0),
        replaced=sum(replaced),
        leftover="\n".join(leftover),
        clear=not unsure,
    )


def lost_by(old: str, new: str) -> str:
    """The statements of an old text that have nothing to do with a new one, one a line."""
    theirs = statements(new)
    kept = [
        mine
        for mine in statements(old)
        if all(similarity < _RELATED and not same for similarity, same in (_statement_match(mine, o) for o in theirs))
    ]
    return "\n".join(kept)


def unsaid_by(old: str, new: str) -> str:
    """The statements of an old text that have a word which a new text lacks, one a line; articles do not count."""
    new_words = words(new)
    return "\n".join(statement for statement in statements(old) if set(words_in_order(statement)) - new_words)


def name_similarity(a: str, b: str) -> float:
    """Similarity of two names or statements without an embedder, 0 to 1: rapidfuzz's indel ratio, case-folded."""
    from rapidfuzz import fuzz  # noqa: PLC0415 - fifty modules, which only runs and reviews need

    return fuzz.ratio(a.casefold(), b.casefold()) / 100


def overlap_coefficient(a: list[str], b: list[str]) -> float:
    """|A∩B| / min(|A|, |B|) of two lists of types, case-folded; 1 where one is empty: nothing speaks against it."""
    left, right = {t.casefold() for t in a}, {t.casefold() for t in b}
    return len(left & right) / min(len(left), len(right)) if left and right else 1.0


def words(text: str) -> set[str]:
    """The distinct words and numbers of a text, case-folded."""
    return {word.casefold() for word in _WORD.findall(text)}


def survival(sources: list[str], merged: str) -> float:
    """Share of a source's distinct words, or of its numbers, that a merged text keeps; for what fares worst."""
    kept = words(merged)
    wanted = [words(source) for source in sources]
    wanted += [{word for word in distinct if any(c.isdigit() for c in word)} for distinct in wanted]
    return min((len(distinct & kept) / len(distinct) for distinct in wanted if distinct), default=1.0)


def _statement_match(a: str, b: str) -> tuple[float, bool]:
    """(similarity, whether they share a subject) of two statements; with different subjects never similar.

    Where the second one only lacks words of the first, nothing is said anew: that is a removal, and not similar enough.
    """
    subject_a, subject_b = _subject(a), _subject(b)
    similarity = name_similarity(a, b)
    if similarity == 1:
        return 1.0, True
    if words(b) < words(a):
        return min(similarity, 0.8), False
    if subject_a and subject_b:
        (about_a, verb_a), (about_b, verb_b) = subject_a, subject_b
        if about_a != about_b:
            # about different things, so not even related, however similar the words
            return min(similarity, _RELATED - 0.01), False
        return (similarity, True) if verb_a == verb_b else (min(max(similarity, _RELATED), 0.8), False)
    same_start = words_in_order(a)[:1] == words_in_order(b)[:1]
    return (similarity if same_start else min(similarity, 0.8)), False


def words_in_order(text: str) -> list[str]:
    """The words of a text, case-folded, articles left out."""
    return [w for w in (word.casefold() for word in _WORD.findall(text)) if w not in {"the", "a", "an"}]


def _subject(statement: str) -> tuple[str, str] | None:
    """(what a statement is about, the verb): its words before the first colon, equals sign or common verb."""
    end = _SUBJECT_END.search(statement)
    about = words_in_order(statement[: end.start()]) if end else []
    if not end or not 0 < len(about) <= _LONGEST_SUBJECT or set(about) <= _NO_SUBJECT:
        return None
    verb = end["verb"].casefold()
    return " ".join(about), _SAME_VERB.get(verb, verb)


def _names_or_numbers(text: str) -> set[str]:
    """The words of a text that hold a digit or begin with a capital."""
    return {word for word in _WORD.findall(text) if word[0].isupper() or any(c.isdigit() for c in word)}
