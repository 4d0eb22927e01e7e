"""LangChain embeddings that need no server and no API key."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from langchain_core.embeddings import Embeddings

from langgraph_agentmem.local.by_name import DEFAULT, NamedModel
from langgraph_agentmem.local.folder import FolderModel

_AT_ONCE = 32
"""Texts in one run of a model: more take no less time each, only more memory."""


class _Model(Protocol):
    """What computes vectors."""

    name: str
    query_prefix: str
    passage_prefix: str

    def load(self) -> None:
        """Read the model, and download it first where that is needed."""
        ...

    def vectors(self, texts: Sequence[str], *, queries: bool) -> list[list[float]]:
        """One vector a text, in one run of the model."""
        ...


class LocalEmbeddings(Embeddings):
    """An embedding model on the machine's own processor: one of fastembed's by its name, or an ONNX model in a folder.

    `index="local"` stands for the default model, `index="local:<name>"` for another one that `fastembed` knows, and
    `index="local:<folder>"` for one in a folder, which needs no network at all; this class is for what these do not
    say. A named model is downloaded when it is first used, into `FASTEMBED_CACHE_PATH`, or else a per-user cache
    folder. Vectors are computed in threads, so that async code goes on meanwhile.

    Args:
        model: A model's name, or its folder with `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`.
        query_prefix: What the model wants before a question; by default what the folder's
            `config_sentence_transformers.json` says, or else what is known of the model's family.
        passage_prefix: What it wants before a text; by default likewise.
        threads: Of the processor, for one text after the other; all by default.

    Raises:
        MissingDependencyError: The extra `local` is not installed.
        ConfigurationError: `fastembed` knows no such model, or the folder lacks a file.

    Attributes:
        model: The name by which the database knows the vectors: the model's, or that of its folder.

    Examples:
        >>> embeddings = LocalEmbeddings("BAAI/bge-small-en-v1.5")
        >>> embeddings.query_prefix
        'Represent this sentence for searching relevant passages: '
    """

    def __init__(
        self,
        model: str | Path = DEFAULT,
        *,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        threads: int | None = None,
    ) -> None:
        self._model: _Model = FolderModel(model, threads) if _is_folder(model) else NamedModel(str(model), threads)
        self.model: str = self._model.name
        self.query_prefix: str = self._model.query_prefix if query_prefix is None else query_prefix
        self.passage_prefix: str = self._model.passage_prefix if passage_prefix is None else passage_prefix
        self._loading = threading.Lock()
        self._loaded = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts.

        Examples:
            >>> [len(vector) for vector in embeddings.embed_documents(["Ada writes the engine."])]
            [384]
        """
        return self._embedded([self.passage_prefix + text for text in texts], queries=False)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question.

        Examples:
            >>> len(embeddings.embed_query("Who writes the engine?"))
            384
        """
        return self._embedded([self.query_prefix + text], queries=True)[0]

    def _embedded(self, texts: list[str], *, queries: bool) -> list[list[float]]:
        with self._loading:  # once, and not before the first use: it may take a download
            if not self._loaded:
                self._model.load()
                self._loaded = True
        # by length: a batch takes as long as its longest text
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found: dict[int, list[float]] = {}
        for start in range(0, len(order), _AT_ONCE):
            places = order[start : start + _AT_ONCE]
            vectors = self._model.vectors([texts[place] for place in places], queries=queries)
            found.update(zip(places, vectors, strict=True))
        return [found[place] for place in range(len(texts))]


def _is_folder(model: str | Path) -> bool:
    return isinstance(model, Path) or model.startswith(("/", ".", "~", "$")) or Path(model).is_dir()
