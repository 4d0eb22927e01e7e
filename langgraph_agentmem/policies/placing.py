"""Places the chunks of a section's value, to be compared with those that are stored."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from langgraph_agentmem.models.chunk import PlacedChunk, TextChunk


def content_hash(text: str, parents: Sequence[str] = ()) -> bytes:
    """Identifies a chunk's content; white space around it does not count.

    What it belongs to by indentation counts: the same line of another record says something else. Headings do not, so
    that renaming one leaves what stands under it as it was.
    """
    return hashlib.sha256("\0".join((text.strip(), *parents)).encode()).digest()


def placed(texts: Sequence[Sequence[TextChunk]]) -> list[PlacedChunk]:
    """The chunks of a section in order; blank ones are not stored.

    Args:
        texts: The chunks of each of the value's texts; those of different texts are no neighbours.
    """
    chunks = [
        (chunk, _beside(present, index))
        for present in ([chunk for chunk in chunks if chunk.text.strip()] for chunks in texts)
        for index, chunk in enumerate(present)
    ]
    placed: list[PlacedChunk] = []
    seen: Counter[bytes] = Counter()
    for order, (chunk, neighbours) in enumerate(chunks):
        hash = content_hash(chunk.text, chunk.place.parents)
        placed.append(
            PlacedChunk(
                order=order,
                text=chunk.text,
                overlap=chunk.overlap,
                neighbours=neighbours,
                content_hash=hash,
                equal_before=seen[hash],
                place=chunk.place,
            )
        )
        seen[hash] += 1
    return placed


def _beside(chunks: Sequence[TextChunk], index: int) -> str:
    neighbours = (*chunks[max(index - 1, 0) : index], *chunks[index + 1 : index + 2])
    return "\n".join(chunk.text.strip() for chunk in neighbours)
