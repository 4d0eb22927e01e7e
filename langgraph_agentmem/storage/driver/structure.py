"""What tables and indexes a database has, and what the connection's role may do with them."""

import re
from functools import cache

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from langgraph_agentmem.models.health import Indexes, Permissions
from langgraph_agentmem.storage.driver.statements import migrations, statements

_SQL = statements("structure")
CHECKPOINT_TABLES = ["checkpoints", "checkpoint_blobs", "checkpoint_writes", "checkpoint_migrations"]
"""The tables of LangGraph's checkpointers."""
_CREATE_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+) ON [^;]+", re.MULTILINE)


async def permissions(connection: AsyncConnection[DictRow]) -> Permissions:
    """What the connection's role may do with the tables."""
    row = await (await connection.execute(_SQL["permissions"], {"checkpoints": CHECKPOINT_TABLES})).fetchone()
    assert row is not None
    return Permissions.model_validate(row)


async def indexes(connection: AsyncConnection[DictRow], others: dict[str, str]) -> Indexes:
    """What there is of the indexes that there should be.

    Args:
        connection: To a database with the newest tables.
        others: Statements that make those that no migration makes, by name.
    """
    found = {row["name"]: row["usable"] for row in await (await connection.execute(_SQL["indexes"])).fetchall()}
    wanted = _of_migrations() | others
    return Indexes(
        wanted=len(wanted),
        missing={name: statement for name, statement in wanted.items() if name not in found},
        broken=sorted(name for name, usable in found.items() if not usable),
    )


@cache
def _of_migrations() -> dict[str, str]:
    """The statements of all migrations that make an index, by its name."""
    made = [found for _, _, script in migrations() for found in _CREATE_INDEX.finditer(script.decode())]
    return {found[1]: " ".join(found[0].split()) for found in made}
