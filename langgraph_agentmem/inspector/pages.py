"""The pages, each in the same frame."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from fastapi import Request
from nicegui import ui

from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.inspector import entities, memory, parts, queue, reviews, runs, search, tenants
from langgraph_agentmem.inspector.access import READ_ONLY, Access, Visit

_PATIENCE_SECONDS = 60.0
"""How long a page may take: a database that does not answer is told sooner, as an error."""


class Page(NamedTuple):
    """A page; `of_all` is for those that also show all tenants at once."""

    path: str
    title: str
    show: Callable[[Visit], Awaitable[None]]
    of_all: bool = False


PAGES: Final = (
    Page("/", "Search", search.show),
    Page("/memory", "Memories", memory.show),
    Page("/reviews", "Reviews", reviews.show, of_all=True),
    Page("/runs", "Runs", runs.show),
    Page("/entities", "Entities", entities.show),
    Page("/queue", "Queue", queue.show, of_all=True),
)


_FOCUS = """:focus-visible, .q-focusable:focus-visible, .q-slider:focus-within {
    outline: 2px solid #1d4ed8; outline-offset: 2px
}
.q-btn:focus-visible { box-shadow: 0 0 0 2px white, 0 0 0 4px #1d4ed8 }"""
"""Whoever goes by keyboard sees where they are."""


def register(access: Access) -> None:
    """Make NiceGUI's application show the pages."""
    for page in PAGES:
        title = f"{page.title} – memory inspector"
        ui.page(page.path, title=title, response_timeout=_PATIENCE_SECONDS)(_shown(page, access))


def _shown(page: Page, access: Access) -> Callable[[Request], Awaitable[None]]:
    async def shown(request: Request) -> None:
        ui.add_css(_FOCUS)
        try:
            visit = access.visit(request.query_params)
        except AgentMemoryError as error:
            parts.problem(error)
            return
        with ui.column().classes("w-full max-w-4xl mx-auto gap-2"):
            _header(page, visit)
            await _body(page, visit)

    return shown


async def _body(page: Page, visit: Visit) -> None:
    try:
        needed = visit.chosen is None and not page.of_all
        parts.note("Choose a tenant to see its memory." if needed else "")
        if visit.access.tenant is None:
            await tenants.choose(visit, page.path)
        if not needed:
            await page.show(visit)
    except AgentMemoryError as error:
        parts.problem(error)


def _header(shown: Page, visit: Visit) -> None:
    with ui.row().classes("w-full items-center gap-x-4 gap-y-1").props('role="navigation"'):
        for page in PAGES:
            current = "font-semibold no-underline" if page is shown else ""
            ui.link(page.title, visit.link(page.path)).classes(current)
        parts.note(f"Tenant {visit.chosen}" if visit.access.tenant is not None else "")
        parts.note("" if visit.write else READ_ONLY)
