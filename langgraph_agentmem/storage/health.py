"""Counts what is not as it should be, of one tenant or of all."""

from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.health import Counts, FailingModel, ProjectionHealth
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.database import LISTENER
from langgraph_agentmem.storage.driver.rows import all_rows, first_row, of_tenants
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("health")


async def chunks_without_vectors(connection: Connection, external_id: str | None, embedding_model: int | None) -> int:
    """How many chunks have no vector of the model in use, or none at all."""
    params = {"external_id": external_id, "embedding_model": embedding_model}
    waiting = (await first_row(connection, _SQL["chunks_without_vectors"], params))["chunks"]
    if embedding_model is None:
        return waiting
    return waiting + (await first_row(connection, _SQL["chunks_of_other_models"], params))["chunks"]


async def expired_leases(connection: Connection, external_id: str | None) -> Counts:
    """Runs that let their lease run out."""
    return Counts.model_validate(await first_row(connection, _SQL["expired_leases"], {"external_id": external_id}))


async def listening(connection: Connection) -> int:
    """How many workers wait on a connection of their own for memories to become due."""
    return (await first_row(connection, _SQL["listening"], {"application": LISTENER}))["workers"]


async def failing_models(connection: Connection, external_id: str | None, limit: int) -> list[FailingModel]:
    """Memories whose model has failed in their last runs, most failures first, of one tenant or of all.

    Where it is of all, the connection serves one of these tenants afterwards.
    """
    params: Json = {"external_id": external_id, "ids": None, "limit": limit}
    if external_id is not None:
        return _failing(await all_rows(connection, _SQL["failing_models"], params))
    found = await all_rows(connection, _SQL["all_failing_models"], params)
    failing = await of_tenants(connection, found, _SQL["failing_models"], params, _failing)
    return sorted(failing, key=lambda memory: (-memory.failures, memory.external_id, memory.memory_id))


def _failing(rows: list[DictRow]) -> list[FailingModel]:
    return [FailingModel.model_validate(row) for row in rows]


async def reviews(connection: Connection, external_id: str | None) -> Counts:
    """Runs that wait for a person."""
    return Counts.model_validate(await first_row(connection, _SQL["reviews"], {"external_id": external_id}))


async def projection(connection: Connection, external_id: str | None) -> ProjectionHealth:
    """How far the entity graphs are projected."""
    params = {"external_id": external_id}
    known = await first_row(connection, _SQL["projections"], params)
    return ProjectionHealth.model_validate({**known, **await first_row(connection, _SQL["outbox"], params)})
