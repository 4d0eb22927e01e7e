"""The page that says why something was recalled."""

from nicegui import ui

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.views.memories import TIERS
from langgraph_agentmem.views.timeline import Axis, Validity, bar

_LIMIT = 20
_NAMES = 8
_ARMS = {"lexical": "words", "vector": "meaning", "label": "who speaks", "graph": "entities", "date": "dates"}


async def show(visit: Visit) -> None:
    """A question, and what memory answers, with the reasons."""
    _form(visit)
    question = visit.query.get("q", "")
    if not question.strip():
        parts.note(
            "Enter what the agent was asked, or what it said: each hit tells why it was recalled, and where from."
        )
        return
    as_of = parts.time_of(visit.query.get("as_of", ""))
    hits = await visit.memory.asearch(visit.tenant, question, limit=_LIMIT, as_of=as_of)
    parts.heading(f"{counted(len(hits), 'hit')}{f', as of {parts.since(as_of)}' if as_of else ''}")
    if not hits:
        parts.note("Memory says nothing about this.")
        return
    axis = Axis.of([Validity(hit.start_date, hit.end_date) for hit in hits])
    for hit in hits:
        _hit(visit, hit, axis)


def _form(visit: Visit) -> None:
    def ask() -> None:
        parts.go(visit.link("/", q=question.value, as_of=as_of.value))

    with parts.line():
        question = ui.input("Search memory", value=visit.query.get("q", "")).classes("grow").style("min-width: 14rem")
        question.on("keydown.enter", ask).props("autofocus")
        as_of = ui.input("As of (UTC)", value=visit.query.get("as_of", "")).props("type=datetime-local stack-label")
        as_of.on("keydown.enter", ask)
        ui.button("Search", on_click=ask).props("no-caps")


def _hit(visit: Visit, hit: SearchHit, axis: Axis) -> None:
    with parts.card():
        with parts.line():
            ui.label(f"{hit.score:.2f}").classes("font-semibold")
            parts.badge(hit.tier, TIERS[hit.tier])
            section = visit.link("/memory", id=hit.memory_id, section=hit.section_id)
            parts.link(f"{hit.memory_title} / {hit.section_id}", section)
        parts.said(hit.content.strip())
        first, *_, last = hit.explain().splitlines()
        parts.note(first)
        parts.note(last)
        _arms(hit)
        parts.drawing(bar(Validity(hit.start_date, hit.end_date), axis))
        _origin(visit, hit)
        if hit.current:
            parts.link("Correct it" if visit.write else "See its section", section)


def _arms(hit: SearchHit) -> None:
    """What each arm adds to the score, as a table that is readable at any width."""
    with ui.grid(columns="auto auto auto auto").classes("gap-x-4 gap-y-0 text-sm"):
        for text in ("Arm", "Says", "Weighs", "Adds"):
            ui.label(text).classes("text-gray-600")
        for arm, weight in hit.weights.items():
            says = getattr(hit.arms, arm) or 0.0
            for text in (_ARMS.get(arm, arm), f"{says:.2f}", f"{weight:.2f}", f"{says * weight * hit.recency:.2f}"):
                ui.label(text)


def _origin(visit: Visit, hit: SearchHit) -> None:
    with parts.line():
        parts.note(f"Chunk {hit.chunk_id}, from revision {hit.section_revision}")
        parts.note(f"Written by {hit.source}" if hit.source else "")
        parts.note("" if hit.origin == "section" else f"Written by a run ({hit.origin})")
        if hit.run_id:
            parts.link(f"Run {hit.run_id}", visit.link("/runs", memory=hit.memory_id, run=hit.run_id))
        if hit.disputed:
            parts.link("Waits for a review", visit.link("/reviews"))
    if hit.entities:
        _entities(visit, hit.entities)


def _entities(visit: Visit, names: list[str]) -> None:
    with parts.line():
        parts.note("It mentions")
        for name in names[:_NAMES]:
            parts.link(name, visit.link("/entities", name=name))
