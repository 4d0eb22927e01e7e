"""Embedding models that fastembed knows by name, and downloads."""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from langgraph_agentmem.errors import ConfigurationError, MissingDependencyError
from langgraph_agentmem.policies.prefixes import family

DEFAULT = "intfloat/e5-small-v2"
"""Small (34 MB as integers), and trained for questions and answers."""


class NamedModel:
    """One of fastembed's models.

    Args:
        name: Of the model.
        threads: Of the processor; all if None.

    Raises:
        MissingDependencyError: fastembed is not installed.
        ConfigurationError: It knows no such model.
    """

    def __init__(self, name: str, threads: int | None) -> None:
        self._embedding = _text_embedding()
        known = {model["model"].lower(): model["model"] for model in self._embedding.list_supported_models()}
        if name.lower() not in known:
            raise ConfigurationError(
                f"fastembed knows no embedding model {name!r}; it knows {', '.join(sorted(known.values()))}. A model "
                "of your own is named by its folder: local:/path/to/folder"
            )
        self.name: str = known[name.lower()]
        query_prefix, passage_prefix, _ = family(self.name)
        self.query_prefix: str = query_prefix
        self.passage_prefix: str = passage_prefix
        self._threads = threads

    def load(self) -> None:
        """Read the model, downloaded first if it is not in the cache."""
        self._model = self._embedding(self.name, cache_dir=_cache_dir(), threads=self._threads)

    def vectors(self, texts: Sequence[str], *, queries: bool) -> list[list[float]]:
        """One vector a text, in one run of the model."""
        # a few models have another way for questions that is no prefix
        run = self._model.query_embed if queries else self._model.passage_embed
        return [vector.tolist() for vector in run(list(texts))]


def _text_embedding() -> Any:
    """The class of fastembed, which knows the default model as well."""
    try:
        fastembed, descriptions = import_module("fastembed"), import_module("fastembed.common.model_description")
    except ImportError as error:
        raise MissingDependencyError(
            f'embedding models on this machine need fastembed: pip install "langgraph-agentmem[local]" ({error})'
        ) from error
    embedding: Any = fastembed.TextEmbedding
    if not any(model["model"] == DEFAULT for model in embedding.list_supported_models()):
        embedding.add_custom_model(
            DEFAULT,
            pooling=descriptions.PoolingType.MEAN,
            normalization=True,
            sources=descriptions.ModelSource(hf="Xenova/e5-small-v2"),
            dim=384,
            model_file="onnx/model_quantized.onnx",
        )
    return embedding


def _cache_dir() -> str:
    """Where models are kept: fastembed's own default is a temporary folder, which does not last."""
    from platformdirs import user_cache_dir  # noqa: PLC0415 - nobody else needs it

    return os.environ.get("FASTEMBED_CACHE_PATH") or user_cache_dir("langgraph-agentmem/models", appauthor=False)
