-- name: waiting_tenants
-- Tenants with changes that the projection can take.
SELECT external_id, count(*) AS pending FROM agentmem.graph_outbox
WHERE (%(external_id)s::text IS NULL OR external_id = %(external_id)s) AND dead_at IS NULL AND external_id > %(after)s
GROUP BY external_id
ORDER BY external_id
LIMIT %(limit)s

-- name: known_tenants
-- Tenants that have, or ever had, anything to project.
SELECT external_id, count(*) AS tables FROM (
    SELECT e.external_id FROM agentmem.entity e
    WHERE (%(external_id)s::text IS NULL OR e.external_id = %(external_id)s)
    UNION
    SELECT o.external_id FROM agentmem.graph_outbox o
    WHERE (%(external_id)s::text IS NULL OR o.external_id = %(external_id)s)
    UNION
    SELECT p.external_id FROM agentmem.graph_projection p
    WHERE (%(external_id)s::text IS NULL OR p.external_id = %(external_id)s)) t
WHERE external_id > %(after)s
GROUP BY external_id
ORDER BY external_id
LIMIT %(limit)s

-- name: draw
-- The next batch's number; whoever draws holds the tenant's row until it has read the batch.
INSERT INTO agentmem.graph_projection AS p (external_id, store, origin, drawn)
VALUES (%(external_id)s, %(store)s, %(origin)s, 1)
ON CONFLICT (external_id, store) DO UPDATE SET drawn = p.drawn + 1
RETURNING p.origin, p.drawn, p.applied, p.rebuild

-- name: projection
-- How far a tenant's graph is projected.
SELECT origin, drawn, applied, rebuild, projected_at FROM agentmem.graph_projection
WHERE external_id = %(external_id)s AND store = %(store)s

-- name: begin_rebuild
-- Whatever Neo4j holds is to be replaced, however far it believed to be.
UPDATE agentmem.graph_projection
SET drawn = GREATEST(drawn, %(seen)s) + 1, rebuild = GREATEST(drawn, %(seen)s) + 1, applied = 0
WHERE external_id = %(external_id)s AND store = %(store)s
RETURNING origin, drawn, applied, rebuild

-- name: end_rebuild
-- The rebuild is complete, unless another one has begun.
UPDATE agentmem.graph_projection SET rebuild = NULL
WHERE external_id = %(external_id)s AND store = %(store)s AND rebuild = %(rebuild)s

-- name: pending
-- What a tenant's graph has to learn next: entities before what refers to them.
SELECT id, kind, target_id, changes FROM (
    -- Kind by kind and each with the limit, so that every part ends early in the index on (tenant, kind, target).
    (SELECT o.id, o.kind, o.target_id, o.changes, 1 AS rank FROM agentmem.graph_outbox o
     WHERE o.external_id = %(external_id)s AND o.kind = 'entity' AND o.dead_at IS NULL
     ORDER BY o.target_id LIMIT %(limit)s)
    UNION ALL
    (SELECT o.id, o.kind, o.target_id, o.changes, 2 AS rank FROM agentmem.graph_outbox o
     WHERE o.external_id = %(external_id)s AND o.kind = 'chunk' AND o.dead_at IS NULL
     ORDER BY o.target_id LIMIT %(limit)s)
    UNION ALL
    (SELECT o.id, o.kind, o.target_id, o.changes, 3 AS rank FROM agentmem.graph_outbox o
     WHERE o.external_id = %(external_id)s AND o.kind = 'relationship' AND o.dead_at IS NULL
     ORDER BY o.target_id LIMIT %(limit)s)) t
ORDER BY rank, target_id
LIMIT %(limit)s

-- name: entity_page
-- The next entities of a tenant.
SELECT e.id FROM agentmem.entity e
WHERE e.external_id = %(external_id)s AND e.id > %(after)s ORDER BY e.id LIMIT %(limit)s

-- name: relationship_page
-- The next relationships of a tenant.
SELECT r.id FROM agentmem.relationship r
WHERE r.external_id = %(external_id)s AND r.id > %(after)s ORDER BY r.id LIMIT %(limit)s

-- name: chunk_page
-- The next chunks of a tenant that support anything.
SELECT c.id FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.id > %(after)s
  AND EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = %(external_id)s AND m.chunk_id = c.id)
ORDER BY c.id LIMIT %(limit)s

-- name: entity_states
-- Entities as they are now.
SELECT e.id, e.tier, e.shortterm_memory_id, e.name, e.name_key, e.name_words AS words,
       e.name_words[1] AS first_word, e.types, e.description, e.confidence, e.importance, e.first_seen, e.last_seen, e.revision, e.metadata::text AS metadata
FROM agentmem.entity e
WHERE e.external_id = %(external_id)s AND e.id = ANY (%(ids)s)

