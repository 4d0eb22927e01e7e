"""An embedding model in a folder, as sentence-transformers and Optimum export it, run by onnxruntime."""

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from langgraph_agentmem.errors import ConfigurationError, MissingDependencyError
from langgraph_agentmem.policies.prefixes import Pooling, family
from langgraph_agentmem.settings import local_path

_FILES = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")
_LONGEST = 512
"""Tokens of a text that count, where the folder says nothing; small models were trained with no more."""
_KNOWN = 32_768
"""Up to here a length that the folder names is one."""
_MODES: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
}
_POOLED = ("sentence_embedding", "embedding")
"""Outputs that are one vector a text."""


class FolderModel:
    """An ONNX model with its tokenizer.

    Args:
        folder: Of `model.onnx` and `tokenizer.json`. Prefixes are read from `config_sentence_transformers.json`, and
            the pooling from `1_Pooling/config.json`, where there are such; else the folder's name tells the family.
        threads: Of the processor; all if None.

    Raises:
        MissingDependencyError: onnxruntime or tokenizers is not installed.
        ConfigurationError: A file is missing.
    """

    def __init__(self, folder: str | Path, threads: int | None) -> None:
        self._folder = local_path(folder, "the model's folder").resolve()
        self.name: str = self._folder.name
        self._threads = threads
        self._file = self._model_file()
        if not (self._folder / "tokenizer.json").is_file():
            raise ConfigurationError(f"the folder {str(self._folder)!r} has no tokenizer.json")
        known = family(self.name)
        prompts: dict[str, str] = self._config("config_sentence_transformers.json").get("prompts") or {}
        self.query_prefix: str = prompts.get("query", known.query)
        self.passage_prefix: str = prompts.get("document", prompts.get("passage", known.passage))
        self._pooling = _pooling(self._config("1_Pooling/config.json"), known.pooling)
        try:
            self._runtime: Any = import_module("onnxruntime")
            self._tokenizers: Any = import_module("tokenizers")
            self._numpy: Any = import_module("numpy")
        except ImportError as error:
            raise MissingDependencyError(
                f"embedding models on this machine need onnxruntime and tokenizers: "
                f'pip install "langgraph-agentmem[local]" ({error})'
            ) from error

    def load(self) -> None:
        """Read the model and its tokenizer."""
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._threads or 0
        self._session = self._runtime.InferenceSession(str(self._file), options, providers=["CPUExecutionProvider"])
        self._inputs = {wanted.name for wanted in self._session.get_inputs()}
        outputs = [given.name for given in self._session.get_outputs()]
        self._output = next((name for name in _POOLED if name in outputs), outputs[0])
        self._tokenizer = self._tokenizers.Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        self._tokenizer.no_padding()  # what a file says may be shorter than a text
        self._tokenizer.enable_truncation(self._longest())

    def vectors(self, texts: Sequence[str], *, queries: bool) -> list[list[float]]:
        """One vector of length 1 a text, in one run of the model; questions differ by their prefix only."""
        np = self._numpy
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.zeros((len(encoded), max(len(one.ids) for one in encoded)), np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)] = one.ids
            mask[row, : len(one.ids)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        [output] = self._session.run([self._output], {name: given[name] for name in self._inputs})
        pooled = self._pooled(output, mask).astype(np.float64)
        return (pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)).tolist()

    def _pooled(self, output: Any, mask: Any) -> Any:
        if output.ndim == 2:
            return output
        if self._pooling == "cls":
            return output[:, 0]
        if self._pooling == "last":
            return output[self._numpy.arange(len(output)), mask.sum(1) - 1]
        return (output * mask[..., None]).sum(1) / self._numpy.maximum(mask.sum(1, keepdims=True), 1)

    def _model_file(self) -> Path:
        if not self._folder.is_dir():
            raise ConfigurationError(f"there is no folder {str(self._folder)!r} to read an embedding model from")
        found = [self._folder / name for name in _FILES if (self._folder / name).is_file()]
        found = found or sorted(self._folder.glob("*.onnx"))
        if not found:
            raise ConfigurationError(f"the folder {str(self._folder)!r} has no ONNX model: none of {', '.join(_FILES)}")
        return found[0]

    def _longest(self) -> int:
        """How many tokens of a text count; what tokenizer.json says of it is often less than the model can read."""
        said: list[Any] = [
            self._config("sentence_bert_config.json").get("max_seq_length"),
            self._config("tokenizer_config.json").get("model_max_length"),
        ]
        # transformers writes a huge number where it does not know
        return next((int(length) for length in said if length and length <= _KNOWN), _LONGEST)

    def _config(self, name: str) -> dict[str, Any]:
        file = self._folder / name
        try:
            return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except ValueError as error:
            raise ConfigurationError(f"{str(file)!r} is no JSON: {error}") from error


def _pooling(config: dict[str, Any], known: Pooling) -> Pooling:
    said: list[Pooling] = [pooling for mode, pooling in _MODES.items() if config.get(mode)]
    return said[0] if said else known
