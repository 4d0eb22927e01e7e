"""The arithmetic of merging entities and relationships."""

from collections.abc import Iterable
from datetime import datetime

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship


class Traits(Value):
    """What merging changes of an entity or a relationship; `weight` is its importance or its strength."""

    types: list[str]
    description: str
    confidence: float
    weight: float


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


def created_change(at: datetime, source: str, origin: Json, traits: Traits, *, strength: bool) -> Json:
    """The history entry of a new entity or relationship."""
    change = {"timestamp": at.isoformat(), "source": source, **origin, "action": "created"}
    change |= {"types": traits.types, "confidence": traits.confidence}
    return change | ({"strength": traits.weight} if strength else {})


def merged_change(at: datetime, source: str, origin: Json, old: Traits, new: Traits, *, strength: bool) -> Json:
    """The history entry of a merge."""
    change = {"timestamp": at.isoformat(), "source": source, **origin}
    change |= {"old_types": old.types, "new_types": new.types}
    change |= {"old_confidence": old.confidence, "new_confidence": new.confidence}
    return change | ({"old_strength": old.weight, "new_strength": new.weight} if strength else {})


def deduplicated_entities(entities: Iterable[ExtractedEntity]) -> list[ExtractedEntity]:
    """Entities of one extraction, those of one case-folded name made one; the first spelling stays."""
    found: dict[str, ExtractedEntity] = {}
    for entity in entities:
        known = found.get(entity.name.casefold())
        found[entity.name.casefold()] = (
            entity
            if known is None
            else known.model_copy(
                update={
                    "types": union_types(known.types, entity.types),
                    "description": max(known.description, entity.description, key=len),
                    "confidence": max(known.confidence, entity.confidence),
                    "importance": max(known.importance, entity.importance),
                    "chunk_ids": sorted({*known.chunk_ids, *entity.chunk_ids}),
                }
            )
        )
    return list(found.values())


def deduplicated_relationships(relationships: Iterable[ExtractedRelationship]) -> list[ExtractedRelationship]:
    """Relationships of one extraction, those with the same ends and first type made one."""
    found: dict[tuple[str, ...], ExtractedRelationship] = {}
    for item in relationships:
        key = (item.source.casefold(), item.target.casefold(), *(t.casefold() for t in item.types[:1]))
        known = found.get(key)
        found[key] = (
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
    return list(found.values())
