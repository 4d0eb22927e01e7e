-- name: insert_memory
-- A new memory; no row where the tenant has an open one of that namespace.
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, metadata, section_count)
VALUES (%(external_id)s, %(namespace)s, %(title)s, %(template)s, %(metadata)s, %(section_count)s)
ON CONFLICT DO NOTHING
RETURNING *

-- name: insert_sections
-- The sections of a template, as far as the memory lacks them.
INSERT INTO agentmem.section (external_id, memory_id, section_id, position, title, description, value, revision)
SELECT %(external_id)s, %(memory_id)s, u.section_id, u.position, u.title, u.description, u.value::jsonb,
       (SELECT m.deleted_revision FROM agentmem.active_memory m
        WHERE m.external_id = %(external_id)s AND m.id = %(memory_id)s) + 1
FROM unnest(%(section_ids)s::text[], %(positions)s::int[], %(titles)s::text[], %(descriptions)s::text[],
            %(contents)s::text[]) AS u (section_id, position, title, description, value)
ON CONFLICT (external_id, memory_id, section_id) DO NOTHING
RETURNING section_id

-- name: adopt_template
-- Gives a memory that a store has made a template, and counts the sections that came with it.
UPDATE agentmem.active_memory SET template = %(template)s, section_count = section_count + %(sections)s
WHERE external_id = %(external_id)s AND id = %(memory_id)s
RETURNING *

-- name: memory
-- An open memory.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND closed_at IS NULL

-- name: memory_by_namespace
-- An open memory by its namespace.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND namespace = %(namespace)s AND closed_at IS NULL

-- name: lock_memory
-- An open memory, locked: whoever changes its sections, chunks or counts holds this lock.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND closed_at IS NULL
FOR UPDATE

-- name: lock_any_memory
-- A memory, open or closed, locked.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND id = %(memory_id)s
FOR UPDATE

-- name: memories
-- A tenant's open memories, oldest first.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND closed_at IS NULL
ORDER BY id

-- name: sections
-- The named sections of a memory, and all of them where it has few; all named where none is given.
SELECT s.* FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s
  AND (%(section_ids)s::text[] IS NULL
       OR s.section_id = ANY (%(section_ids)s)
       OR (SELECT m.section_count FROM agentmem.active_memory m
           WHERE m.external_id = %(external_id)s AND m.id = %(memory_id)s) <= %(max_listed)s)
ORDER BY s.position, s.section_id

-- name: changed_sections
-- The sections of a memory with pending updates, or all of them.
SELECT s.* FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND (s.update_count > 0 OR %(everything)s)
ORDER BY s.position, s.section_id

-- name: contents
-- Sections' values, with the hashes of their chunks that have a vector.
SELECT s.section_id, s.value, s.text_fields,
       ARRAY(SELECT c.content_hash FROM agentmem.memory_chunk c
             WHERE c.external_id = %(external_id)s AND c.memory_id = %(memory_id)s AND c.section_id = s.section_id
               AND c.embedding_model = %(embedding_model)s AND (c.current OR c.end_date IS NULL)) AS embedded
FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = ANY (%(section_ids)s)

-- name: sections_of_memories
-- The sections of several memories.
SELECT s.* FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = ANY (%(memory_ids)s)
ORDER BY s.memory_id, s.position, s.section_id

-- name: update_sections
-- Writes new values. Each counts as one update, on the memory's own row too; the first one after a run, and
-- the one that reaches the threshold, set when the memory will be due at the latest.
WITH counted AS (
    UPDATE agentmem.active_memory
    SET pending_updates = pending_updates + %(updates)s, updated_at = now(),
        due_at = LEAST(due_at, now() + %(minutes)s::float8 * interval '1 minute')
    WHERE external_id = %(external_id)s AND id = %(memory_id)s
)
UPDATE agentmem.section s
SET value = u.value::jsonb, revision = s.revision + 1, update_count = s.update_count + 1,
    total_updates = s.total_updates + 1, source = u.source, updated_at = now(), needs_chunking = %(needs_chunking)s
FROM unnest(%(section_ids)s::text[], %(values)s::text[], %(sources)s::text[]) AS u (section_id, value, source)
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = u.section_id

-- name: consume_updates
-- Subtracts exactly what a run took from those sections that are still the same.
UPDATE agentmem.section s SET update_count = GREATEST(s.update_count - u.update_count, 0)
FROM unnest(%(section_ids)s::text[], %(update_counts)s::int[], %(created_ats)s::timestamptz[])
     AS u (section_id, update_count, created_at)
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = u.section_id
  AND s.created_at = u.created_at

-- name: finish_memory
-- Ends a run's lease, takes the memory out of the queue unless it was put there since, and counts what is pending now.
UPDATE agentmem.active_memory m
SET lease_owner = NULL, lease_expires_at = NULL, attempts = 0, next_attempt_at = NULL, dead_at = NULL, last_error = NULL,
    due_at = CASE WHEN due_at > %(started_at)s AND due_at <= %(now)s THEN due_at END,
    pending_updates = (SELECT coalesce(sum(s.update_count), 0) FROM agentmem.section s
                       WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s)
WHERE m.external_id = %(external_id)s AND m.id = %(memory_id)s
RETURNING m.pending_updates, m.section_count

-- name: close_memory
-- Closes a memory; the row stays as the origin of what it gave to the other tiers.
UPDATE agentmem.active_memory
SET closed_at = now(), due_at = NULL, section_count = 0, pending_updates = 0
WHERE external_id = %(external_id)s AND id = %(memory_id)s

-- name: delete_sections
-- Removes a memory's sections.
DELETE FROM agentmem.section WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s

-- name: retire_chunks
-- What is left of a closed memory's chunks is part of no section any more.
UPDATE agentmem.memory_chunk SET current = false
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND current
