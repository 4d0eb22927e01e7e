"""Vectors that need not be computed again."""

import hashlib
import threading
from array import array
from collections import OrderedDict

_KEPT = 4_096
"""6 MB of 384 dimensions: entities' names, short items that are put again, and texts that move between sections."""


def text_hash(text: str) -> bytes:
    """What a text is known by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class VectorCache:
    """One embedder's vectors of the texts that were embedded last, by their hash, with 32 bits a component.

    The database keeps no more bits of them, either. It may be shared by threads.

    Args:
        most: How many vectors are kept; who was not asked for longest goes first.
    """

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._vectors: OrderedDict[bytes, array[float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, hash: bytes) -> list[float] | None:
        """A text's vector, if it is known."""
        with self._lock:
            vector = self._vectors.get(hash)
            if vector is None:
                return None
            self._vectors.move_to_end(hash)
        return vector.tolist()

    def put(self, hash: bytes, vector: list[float]) -> None:
        """Keep a text's vector."""
        with self._lock:
            self._vectors[hash] = array("f", vector)
            if len(self._vectors) > self._most:
                self._vectors.popitem(last=False)

    def clear(self) -> None:
        """Forget all vectors."""
        with self._lock:
            self._vectors.clear()
