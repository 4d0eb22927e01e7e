"""Which view shows which kind of value."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.active import ActiveMemory, Section
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.context import MemoryContext
from langgraph_agentmem.models.conversation import AddReport
from langgraph_agentmem.models.entity import Entity, Relationship
from langgraph_agentmem.models.graph import GraphPath, Neighborhood
from langgraph_agentmem.models.review import Dispute, PendingReview, ReviewReport
from langgraph_agentmem.models.run import ConsolidationReport, ConsolidationRun, PromotionReport
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.views import disputes, drawing, entities, memories, runs
from langgraph_agentmem.views.markup import Html, framed, note

_Many = Callable[[list[Any]], Html]

_VIEWS: dict[type[Value], _Many] = {
    ActiveMemory: memories.memories,
    Section: memories.sections,
    SearchHit: memories.hits,
    MemoryContext: memories.contexts,
    AddReport: memories.additions,
    Entity: entities.entities,
    Relationship: entities.relationships,
    ConsolidationRun: runs.runs,
    ConsolidationReport: runs.reports,
    PromotionReport: runs.promotions,
    Dispute: disputes.disputes,
    PendingReview: disputes.pending,
    ReviewReport: disputes.reviewed,
    Neighborhood: drawing.neighborhoods,
    GraphPath: drawing.paths,
}
"""Views take several values of a kind, so that those of a list share a table and an axis of time."""


def page(value: Value) -> Html | None:
    """What a notebook shows of a value; None where there is no view for its kind."""
    view = _view_of(value)
    return None if view is None else framed(view([value]))


def as_html(values: Value | Iterable[Value]) -> Html:
    """A value, or several (hits, runs, disputes), as HTML: a notebook shows it, `str` of it is the markup.

    All texts are escaped. It needs no script and nothing from elsewhere, and takes the colours of its page.

    Args:
        values: Memories, sections, hits, contexts, entities, relationships, runs, reports, reviews, disputes,
            neighborhoods or paths. Values of one kind that follow each other stand in one table, on one axis of time.

    Raises:
        InvalidInputError: There is no view for one of them.

    Examples:
        >>> as_html(memory.search("alice", "budget")).count("<tr")  # the header, and one hit
        2
        >>> "nothing" in as_html([])
        True
    """
    if isinstance(values, Value):
        values = [values]
    if not isinstance(cast("object", values), Iterable):
        raise InvalidInputError(f"as_html takes a value of memory, or several, not {values!r}")
    parts = [view(alike) for view, alike in _alike(values)]
    return framed(*parts) if parts else framed(note("nothing"))


def _alike(values: Iterable[Value]) -> list[tuple[_Many, list[Value]]]:
    """Values, those of one kind that follow each other together, each with their view."""
    groups: list[tuple[_Many, list[Value]]] = []
    for value in values:
        view = _view_of(value)
        if view is None:
            kinds = ", ".join(kind.__name__ for kind in _VIEWS)
            raise InvalidInputError(f"there is no view for {value!r}, only for {kinds}")
        if groups and groups[-1][0] is view:
            groups[-1][1].append(value)
        else:
            groups.append((view, [value]))
    return groups


def _view_of(value: object) -> _Many | None:
    return next((view for kind, view in _VIEWS.items() if isinstance(value, kind)), None)
