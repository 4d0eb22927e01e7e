"""Indexes of vectors that one tenant has for itself, beside that of all tenants."""

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.health import TenantIndex, TenantShare
from langgraph_agentmem.storage.driver import distribution, migrate
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.driver.rows import send as send_statement
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.vectors import EmbeddingModel, index_of, model_in_use

_SQL = statements("vectors")

Connected = AsyncConnection[DictRow]


async def send(connection: Connection, external_id: str) -> Deferred[list[TenantIndex]]:
    """Ask for the indexes that a tenant has for itself: one at most for each embedding model."""
    return await send_statement(connection, _SQL["tenant_indexes"], {"external_id": external_id}, _read)


async def of_all(connection: Connected) -> list[TenantIndex]:
    """The indexes that tenants have for themselves, with the tenants' names, as far as there are such tenants."""
    found = _read(await (await connection.execute(_SQL["tenant_indexes"], {"external_id": None})).fetchall())
    if not found:
        return []
    params = {"tenants": [index.tenant for index in found]}
    rows = await (await connection.execute(_SQL["indexed_tenants"], params)).fetchall()
    names = {row["tenant"]: row["external_id"] for row in rows}
    return [index.model_copy(update={"external_id": names.get(index.tenant)}) for index in found]


async def make(connection: Connected, external_id: str) -> None:
    """Make a tenant an index of its own, of the model in use, unless it has it, while others write.

    Args:
        connection: The owner's, in autocommit mode, not in a pipeline.
        external_id: The tenant.

    Raises:
        ConfigurationError: There can be none in this database, or not by this user.
        InvalidInputError: The tenant has no vectors.
    """
    await _demand_owner(connection)
    model = await _indexed_model(connection)
    params = {"external_id": external_id, "embedding_model": model.id}
    row = await (await connection.execute(_SQL["tenant_vectors"], params)).fetchone()
    assert row is not None
    if not row["vectors"]:
        raise InvalidInputError(
            f"tenant {external_id!r} has no vectors of {model.name!r} to be indexed; name one that has, as it was "
            "spelt where its memories were written"
        )
    [(name, statement)] = index_of(model, row["tenant"]).items()
    # no lock but that of the table, which whoever builds holds from the beginning to the end: building waits for all
    # transactions that are open, also for one that waits for a lock of ours
    unusable = [index.name for index in await _of_tenant(connection, external_id) if not index.usable]
    await connection.execute(statement)
    if name in unusable:
        await connection.execute(template("vectors", "rebuild_index").format(index=sql.Identifier(name)))


async def drop(connection: Connected, external_id: str) -> int:
    """Drop the indexes that a tenant has for itself, and return how many there were.

    Args:
        connection: The owner's, in autocommit mode, not in a pipeline.
        external_id: The tenant, which may be forgotten.

    Raises:
        ConfigurationError: This user may not.
    """
    await _demand_owner(connection)
    found = await _of_tenant(connection, external_id)
    for index in found:
        await connection.execute(template("vectors", "drop_index").format(index=sql.Identifier(index.name)))
    return len(found)


async def shares(connection: Connected, model: EmbeddingModel) -> list[TenantShare]:
    """The tenants with the most chunks, as the planner's statistics have them; empty where nobody may read these."""
    rows = await (await connection.execute(_SQL["tenant_shares"], {"embedding_model": model.id})).fetchall()
    return [TenantShare.model_validate(row) for row in rows]


async def _of_tenant(connection: Connected, external_id: str) -> list[TenantIndex]:
    params = {"external_id": external_id}
    return _read(await (await connection.execute(_SQL["tenant_indexes"], params)).fetchall())


def _read(rows: list[DictRow]) -> list[TenantIndex]:
    return [TenantIndex.model_validate(row) for row in rows]


async def _demand_owner(connection: Connected) -> None:
    row = await (await connection.execute(_SQL["owner_of_chunks"])).fetchone()
    if row is None:
        raise ConfigurationError("there are no tables yet, and no vectors; run `agentmem db migrate`")
    if not row["owned"]:
        raise ConfigurationError(
            f"{connection.info.user} may not make or drop indexes; connect as the owner of the tables, {row['owner']}"
        )


async def _indexed_model(connection: Connected) -> EmbeddingModel:
    """The model in use, whose vectors can be indexed by tenant."""
    distributed = await distribution.state(connection, (await migrate.server_of(connection))["citus"])
    if distributed is not None and distributed.distributed:
        raise ConfigurationError(
            "on a Citus cluster, no tenant has an index of vectors for itself; give a large tenant a server of its own"
        )
    model = await model_in_use(connection)
    if model is None:
        raise ConfigurationError("this database has no vectors to be indexed; open it with an embedder, and write")
    if not index_of(model):
        raise ConfigurationError(
            f"vectors of {model.name!r} with {model.dimensions} dimensions are kept without an index, and all of a "
            "tenant's are compared; for an index, open the database with another ann_index_config and reembed=True"
        )
    return model
