"""The page of a memory: its sections, to be corrected, and what they have said before."""

from nicegui import ui

from langgraph_agentmem.errors import MemoryNotFoundError, RevisionConflictError
from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.inspector.revisions import changes
from langgraph_agentmem.models.active import ActiveMemory, Section
from langgraph_agentmem.models.base import counted, cut
from langgraph_agentmem.models.chunk import ChunkHistory
from langgraph_agentmem.views.markup import moment
from langgraph_agentmem.views.memories import TIERS
from langgraph_agentmem.views.timeline import Axis, Validity, bar

_CHUNKS = 500
_SOURCE = "inspector"


async def show_all(visit: Visit) -> None:
    """The open memories of a tenant."""
    found = await visit.memory.aget_active_memories(visit.tenant)
    parts.heading(counted(len(found), "open memory", "open memories"))
    for each in found:
        with parts.card(), parts.line():
            parts.link(each.title, visit.link("/memory", id=each.id))
            parts.note(f"{counted(each.section_count, 'section')}; {_pending(each)}")


async def show(visit: Visit) -> None:
    """A memory, or one of its sections, with its history."""
    id = visit.number("id")
    if id is None:
        await show_all(visit)
        return
    only = visit.query.get("section") or None
    history = await visit.memory.ahistory(visit.tenant, id, only, limit=_CHUNKS)
    try:
        memory = await visit.memory.aget_active_memory(visit.tenant, id)
    except MemoryNotFoundError:  # it has a history: it was closed
        parts.heading(f"Memory {id}")
        parts.note("It is closed: what it gave to memory stays, and cannot be edited here.")
        _history(visit, history)
        return
    _about(visit, memory, only)
    for section in memory.sections.values():
        if only in {None, section.section_id}:
            _section(visit, memory, section, [chunk for chunk in history if chunk.section_id == section.section_id])
    if only is not None and only not in memory.sections:
        parts.note(f"Section {only!r} is not listed: it is gone, or one of more than 100. Its history:")
        _history(visit, history)


def _went_on(visit: Visit, memory: ActiveMemory) -> None:
    """What a change has done, what comes next, and the way back to the search that has led here."""
    question, saved, run = visit.query.get("q"), visit.query.get("saved"), visit.query.get("run")
    with parts.line():
        if saved:
            parts.status("Saved. Searches find it from now on, beside what it replaces until the next consolidation.")
        if run:
            parts.status("Consolidated.")
            parts.link("What it has decided", visit.link("/runs", memory=memory.id, run=run))
        if visit.write and memory.consolidation_info.total_update_count:
            _consolidating(visit, memory.id)
        if question and (saved or run):
            parts.next_step(f"Search again: {cut(question, 60)}", visit.link("/", q=question))
        elif question:
            parts.link(f"Back to the search: {cut(question, 60)}", visit.link("/", q=question))


def _about(visit: Visit, memory: ActiveMemory, only: str | None) -> None:
    parts.heading(f"{memory.title}: memory {memory.id} of {memory.external_id}")
    parts.note(_pending(memory))
    _went_on(visit, memory)
    with parts.line():
        if only is not None:
            parts.link("All sections", visit.link("/memory", id=memory.id))
        parts.link("Its runs", visit.link("/runs", memory=memory.id))
    left_out = memory.section_count - len(memory.sections)
    parts.note(f"{counted(left_out, 'more section')} not listed here" if left_out > 0 else "")


def _consolidating(visit: Visit, id: int) -> None:
    async def consolidate() -> None:
        visit.check_write()
        report = await visit.memory.aconsolidate(visit.tenant, id)
        parts.go(_anew(visit, run=report.run_id))

    parts.button("Consolidate now", consolidate)


def _anew(visit: Visit, **now: object) -> str:
    """The page as it was asked for, without what was said of an earlier change."""
    kept = {name: visit.query.get(name) for name in ("id", "section", "q") if name in visit.query}
    return visit.link("/memory", tenant=None, **kept, **now)


def _pending(memory: ActiveMemory) -> str:
    info = memory.consolidation_info
    due = "; a consolidation is due" if info.will_consolidate else ""
    return f"{info.total_update_count} of {info.threshold:g} updates until it consolidates{due}"


