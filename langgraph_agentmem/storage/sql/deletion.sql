-- name: threads_of_memory
-- Threads whose state is mapped to a memory's sections.
SELECT DISTINCT thread_id FROM agentmem.thread_section
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
ORDER BY thread_id

-- name: threads_of_tenant
-- Threads whose state is mapped to a tenant's sections.
SELECT DISTINCT thread_id FROM agentmem.thread_section
WHERE external_id = %(external_id)s
ORDER BY thread_id

-- name: others_threads
-- Those of these threads whose state is mapped to another tenant's sections as well.
SELECT external_id, thread_id FROM agentmem.thread_section
WHERE thread_id = ANY (%(thread_ids)s) AND external_id <> %(external_id)s
ORDER BY external_id, thread_id
LIMIT %(limit)s

-- name: close_to_forget
-- Closes a memory that is to be forgotten, whoever holds it: nobody writes into it from then on, and no run is applied.
UPDATE agentmem.active_memory
SET closed_at = now(), due_at = NULL, dead_at = NULL, next_attempt_at = NULL, lease_owner = NULL, lease_expires_at = NULL,
    section_count = 0, pending_updates = 0
WHERE external_id = %(external_id)s AND id = %(memory_id)s

-- name: forget_sections
-- Removes a memory's sections, with what threads have seen of them and the messages that they hold; counts them.
WITH messages AS (
    DELETE FROM agentmem.noted_message WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
    RETURNING message_id
),
threads AS (
    DELETE FROM agentmem.thread_section WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
    RETURNING thread_id
),
gone AS (
    DELETE FROM agentmem.section WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
    RETURNING section_id
)
SELECT (SELECT count(*) FROM messages) AS noted_message, (SELECT count(*) FROM threads) AS thread_section,
       (SELECT count(*) FROM gone) AS section

-- name: forget_memory_runs
-- Removes some of a memory's runs, with their disputes and what these have led persons to reject; counts them.
WITH batch AS MATERIALIZED (
    SELECT id FROM agentmem.consolidation_run WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
    ORDER BY started_at LIMIT %(limit)s
),
disputed AS MATERIALIZED (
    SELECT d.id FROM agentmem.dispute d
    WHERE d.external_id = %(external_id)s AND d.run_id IN (SELECT id FROM batch)
),
tombstones AS (
    DELETE FROM agentmem.tombstone WHERE external_id = %(external_id)s AND dispute_id IN (SELECT id FROM disputed)
    RETURNING id
),
disputes AS (
    DELETE FROM agentmem.dispute WHERE external_id = %(external_id)s AND id IN (SELECT id FROM disputed)
    RETURNING id
),
gone AS (
    DELETE FROM agentmem.consolidation_run WHERE external_id = %(external_id)s AND id IN (SELECT id FROM batch)
    RETURNING id
)
SELECT (SELECT count(*) FROM tombstones) AS tombstone, (SELECT count(*) FROM disputes) AS dispute,
       (SELECT count(*) FROM gone) AS consolidation_run

-- name: some_chunks
-- Some of a memory's chunks.
SELECT id FROM agentmem.memory_chunk WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s LIMIT %(limit)s

-- name: support_by
-- What chunks support.
SELECT m.chunk_id, m.entity_id, m.relationship_id FROM agentmem.mention m
WHERE m.external_id = %(external_id)s AND m.chunk_id = ANY (%(ids)s)

-- name: forget_chunks
-- Removes chunks, with their coming vectors and their support; counts them.
WITH vectors AS (
    DELETE FROM agentmem.coming_vector WHERE external_id = %(external_id)s AND chunk_id = ANY (%(ids)s)
    RETURNING chunk_id
),
mentions AS (
    DELETE FROM agentmem.mention WHERE external_id = %(external_id)s AND chunk_id = ANY (%(ids)s)
    RETURNING id
),
gone AS (
    DELETE FROM agentmem.memory_chunk WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)
    RETURNING id
)
SELECT (SELECT count(*) FROM vectors) AS coming_vector, (SELECT count(*) FROM mentions) AS mention,
       (SELECT count(*) FROM gone) AS memory_chunk

