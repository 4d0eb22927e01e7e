"""What holds of a whole database after every story, whatever happened in it."""

import psycopg

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.operations.sections import embeddings

_BROKEN = {
    "a memory's counts are not those of its sections": """
        SELECT a.external_id, a.id, a.section_count, a.pending_updates, count(s), coalesce(sum(s.update_count), 0)
        FROM agentmem.active_memory a
        LEFT JOIN agentmem.section s ON s.external_id = a.external_id AND s.memory_id = a.id
        GROUP BY a.external_id, a.id
        HAVING a.section_count <> count(s) OR a.pending_updates <> coalesce(sum(s.update_count), 0)""",
    "a closed memory has sections, or waits for something": """
        SELECT a.external_id, a.id FROM agentmem.active_memory a
        WHERE a.closed_at IS NOT NULL
          AND (a.due_at IS NOT NULL OR EXISTS (SELECT 1 FROM agentmem.section s
                                               WHERE s.external_id = a.external_id AND s.memory_id = a.id))""",
    "a run holds a memory": "SELECT external_id, id FROM agentmem.active_memory WHERE lease_owner IS NOT NULL",
    "a chunk is part of an item that is gone": """
        SELECT c.external_id, c.id, c.content FROM agentmem.memory_chunk c
        WHERE c.current AND NOT EXISTS (
            SELECT 1 FROM agentmem.section s
            WHERE s.external_id = c.external_id AND s.memory_id = c.memory_id AND s.section_id = c.section_id)""",
    "an item's present chunks are not numbered from 0": """
        SELECT c.external_id, c.memory_id, c.section_id, array_agg(c.chunk_order ORDER BY c.chunk_order)
        FROM agentmem.memory_chunk c WHERE c.current
        GROUP BY c.external_id, c.memory_id, c.section_id
        HAVING count(DISTINCT c.chunk_order) <> count(*) OR max(c.chunk_order) <> count(*) - 1""",
    "an item without text fields has chunks": """
        SELECT c.external_id, c.id, c.content FROM agentmem.memory_chunk c
        JOIN agentmem.section s
          ON s.external_id = c.external_id AND s.memory_id = c.memory_id AND s.section_id = c.section_id
        WHERE c.current AND s.text_fields = '{}' AND NOT s.needs_chunking""",
    "a chunk has not exactly the vector that its model says": """
        SELECT external_id, id FROM agentmem.memory_chunk
        WHERE num_nonnulls(embedding, full_embedding) <> num_nonnulls(embedding_model)""",
    "a mention has lost its chunk, entity or relationship": """
        SELECT m.external_id, m.id FROM agentmem.mention m
        LEFT JOIN agentmem.memory_chunk c ON c.external_id = m.external_id AND c.id = m.chunk_id
        LEFT JOIN agentmem.entity e ON e.external_id = m.external_id AND e.id = m.entity_id
        LEFT JOIN agentmem.relationship r ON r.external_id = m.external_id AND r.id = m.relationship_id
        WHERE c.id IS NULL OR num_nonnulls(e.id, r.id) <> 1""",
    "nothing supports an entity": """
        SELECT e.external_id, e.tier, e.name FROM agentmem.entity e
        WHERE NOT EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = e.external_id AND m.entity_id = e.id)
          AND NOT EXISTS (SELECT 1 FROM agentmem.relationship r
                          WHERE r.external_id = e.external_id AND e.id IN (r.source_id, r.target_id))""",
    "nothing supports a relationship": """
        SELECT r.external_id, r.tier, r.id FROM agentmem.relationship r
        WHERE NOT EXISTS (SELECT 1 FROM agentmem.mention m
                          WHERE m.external_id = r.external_id AND m.relationship_id = r.id)""",
    "a dispute is about a chunk that is gone": """
        SELECT d.external_id, d.id FROM agentmem.dispute d CROSS JOIN LATERAL unnest(d.chunk_ids) AS u (id)
        WHERE NOT EXISTS (SELECT 1 FROM agentmem.memory_chunk c WHERE c.external_id = d.external_id AND c.id = u.id)""",
    "a pending dispute is closed, or another one is not": """
        SELECT d.external_id, d.id FROM agentmem.dispute d WHERE (d.status = 'pending') <> (d.closed_at IS NULL)""",
    "a tombstone is not of a dispute that was decided": """
        SELECT t.external_id, t.id FROM agentmem.tombstone t
        JOIN agentmem.dispute d ON d.external_id = t.external_id AND d.id = t.dispute_id WHERE d.status <> 'decided'""",
    "the outbox is not about what there is": """
        SELECT o.external_id, o.kind, o.target_id, o.operation, o.revision, t.revision FROM agentmem.graph_outbox o
        LEFT JOIN (SELECT external_id, 'entity' AS kind, id, revision FROM agentmem.entity
                   UNION ALL SELECT external_id, 'relationship', id, revision FROM agentmem.relationship) t
          ON t.external_id = o.external_id AND t.kind = o.kind AND t.id = o.target_id
        WHERE o.kind <> 'chunk' AND CASE o.operation WHEN 'delete' THEN t.id IS NOT NULL ELSE t.revision IS DISTINCT FROM o.revision END""",
}


def assert_consistent(dsn: str) -> None:
    """Fail, naming what does not hold, if something in a database contradicts something else."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = {what: connection.execute(sql).fetchall() for what, sql in _BROKEN.items()}
    assert not {what: rows for what, rows in found.items() if rows}


async def caught_up(memory: AgentMemory) -> None:
    """Have all values cut into chunks, as a worker does; searches and runs do so themselves."""
    await embeddings.embed_pending(memory.resources)
