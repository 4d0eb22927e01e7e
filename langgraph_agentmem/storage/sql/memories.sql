-- name: insert_memory
-- A new memory; no row where the tenant has an open one of that namespace.
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, metadata, section_count)
VALUES (%(external_id)s, %(namespace)s, %(title)s, %(template)s, %(metadata)s, %(section_count)s)
ON CONFLICT DO NOTHING
RETURNING *

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
WHERE external_id = %(external_id)s AND namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
  AND namespace = %(namespace)s AND closed_at IS NULL

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

-- name: finish_memory
-- Ends a run's lease, takes the memory out of the queue unless it was put there since, and counts what is pending now.
UPDATE agentmem.active_memory m
SET lease_owner = NULL, lease_expires_at = NULL, attempts = 0, next_attempt_at = NULL, dead_at = NULL, last_error = NULL,
    -- Somebody has queued it since the run began. A time that is still to come belonged to the updates that the run has
    -- taken.
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

-- name: known_since
-- Since when a tenant has memory, imports included, whose items may be older than the memory that they are in.
SELECT least((SELECT min(m.created_at) FROM agentmem.active_memory m WHERE m.external_id = %(external_id)s),
             (SELECT min(s.created_at) FROM agentmem.section s WHERE s.external_id = %(external_id)s)) AS since
