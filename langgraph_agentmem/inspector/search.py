"""The page that says why something was recalled."""

from datetime import UTC, datetime

from nicegui import ui

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.inspector.moments import AsOf, Reach
from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.operations.retrieval import reading
from langgraph_agentmem.views.memories import TIERS
from langgraph_agentmem.views.timeline import Axis, Validity, bar

_LIMIT = 20
_NAMES = 8
_ARMS = {"lexical": "words", "vector": "meaning", "label": "who speaks", "graph": "entities", "date": "dates"}


async def show(visit: Visit) -> None:
    """A question, and what memory answers, with the reasons."""
    asked = visit.query.get("as_of", "")
    since, now = await reading.known_since(visit.memory.resources, visit.tenant), datetime.now(UTC)
    await _SearchPage(visit, Reach(since, now) if since and since < now else None, asked).show()


class _SearchPage:
    """A question and a time, and what was valid then."""

    def __init__(self, visit: Visit, span: Reach | None, asked: str) -> None:
        self._visit = visit
        with parts.line():
            question = ui.input("Search memory", value=visit.query.get("q", "")).classes("grow")
            self._question = question.style("min-width: 14rem").props("autofocus")
            ui.button("Search", on_click=self._ask).props("no-caps")
        with parts.line():
            self._as_of = AsOf(span, asked)
            self._as_of.slide(parts.told(self._slid))
        for each in (self._question, self._as_of.typed):
            each.on("keydown.enter", self._ask)
        self._answer = parts.Region()

    async def show(self) -> None:
        if not (self._question.value or "").strip():
            parts.note(
                "Enter what the agent was asked, or what it said: each hit tells why it was recalled, and where from."
            )
            return
        await self._answer.show(self._search, self._draw)

    @property
    def _address(self) -> str:
        return self._visit.link("/", q=self._question.value, as_of=self._as_of.text)

    def _ask(self) -> None:
        parts.go(self._address)

    async def _slid(self) -> None:
        """Answer anew without leaving the slider; the address is that of what is shown."""
        if (self._question.value or "").strip():
            ui.navigate.history.replace(self._address)
            await self._answer.show(self._search, self._draw)

    async def _search(self) -> tuple[datetime | None, list[SearchHit]]:
        at = parts.time_of(self._as_of.text)
        return at, await self._visit.memory.asearch(
            self._visit.tenant, self._question.value or "", limit=_LIMIT, as_of=at
        )

    def _draw(self, found: tuple[datetime | None, list[SearchHit]]) -> None:
        at, hits = found
        parts.heading(f"{counted(len(hits), 'hit')}{f', as of {parts.since(at)}' if at else ''}")
        if not hits:
            parts.note("Memory says nothing about this.")
            return
        axis = Axis.of([Validity(hit.start_date, hit.end_date) for hit in hits])
        for hit in hits:
            _hit(self._visit, hit, axis)


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
        if hit.current and visit.write:
            question = visit.query.get("q")
            editor = visit.link("/memory", id=hit.memory_id, section=hit.section_id, q=question, edit=1)
            parts.next_step("Correct it", editor)
        else:
            left = not hit.current and hit.end_date is None
            parts.note("It has left its section; what becomes of it, the next consolidation decides." if left else "")
            parts.link("See its section", section)


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
