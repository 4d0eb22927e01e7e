"""Reads the rows of an older three-tier system, and decides what becomes of them beside what stands here."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.active import MemoryTemplate, TemplateSection
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.legacy import (
    LegacyChunk,
    LegacyMemory,
    LegacyRow,
    LegacyShortterm,
    PresentMemory,
    PresentPiece,
)
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.importing import Fate, fingerprint
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.policies.templates import read_template

NOWHERE = "imported"
"""The section of chunks that name none, and the memory of those whose short-term memory is gone."""
MARK = "legacy_id"
"""The key of metadata under which it is kept what something was in the source."""
_HIGHEST = 2**31 - 1


class LegacySection(Value):
    """A section of the source.

    Attributes:
        updates: How many of it no consolidation has taken.
        updated_at: None where the source does not say.
    """

    content: str
    updates: int
    updated_at: datetime | None


def memory_place(row: LegacyRow, ownership: Ownership) -> tuple[str, Namespace]:
    """A memory's tenant and namespace.

    There, several memories of a tenant may have one title. The first gets the namespace that a title has, as
    consolidation finds short-term memories by the title there; the others' end in their id.
    """
    tenant, title = validation.tenant(row["external_id"]), validation.name(row["title"], "title")
    place = ownership.default(tenant, title)
    return tenant, validation.namespace(place if row["of_title"] == 1 else (*place, row["id"]))


def memory(row: LegacyRow, ownership: Ownership, *, limit: int) -> LegacyMemory:
    """A memory of the source.

    Raises:
        InvalidInputError: It cannot stand here.
    """
    tenant, namespace = memory_place(row, ownership)
    legacy_id = f"active_memory:{row['id']}"
    return LegacyMemory(
        place=f"memory {row['id']}",
        legacy_id=legacy_id,
        tenant=tenant,
        namespace=namespace,
        title=row["title"],
        template=_template(row["template"], list(_object(row["sections"])), limit=limit),
        metadata={**_object(row["metadata"]), MARK: legacy_id},
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def section(row: LegacyRow) -> LegacySection:
    """A section of the source, which is `{"content": text, "update_count": number, ...}` or a text.

    Raises:
        InvalidInputError: It is neither.
    """
    value = json.loads(row["section"])
    if isinstance(value, str):
        return LegacySection(content=value, updates=0, updated_at=row["updated_at"])
    fields: Json = cast("Json", value) if isinstance(value, dict) else {}
    content = fields.get("content") if isinstance(value, dict) else value
    if content is not None and not isinstance(content, str):
        raise InvalidInputError(f"it is no section such as {{'content': 'text'}}, but {row['section'][:80]!r}")
    return LegacySection(
        content=content or "",
        updates=_number(fields.get("update_count")),
        updated_at=moment(fields.get("last_updated")) or row["updated_at"],
    )


def shortterm(row: LegacyRow, ownership: Ownership) -> LegacyShortterm:
    """A short-term memory of the source, which is that of the memory of its title.

    Raises:
        InvalidInputError: It cannot stand here.
    """
    tenant, title = validation.tenant(row["external_id"]), validation.name(row["title"], "title")
    metadata = _object(row["metadata"])
    history = metadata.get("promotion_history")
    known: Json = {"promotion_history": cast("object", history) if isinstance(history, list) else []}
    if row["summary"]:
        known["summary"] = row["summary"]
    return LegacyShortterm(
        place=f"short-term memory {row['id']}",
        tenant=tenant,
        namespace=validation.namespace(ownership.default(tenant, title)),
        update_count=_number(row["update_count"]),
        metadata={**metadata, **known, MARK: f"shortterm_memory:{row['id']}"},
        created_at=row["created_at"],
        last_updated=row["last_updated"],
    )


def chunk_place(row: LegacyRow, ownership: Ownership) -> tuple[str, Namespace, str]:
    """A chunk's tenant, the namespace of the memory that it came from, and its section.

    Raises:
        InvalidInputError: It cannot stand here.
    """
    tenant = validation.tenant(row["external_id"])
    title = NOWHERE if row["title"] is None else validation.name(row["title"], "title")
    section_id = row["section_id"] or _object(row["metadata"]).get("section_id") or NOWHERE
    return tenant, validation.namespace(ownership.default(tenant, title)), validation.key(section_id, tenant)


def memory_fate(wanted: LegacyMemory, present: PresentMemory | None) -> Fate:
    """What becomes of a memory, its sections aside.

    One that has a template and does not come from the source was made here, and stays as it is.
    """
    if present is None:
        return "new"
    if present.metadata.get(MARK) != wanted.legacy_id:
        return "newer" if present.bare else "left"
    is_complete = not (present.bare and wanted.template.sections)
    return "same" if is_complete and fingerprint(present.metadata) == fingerprint(wanted.metadata) else "newer"


def chunk_fate(wanted: LegacyChunk, present: Sequence[PresentPiece]) -> Fate:
    """What becomes of a chunk. One whose validity has ended here stays ended, whatever the source says since."""
    if not present:
        return "new"
    ended = any(piece.ended for piece in present)
    if [piece.content_hash for piece in present] != wanted.hashes:
        return "left" if ended else "newer"
    return "newer" if wanted.ended_at is not None and not ended else "same"


def _template(text: str | None, section_ids: Sequence[str], *, limit: int) -> MemoryTemplate:
    """A memory's template, and those of its sections that are not in it; of these alone where it cannot be read."""
    known: tuple[TemplateSection, ...] = ()
    template = MemoryTemplate(sections=())
    try:
        template = read_template(_loaded(text), limit=limit, lenient=True)
        known = template.sections
    except InvalidInputError:  # the memory is worth more than what it began with
        pass
    named = {each.id for each in known}
    more = tuple(TemplateSection(id=id) for id in section_ids if id.strip() and id not in named)
    return template.model_copy(update={"sections": (*known, *more)})


def _loaded(text: str | None) -> Any:
    """A template that is JSON as a dict; else the text, which is YAML."""
    try:
        return json.loads(text or "")
    except ValueError:
        return text or ""


def _object(text: str | None) -> Json:
    """A JSON object; an empty one where there is none."""
    value = json.loads(text or "{}")
    return cast("Json", value) if isinstance(value, dict) else {}


def _number(value: object) -> int:
    return min(value, _HIGHEST) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def moment(value: object) -> datetime | None:
    """A time that is written as text, in UTC where no zone is named; None where it is none."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
