"""A sentence embedding model from a folder, run by onnxruntime: `model.onnx` and `tokenizer.json`."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

AT_ONCE = 32
LONGEST = 256
"""Tokens of a text that count."""


class OnnxEmbeddings(Embeddings):
    """Mean-pooled or pooled already, of length 1; what was embedded once is remembered.

    Args:
        folder: Of the model.
        query: What the model wants before a question.
        passage: What it wants before a text.
    """

    def __init__(self, folder: str, query: str = "", passage: str = "") -> None:
        # neither is a part of the development set-up
        runtime, tokenizers = import_module("onnxruntime"), import_module("tokenizers")
        self.model = Path(folder).name
        self._before = {"query": query, "passage": passage}
        self._session: Any = runtime.InferenceSession(str(Path(folder) / "model.onnx"))
        self._inputs = {wanted.name for wanted in self._session.get_inputs()}
        self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)
        self._known: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._embedded([self._before["passage"] + text for text in texts])

    def embed_query(self, text: str) -> list[float]:
        return self._embedded([self._before["query"] + text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)

    def _embedded(self, texts: Sequence[str]) -> list[list[float]]:
        # by length: a batch is as long as its longest text
        new = sorted({text for text in texts if text not in self._known}, key=len)
        for start in range(0, len(new), AT_ONCE):
            batch = new[start : start + AT_ONCE]
            self._known.update(zip(batch, self._computed(batch), strict=True))
        return [self._known[text] for text in texts]

    def _computed(self, texts: list[str]) -> list[list[float]]:
        encoded = self._tokenizer.encode_batch(texts)
        longest = max(len(one.ids) for one in encoded)
        ids = np.zeros((len(encoded), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)] = one.ids
            mask[row, : len(one.ids)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        [output, *_] = self._session.run(None, {name: given[name] for name in self._inputs})
        pooled = output if output.ndim == 2 else (output * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).tolist()