-- name: longterm_entity_of_tenant
-- One of a tenant's long-term entities.
SELECT id FROM agentmem.entity WHERE external_id = %(external_id)s AND tier = 'longterm' LIMIT 1

-- name: longterm_entity_of_memory
-- One of the long-term entities that a memory has given to and that are still there.
SELECT w.id FROM agentmem.entity w
WHERE w.external_id = %(external_id)s
  AND w.id = ANY (ARRAY(SELECT e.longterm_id FROM agentmem.entity e
                        WHERE e.external_id = %(external_id)s AND e.longterm_id IS NOT NULL
                          AND e.shortterm_memory_id = (SELECT s.id FROM agentmem.shortterm_memory s
                                                       WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s)))
LIMIT 1

-- name: chunks_of_memory
-- All of a memory's chunks.
SELECT id FROM agentmem.memory_chunk WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s

-- name: withdraw_longterm_support
-- Takes from long-term entities and relationships the support of chunks.
WITH given AS MATERIALIZED (
    SELECT t.id FROM agentmem.mention t
    LEFT JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.id = t.entity_id
    LEFT JOIN agentmem.relationship r ON r.external_id = %(external_id)s AND r.id = t.relationship_id
    WHERE t.external_id = %(external_id)s AND t.chunk_id = ANY (%(ids)s) AND 'longterm' IN (e.tier, r.tier)
)
DELETE FROM agentmem.mention m USING given g
WHERE m.external_id = %(external_id)s AND m.id = g.id
RETURNING m.chunk_id, m.entity_id, m.relationship_id

-- name: shortterm_rest
-- What is left of a memory's short-term entities and relationships.
SELECT e.id AS entity_id, NULL::bigint AS relationship_id FROM agentmem.entity e
JOIN agentmem.shortterm_memory s ON s.external_id = %(external_id)s AND s.id = e.shortterm_memory_id
WHERE e.external_id = %(external_id)s AND s.memory_id = %(memory_id)s
UNION ALL
SELECT NULL, r.id FROM agentmem.relationship r
JOIN agentmem.shortterm_memory s ON s.external_id = %(external_id)s AND s.id = r.shortterm_memory_id
WHERE r.external_id = %(external_id)s AND s.memory_id = %(memory_id)s

-- name: longterm_rest
-- A tenant's long-term entities and relationships that no chunk supports.
SELECT e.id AS entity_id, NULL::bigint AS relationship_id FROM agentmem.entity e
WHERE e.external_id = %(external_id)s AND e.tier = 'longterm'
  AND NOT EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = %(external_id)s AND m.entity_id = e.id)
UNION ALL
SELECT NULL, r.id FROM agentmem.relationship r
WHERE r.external_id = %(external_id)s AND r.tier = 'longterm'
  AND NOT EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = %(external_id)s AND m.relationship_id = r.id)

-- name: forget_shortterm_memory
-- Removes a short-term memory whose entities and relationships are gone.
DELETE FROM agentmem.shortterm_memory WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
RETURNING id

-- name: forget_memory
-- Removes a memory of which nothing else is left.
DELETE FROM agentmem.active_memory WHERE external_id = %(external_id)s AND id = %(memory_id)s
RETURNING id

-- name: memories_sharing
-- Other memories that have given to the long-term entities to which a memory has given; if so asked, of those made since a time.
SELECT DISTINCT o.memory_id FROM agentmem.shortterm_memory s
JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.shortterm_memory_id = s.id
JOIN agentmem.entity p ON p.external_id = %(external_id)s AND p.longterm_id = e.longterm_id
JOIN agentmem.shortterm_memory o ON o.external_id = %(external_id)s AND o.id = p.shortterm_memory_id
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = o.memory_id
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND o.memory_id <> %(memory_id)s
  AND (%(since)s::timestamptz IS NULL OR m.created_at >= %(since)s)
ORDER BY o.memory_id

