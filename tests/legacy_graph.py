"""The graph of an older three-tier system, in both of its forms, beside its tables."""

import json
from typing import Any

import legacy_tables
from legacy_tables import Form

from langgraph_agentmem.projection import Neo4jDatabase

CREATED = {"timestamp": "2024-03-04T09:00:00", "source": "shortterm_promotion", "shortterm_memory_id": 1, "action": "created", "types": ["Person"], "confidence": 0.7}  # fmt: skip
MERGED = {"timestamp": "2024-03-05T09:00:00+00:00", "source": "shortterm_promotion", "shortterm_memory_id": 9, "old_types": ["Person"], "new_types": ["Person", "Engineer"]}  # fmt: skip
_METADATA = json.dumps({"state_history": [CREATED, MERGED], "more": "of it"})
NODES = {
    "newer": """
        CREATE (g:ShorttermEntity {external_id: $seven, shortterm_memory_id: 1, name: 'Grace', types: ['Person'],
            description: 'Draws bridges.', importance: 0.75, access_count: 3, last_access: datetime(), metadata: '{}'})
        CREATE (b:ShorttermEntity {external_id: $seven, shortterm_memory_id: 1, name: 'bridge', types: [], importance: 2.0})
        CREATE (g)-[:SHORTTERM_RELATES {external_id: $seven, shortterm_memory_id: 1, types: ['DRAWS'],
            description: 'Grace draws it.', importance: 0.6, metadata: $metadata}]->(b)
        CREATE (lg:LongtermEntity {external_id: $seven, name: 'bridge', types: ['Structure'], description: 'Of steel.',
            importance: 0.9, start_date: datetime('2023-01-01T00:00:00Z'), last_updated: datetime('2024-01-01T00:00:00Z'),
            metadata: $metadata})
        CREATE (ls:LongtermEntity {external_id: $seven, name: 'steel', types: ['Material'], metadata: 'no JSON'})
        CREATE (lg)-[:LONGTERM_RELATES {external_id: $seven, types: ['MADE_OF'], description: 'Of it.', strength: 0.8,
            importance: 0.1, start_date: datetime('2023-01-01T00:00:00Z')}]->(ls)
        CREATE (lg)-[:LONGTERM_RELATES {external_id: $seven, types: ['RUSTS_AS'], description: 'Slowly.', strength: 0.8,
            start_date: datetime('2023-06-01T00:00:00Z')}]->(ls)
        CREATE (a:ShorttermEntity {external_id: $eight, shortterm_memory_id: 2, name: 'Alan', types: ['Person']})
        CREATE (t:ShorttermEntity {external_id: $eight, shortterm_memory_id: 2, name: 'tunnel', types: ['Structure']})
        CREATE (a)-[:SHORTTERM_RELATES {external_id: $eight, shortterm_memory_id: 2, types: ['DRAWS']}]->(t)""",
    "older": """
        CREATE (g:ShorttermEntity {id: 1, external_id: $seven, shortterm_memory_id: 1, name: 'Grace', type: 'Person',
            description: 'Draws bridges.', confidence: 0.7, first_seen: datetime('2024-03-01T00:00:00Z'),
            last_seen: datetime('2024-03-05T00:00:00Z'), metadata: '{}'})
        CREATE (b:ShorttermEntity {id: 2, external_id: $seven, shortterm_memory_id: 1, name: 'bridge', confidence: 0.6})
        CREATE (g)-[:SHORTTERM_RELATES {id: 1, external_id: $seven, type: 'DRAWS', description: 'Grace draws it.',
            confidence: 0.7, strength: 0.6, first_observed: datetime('2024-03-01T00:00:00Z'), metadata: $metadata}]->(b)
        CREATE (lg:LongtermEntity {id: 1, external_id: $seven, name: 'bridge', type: 'Structure', description: 'Of steel.',
            confidence: 0.9, importance: 0.9, first_seen: datetime('2023-01-01T00:00:00Z'),
            last_seen: datetime('2024-01-01T00:00:00Z'), metadata: $metadata})
        CREATE (ls:LongtermEntity {id: 2, external_id: $seven, name: 'steel', type: 'Material', confidence: 0.5})
        CREATE (lg)-[:LONGTERM_RELATES {id: 1, external_id: $seven, type: 'MADE_OF', description: 'Of it.', confidence: 0.5,
            strength: 0.8, start_date: datetime('2023-01-01T00:00:00Z')}]->(ls)
        CREATE (lg)-[:LONGTERM_RELATES {id: 2, external_id: $seven, type: 'RUSTS_AS', description: 'Slowly.', confidence: 0.5,
            strength: 0.8, start_date: datetime('2023-06-01T00:00:00Z')}]->(ls)
        CREATE (a:ShorttermEntity {id: 3, external_id: $eight, shortterm_memory_id: 2, name: 'Alan', type: 'Person'})
        CREATE (t:ShorttermEntity {id: 4, external_id: $eight, shortterm_memory_id: 2, name: 'tunnel', type: 'Structure'})
        CREATE (a)-[:SHORTTERM_RELATES {id: 2, external_id: $eight, type: 'DRAWS'}]->(t)""",
}  # fmt: skip
COUNTS = {"ShorttermEntity": 4, "LongtermEntity": 2, "SHORTTERM_RELATES": 2, "LONGTERM_RELATES": 1}


class Older:
    """An older system's graph of two tenants that no other test has, in a Neo4j that all share.

    Args:
        neo4j: That.
        tenant: What both tenants' names begin with.
    """

    def __init__(self, neo4j: Neo4jDatabase, tenant: str) -> None:
        self.neo4j = neo4j
        self.seven, self.eight = f"{tenant} seven", f"{tenant} eight"

    def tables(self, form: Form) -> list[str]:
        """The tables beside it, as statements."""
        return [
            statement.replace("agent-7", self.seven).replace("agent-8", self.eight)
            for statement in legacy_tables.filled(form)
        ]

    async def run(self, statement: str, **params: Any) -> list[dict[str, Any]]:
        """Carry a statement out, which may name both tenants."""
        known = {"seven": self.seven, "eight": self.eight, "metadata": _METADATA}
        return await self.neo4j.write(self.seven, lambda tx: tx.run(statement, **known | params))

    async def fill(self, form: Form) -> None:
        """Make the graph."""
        await self.run(NODES[form])

    async def clear(self) -> None:
        """Remove it."""
        await self.run("MATCH (n) WHERE n.external_id IN [$seven, $eight] DETACH DELETE n")
