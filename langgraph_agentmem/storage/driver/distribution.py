"""Citus: the tables that have tenants, distributed over servers by tenant.

Each server has all rows of its tenants, so that a statement about one tenant is run as a whole by one server. What has
no tenant stays on the coordinator: the embedding models, the list of migrations, and LangGraph's tables, which Citus
manages as local ones, so that statements on any server of the cluster may name them.
"""

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.models.health import Distribution
from langgraph_agentmem.policies import distributing
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.driver.structure import CHECKPOINT_TABLES

_SQL = statements("distribution")
_FIRST = "active_memory"
"""Beside whose rows those of all other tables are."""


async def state(connection: AsyncConnection[DictRow], citus: str | None) -> Distribution | None:
    """How the database is distributed; None without Citus.

    Args:
        connection: To the database.
        citus: The version of Citus in it.

    Raises:
        ConfigurationError: This is no coordinator.
    """
    if citus is None:
        return None
    await demand_coordinator(connection)
    nodes = await _row(connection, "nodes")
    tables = await (await connection.execute(_SQL["tenant_tables"])).fetchall()
    unmanaged = await (await connection.execute(_SQL["unmanaged_tables"], {"names": CHECKPOINT_TABLES})).fetchall()
    names = [row["name"] for row in unmanaged]
    return Distribution.model_validate({"version": citus, **nodes, "tables": tables, "unmanaged": names})


async def demand_coordinator(connection: AsyncConnection[DictRow]) -> None:
    """Refuse a server of a cluster that only keeps rows.

    Args:
        connection: To a database with Citus.

    Raises:
        ConfigurationError: It is one.
    """
    if not (await _row(connection, "node"))["coordinates"]:
        raise ConfigurationError(
            "this server is a worker of a Citus cluster, which has neither the embedding models nor LangGraph's "
            "tables; give the DSN of the coordinator"
        )


def demand_distributable(found: Distribution) -> None:
    """Refuse a database that cannot be distributed by tenant.

    Raises:
        ConfigurationError: It cannot.
    """
    if (problem := distributing.problem(found)) is not None:
        raise ConfigurationError("; ".join(problem))


async def distribute(connection: AsyncConnection[DictRow], found: Distribution) -> None:
    """Distribute those tables that are not, and let Citus manage LangGraph's where it can.

    Args:
        connection: The owner's, in a transaction that holds the lock of whoever changes tables.
        found: How the database is distributed, which can be so by tenant.
    """
    await connection.execute(_SQL["one_by_one"])
    for name in found.local:
        params = {"table": f"agentmem.{name}", "beside": "none" if name == _FIRST else f"agentmem.{_FIRST}"}
        await connection.execute(_SQL["distribute"], params)
    for name in found.local:
        await connection.execute(_SQL["drop_local_rows"], {"table": f"agentmem.{name}"})
    for name in found.unmanaged if found.coordinator else ():
        await connection.execute(_SQL["manage"], {"table": name})


async def _row(connection: AsyncConnection[DictRow], name: str) -> DictRow:
    row = await (await connection.execute(_SQL[name])).fetchone()
    assert row is not None
    return row
