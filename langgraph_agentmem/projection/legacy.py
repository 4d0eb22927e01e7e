"""Reads the graph that an older three-tier system keeps in Neo4j."""

from collections.abc import Callable
from typing import Literal

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.projection.cypher_statements import cypher, of_tier
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase, Neo4jTransaction, Rows

_AT_ONCE = 1000
_NOBODY = ""
"""Neo4j's tenant parameter, in statements that read over all tenants."""


async def read(
    neo4j: Neo4jDatabase,
    what: Literal["entities", "relationships"],
    tier: GraphTier,
    begin: Callable[[], None],
    take: Callable[[Rows], None],
) -> None:
    """Read what a tier holds, of all tenants; nothing is changed there.

    Args:
        neo4j: The older system's.
        what: Is read.
        tier: Of that.
        begin: Called before anything is taken, and once more where what failed in the middle is tried again.
        take: Takes some rows, in another thread; each has the properties of all that it stands for in `things`.

    Raises:
        OutageError: The server cannot be reached.
        AuthenticationError: It refuses the user, the password or the database.
    """
    statement = of_tier(cypher("legacy")[what], tier)

    def work(transaction: Neo4jTransaction) -> None:
        begin()
        for rows in transaction.batches(_AT_ONCE, statement, shortterm=tier == "shortterm"):
            take(rows)

    await neo4j.read(_NOBODY, work)
