"""The named Cypher statements of `cypher/*.cypher`."""

from functools import cache
from importlib.resources import files

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.storage.driver.statements import named_blocks

_CYPHER = files("langgraph_agentmem.projection") / "cypher"
_NAMES: dict[GraphTier, tuple[str, str]] = {
    "shortterm": ("ShorttermEntity", "SHORTTERM_RELATES"),
    "longterm": ("LongtermEntity", "LONGTERM_RELATES"),
}
TIERS: tuple[GraphTier, ...] = tuple(_NAMES)


@cache
def cypher(file: str) -> dict[str, str]:
    """The statements of `cypher/<file>.cypher` by name."""
    return named_blocks((_CYPHER / f"{file}.cypher").read_text(encoding="utf-8"), "//")


@cache
def of_tier(statement: str, tier: GraphTier) -> str:
    """A statement about one tier: `ENTITY` and `RELATES` stand for that tier's label and relationship type."""
    entity, relates = _NAMES[tier]
    return statement.replace(":ENTITY", f":{entity}").replace(":RELATES", f":{relates}")
