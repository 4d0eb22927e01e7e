"""Weighs words: what a chunk's words are worth to a question, in one inner product.

BM25F (Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple weighted fields", 2004): a word's frequency
in a chunk is the weighted sum over its fields, of which the neighbours in its text are the main ones; it is saturated
once, with `k1` = 0.9 and `b` = 0.6. What does not depend on the question is kept with the chunk, what does is in the
question:

    chunk[w]    = f (k1 + 1) / (f + k1 (1 - b + b L / L0)),  f = sum over fields of field weight x frequency
    question[w] = ln(1 + (N - n + 0.5) / (n + 0.5)),         n of N chunks are found by w

`n` are the chunks that hold a word themselves and, of what is said, those beside them, whose weights have it as well:
counted without these, frequent words would weigh too much. `L` is the sum of the fields' lengths, empty words not
counted. `L0` is a constant, not the average, so that a chunk's weights do not depend on what else has been written.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from langgraph_agentmem.models.chunk import ChunkWords, TextChunk
from langgraph_agentmem.policies import dates
from langgraph_agentmem.policies.words import Reader, Word, dimension, is_letter_of_pair

K1 = 0.9
"""How often a chunk of the usual length has a word that weighs half of the most."""
B = 0.6
USUAL_LENGTH = 75.0
"""Words, with those of the neighbours by their weights: what lines of dialogue and of notes come to."""
MOST_WEIGHT = K1 + 1
"""What a word weighs at most, however often a chunk has it."""
SHORT_LENGTH = 20.0
"""Words that even the shortest chunk counts for: that a line of a list has no more tells nothing for it."""
ONCE = MOST_WEIGHT / (1 + K1 * (1 - B + B * SHORT_LENGTH / USUAL_LENGTH))
"""What a word weighs that a short chunk says once: one that says what is asked, and nothing else, answers it fully."""
BESIDE = {-1: 0.8, -2: 0.6, -3: 0.4, 1: 0.6, 2: 0.4}
"""What a word of a neighbour counts, by how far behind or before the chunk it stands. Only what is said, behind a
label, is understood by what is said around it; paragraphs and items of a list stand for themselves, under their
headings. Of the items of a store, which are written one by one, it is known only when they are compared."""
_FOUND_BESIDE = 2.0
"""Chunks that are found by a word of what is said, besides the one that says it. Their weights are those of 2.8 chunks,
but who speaks of something does so in several lines."""
_ABOVE = 0.5
"""What a word counts that a chunk stands under: it may be about that, as all that stands there."""
_LONG_TURN = 4
"""Chunks of what one says at a stretch, of which each doubling counts for one usual length more: of many chunks, one
is like a question by accident more easily. Doublings, so that going on seldom changes what the chunks before weigh.
Chosen by benchmarks/beam.py."""
_MOST = 500
"""Words of one chunk that are weighed; of more, its own and then the heaviest."""
_LABEL = re.compile(r"(\s*(?:[(\[][^)\]\n]{1,60}[)\]]\s*)?)([^\W_][^:：\n]{0,39})(?::\s|：)")
_LABEL_WORDS = 3


class _Field(NamedTuple):
    """A chunk's own words, with how often each is there, how many of them are full, and its label."""

    frequencies: Counter[int]
    length: int
    label: str | None


