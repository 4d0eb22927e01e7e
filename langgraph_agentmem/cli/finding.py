"""`agentmem search`, `entity`: what a tenant's memory knows."""

from datetime import UTC, datetime
from typing import Annotated, cast

import typer

from langgraph_agentmem.cli.options import AsJson, Dsn, Limit, OneTenant, When
from langgraph_agentmem.cli.output import cut, print_table, tell
from langgraph_agentmem.cli.terminal import as_text, in_one_line, out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.entity import Entity, GraphTier
from langgraph_agentmem.models.search import SearchHit


@report_errors
def search(
    tenant: OneTenant,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is looked for, in words.")],
    dsn: Dsn = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Only active, shortterm or longterm; may be given again.", show_default=False),
    ] = None,
    memory_id: Annotated[
        list[int] | None,
        typer.Option("--memory", help="Only from this memory; may be given again.", show_default=False),
    ] = None,
    limit: Limit = 10,
    as_of: When = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each hit ranks where it does.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search all tiers of a tenant's memory, as it is now or, with --as-of, as it was."""
    with AgentMemory.open(dsn, background=False) as memory:
        hits = memory.search(
            tenant,
            query,
            tiers=cast("list[Tier] | None", tier or None),
            memory_ids=memory_id or None,
            limit=limit,
            as_of=_with_zone(as_of),
        )
    tell(hits, as_json, lambda: _print(hits, explain))


def _with_zone(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(hits: list[SearchHit], explain: bool) -> None:
    if not hits:
        out.print("Nothing was found.")
    for place, hit in enumerate(hits, 1):
        until = f" to {hit.end_date:%F}" if hit.end_date else ""
        marks = "".join([", disputed" if hit.disputed else "", ", unclear" if hit.unclear_with else ""])
        where = f"{in_one_line(hit.memory_title)} / {in_one_line(hit.section_id)}"
        out.print(
            f"[bold]{place}. {hit.tier}[/bold]  {where}, {hit.start_date:%F}{until}{marks}  [dim]{hit.score:.3f}[/dim]"
        )
        out.print(as_text(hit.explain() if explain else hit.content.strip()))


@report_errors
def entity(
    tenant: OneTenant,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id.")],
    dsn: Dsn = None,
    tier: Annotated[str | None, typer.Option(help="shortterm or longterm.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """An entity with its relationships and its history."""
    with AgentMemory.open(dsn, background=False) as memory:
        found = memory.get_entity(tenant, name, tier=cast("GraphTier | None", tier))
    tell(found, as_json, lambda: _print_entity(found))


def _print_entity(entity: Entity) -> None:
    types = f" ({in_one_line(', '.join(entity.types))})" if entity.types else ""
    out.print(f"[bold]{in_one_line(entity.name)}[/bold]{types}, {entity.tier} entity {entity.id}")
    out.print(f"confidence {entity.confidence:.2f}, seen {entity.first_seen:%F} to {entity.last_seen:%F}")
    if entity.description:
        out.print(as_text(entity.description))
    if entity.namesakes:
        out.print(f"others of this name: {', '.join(map(str, entity.namesakes))}")
    rows = [
        (
            each.source,
            ", ".join(each.types),
            each.target,
            f"{each.start_date:%F}",
            each.end_date and f"{each.end_date:%F}",
        )
        for each in entity.relationships
    ]
    print_table(("from", "relationship", "to", "since", "until"), rows, "It has no relationships.")
    history = [(each.get("at"), each.get("kind"), cut(str(each))) for each in entity.state_history]
    print_table(("at", "change", "what"), history, "It has not changed yet.")
