"""What is drawn of an entity graph: which entities, as which nodes, and what connects them."""

from collections import Counter
from typing import NamedTuple

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.graph import GraphEntity, Neighborhood


class DrawnEntity(NamedTuple):
    """An entity that is drawn; `tier` is the highest in which it is."""

    name: str
    kind: str
    tier: GraphTier


class Link(NamedTuple):
    """What leads from one node to another, by their positions."""

    source: int
    target: int
    kinds: tuple[str, ...]


class Picture(NamedTuple):
    """Nodes, the most important first, and their links; how many entities are left out."""

    nodes: list[DrawnEntity]
    links: list[Link]
    left_out: int


_Key = tuple[str, str]


def picture(found: Neighborhood, limit: int) -> Picture:
    """The nearest entities, of equally near ones those with most relationships, then the most important.

    What has the same name and the same first type in several memories or tiers is one node: promotion copies entities,
    and whoever looks at a graph asks about things, not about where they are kept.
    """
    same: dict[_Key, list[GraphEntity]] = {}
    for entity in found.entities:
        same.setdefault(_key(entity), []).append(entity)
    key_of = {entity.id: key for key, entities in same.items() for entity in entities}
    linked = _linked(found, key_of)
    degrees = Counter(key for ends in linked for key in set(ends))
    order = sorted(same, key=lambda key: (*_rank(same[key]), -degrees[key], -max(e.importance for e in same[key]), key))
    # whoever is asked for comes first; among the others, distance counts before the number of relationships
    at = {key: position for position, key in enumerate(order[:limit])}
    links = [
        Link(at[source], at[target], tuple(kinds))
        for (source, target), kinds in linked.items()
        if source in at and target in at
    ]
    return Picture([_node(same[key]) for key in at], sorted(links), len(order) - len(at))


def _rank(entities: list[GraphEntity]) -> tuple[int]:
    return (min(entity.distance for entity in entities),)


def _linked(found: Neighborhood, key_of: dict[int, _Key]) -> dict[tuple[_Key, _Key], list[str]]:
    """The kinds of relationships between two things, each once."""
    linked: dict[tuple[_Key, _Key], dict[str, None]] = {}
    for link in found.relationships:
        if link.source_id in key_of and link.target_id in key_of:
            kinds = linked.setdefault((key_of[link.source_id], key_of[link.target_id]), {})
            kinds |= dict.fromkeys(link.types)
    return {ends: list(kinds) for ends, kinds in linked.items()}


def _key(entity: GraphEntity) -> _Key:
    return entity.name.casefold(), entity.types[0].casefold() if entity.types else ""


def _node(entities: list[GraphEntity]) -> DrawnEntity:
    best = min(entities, key=lambda entity: (entity.tier != "longterm", entity.id))
    return DrawnEntity(best.name, best.types[0] if best.types else "", best.tier)
