"""Reads an extractor's answer part by part, and tidies it up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.entity import (
    ExtractedEntity,
    ExtractedRelationship,
    Extraction,
    RefusedFinding,
    Share,
)
from langgraph_agentmem.policies import answers, merging, naming, validation
from langgraph_agentmem.policies.entity_types import incompatible
from langgraph_agentmem.policies.matching import overlap_coefficient

LONGEST_NAME, LONGEST_DESCRIPTION, MAX_TYPES = 250, 4_000, 20
_LISTS = ("entities", "relationships")
_SHARE: TypeAdapter[float] = TypeAdapter(Share)


class FoundRelationship(Value):
    """A relationship with its ends, as positions among the entities."""

    relationship: ExtractedRelationship
    source: int
    target: int


class Findings(Value):
    """What an extractor found, tidied up: each entity once, and each relationship between two of them."""

    entities: list[ExtractedEntity]
    relationships: list[FoundRelationship]


# Reading


def read(answer: object) -> Extraction:
    """What is good in a model's answer; what is not is refused on record, part by part.

    An entity needs a name, a relationship its two ends; every other field that cannot be read takes its default. JSON
    within a string is read, a single thing stands for a list of one, null for what is left out.

    Raises:
        ValueError: Nothing in it is good.
    """
    parts = _unwrapped(answer)
    refused: list[RefusedFinding] = []
    entities = [e for where, item in _items(parts, "entities", refused) if (e := _entity(where, item, refused))]
    relationships = [
        r for where, item in _items(parts, "relationships", refused) if (r := _relationship(where, item, refused))
    ]
    if refused and not entities and not relationships:
        raise ValueError("; ".join(finding.reason for finding in refused))
    return Extraction(entities=entities, relationships=relationships, refused=refused)


def _unwrapped(answer: object) -> Mapping[str, object]:
    """The object with the two lists; models wrap it into another one, make several calls, or write it as a string."""
    answer = _from_json(answer)
    if isinstance(answer, list):
        return _joined(cast("list[object]", answer))
    if isinstance(answer, Mapping):
        parts = cast("Mapping[str, object]", answer)
        if not parts or any(name in parts for name in _LISTS):
            return parts
        inner = _from_json(next(iter(parts.values())))
        if len(parts) == 1 and isinstance(inner, Mapping):
            return _unwrapped(cast("object", inner))
    raise ValueError(f"neither entities nor relationships in {_shown(cast('object', answer))}")


def _joined(answers: list[object]) -> Mapping[str, object]:
    """One object of several ones, or of a list of entities."""
    items = [cast("Mapping[str, object]", item) for item in map(_from_json, answers) if isinstance(item, Mapping)]
    lists = [item for item in items if any(name in item for name in _LISTS)]
    if not lists:
        return {"entities": answers}
    return {name: [thing for item in lists for thing in _listed(item.get(name))] for name in _LISTS}


def _listed(value: object) -> list[object]:
    value = _from_json(value)
    if value is None:
        return []
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _items(
    parts: Mapping[str, object], name: str, refused: list[RefusedFinding]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    listed = _from_json(parts.get(name))
    if listed is None:
        return
    if isinstance(listed, Mapping):
        listed = [cast("object", listed)]
    if not isinstance(listed, list):
        refused.append(RefusedFinding(reason=f"{name}: {_shown(listed)} is no list"))
        return
    for position, item in enumerate(map(_from_json, cast("list[object]", listed))):
        where = f"{name}[{position}]"
        if name == "entities" and isinstance(item, str):
            item = {"name": item}
        if isinstance(item, Mapping):
            yield where, cast("Mapping[str, object]", item)
        else:
            refused.append(RefusedFinding(reason=f"{where}: {_shown(item)} is no object"))


def _entity(where: str, item: Mapping[str, object], refused: list[RefusedFinding]) -> ExtractedEntity | None:
    names = _names(where, item, ("name",), refused)
    if names is None:
        return None
    fields = _fields(where, item, {"types": _words, "importance": _share}, names, refused)
    return ExtractedEntity(name=names[0], **fields)


def _relationship(
    where: str, item: Mapping[str, object], refused: list[RefusedFinding]
) -> ExtractedRelationship | None:
    names = _names(where, item, ("source", "target"), refused)
    if names is None:
        return None
    own = {"types": _words, "strength": _share, "source_types": _words, "target_types": _words}
    return ExtractedRelationship(source=names[0], target=names[1], **_fields(where, item, own, names, refused))


def _names(
    where: str, item: Mapping[str, object], fields: Sequence[str], refused: list[RefusedFinding]
) -> tuple[str, ...] | None:
    names = [_name(item.get(field)) for field in fields]
    known = tuple(name for name in names if name is not None)
    if len(known) == len(fields):
        return known
    bad = [f"{f}: {_shown(item.get(f))} is no name" for f, name in zip(fields, names, strict=True) if name is None]
    refused.append(RefusedFinding(names=known, reason=f"{where}: {'; '.join(bad)}"))
    return None


def _name(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # a year, for instance
    # without white space alone: that it is empty is noted along with the chunks that it names
    return value if isinstance(value, str) and len(" ".join(value.split())) <= LONGEST_NAME else None


def _fields(
    where: str,
    item: Mapping[str, object],
    own: Mapping[str, Callable[[object], Any]],
    names: tuple[str, ...],
    refused: list[RefusedFinding],
) -> dict[str, Any]:
    """The other fields, without those that are left out, null, or cannot be read."""
    readers = {"description": _description, "confidence": _share, "chunk_ids": _ids, **own}
    fields: dict[str, Any] = {}
    for field, reader in readers.items():
        value = _from_json(item.get(field))
        if value is None:
            continue
        try:
            fields[field] = reader(value)
        except (ValueError, ValidationError):
            reason = f"{where}: {field}: {_shown(value)} was left out"
            refused.append(RefusedFinding(names=names, reason=reason))
    return fields


def _words(value: object) -> list[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise ValueError
    words = [item for item in cast("list[object]", listed) if item is not None]
    if len(words) > MAX_TYPES or not all(isinstance(word, str) and len(word) <= LONGEST_NAME for word in words):
        raise ValueError
    return [" ".join(word.split()) for word in cast("list[str]", words) if word.strip()]


def _description(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_DESCRIPTION:
        raise ValueError
    return value


def _share(value: object) -> float:
    if isinstance(value, bool):
        raise ValueError
    return _SHARE.validate_python(float(value) if isinstance(value, str) else value)


def _ids(value: object) -> list[int]:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    if any(isinstance(item, bool | float) for item in listed):
        raise ValueError
    return [int(cast("Any", item)) for item in listed if item is not None]


def _from_json(value: object) -> object:
    """What a string holds that is JSON; anything else as it is."""
    return answers.from_json(value) if isinstance(value, str) else value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


# Tidying up


def tidied(extraction: Extraction, chunk_ids: set[int]) -> Findings:
    """What an extractor found, without empty names and strange chunks, and with the ends of all relationships.

    Args:
        extraction: Its answer.
        chunk_ids: The chunks that it was shown.
    """
    # an extractor of one's own may return what PostgreSQL cannot hold
    extraction = Extraction.model_validate(validation.storable(extraction.model_dump()))

    def support(ids: list[int]) -> list[int]:  # what names no chunk is supported by all, so that nothing outlives them
        return sorted(chunk_ids & set(ids)) or sorted(chunk_ids)

    entities = merging.deduplicated_entities(
        e.model_copy(update={"name": _one_line(e.name), "chunk_ids": support(e.chunk_ids)})
        for e in extraction.entities
        if e.name.strip()
    )
    relationships: list[FoundRelationship] = []
    for item in extraction.relationships:
        if item.source.strip() and item.target.strip():
            named = {"source": _one_line(item.source), "target": _one_line(item.target)}
            relationship = item.model_copy(update={**named, "chunk_ids": support(item.chunk_ids)})
            source = _end(entities, relationship, relationship.source, relationship.source_types)
            target = _end(entities, relationship, relationship.target, relationship.target_types)
            relationships.append(FoundRelationship(relationship=relationship, source=source, target=target))
    return Findings(entities=entities, relationships=_deduplicated(relationships))


def _end(entities: list[ExtractedEntity], relationship: ExtractedRelationship, name: str, types: Sequence[str]) -> int:
    """The position of the entity at an end of a relationship; one that was not listed becomes the last.

    Of several of that name, the types that the relationship gives decide, then which one the same chunks mention, then
    the spelling.
    """
    named = [i for i, entity in enumerate(entities) if naming.same(entity.name, name)]
    fitting = [i for i in named if not incompatible(types, entities[i].types)]
    if not fitting:
        # with little confidence, as nothing else is known of it
        confidence = min(relationship.confidence, 0.5)
        ids = relationship.chunk_ids
        entities.append(ExtractedEntity(name=name, types=list(types), confidence=confidence, chunk_ids=ids))
        return len(entities) - 1

    def rank(i: int) -> tuple[float, int, bool, int]:
        entity = entities[i]
        typed = overlap_coefficient(list(types), entity.types) if types and entity.types else 0.0
        return typed, len(set(entity.chunk_ids) & set(relationship.chunk_ids)), entity.name == name, -i

    best = max(fitting, key=rank)
    mentioned = sorted({*entities[best].chunk_ids, *relationship.chunk_ids})
    entities[best] = entities[best].model_copy(update={"chunk_ids": mentioned})
    return best


def _deduplicated(relationships: Sequence[FoundRelationship]) -> list[FoundRelationship]:
    """Those between the same entities and of the same first type made one."""
    by_ends: dict[tuple[int, int], list[ExtractedRelationship]] = {}
    for found in relationships:
        by_ends.setdefault((found.source, found.target), []).append(found.relationship)
    return [
        FoundRelationship(relationship=relationship, source=source, target=target)
        for (source, target), same in by_ends.items()
        for relationship in merging.deduplicated_relationships(same)
    ]


def _one_line(name: str) -> str:
    return " ".join(name.split())[:LONGEST_NAME]
