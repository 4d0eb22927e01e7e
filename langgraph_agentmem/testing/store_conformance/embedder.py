"""A deterministic embedder that needs no model, and can be made to wait or to fail for particular texts."""

import asyncio
import hashlib
import re
import threading
import time

from langchain_core.embeddings import Embeddings

DIMENSIONS = 64
_WORD = re.compile(r"\w+")
_POLL_SECONDS = 0.01


class Gate:
    """Where the texts with a certain word wait.

    Args:
        seconds: After which a waiting call goes on by itself, so that a store which waits for it is not stuck.

    Examples:
        >>> embedder = WordEmbedder()
        >>> gate = embedder.hold("slow", seconds=0.01)
        >>> gate.open()
    """

    def __init__(self, seconds: float) -> None:
        self.reached: threading.Event = threading.Event()
        self.opened: threading.Event = threading.Event()
        self.seconds = seconds

    def open(self) -> None:
        """Let the texts through."""
        self.opened.set()


class WordEmbedder(Embeddings):
    """Hashes words into a bag of 64 buckets: texts that share words are close, and no score is below 0.

    It may be called from any thread and any event loop.

    Examples:
        >>> embedder = WordEmbedder()
        >>> len(embedder.embed_query("green tea")), sum(embedder.embed_query("green tea"))
        (64, 2.0)
    """

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}
        self._failing: set[str] = set()

    def hold(self, word: str, *, seconds: float = 5.0) -> Gate:
        """Make texts with this word wait until the gate is opened, or for so many seconds."""
        return self._gates.setdefault(word, Gate(seconds))

    def fail(self, word: str) -> None:
        """Make every call with a text that has this word fail with `RuntimeError`."""
        self._failing.add(word)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector of 64 dimensions for each text."""
        for gate in self._met(texts):
            gate.reached.set()
            gate.opened.wait(gate.seconds)
        return self._vectors(texts)

    def embed_query(self, text: str) -> list[float]:
        """A vector of 64 dimensions."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector of 64 dimensions for each text."""
        for gate in self._met(texts):
            gate.reached.set()
            deadline = time.monotonic() + gate.seconds
            while not gate.opened.is_set() and time.monotonic() < deadline:  # noqa: ASYNC110  it may be another loop's
                await asyncio.sleep(_POLL_SECONDS)
        return self._vectors(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """A vector of 64 dimensions."""
        return (await self.aembed_documents([text]))[0]

    def _met(self, texts: list[str]) -> list[Gate]:
        words = {word for text in texts for word in words_of(text)}
        return [gate for word, gate in self._gates.items() if word in words]

    def _vectors(self, texts: list[str]) -> list[list[float]]:
        for text in texts:
            if failing := self._failing.intersection(words_of(text)):
                raise RuntimeError(f"the embedder fails for {min(failing)!r}")
        return [vector(text) for text in texts]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word.casefold() for word in _WORD.findall(text)]


def bucket(word: str) -> int:
    """The dimension that counts a word."""
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[0] % DIMENSIONS


def vector(text: str) -> list[float]:
    """How often each bucket's words are in a text; zeros for a text without words."""
    counts = [0.0] * DIMENSIONS
    for word in words_of(text):
        counts[bucket(word)] += 1.0
    return counts
