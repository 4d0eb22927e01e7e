"""How vectors are kept."""

from typing import Literal

from pydantic import Field, model_validator

from langgraph_agentmem.models.base import Value

_OPTIONS = {"hnsw": {"m", "ef_construction"}, "ivfflat": {"lists"}, "flat": set[str]()}


class VectorIndex(Value):
    """How vectors are stored, compared and indexed.

    Attributes:
        distance: What makes two vectors near; with `cosine`, they are stored as unit vectors.
        vector_type: `halfvec` stores 16 bits a dimension, `vector` 32.
        index_kind: `flat` compares all vectors, the others approximate.
        index_options: Of the index, as pgvector names them.
    """

    distance: Literal["cosine", "l2", "inner_product"] = "cosine"
    vector_type: Literal["halfvec", "vector"] = "halfvec"
    index_kind: Literal["hnsw", "ivfflat", "flat"] = "hnsw"
    index_options: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _options_of_its_kind(self) -> "VectorIndex":
        if unknown := self.index_options.keys() - _OPTIONS[self.index_kind]:
            known = ", ".join(sorted(_OPTIONS[self.index_kind])) or "none"
            raise ValueError(f"{self.index_kind} has no option {sorted(unknown)[0]!r}; it has {known}")
        return self
