"""The page of what waits for a consolidation."""

from nicegui import ui

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.models.queue import DeadMemory, QueueStatus


async def show(visit: Visit) -> None:
    """The queue of the tenant, or of all where none is chosen, and what was set aside."""
    status = await visit.memory.queue.astatus(visit.chosen)
    letters = await visit.memory.queue.adead_letters(visit.chosen)
    parts.heading("Queue")
    _counts(status)
    parts.heading("Set aside")
    if not letters:
        parts.note("No memory is set aside.")
    for letter in letters:
        _letter(visit, letter)


def _counts(status: QueueStatus) -> None:
    counts = {
        "due": status.due,
        "running": status.running,
        "to be tried again": status.waiting,
        "not due yet": status.scheduled,
        "set aside": status.dead,
        "model failing": status.model_failing,
    }
    with ui.grid(columns="auto auto").classes("gap-x-6 gap-y-0"):
        for name, count in counts.items():
            ui.label(name)
            ui.label(f"{count:,}")
    parts.note(f"The oldest has been due for {status.lag_seconds:,.0f} s." if status.oldest_due_at else "")


def _letter(visit: Visit, letter: DeadMemory) -> None:
    async def retry() -> None:
        visit.check_write()
        await visit.memory.queue.aretry(letter.external_id, letter.memory_id)
        parts.go(visit.link("/queue"))

    with parts.card():
        with parts.line():
            parts.link(letter.title, visit.link("/memory", tenant=letter.external_id, id=letter.memory_id))
            parts.note(f"of {letter.external_id}, set aside {parts.since(letter.dead_at)}, {letter.attempts} attempts")
        parts.said(letter.error or "")
        if visit.write:
            parts.button("Try again", retry)
