"""Reads an older three-tier system's graph, and decides what becomes of it beside what stands here."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any, cast

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.entity import GraphTier, Traits
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.legacy import LegacyRow
from langgraph_agentmem.models.legacy_graph import (
    EntityKey,
    LegacyChange,
    LegacyEntity,
    LegacyRelationship,
    LegacyThing,
    PresentThing,
)
from langgraph_agentmem.policies import merging, validation
from langgraph_agentmem.policies.importing import Fate
from langgraph_agentmem.policies.legacy import NOWHERE, moment
from langgraph_agentmem.policies.ownership import Ownership

Titles = Mapping[tuple[str, str], str]
"""The titles of the source's short-term memories, by tenant and id."""
LABELS: Mapping[GraphTier, str] = {"shortterm": "ShorttermEntity", "longterm": "LongtermEntity"}
TYPES: Mapping[GraphTier, str] = {"shortterm": "SHORTTERM_RELATES", "longterm": "LONGTERM_RELATES"}
_CONFIDENCE, _WEIGHT = 0.8, 0.5
"""Where the source does not say; as those of what an extractor finds."""
_BEGINS = ("start_date", "first_seen", "first_observed", "created_at")
_GIVER = "shortterm_memory_id"


class GraphReader:
    """Reads rows of the graph, each of which is all that has one name, or leads from one name to another.

    Args:
        tier: Theirs.
        ownership: Where namespaces name their tenant.
        titles: Of the source's short-term memories.
        limit: Characters of a description.
    """

    def __init__(self, tier: GraphTier, ownership: Ownership, titles: Titles, *, limit: int) -> None:
        self._tier: GraphTier = tier
        self._ownership = ownership
        self._titles = titles
        self._limit = limit

    def entity(self, row: LegacyRow) -> LegacyEntity:
        """An entity of the source.

        Raises:
            InvalidInputError: It cannot stand here.
        """
        tenant, things = validation.tenant(row["external_id"]), _in_time(row["things"])
        legacy_id, name = self._key(row, "memory_id", "name")
        return LegacyEntity(
            place=f"{self._tier} entity {name}",
            legacy_id=legacy_id,
            tenant=tenant,
            tier=self._tier,
            namespace=self._namespace(tenant, row["memory_id"] or "") if self._tier == "shortterm" else None,
            name=name,
            traits=self._traits(things, "importance"),
            first_seen=min(_times(things, *_BEGINS), default=None),
            last_seen=max(_times(things, "last_seen", "last_updated", "updated_at"), default=None),
            history=self._history(tenant, things),
        )

    def relationship(self, row: LegacyRow) -> LegacyRelationship:
        """A relationship of the source.

        Raises:
            InvalidInputError: It cannot stand here.
        """
        tenant, things = validation.tenant(row["external_id"]), _in_time(row["things"])
        _check_ends(row, LABELS[self._tier])
        source, target = self._key(row, "memory_id", "source"), self._key(row, "target_memory_id", "target")
        return LegacyRelationship(
            place=f"{self._tier} relationship {source[1]} → {target[1]}",
            legacy_id=TYPES[self._tier],
            tenant=tenant,
            tier=self._tier,
            source=source,
            target=target,
            traits=self._traits(things, "strength", "importance"),
            start_date=min(_times(things, *_BEGINS), default=None),
            end_date=_end(things),
            history=self._history(tenant, things),
        )

    def _key(self, row: LegacyRow, memory: str, name: str) -> EntityKey:
        label = LABELS[self._tier]
        legacy_id = f"{label}:{row[memory] or ''}" if self._tier == "shortterm" else label
        return legacy_id, validation.name(row[name], "name")

    def _namespace(self, tenant: str, shortterm_memory_id: str) -> Namespace:
        title = validation.name(self._titles.get((tenant, shortterm_memory_id), NOWHERE), "title")
        return validation.namespace(self._ownership.default(tenant, title))

    def _traits(self, things: Sequence[Json], *weights: str) -> Traits:
        """What several say together; each type and description of theirs is kept."""
        each = [
            Traits(
                types=_types(thing),
                description=_text(thing.get("description")),
                confidence=_share(thing, "confidence", default=_CONFIDENCE),
                weight=_share(thing, *weights, default=_WEIGHT),
            )
            for thing in things
        ]
        together = " ".join(dict.fromkeys(traits.description for traits in each if traits.description))
        validation.text(together, "description", limit=self._limit)
        return reduce(lambda all, traits: merging.merged(all, traits, together), each)

    def _history(self, tenant: str, things: Iterable[Json]) -> list[LegacyChange]:
        entries = [entry for thing in things for entry in _entries(thing.get("metadata"))]
        return [self._change(tenant, validation.json_object(entry, "state_history")) for entry in entries]

    def _change(self, tenant: str, entry: Json) -> LegacyChange:
        # the ids there are others here, and who forgets a memory takes what it gave out of histories by its id
        known = (tenant, str(entry.get(_GIVER)))
        kept = {name: value for name, value in entry.items() if name != _GIVER}
        if (at := moment(entry.get("timestamp"))) is not None:
            kept["timestamp"] = at.isoformat()
        return LegacyChange(entry=kept, giver=self._namespace(*known) if known in self._titles else None)