def weighed(chunks: Sequence[TextChunk], reader: Reader) -> list[ChunkWords]:
    """What each of a text's chunks is found by; they are each other's neighbours, in order."""
    fields = [_field(chunk.text, reader) for chunk in chunks]
    added = [USUAL_LENGTH * max((turn // _LONG_TURN).bit_length() - 1, 0) for turn in _turns(fields)]
    return [_weighed(fields, place, chunk, reader, added[place]) for place, chunk in enumerate(chunks)]


def label_words(text: str, reader: Reader) -> str | None:
    """The words of what a text is labelled with, as of who speaks; None without a label."""
    match = _LABEL.match(text)
    words = _whole(reader.words(match[2])) if match else []
    return " ".join(words) if 0 < len(words) <= _LABEL_WORDS else None


def without_label(text: str) -> str:
    """A text without what it is labelled with, and without a date in brackets before that."""
    match = _LABEL.match(text)
    return text[match.end() :] if match else text


def undated(text: str) -> str:
    """A text to be embedded: one that is said, without the date in brackets before who says it.

    All lines of a day begin with it, which would make them alike.
    """
    match = _LABEL.match(text)
    return text[match.end(1) :] if match and match[1].strip() and dates.said(match[1]) else text


def labels_in(words: Sequence[Word]) -> list[str]:
    """All labels that a question may name, being words of it that follow each other."""
    texts = _whole(words)
    spans = {" ".join(texts[at : at + n]) for n in range(1, _LABEL_WORDS + 1) for at in range(len(texts) - n + 1)}
    return sorted(spans)


def _whole(words: Sequence[Word]) -> list[str]:
    """Words without what they are found by besides."""
    return [word.text for word in words if not word.part and not is_letter_of_pair(word)]


def rarity(holding: float, of: float, said: float = 0.0) -> float:
    """What a word weighs in a question.

    Args:
        holding: How many chunks hold it themselves.
        of: How many there are.
        said: The share of them that is said, and so found by what is said beside it, too.
    """
    without = max(1 - holding / of, 0) if of else 1.0
    found = of * (1 - without ** (1 + _FOUND_BESIDE * said))
    return math.log(1 + (of - found + 0.5) / (found + 0.5))


def vector_text(weights: Mapping[int, float], dimensions: int) -> str:
    """Weights as PostgreSQL reads them for a `sparsevec`."""
    return f"{{{','.join(f'{at}:{weights[at]:.6g}' for at in sorted(weights))}}}/{dimensions}"


def _field(text: str, reader: Reader) -> _Field:
    words = reader.words(text)
    frequencies = Counter(dimension(word.text) for word in words)
    return _Field(frequencies, sum(not word.empty for word in words), label_words(text, reader))


def _turns(fields: Sequence[_Field]) -> list[int]:
    """How many chunks there are in the turn of each: from one that is labelled to before the next one.

    What is said in turns begins with who speaks, and who speaks does so again: other labels may be of anything.
    """
    times = Counter(field.label for field in fields)
    del times[None]
    lengths = [1] * len(fields)
    if not fields or times[fields[0].label] < 2:
        return lengths
    begins = [place for place, field in enumerate(fields) if times[field.label] >= 2]
    for begin, end in pairwise([*begins, len(fields)]):
        lengths[begin:end] = [end - begin] * (end - begin)
    return lengths


def _weighed(fields: Sequence[_Field], place: int, chunk: TextChunk, reader: Reader, added: float) -> ChunkWords:
    """What a chunk is found by, which counts for so many words more than it has."""
    own = fields[place].frequencies
    sums: dict[int, float] = dict(own)
    length = max(float(fields[place].length), SHORT_LENGTH) + added
    for field, weight in _beside(fields, place):
        length += weight * field.length
        for at, frequency in field.frequencies.items():
            sums[at] = sums.get(at, 0.0) + weight * frequency
    # what it stands under counts, if it does not say so itself
    above = {dimension(word.text) for part in chunk.place.path for word in reader.words(part) if not word.empty}
    for at in above - own.keys():
        sums[at] = sums.get(at, 0.0) + _ABOVE
    if len(sums) > _MOST:
        heaviest = sorted(sums, key=lambda at: (at not in own, -sums[at], at))[:_MOST]
        sums = {at: sums[at] for at in heaviest}
    norm = K1 * (1 - B + B * length / USUAL_LENGTH)
    weights = {at: f * MOST_WEIGHT / (f + norm) for at, f in sums.items()}
    return ChunkWords(sorted({*own, *above, *dates.dimensions(chunk.text)}), weights, fields[place].label)


def _beside(fields: Sequence[_Field], place: int) -> Iterator[tuple[_Field, float]]:
    """What is said around what is said."""
    if fields[place].label is None:
        return
    for distance, weight in BESIDE.items():
        if 0 <= place + distance < len(fields) and fields[place + distance].label is not None:
            yield fields[place + distance], weight
