"""Takes a file that was exported into a database: all of it, or nothing."""

from collections.abc import Callable, Iterable

from langgraph_agentmem.errors import ConflictError
from langgraph_agentmem.policies import fingerprints, transfer
from langgraph_agentmem.policies.transfer import Header, Transferred
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import transfer as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.driver.tenants import NOBODY

_AT_ONCE = 200
_LONGEST = 4_000_000
OpenLines = Callable[[], Iterable[bytes]]


async def load(
    resources: Resources, lines: OpenLines, *, on_progress: Callable[[int, int], object] | None = None
) -> Transferred:
    """Take the tenants of a file into a database that does not know them; in one transaction.

    Vectors are taken over where they come from the embedding model of this database; else chunks wait for new ones.

    Args:
        resources: The open memory's.
        lines: Opens the file; it is read twice, first to see that it is whole.
        on_progress: Told how many rows were sent, and how many there are.

    Raises:
        InvalidInputError: The file is no export, damaged, or from another version; nothing is written.
        ConflictError: A tenant has memories here already; nothing is written.
    """
    await resources.database.start()
    header, held, tenants = transfer.checked(lines(), storage.schema_hashes())
    vectors = await _vectors_here(resources, header)
    total, sent = sum(held.rows.values()), 0
    async with resources.database.transaction(NOBODY) as connection:
        await _refuse_known(connection, tenants)
        columns = await storage.written_columns(connection)
        for tenant, table, rows in transfer.batches(lines(), _AT_ONCE, _LONGEST):
            connection.serve(tenant)
            await storage.insert(connection, tenant, table, columns[table], rows, vectors)
            sent += len(rows)
            if on_progress is not None:
                on_progress(sent, total)
        for tenant in tenants:
            connection.serve(tenant)
            await storage.finish(connection, tenant)
    return held.model_copy(update={"vectors": vectors is not None})


async def _refuse_known(connection: Connection, tenants: list[str]) -> None:
    # in one order, or two imports would each wait for the other
    answers: dict[str, Deferred[bool]] = {}
    for tenant in sorted(tenants):
        connection.serve(tenant)
        answers[tenant] = await storage.send_lock(connection, tenant)
    known = [tenant for tenant, answer in answers.items() if await answer()]
    if known:
        named = ", ".join(map(repr, known[:5]))
        raise ConflictError(
            f"{len(known)} of the {len(tenants)} tenants in the file have memories here already ({named}); an import "
            "adds tenants and changes none: forget them first, or use another database"
        )


async def _vectors_here(resources: Resources, header: Header) -> tuple[int, int] | None:
    """The number of the file's embedding model in the file, and here; None where it is not the one in use here."""
    theirs = header.embedding_model
    here = await resources.embedding_model() if theirs is not None else None
    if theirs is None or here is None or (here.dimensions, here.vector_type) != (theirs.dimensions, theirs.vector_type):
        return None
    return (theirs.id, here.id) if fingerprints.same(here.name, theirs.name) else None
