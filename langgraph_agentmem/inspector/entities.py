"""The page of the entity graph, and of one entity's history."""

from nicegui import ui

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.views.markup import Html
from langgraph_agentmem.views.pages import as_html


async def show(visit: Visit) -> None:
    """The best connected entities, or one with what is around it."""
    name = (visit.query.get("name") or "").strip()
    _form(visit, name)
    entity = await visit.memory.aget_entity(visit.tenant, name) if name else None
    drawn = await visit.memory.adraw_entities(visit.tenant, [name] if name else None, depth=2)
    if not drawn.entities:
        parts.note("No run has found an entity yet.")
        return
    # its texts were escaped as it was drawn
    parts.drawing(Html(drawn.svg))
    with parts.line():
        for each in drawn.entities:
            parts.link(each, visit.link("/entities", name=each))
    if entity is not None:
        parts.heading("History")
        parts.drawing(as_html(entity))


def _form(visit: Visit, name: str) -> None:
    def ask() -> None:
        parts.go(visit.link("/entities", name=entered.value))

    with parts.line():
        entered = ui.input("Name of an entity", value=name).on("keydown.enter", ask).classes("grow")
        ui.button("Show", on_click=ask).props("no-caps")
