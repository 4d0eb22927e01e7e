"""What embedding models want before a question and before a text, and how they make one vector of a text's tokens."""

import re
from typing import Literal, NamedTuple

Pooling = Literal["mean", "cls", "last"]


class Family(NamedTuple):
    """Embedding models that were trained alike.

    Attributes:
        query: What stands before a question.
        passage: What stands before a text.
        pooling: How the vectors of a text's tokens become its own: their mean, that of the first, or of the last.
    """

    query: str = ""
    passage: str = ""
    pooling: Pooling = "mean"


_SEARCHING = "Represent this sentence for searching relevant passages: "
_INSTRUCTED = "Instruct: Given a question, retrieve passages that answer the question\nQuery: "
_FAMILIES = (
    (r"e5-.*instruct", Family(query=_INSTRUCTED)),
    (r"(?<![a-z0-9])e5[-_]", Family(query="query: ", passage="passage: ")),
    (r"bge-m3", Family(pooling="cls")),
    (r"bge-.*zh", Family(query="为这个句子生成表示以用于检索相关文章：", pooling="cls")),
    (r"bge-", Family(query=_SEARCHING, pooling="cls")),
    (r"arctic-embed.*v2", Family(query="query: ", pooling="cls")),
    (r"arctic-embed|mxbai-embed", Family(query=_SEARCHING, pooling="cls")),
    (r"nomic-embed", Family(query="search_query: ", passage="search_document: ")),
    (r"embeddinggemma", Family(query="task: search result | query: ", passage="title: none | text: ")),
    (r"qwen3-embedding", Family(query=_INSTRUCTED, pooling="last")),
    (r"granite-embedding|gte-modernbert", Family(pooling="cls")),
)
"""The first pattern that a model's name holds counts. The prefixes are those of the models' own descriptions."""


def family(name: str) -> Family:
    """The family of a model, by its name: without prefixes, and with the mean, where it is none that is known."""
    return next((known for pattern, known in _FAMILIES if re.search(pattern, name.lower())), Family())
