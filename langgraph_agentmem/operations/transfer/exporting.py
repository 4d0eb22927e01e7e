"""Writes what a database remembers into a file, as it is at one moment."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

from langgraph_agentmem.errors import NotFoundError
from langgraph_agentmem.policies import transfer, validation
from langgraph_agentmem.policies.transfer import Header, Transferred, VectorsOf, Writing
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import retention
from langgraph_agentmem.storage import transfer as storage
from langgraph_agentmem.storage import vectors as vector_storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import paged

_AT_ONCE = 1_000


async def export(
    resources: Resources,
    external_id: object,
    write: Callable[[bytes], object],
    *,
    vectors: bool = False,
    on_progress: Callable[[int], object] | None = None,
) -> Transferred:
    """Write a tenant, or all, line by line; what is written meanwhile is not in it.

    Args:
        resources: The open memory's.
        external_id: The tenant; None for all.
        write: Takes the lines.
        vectors: Whether vectors come along; else they are made anew where the file is imported.
        on_progress: Told how many rows were written so far, from time to time.

    Raises:
        NotFoundError: The tenant has no memories.
        OutageError: The server cannot be reached, or goes away; the file has no end then, and no import takes it.
    """
    tenant = None if external_id is None else validation.tenant(external_id)
    await resources.database.start()
    async with resources.database.snapshot() as connection:
        known = await vector_storage.model_in_use(connection) if vectors else None
        model = VectorsOf.model_validate(known.model_dump()) if known else None
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        writing = Writing(Header(schema_hashes=storage.schema_hashes(), embedding_model=model, made_at=made_at))
        write(writing.begin())
        async for each in _tenants(connection, tenant):
            write(writing.tenant(each))
            await _export_tenant(connection, each, writing, write, model is not None, on_progress)
        write(writing.end())
    if tenant is not None and not writing.transferred.rows:
        raise NotFoundError(f"tenant {tenant!r} has no memories")
    return writing.transferred


async def _tenants(connection: Connection, tenant: str | None) -> AsyncGenerator[str]:
    if tenant is not None:
        yield tenant
        return
    async for page in paged(lambda after: retention.tenants(connection, after, _AT_ONCE), _AT_ONCE):
        for each in page:
            yield each


async def _export_tenant(
    connection: Connection,
    tenant: str,
    writing: Writing,
    write: Callable[[bytes], object],
    vectors: bool,
    on_progress: Callable[[int], object] | None,
) -> None:
    for table in transfer.TABLES:
        left_out = transfer.left_out(table, vectors=vectors)
        async for row in storage.rows(connection, tenant, table, left_out):
            write(writing.row(table, row))
        if on_progress is not None:
            on_progress(sum(writing.transferred.rows.values()))