def entry(change: LegacyChange, shortterm_ids: Mapping[Namespace, int]) -> Json:
    """An entry of state history as it is kept here, with the short-term memory that gave it."""
    giver = None if change.giver is None else shortterm_ids.get(change.giver)
    return change.entry if giver is None else {**change.entry, _GIVER: giver}


def fate(wanted: LegacyThing, present: PresentThing | None) -> Fate:
    """What becomes of an entity or a relationship. One that anything here has changed since stays as it is."""
    if present is None:
        return "new"
    here = present.traits, present.end_date
    if here == (wanted.traits, wanted.end_date) and present.imported_history >= len(wanted.history):
        return "same"
    return "newer" if present.revision == present.imported_revision else "left"


def _check_ends(row: LegacyRow, label: str) -> None:
    """Refuse a relationship that leads out of its tenant or its tier.

    Raises:
        InvalidInputError: It does.
    """
    if not row["fits"]:
        raise InvalidInputError(f"it leads from or to a node that is no {label}")
    tenants = {row["external_id"], row["target_external_id"]}
    tenants |= {thing["external_id"] for thing in row["things"] if thing.get("external_id") is not None}
    if len(tenants) > 1:
        raise InvalidInputError(f"it and its ends are of several tenants: {', '.join(sorted(map(repr, tenants)))}")


def _types(thing: Json) -> list[str]:
    """The newer form has a list of types, the older one a type."""
    value = thing.get("types", thing.get("type"))
    named = cast("list[object]", value) if isinstance(value, list) else [value]
    return merging.union_types((), [validation.text(each, "a type") for each in named if each not in (None, "")])


def _text(value: object) -> str:
    return validation.text("" if value is None else value, "description")


def _share(thing: Json, *names: str, default: float) -> float:
    """The first of these numbers that a thing has, brought into 0 to 1."""
    values = [thing.get(name) for name in names]
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    return min(max(numbers[0], 0.0), 1.0) if numbers else default


def _in_time(things: Sequence[Json]) -> list[Json]:
    """Things in the order of time, then those that say none; ids tell no order, as Neo4j gives old ones again."""
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(things, key=lambda thing: next(iter(_times([thing], *_BEGINS)), latest))


def _times(things: Iterable[Json], *names: str) -> list[datetime]:
    """Of each thing, the first of these times that it has."""
    found = (next((time for name in names if (time := moment(thing.get(name)))), None) for thing in things)
    return [time for time in found if time is not None]


def _end(things: Sequence[Json]) -> datetime | None:
    """When the last of several ceased to be valid; None while one is."""
    ends = _times(things, "end_date", "valid_until")
    return max(ends) if ends and len(ends) == len(things) else None


def _entries(metadata: object) -> list[Json]:
    """The state history of metadata, which are JSON text there; what is no object there becomes one."""
    try:
        read: Any = json.loads(metadata) if isinstance(metadata, str) else metadata
    except ValueError:
        return []
    history = cast("Json", read).get("state_history") if isinstance(read, dict) else None
    entries = cast("list[object]", history) if isinstance(history, list) else []
    return [cast("Json", each) if isinstance(each, dict) else {"value": each} for each in entries]
