"""Entities, runs and conflicts in words, as an MCP server shows them to a model, and to the person who is asked."""

from collections.abc import Sequence

from langgraph_agentmem.models.entity import Entity, Relationship
from langgraph_agentmem.models.review import Dispute, DisputedValue
from langgraph_agentmem.models.run import ConsolidationRun
from langgraph_agentmem.policies.cutting import shortened

NO_RUNS = "Nothing was consolidated yet."
NO_DISPUTES = "No conflict waits for a decision."
_LONGEST = 1_000
"""Characters of a value within a question."""
_MOST_CHANGES = 10


def entity(shown: Entity) -> str:
    """An entity with what is known of it, how it is related, and what has changed."""
    head = f"# {shown.name} ({', '.join(shown.types) or 'of no known type'}), {shown.tier}"
    lines = [
        head,
        *([shown.description] if shown.description else []),
        f"Seen first {shown.first_seen:%Y-%m-%d}, last {shown.last_seen:%Y-%m-%d}; confidence {shown.confidence:.2f}.",
        *(["Two values are disputed, and a person is to decide."] if shown.disputed else []),
        *([f"Others of that name have the ids {', '.join(map(str, shown.namesakes))}."] if shown.namesakes else []),
        *(_relationship(each) for each in shown.relationships),
    ]
    changes = [f"- change: {line(str(change))}" for change in shown.state_history[-_MOST_CHANGES:]]
    return "\n".join([*lines, *changes])


def _relationship(each: Relationship) -> str:
    until = f", until {each.end_date:%Y-%m-%d}" if each.end_date else ""
    about = f": {line(each.description)}" if each.description else ""
    kinds = ", ".join(each.types) or "is related to"
    return f"- {each.source} → {kinds} → {each.target} (since {each.start_date:%Y-%m-%d}{until}){about}"


def runs(shown: Sequence[ConsolidationRun]) -> str:
    """Runs, newest first, each with what it did and why."""
    return "\n".join(_run(each) for each in shown) or NO_RUNS


def _run(each: ConsolidationRun) -> str:
    head = f"{each.started_at:%Y-%m-%d %H:%M} memory {each.memory_id}: {each.status}"
    if each.report is None:
        return head
    did = (
        f"statements added {each.report.chunks_added}, ended {each.report.chunks_superseded}, "
        f"conflicts left to a person {len(each.report.parked)}"
    )
    decisions = [f"  - {made.about}: {made.action}; {line(made.reason)}" for made in each.report.decisions]
    return "\n".join([f"{head}; {did}", *decisions])


def disputes(shown: Sequence[Dispute]) -> str:
    """What waits for a decision, with its ids."""
    return "\n\n".join(f"Dispute {each.id}, {question(each)}" for each in shown) or NO_DISPUTES


def question(shown: Dispute) -> str:
    """A dispute as a person is asked about it: both values, where they come from, and what is proposed.

    Each value is one line in quotation marks, so that none can look like another one, or like what is proposed.
    """
    where = f" in section {shown.section_id!r}" if shown.section_id else ""
    now = shown.existing_now if shown.changed and shown.existing_now else shown.existing
    verdict = shown.verdict
    lines = [
        f"memory {shown.memory_id}{where}: which one holds?",
        *(_value("Remembered", value) for value in now),
        _value("New", shown.new_now if shown.changed else shown.new),
        f"Proposed by the {verdict.decided_by}: {verdict.action}"
        + (f", as {line(verdict.reason)}" if verdict.reason else ""),
        *([f"Proposed text: {line(verdict.text)!r}"] if verdict.text else []),
        *([f"Stays valid in any case: {line(verdict.leftover)!r}"] if verdict.leftover else []),
        *(["It has changed since the proposal was made."] if shown.changed else []),
    ]
    return "\n".join(lines)


def _value(name: str, value: DisputedValue) -> str:
    known = [
        f"by {value.source!r}" if value.source else "",
        f"since {value.start_date:%Y-%m-%d}" if value.start_date else "",
        "" if value.valid else "not valid any more",
        *(f"stated in {source.section_id!r}: {line(source.content)!r}" for source in value.sources[:2]),
    ]
    said = ", ".join(filter(None, known))
    return f"{name}: {line(value.content)!r}" + (f" ({said})" if said else "")


def line(text: str) -> str:
    """A text in one line, not too long to be read."""
    return shortened(" ".join(text.split()), _LONGEST)
