"""Indexes on chunks that one tenant has for itself, beside those of all tenants."""

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.health import TenantIndex, TenantShare
from langgraph_agentmem.storage.driver import distribution, migrate
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, one_row
from langgraph_agentmem.storage.driver.rows import send as send_statement
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.vectors import EmbeddingModel, index_of, model_in_use, of_tenant, suffix

_SQL = statements("tenant_indexes")


async def send(connection: Connection, external_id: str) -> Deferred[list[TenantIndex]]:
    """Ask for the indexes that a tenant has for itself."""
    return await send_statement(connection, _SQL["tenant_indexes"], {"external_id": external_id}, _read)


async def of_all(connection: Connection) -> list[TenantIndex]:
    """The indexes that tenants have for themselves, with the tenants' names, as far as there are such tenants."""
    found = _read(await all_rows(connection, _SQL["tenant_indexes"], {"external_id": None}))
    if not found:
        return []
    numbers = sorted({index.tenant for index in found})
    rows = await all_rows(connection, _SQL["indexed_tenants"], {"tenants": numbers, "limit": len(numbers)})
    names = {row["tenant"]: row["external_id"] for row in rows}
    return [index.model_copy(update={"external_id": names.get(index.tenant)}) for index in found]


async def make(connection: Connection, external_id: str) -> None:
    """Make a tenant indexes of its own, on words and of the vectors of the model in use, as far as it lacks them.

    Others read and write meanwhile.

    Args:
        connection: The owner's, in autocommit mode, not in a pipeline.
        external_id: The tenant.

    Raises:
        ConfigurationError: There can be none in this database, or not by this user.
        InvalidInputError: There is no such tenant.
    """
    await _demand_owner(connection)
    await _demand_one_server(connection)
    row = await one_row(connection, _SQL["tenant_number"], {"external_id": external_id})
    if row is None:
        raise InvalidInputError(
            f"tenant {external_id!r} has no memories to be indexed; name one that has, as it was spelt when these were "
            "written"
        )
    # under no lock of ours: building waits for all open transactions, also for one that waits for such a lock
    unusable = [index.name for index in await (await send(connection, external_id))() if not index.usable]
    for name, statement in _made(row["tenant"], await model_in_use(connection)).items():
        await connection.execute(statement)
        if name in unusable:
            await connection.execute(template("tenant_indexes", "rebuild_index").format(index=sql.Identifier(name)))


async def drop(connection: Connection, external_id: str) -> int:
    """Drop the indexes that a tenant has for itself, and return how many there were.

    Args:
        connection: The owner's, in autocommit mode, not in a pipeline.
        external_id: The tenant, which may be forgotten.

    Raises:
        ConfigurationError: This user may not.
    """
    await _demand_owner(connection)
    found = await (await send(connection, external_id))()
    for index in found:
        await connection.execute(template("tenant_indexes", "drop_index").format(index=sql.Identifier(index.name)))
    return len(found)


async def shares(connection: AsyncConnection[DictRow], model: EmbeddingModel | None) -> list[TenantShare]:
    """The tenants with the most chunks, as the planner's statistics have them; empty where nobody may read these.

    Args:
        connection: To the database.
        model: The one in use, if its vectors are indexed.
    """
    params = {"embedding_model": model and model.id}
    rows = await (await connection.execute(_SQL["tenant_shares"], params)).fetchall()
    return [TenantShare.model_validate(row) for row in rows]


def _read(rows: list[DictRow]) -> list[TenantIndex]:
    return [TenantIndex.model_validate(row) for row in rows]


async def _demand_owner(connection: Connection) -> None:
    row = await one_row(connection, _SQL["owner_of_chunks"], {})
    if row is None:
        raise ConfigurationError("there are no tables to be indexed; run `agentmem db migrate`")
    if not row["owned"]:
        raise ConfigurationError(
            f"{connection.info.user} may not make or drop indexes; connect as the owner of the tables, {row['owner']}"
        )


async def _demand_one_server(connection: Connection) -> None:
    distributed = await distribution.state(connection, (await migrate.server_of(connection))["citus"])
    if distributed is not None and distributed.distributed:
        raise ConfigurationError(
            "on a Citus cluster, no tenant has indexes for itself; give a large tenant a server for itself instead"
        )


def _made(tenant: int, model: EmbeddingModel | None) -> dict[str, sql.Composed]:
    """The statements that make a tenant's own indexes, by their names."""
    name = f"memory_chunk_words{suffix(tenant)}"
    words = template("tenant_indexes", "create_words_index").format(
        index=sql.Identifier(name), of_tenant=of_tenant(tenant)
    )
    vectors = {} if model is None else index_of(model, tenant)
    return {**vectors, name: words}
