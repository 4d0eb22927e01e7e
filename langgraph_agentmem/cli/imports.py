"""`agentmem import ...`: brings along what other memories hold."""

import csv
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from langgraph_agentmem.cli.options import AsJson, Dsn, Schema, Source, as_path
from langgraph_agentmem.cli.output import tell
from langgraph_agentmem.cli.terminal import err, in_one_line, out, progress_bar, report_errors
from langgraph_agentmem.cli.transfer import import_file
from langgraph_agentmem.errors import ImportMismatchError, InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.imported import ImportReport, Remark
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.settings import AgentMemorySettings

app: Final = typer.Typer(
    help="Bring along what other memories hold, or an exported file.",
    no_args_is_help=True,
)

app.command("file")(import_file)

_SHOWN = 20
_EVERYONES = "Whose all of it is (external_id)"
Import = Callable[[AgentMemory, Callable[[int, int], None]], ImportReport]


@app.command("postgres-history")
@report_errors
def postgres_history(
    table: Annotated[str, typer.Argument(help="The table of the PostgresChatMessageHistory.")],
    source: Source = None,
    dsn: Dsn = None,
    schema: Schema = None,
    tenant: Annotated[
        str | None,
        typer.Option(help=f"{_EVERYONES}; by default each session is its own tenant.", show_default=False),
    ] = None,
    tenants: Annotated[
        Path | None,
        typer.Option(
            help="CSV file that says whose each session is, as SESSION,TENANT lines.",
            show_default=False,
            callback=as_path,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Messages of langchain-postgres' PostgresChatMessageHistory, each session as a conversation."""
    if tenant is not None and tenants is not None:
        raise InvalidInputError("give either --tenant or --tenants, not both")
    rule = tenant if tenants is None else _listed(tenants).get
    _carry_out(
        dsn,
        lambda memory, progress: memory.imports.chat_history(
            table, source, schema=schema, tenant=rule, on_progress=progress
        ),
        as_json=as_json,
    )


@app.command()
@report_errors
def vectorstore(
    source: Source = None,
    dsn: Dsn = None,
    table: Annotated[str | None, typer.Option(help="The table of a PGVectorStore.", show_default=False)] = None,
    collection: Annotated[str | None, typer.Option(help="The collection of a PGVector.", show_default=False)] = None,
    schema: Schema = None,
    tenant: Annotated[
        str | None,
        typer.Option(help=f"{_EVERYONES}; by default AGENTMEM_STORE_DEFAULT_TENANT.", show_default=False),
    ] = None,
    tenant_key: Annotated[
        str | None, typer.Option(help="The key of a document's metadata that says whose it is.", show_default=False)
    ] = None,
    id_column: Annotated[str, typer.Option(help="Of a PGVectorStore, as the others.")] = "langchain_id",
    content_column: Annotated[str, typer.Option(help="The texts'.")] = "content",
    embedding_column: Annotated[str, typer.Option(help="The vectors'.")] = "embedding",
    metadata_column: Annotated[str, typer.Option(help="The metadata's; it may be missing.")] = "langchain_metadata",
    as_json: AsJson = False,
) -> None:
    """Documents of langchain-postgres' PGVectorStore or PGVector, as items of a store."""
    if tenant is not None and tenant_key is not None:
        raise InvalidInputError("give either --tenant or --tenant-key, not both")
    rule = tenant if tenant_key is None else partial(_at, tenant_key)
    _carry_out(
        dsn,
        lambda memory, progress: memory.imports.vectorstore(
            source,
            table=table,
            collection=collection,
            schema=schema,
            id_column=id_column,
            content_column=content_column,
            embedding_column=embedding_column,
            metadata_json_column=metadata_column,
            tenant=rule,
            on_progress=progress,
        ),
        as_json=as_json,
    )


@app.command()
@report_errors
def store(
    source: Source = None,
    dsn: Dsn = None,
    schema: Schema = None,
    owner: Annotated[
        int | None,
        typer.Option(min=0, help="Position of the label that is the tenant; by default AGENTMEM_STORE_OWNER."),
    ] = None,
    default_tenant: Annotated[
        str | None,
        typer.Option(help="Of namespaces that are too short to name one; by default AGENTMEM_STORE_DEFAULT_TENANT."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Items of LangGraph's PostgresStore or AsyncPostgresStore, with their times, lifetimes and vectors."""
    _carry_out(
        dsn,
        lambda memory, progress: memory.imports.store(
            source, schema=schema, owner=owner, default_tenant=default_tenant, on_progress=progress
        ),
        as_json=as_json,
    )


@app.command()
@report_errors
def legacy(
    source: Source = None,
    dsn: Dsn = None,
    schema: Schema = None,
    neo4j: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Its graph as well, such as bolt://localhost:7687; NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE "
            "are those of this one.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Memories and consolidated chunks of an older system, by its tables active_memory, shortterm_memory and so on."""
    graph = None if neo4j is None else Neo4jDatabase.of(AgentMemorySettings(neo4j_uri=neo4j))
    _carry_out(
        dsn,
        lambda memory, progress: memory.imports.legacy(source, schema=schema, neo4j=graph, on_progress=progress),
        as_json=as_json,
    )


def _carry_out(dsn: str | None, carry_out: Import, *, as_json: bool) -> None:
    """Import, and print what has come of it; exit code 1 where something was refused, or is not as it was."""
    try:
        with AgentMemory.open(dsn, background=False) as memory, progress_bar("importing") as progress:
            report = carry_out(memory, progress)
    except ImportMismatchError as error:
        tell(error.report, as_json, partial(_print, error.report))
        raise
    tell(report, as_json, partial(_print, report))
    if report.refused:
        raise typer.Exit(1)


def _print(report: ImportReport) -> None:
    out.print(report.summary)
    if len(report.tables) > 1:
        for name, count in report.tables.items():
            out.print(f"{in_one_line(name)}: {count.read:,} read, {count.verified:,} the same here")
    if report.tenants:
        shown = ", ".join(in_one_line(tenant) for tenant in report.tenants[:_SHOWN])
        out.print(f"tenants: {shown}{', ...' if len(report.tenants) > _SHOWN else ''}")
    if report.vectors or report.without_vectors:
        why = f": {in_one_line(report.without_vectors)}" if report.without_vectors else ""
        out.print(f"{report.vectors:,} vectors taken over{why}")
    out.print(f"hash of what was verified: {report.source_hash} there, {report.hash} here")
    _name("refused", report.refusals, report.refused)
    _name("different", report.differences, len(report.differences))


def _name(what: str, remarks: list[Remark], count: int) -> None:
    for remark in remarks[:_SHOWN]:
        err.print(f"[red]{what}:[/red] {in_one_line(f'{remark.place}: {remark.reason}')}")
    if count > _SHOWN:
        err.print(f"... and {count - _SHOWN:,} more")


def _listed(path: Path) -> dict[str, str]:
    """Whose each session is, of a file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"--tenants {str(path)!r} cannot be read: {error}") from error
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise InvalidInputError(f"line {number} of {str(path)!r} is no SESSION,TENANT, but {','.join(row)!r}")
    return {session.strip().lower(): tenant.strip() for session, tenant in rows}


def _at(key: str, metadata: Mapping[str, Any]) -> str | None:
    return metadata.get(key)