-- name: forget_promotion_decisions
-- Takes out of the log of a memory's promotions what these have said of long-term entities.
UPDATE agentmem.consolidation_run
SET report = CASE WHEN resolver = 'promotion' THEN report - 'decisions' ELSE report END #- '{promotion,decisions}'
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND report #> '{promotion,decisions}' <> '[]'
RETURNING id

-- name: forget_given
-- Removes from the history of long-term things what a short-term memory gave.
DELETE FROM agentmem.state_history
WHERE external_id = %(external_id)s
  AND (entity_id = ANY (%(entity_ids)s) OR relationship_id = ANY (%(relationship_ids)s))
  AND change ->> 'shortterm_memory_id' = %(shortterm_memory_id)s::text
RETURNING id

-- name: forget_former_traits
-- Takes out of the history of long-term things what they were: whoever gave later noted what had been given before.
UPDATE agentmem.state_history
SET old_description = NULL, change = change - '{types,old_types,new_types}'::text[]
WHERE external_id = %(external_id)s
  AND (entity_id = ANY (%(entity_ids)s) OR relationship_id = ANY (%(relationship_ids)s))
  AND (old_description IS NOT NULL OR change ?| '{types,old_types,new_types}'::text[])
RETURNING id

-- name: memories_before
-- Some of a tenant's memories that were made before a time, after one of them.
SELECT id FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND created_at < %(before)s AND id > %(after)s
ORDER BY id
LIMIT %(limit)s

-- name: claim_projection
-- A row for the projection of a graph that was never projected: as long as it is not committed, no projector begins.
INSERT INTO agentmem.graph_projection (external_id, store, origin) VALUES (%(external_id)s, %(store)s, %(origin)s)
ON CONFLICT (external_id, store) DO NOTHING
RETURNING store

-- name: forget_unread_outbox
-- Removes deletions that no projector has to learn of, and the row that kept projectors away.
WITH claimed AS (
    DELETE FROM agentmem.graph_projection WHERE external_id = %(external_id)s AND store = %(store)s RETURNING store
),
gone AS (
    DELETE FROM agentmem.graph_outbox
    WHERE external_id = %(external_id)s
      AND (operation = 'delete' OR NOT EXISTS (SELECT 1 FROM agentmem.active_memory a WHERE a.external_id = %(external_id)s))
    RETURNING id
)
SELECT (SELECT count(*) FROM gone) AS graph_outbox

-- name: waiting_deletions
-- How many of a tenant's deletions wait to be projected, and whether its graph ever was.
SELECT count(*) AS waiting, EXISTS (SELECT 1 FROM agentmem.graph_projection p WHERE p.external_id = %(external_id)s) AS projected
FROM agentmem.graph_outbox o
WHERE o.external_id = %(external_id)s
  -- A chunk that had lost its support before it was removed is no deletion by name.
  AND (o.operation = 'delete' OR (o.kind = 'chunk' AND NOT EXISTS (
           SELECT 1 FROM agentmem.memory_chunk c WHERE c.external_id = %(external_id)s AND c.id = o.target_id)))

