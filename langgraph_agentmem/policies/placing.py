"""Places the chunks of a section's value, to be compared with those that are stored."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from langgraph_agentmem.models.chunk import PlacedChunk, TextChunk
from langgraph_agentmem.policies.weighing import weighed
from langgraph_agentmem.policies.words import Reader


def content_hash(text: str, parents: Sequence[str] = ()) -> bytes:
    """Identifies a chunk's content; white space around it does not count.

    What it belongs to by indentation counts: the same line of another record says something else. Headings do not, so
    that renaming one leaves what stands under it as it was.
    """
    return hashlib.sha256("\0".join((text.strip(), *parents)).encode()).digest()


def placed(texts: Sequence[Sequence[TextChunk]], reader: Reader) -> list[PlacedChunk]:
    """The chunks of a section in order; blank ones are not stored.

    Args:
        texts: The chunks of each of the value's texts; those of different texts are no neighbours.
        reader: Of the language in which they are read.
    """
    present = [[chunk for chunk in chunks if chunk.text.strip()] for chunks in texts]
    chunks = [pair for chunks in present for pair in zip(chunks, weighed(chunks, reader), strict=True)]
    placed: list[PlacedChunk] = []
    seen: Counter[bytes] = Counter()
    for order, (chunk, words) in enumerate(chunks):
        hash = content_hash(chunk.text, chunk.place.parents)
        placed.append(
            PlacedChunk(
                order=order,
                text=chunk.text,
                overlap=chunk.overlap,
                words=words,
                content_hash=hash,
                equal_before=seen[hash],
                place=chunk.place,
            )
        )
        seen[hash] += 1
    return placed
