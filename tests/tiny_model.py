"""An ONNX model of a few kilobytes with its tokenizer: each word is a direction of its own, as in a bag of words.

The file is written field by field, as protocol buffers are, so that no package is needed that writes ONNX.
"""

import json
import struct
from pathlib import Path

WORDS = ["[PAD]", "[UNK]", "query", "passage", ":", "ada", "writes", "the", "engine", "cat", "sleeps", "who", "builds"]
INT64, FLOAT = 7, 1


def _number(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _field(number: int, value: "int | bytes | str") -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    content = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(content)) + content


def _value(name: str, kind: int, dimensions: int) -> bytes:
    shape = b"".join(_field(1, _field(2, f"{name} {place}")) for place in range(dimensions))
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def model_bytes(dimensions: int) -> bytes:
    """A model that looks each token up in a table, and does nothing else."""
    rows = [[float(place == column) for column in range(dimensions)] for place in range(len(WORDS))]
    table = struct.pack(f"<{len(WORDS) * dimensions}f", *(x for row in rows for x in row))
    tensor = _field(1, len(WORDS)) + _field(1, dimensions) + _field(2, FLOAT) + _field(8, "table") + _field(9, table)
    node = _field(1, "table") + _field(1, "input_ids") + _field(2, "last_hidden_state") + _field(4, "Gather")
    inputs = [_field(11, _value(name, INT64, 2)) for name in ("input_ids", "attention_mask")]
    graph = _field(1, node) + _field(2, "tiny") + _field(5, tensor) + b"".join(inputs)
    graph += _field(12, _value("last_hidden_state", FLOAT, 3))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


def write_tiny_model(folder: Path, dimensions: int = len(WORDS)) -> Path:
    """A folder with the model and all that comes with one."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model_bytes(dimensions))
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    configured = {"tokenizer_config.json": {"model_max_length": 128, "pad_token": "[PAD]"}}
    configured |= {"config.json": {"pad_token_id": 0}, "special_tokens_map.json": {"pad_token": "[PAD]"}}
    for name, content in configured.items():
        (folder / name).write_text(json.dumps(content))
    return folder