-- name: rows_of_tenant
-- How many rows of a tenant there are, by table, and how many of these were written since a time.
SELECT 'active_memory' AS name, count(*) AS count, count(*) FILTER (WHERE m.created_at >= %(since)s) AS since
FROM agentmem.active_memory m WHERE m.external_id = %(external_id)s
UNION ALL
SELECT 'section', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.section s
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = s.memory_id WHERE s.external_id = %(external_id)s
UNION ALL
SELECT 'thread_section', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.thread_section t
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = t.memory_id WHERE t.external_id = %(external_id)s
UNION ALL
SELECT 'noted_message', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.noted_message n
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = n.memory_id WHERE n.external_id = %(external_id)s
UNION ALL
SELECT 'shortterm_memory', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.shortterm_memory s
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = s.memory_id WHERE s.external_id = %(external_id)s
UNION ALL
SELECT 'consolidation_run', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.consolidation_run r
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = r.memory_id WHERE r.external_id = %(external_id)s
UNION ALL
SELECT 'memory_chunk', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.memory_chunk c
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = c.memory_id WHERE c.external_id = %(external_id)s
UNION ALL
SELECT 'coming_vector', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.coming_vector v
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = v.chunk_id
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = c.memory_id WHERE v.external_id = %(external_id)s
UNION ALL
SELECT 'mention', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.mention t
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = t.chunk_id
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = c.memory_id WHERE t.external_id = %(external_id)s
UNION ALL
SELECT 'dispute', count(*), count(*) FILTER (WHERE m.created_at >= %(since)s) FROM agentmem.dispute d
JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = d.memory_id WHERE d.external_id = %(external_id)s
UNION ALL
SELECT 'tombstone', count(*), count(*) FILTER (WHERE t.rejected_at >= %(since)s) FROM agentmem.tombstone t
WHERE t.external_id = %(external_id)s
UNION ALL
SELECT 'entity', count(*), count(*) FILTER (WHERE e.first_seen >= %(since)s OR EXISTS (
    SELECT 1 FROM agentmem.mention t
    JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = t.chunk_id
    JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = c.memory_id
    WHERE t.external_id = %(external_id)s AND t.entity_id = e.id AND m.created_at >= %(since)s))
FROM agentmem.entity e WHERE e.external_id = %(external_id)s
UNION ALL
SELECT 'relationship', count(*), count(*) FILTER (WHERE r.start_date >= %(since)s OR EXISTS (
    SELECT 1 FROM agentmem.mention t
    JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = t.chunk_id
    JOIN agentmem.active_memory m ON m.external_id = %(external_id)s AND m.id = c.memory_id
    WHERE t.external_id = %(external_id)s AND t.relationship_id = r.id AND m.created_at >= %(since)s))
FROM agentmem.relationship r WHERE r.external_id = %(external_id)s
UNION ALL
SELECT 'state_history', count(*), count(*) FILTER (WHERE h.at >= %(since)s) FROM agentmem.state_history h
WHERE h.external_id = %(external_id)s
UNION ALL
SELECT 'read_grant', count(*), count(*) FILTER (WHERE g.created_at >= %(since)s) FROM agentmem.read_grant g
WHERE g.external_id = %(external_id)s

-- name: rows_of_memories
-- How many rows of memories there are, by table.
SELECT 'active_memory' AS name, count(*) AS count FROM agentmem.active_memory m
WHERE m.external_id = %(external_id)s AND m.id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'section', count(*) FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'thread_section', count(*) FROM agentmem.thread_section t
WHERE t.external_id = %(external_id)s AND t.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'noted_message', count(*) FROM agentmem.noted_message n
WHERE n.external_id = %(external_id)s AND n.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'shortterm_memory', count(*) FROM agentmem.shortterm_memory s
WHERE s.external_id = %(external_id)s AND s.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'consolidation_run', count(*) FROM agentmem.consolidation_run r
WHERE r.external_id = %(external_id)s AND r.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'memory_chunk', count(*) FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'coming_vector', count(*) FROM agentmem.coming_vector v
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = v.chunk_id
WHERE v.external_id = %(external_id)s AND c.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'mention', count(*) FROM agentmem.mention t
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = t.chunk_id
WHERE t.external_id = %(external_id)s AND c.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'dispute', count(*) FROM agentmem.dispute d
WHERE d.external_id = %(external_id)s AND d.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'tombstone', count(*) FROM agentmem.tombstone t
WHERE t.external_id = %(external_id)s AND t.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'entity', count(*) FROM agentmem.entity e
JOIN agentmem.shortterm_memory s ON s.external_id = %(external_id)s AND s.id = e.shortterm_memory_id
WHERE e.external_id = %(external_id)s AND s.memory_id = ANY (%(memory_ids)s)
UNION ALL
SELECT 'relationship', count(*) FROM agentmem.relationship r
JOIN agentmem.shortterm_memory s ON s.external_id = %(external_id)s AND s.id = r.shortterm_memory_id
WHERE r.external_id = %(external_id)s AND s.memory_id = ANY (%(memory_ids)s)
