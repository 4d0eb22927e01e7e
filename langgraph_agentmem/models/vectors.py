"""How vectors are kept."""

from typing import Literal

from pydantic import Field, model_validator

from langgraph_agentmem.models.base import Value

_OPTIONS = {
    "hnsw": {"m": (2, 100), "ef_construction": (4, 1_000)},
    "ivfflat": {"lists": (1, 32_768)},
    "flat": dict[str, tuple[int, int]](),
}
"""Of each kind of index, with the least and the most that pgvector takes."""
_USUAL = {"m": 16, "ef_construction": 64}


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
        known = _OPTIONS[self.index_kind]
        for name, value in self.index_options.items():
            if name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise ValueError(f"{self.index_kind} has no option {name!r}; it has {names}")
            lowest, highest = known[name]
            if not lowest <= value <= highest:
                raise ValueError(f"{name} must be from {lowest} to {highest}, not {value}")
        options = _USUAL | self.index_options
        if self.index_kind == "hnsw" and options["ef_construction"] < 2 * options["m"]:
            raise ValueError(
                f"ef_construction must be at least twice m, but is {options['ef_construction']} with m {options['m']}"
            )
        return self
