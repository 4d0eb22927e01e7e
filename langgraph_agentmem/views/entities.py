"""Entities: how sure memory is of them, over time, and what they are related to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.entity import Entity, Relationship
from langgraph_agentmem.views import chart
from langgraph_agentmem.views.markup import Html, badge, block, code, element, joined, moment, note, prose, table, when
from langgraph_agentmem.views.memories import TIERS
from langgraph_agentmem.views.timeline import Axis, Validity, bar

MOST: Final = 40
"""Changes that are shown, the newest ones."""


def entities(found: Sequence[Entity]) -> Html:
    """Each entity: its confidence as a line, its relationships as bars, its changes."""
    return joined(*map(_entity, found))


def _entity(entity: Entity) -> Html:
    kinds = f" ({', '.join(entity.types)})" if entity.types else ""
    said = f"confidence {entity.confidence:.2f}, importance {entity.importance:.2f}"
    seen = f"seen from {moment(entity.first_seen)} to {moment(entity.last_seen)} UTC"
    others = f"; other things of this name: {', '.join(map(str, entity.namesakes))}" if entity.namesakes else ""
    return block(
        f"{entity.name}{kinds}",
        element("div", badge(entity.tier, TIERS[entity.tier]), f" {said}; {seen}{others}"),
        note("waits for a person's review" if entity.disputed else ""),
        prose(entity.description),
        chart.confidence(history(entity.state_history)),
        relationships(entity.relationships),
        _changes(entity.state_history),
    )


def history(changes: Sequence[Mapping[str, Any]]) -> list[chart.Point]:
    """The confidence after each change, oldest first; changes that do not say one are left out."""
    points = [_point(change) for change in changes]
    return sorted((point for point in points if point), key=lambda point: point.at)[-MOST:]


def _point(change: Mapping[str, Any]) -> chart.Point | None:
    confidence = change.get("new_confidence", change.get("confidence"))
    at = _time(change.get("timestamp"))
    if at is None or not isinstance(confidence, int | float):
        return None
    return chart.Point(at, float(confidence), str(change.get("action", "merged")))


def _time(said: object) -> datetime | None:
    """A time of the history, which is JSON."""
    try:
        at = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None  # others cannot be compared with these


def relationships(found: Sequence[Relationship]) -> Html:
    """A table of relationships, their validity on one axis of time."""
    if not found:
        return note("no relationships")
    axis = Axis.of([_span(each) for each in found])
    headers = ["Relationship", "Confidence", "Strength", axis.heading]
    return table(headers, [_relationship(each, axis) for each in found])


def _span(relationship: Relationship) -> Validity:
    return Validity(relationship.start_date, relationship.end_date)


def _relationship(link: Relationship, axis: Axis) -> list[str]:
    said = joined(element("b", link.source), f" {', '.join(link.types) or '–'} ", element("b", link.target))
    disputed = note("waits for a person's review" if link.disputed else "")
    about = joined(said, note(link.description), disputed)
    return [about, f"{link.confidence:.2f}", f"{link.strength:.2f}", bar(_span(link), axis)]


def _changes(changes: Sequence[Mapping[str, Any]]) -> Html:
    left_out = len(changes) - MOST
    rows = [[when(_time(each.get("timestamp"))), *_change(each)] for each in reversed(changes[-MOST:])]
    earlier = note(f"{counted(left_out, 'earlier change')} left out" if left_out > 0 else "")
    return joined(table(["Changed (UTC)", "What", "By"], rows), earlier)


def _change(change: Mapping[str, Any]) -> list[str]:
    said = [f"{field} {_from_to(change, field)}" for field in ("types", "confidence", "strength", "description")]
    said = [each for each in said if not each.endswith(" ")]
    action = str(change.get("action", "merged"))
    by = joined(str(change.get("source", "")), " ", code(str(change.get("run_id", ""))))
    return [prose("; ".join([action, *said])), by]


def _from_to(change: Mapping[str, Any], field: str) -> str:
    """What a field was and is; empty where the change does not speak of it."""
    old, new = _plain(change.get(f"old_{field}")), _plain(change.get(f"new_{field}", change.get(field)))
    return f"{old} → {new}" if old and old != new else new


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value or "")