def _section(visit: Visit, memory: ActiveMemory, section: Section, history: list[ChunkHistory]) -> None:
    with parts.card():
        with parts.line():
            ui.label(section.section_id).classes("font-semibold").style("overflow-wrap: anywhere")
            parts.note(section.title if section.title != section.section_id else "")
            by = f" by {section.source}" if section.source else ""
            parts.note(f"revision {section.revision}, written {parts.since(section.updated_at)}{by}")
            parts.note(f"{section.update_count} pending" if section.update_count else "")
        parts.note(section.description)
        parts.said(section.content if _is_text(section) else str(section.value))
        if visit.write and _is_text(section):
            _Editor(visit, memory.id, section)
        _revisions(history)
        _history(visit, history)


def _is_text(section: Section) -> bool:
    return section.value.keys() == {"content"} and isinstance(section.value["content"], str)


class _Editor:
    """An edit that is based on the revision that was read; whoever was faster is shown, and nothing is overwritten."""

    def __init__(self, visit: Visit, memory_id: int, section: Section) -> None:
        self._visit, self._memory_id, self._section_id = visit, memory_id, section.section_id
        self._revision = section.revision
        asked_for = visit.query.get("edit") is not None
        with ui.expansion("Edit", value=asked_for).classes("w-full"):
            self._text = ui.textarea("Text", value=section.content).classes("w-full").props("autogrow outlined")
            self._text.props("autofocus" if asked_for else "")
            self._text.mark(f"text-of-{memory_id}")
            parts.button("Save", self._save)
            self._told = ui.column().classes("w-full gap-1")

    async def _save(self) -> None:
        self._visit.check_write()
        text = self._text.value or ""
        try:
            await self._visit.memory.aupdate_active_memory_section(
                self._visit.tenant,
                self._memory_id,
                self._section_id,
                text,
                expected_revision=self._revision,
                source=_SOURCE,
            )
        except RevisionConflictError as error:
            self._tell(error, text)
            return
        parts.go(_anew(self._visit, saved=1))

    def _tell(self, error: RevisionConflictError, mine: str) -> None:
        async def take_theirs() -> None:
            self._text.value, self._revision = error.content, error.revision
            self._told.clear()

        async def put_mine() -> None:
            self._revision = error.revision
            self._told.clear()
            await self._save()

        self._told.clear()
        with self._told:
            ui.label(f"Not saved: somebody has written revision {error.revision} meanwhile. It says:").props(
                'role="alert"'
            )
            parts.said(error.content)
            parts.note("From that to yours:")
            parts.changed_lines(error.content, mine)
            with parts.line():
                parts.button("Go on with that text", take_theirs)
                parts.button("Save mine in its place", put_mine)


def _revisions(history: list[ChunkHistory]) -> None:
    """What each revision has changed, line by line."""
    if not (found := changes(history)):
        return
    with ui.expansion(f"What has changed: {counted(len(found), 'change')}").classes("w-full"):
        for change in found:
            by = f" by {change.source}" if change.source else ""
            came = f"Revision {change.revision}{by}" if change.revision else "A consolidation"
            parts.note(f"{came}, {moment(change.at, exact=True)} UTC")
            parts.changed_lines(change.before, change.after)


def _history(visit: Visit, chunks: list[ChunkHistory]) -> None:
    """The chunks that a section had, on one axis of time."""
    if not chunks:
        return
    axis = Axis.of([_span(chunk) for chunk in chunks])
    with ui.expansion(f"What it has said: {counted(len(chunks), 'chunk')}", value=True).classes("w-full"):
        parts.note(f"The newest {_CHUNKS:,} are shown." if len(chunks) == _CHUNKS else "")
        for chunk in chunks:
            _chunk(visit, chunk, axis)


def _chunk(visit: Visit, chunk: ChunkHistory, axis: Axis) -> None:
    with ui.column().classes("w-full gap-0 py-2 border-t border-gray-200"):
        parts.said(chunk.content.strip())
        with parts.line():
            # first, so that all bars begin at one edge
            parts.drawing(bar(_span(chunk), axis))
            parts.badge(chunk.tier, TIERS[chunk.tier])
            parts.note(_state(chunk))
        with parts.line():
            came = f"revision {chunk.section_revision}" if chunk.section_revision else f"a run ({chunk.origin})"
            parts.note(f"chunk {chunk.chunk_id}, from {came}{f' by {chunk.source}' if chunk.source else ''}")
            if chunk.run_id:
                parts.link(f"run {chunk.run_id}", visit.link("/runs", run=chunk.run_id))


def _state(chunk: ChunkHistory) -> str:
    if chunk.end_date is not None:
        return f"replaced by chunk {chunk.superseded_by}" if chunk.superseded_by else "no longer valid"
    return "in its present value" if chunk.current else "no longer in its section, but valid"


def _span(chunk: ChunkHistory) -> Validity:
    return Validity(chunk.start_date, chunk.end_date)