-- name: relationship_states
-- Relationships as they are now.
SELECT r.id, r.tier, r.shortterm_memory_id, r.source_id, r.target_id, r.types, r.description, r.confidence, r.strength,
       r.start_date, r.end_date, r.revision, r.metadata::text AS metadata
FROM agentmem.relationship r
WHERE r.external_id = %(external_id)s AND r.id = ANY (%(ids)s)

-- name: chunk_states
-- Chunks that support anything, as they are now, with what they support.
SELECT c.id, c.tier, c.memory_id, c.section_id, c.start_date, c.end_date, c.superseded_by,
       ARRAY(SELECT m.entity_id FROM agentmem.mention m
             WHERE m.external_id = %(external_id)s AND m.chunk_id = c.id AND m.entity_id IS NOT NULL
             ORDER BY m.entity_id) AS entity_ids,
       ARRAY(SELECT m.relationship_id FROM agentmem.mention m
             WHERE m.external_id = %(external_id)s AND m.chunk_id = c.id AND m.relationship_id IS NOT NULL
             ORDER BY m.relationship_id) AS relationship_ids
FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s)
  AND EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = %(external_id)s AND m.chunk_id = c.id)

-- name: sizes
-- How many entities, chunks and relationships a tenant's graph has.
SELECT (SELECT count(*) FROM agentmem.entity e WHERE e.external_id = %(external_id)s) AS entities,
       (SELECT count(DISTINCT m.chunk_id) FROM agentmem.mention m WHERE m.external_id = %(external_id)s) AS chunks,
       (SELECT count(*) FROM agentmem.relationship r WHERE r.external_id = %(external_id)s) AS relationships

-- name: finish
-- Takes projected changes out of the outbox, those that did not change meanwhile; who is changing one keeps it there.
DELETE FROM agentmem.graph_outbox
WHERE external_id = %(external_id)s AND id = ANY (ARRAY(
    SELECT p.id FROM agentmem.graph_outbox p
    JOIN unnest(%(ids)s::bigint[], %(changes)s::bigint[]) AS u (id, changes) ON u.id = p.id AND u.changes = p.changes
    WHERE p.external_id = %(external_id)s
    FOR UPDATE OF p SKIP LOCKED))
RETURNING id

-- name: applied
-- Notes that Neo4j has a batch.
UPDATE agentmem.graph_projection SET applied = GREATEST(applied, %(batch)s), projected_at = now()
WHERE external_id = %(external_id)s AND store = %(store)s

-- name: set_aside
-- Sets changes aside that Neo4j refuses, or that wait for one that it refuses, unless they changed meanwhile.
UPDATE agentmem.graph_outbox o SET dead_at = now(), error = u.error, waits = u.waits
FROM unnest(%(ids)s::bigint[], %(changes)s::bigint[], %(errors)s::text[], %(waits)s::bool[])
     AS u (id, changes, error, waits)
WHERE o.external_id = %(external_id)s AND o.id = u.id AND o.changes = u.changes
  AND o.id = ANY (ARRAY(SELECT p.id FROM agentmem.graph_outbox p
                        WHERE p.external_id = %(external_id)s AND p.id = ANY (%(ids)s)
                        FOR UPDATE SKIP LOCKED))
RETURNING o.id

-- name: revive
-- Puts changes that were set aside back among the waiting ones: all, or those that waited for another one.
UPDATE agentmem.graph_outbox SET dead_at = NULL
WHERE external_id = %(external_id)s AND id = ANY (ARRAY(
    SELECT p.id FROM agentmem.graph_outbox p
    WHERE p.external_id = %(external_id)s AND p.dead_at IS NOT NULL AND (%(everything)s OR p.waits)
    FOR UPDATE SKIP LOCKED))
RETURNING id

-- name: still_waiting
-- Which of these things have a change that waits to be projected.
SELECT o.target_id FROM agentmem.graph_outbox o
WHERE o.external_id = %(external_id)s AND o.kind = %(kind)s AND o.target_id = ANY (%(ids)s) AND o.dead_at IS NULL

-- name: lag
-- How many changes of a tenant wait, since when, and how many were set aside.
SELECT count(*) FILTER (WHERE o.dead_at IS NULL) AS pending, min(o.at) FILTER (WHERE o.dead_at IS NULL) AS oldest,
       count(*) FILTER (WHERE o.dead_at IS NOT NULL) AS dead
FROM agentmem.graph_outbox o
WHERE o.external_id = %(external_id)s

-- name: dead_letters
-- Changes of a tenant that were set aside, oldest first.
SELECT o.kind, o.target_id AS id, o.error, o.dead_at, o.waits FROM agentmem.graph_outbox o
WHERE o.external_id = %(external_id)s AND o.dead_at IS NOT NULL
ORDER BY o.waits, o.dead_at, o.id
LIMIT %(limit)s
