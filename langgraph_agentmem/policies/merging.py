"""The arithmetic of merging entities and relationships."""

from collections.abc import Iterable
from datetime import datetime

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Traits
from langgraph_agentmem.policies import identity, naming
from langgraph_agentmem.policies.identity import Known


def union_types(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """The ordered union of two lists of types: those of the first, then what the second adds, ignoring case."""
    union: dict[str, str] = {}
    for type_ in (*first, *second):
        union.setdefault(type_.casefold(), type_)
    return list(union.values())


def weighted(a: float, b: float) -> float:
    """0.6 × the higher + 0.4 × the lower value: agreement strengthens, a weak source weakens only a little."""
    high, low = max(a, b), min(a, b)
    return min(low + 0.6 * (high - low), high)  # the same, but exact where both are equal


def merged(stored: Traits, new: Traits, description: str | None = None) -> Traits:
    """A stored entity's or relationship's traits after a new one was merged into it.

    Args:
        stored: What is there; its types come first.
        new: What comes.
        description: One of both, if somebody wrote one; else the newer is kept unless it is empty.
    """
    return Traits(
        types=union_types(stored.types, new.types),
        description=description or new.description or stored.description,
        confidence=weighted(stored.confidence, new.confidence),
        weight=weighted(stored.weight, new.weight),
    )


def history_entry(at: datetime, source: str, origin: Json, change: Json) -> Json:
    """An entry of state history: when, by what, from where, and the change."""
    return {"timestamp": at.isoformat(), "source": source, **origin, **change}


def traits_change(before: Traits | None, after: Traits, *, strength: bool) -> Json:
    """What state history says of a new entity or relationship, where there was nothing before, or of a merge."""
    if before is None:
        return {"action": "created", **_prefixed("", after, strength=strength)}
    return _prefixed("old_", before, strength=strength) | _prefixed("new_", after, strength=strength)


def _prefixed(prefix: str, traits: Traits, *, strength: bool) -> Json:
    values = {f"{prefix}types": traits.types, f"{prefix}confidence": traits.confidence}
    return values | ({f"{prefix}strength": traits.weight} if strength else {})


def deduplicated_entities(entities: Iterable[ExtractedEntity]) -> list[ExtractedEntity]:
    """Entities of one extraction, those of one name made one unless their types part them; the first spelling stays."""
    remaining = list(entities)
    while len(fewer := _deduplicated_once(remaining)) < len(remaining):  # of two made one, the types may fit a third
        remaining = fewer
    return fewer


def _deduplicated_once(entities: Iterable[ExtractedEntity]) -> list[ExtractedEntity]:
    found: list[ExtractedEntity] = []
    for entity in entities:
        known = [Known(id=i, types=e.types) for i, e in enumerate(found) if naming.same(e.name, entity.name)]
        position = identity.of_one_name(entity.types, known)
        if position is None:
            found.append(entity)
        else:
            found[position] = _both(found[position], entity)
    return found


def _both(known: ExtractedEntity, entity: ExtractedEntity) -> ExtractedEntity:
    return known.model_copy(
        update={
            "types": union_types(known.types, entity.types),
            "description": max(known.description, entity.description, key=len),
            "confidence": max(known.confidence, entity.confidence),
            "importance": max(known.importance, entity.importance),
            "chunk_ids": sorted({*known.chunk_ids, *entity.chunk_ids}),
        }
    )


def deduplicated_relationships(relationships: Iterable[ExtractedRelationship]) -> list[ExtractedRelationship]:
    """Relationships of one extraction, those with the same ends and first type made one."""
    by_ends: dict[tuple[str, ...], ExtractedRelationship] = {}
    for item in relationships:
        key = (naming.key(item.source), naming.key(item.target), *(t.casefold() for t in item.types[:1]))
        known = by_ends.get(key)
        by_ends[key] = (
            item
            if known is None
            else known.model_copy(
                update={
                    "types": union_types(known.types, item.types),
                    "description": max(known.description, item.description, key=len),
                    "confidence": max(known.confidence, item.confidence),
                    "strength": max(known.strength, item.strength),
                    "chunk_ids": sorted({*known.chunk_ids, *item.chunk_ids}),
                }
            )
        )
    return list(by_ends.values())
