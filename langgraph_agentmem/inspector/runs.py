"""The page of consolidations: what they found, decided, refused and cost, and how to take one back."""

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.conflict import ConsolidationConflicts
from langgraph_agentmem.models.run import ConsolidationRun
from langgraph_agentmem.operations.retrieval import reading
from langgraph_agentmem.policies import validation
from langgraph_agentmem.views.markup import Html
from langgraph_agentmem.views.pages import as_html

_RUNS = 50


async def show(visit: Visit) -> None:
    """A tenant's runs, a memory's, or one."""
    memory_id, wanted = visit.number("memory"), visit.query.get("run")
    if wanted:
        found = await reading.run(visit.memory.resources, visit.tenant, validation.uuid(wanted, "run"))
        runs = [found] if found and memory_id in {None, found.memory_id} else []
        parts.link("All runs", visit.link("/runs", memory=memory_id))
    else:
        runs = await visit.memory.runs.alist(visit.tenant, memory_id, limit=_RUNS)
    parts.heading(counted(len(runs), "run"))
    parts.note(f"The newest {_RUNS} are shown." if len(runs) == _RUNS else "")
    for run in runs:
        _run(visit, run, whole=bool(wanted))


def _run(visit: Visit, run: ConsolidationRun, *, whole: bool) -> None:
    with parts.card():
        with parts.line():
            parts.badge(run.status)
            parts.link(run.id, visit.link("/runs", memory=run.memory_id, run=run.id))
            parts.link(f"memory {run.memory_id}", visit.link("/memory", id=run.memory_id))
            parts.note(f"{parts.since(run.started_at)}, by {run.resolver or 'nobody yet'}")
        parts.note((run.report.summary if run.report else "") or "nothing changed")
        parts.note(run.error or "")
        parts.note(_cost(run))
        if whole:
            _details(run)
        if visit.write and run.status == "applied":
            _undoing(visit, run)


def _cost(run: ConsolidationRun) -> str:
    usage = run.usage
    if not usage.calls:
        return "No model was asked."
    price = f", {usage.cost:.4f} in the prices' currency" if usage.cost is not None else ""
    tokens = f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
    return f"{counted(usage.calls, 'call')} of the model: {tokens}{price}"


def _details(run: ConsolidationRun) -> None:
    if run.conflicts:
        _conflicts(ConsolidationConflicts.model_validate(run.conflicts))
    parts.heading("What was decided, and refused")
    parts.drawing(Html(as_html(run)))


def _conflicts(found: ConsolidationConflicts) -> None:
    parts.heading("What it had to decide")
    for section in found.sections:
        parts.note(
            f"section {section.section_id}: {counted(len(section.new_chunks), 'new chunk')} beside "
            f"{counted(len(section.existing_chunks), 'remembered one')}"
        )
        for chunk in section.new_chunks:
            parts.said(chunk.content.strip())
    entities, links = len(found.entities), len(found.relationships)
    parts.note(f"{counted(entities, 'entity', 'entities')} and {counted(links, 'relationship')}")


def _undoing(visit: Visit, run: ConsolidationRun) -> None:
    async def undo() -> None:
        visit.check_write()
        await visit.memory.runs.aundo(visit.tenant, run.id)
        parts.go(visit.link("/runs", **dict(visit.query)))

    parts.confirmed("Undo", "What it has superseded or merged is restored; what it has added stays.", undo)
