-- name: lock_memory_of_thread
-- The open memory that a thread's state is mapped to, locked.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND namespace = %(namespace)s AND closed_at IS NULL
FOR UPDATE

-- name: sections_of_thread
-- The sections that a thread's state is mapped to, with what the thread has of them.
SELECT s.*, t.revision AS seen_revision, t.text_hash, t.loaded_revision, t.loaded_hash, t.loaded_at
FROM agentmem.active_memory m
JOIN agentmem.section s
  ON s.external_id = %(external_id)s AND s.memory_id = m.id AND s.section_id = ANY (%(section_ids)s)
LEFT JOIN agentmem.thread_section t
  ON t.external_id = %(external_id)s AND t.memory_id = m.id AND t.section_id = s.section_id AND t.thread_id = %(thread_id)s
WHERE m.external_id = %(external_id)s AND m.namespace = %(namespace)s AND m.closed_at IS NULL

-- name: note_written
-- Notes, in the statement that writes it, what a thread has of sections from now on; a part of `write_values`. It must be as
-- the thread has noted it last, of sections that nobody has changed since, and nothing may be loaded for it. The memory is
-- locked before these rows, as it is where sections are loaded for a thread.
noting AS MATERIALIZED (
    SELECT u.section_id, u.revision, u.seen_hash, u.text_hash, t.revision IS NOT NULL AS known
    FROM (
        SELECT * FROM unnest(%(noted_ids)s::text[], %(seen_revisions)s::bigint[], %(seen_hashes)s::bytea[],
                             %(text_hashes)s::bytea[]) AS u (section_id, revision, seen_hash, text_hash)
        LIMIT %(max_rows)s) u
    LEFT JOIN LATERAL (
        SELECT p.revision FROM agentmem.thread_section p
        JOIN agentmem.section c
          ON c.external_id = %(external_id)s AND c.memory_id = %(memory_id)s AND c.section_id = u.section_id
          AND c.revision = u.revision
        WHERE p.external_id = %(external_id)s AND p.memory_id = %(memory_id)s AND p.section_id = u.section_id
          AND p.thread_id = %(thread_id)s AND p.revision = u.revision AND p.text_hash = u.seen_hash AND p.loaded_at IS NULL
        OFFSET 0) t ON true
),
noted AS (
    UPDATE agentmem.thread_section t SET revision = n.revision + 1, text_hash = n.text_hash
    FROM noting n, memory m
    WHERE t.external_id = %(external_id)s AND t.memory_id = %(memory_id)s AND t.section_id = ANY (%(noted_ids)s::text[])
      AND t.thread_id = %(thread_id)s AND t.section_id = n.section_id AND t.revision = n.revision
      AND t.text_hash = n.seen_hash AND t.loaded_at IS NULL AND n.text_hash <> n.seen_hash
    RETURNING t.section_id
),

-- name: all_noted
-- Whether all of it was as the thread has noted it; a part of `write_values`.
(SELECT count(*) FILTER (WHERE n.text_hash <> n.seen_hash) FROM noting n WHERE n.known) = (SELECT count(*) FROM noted)
    AND NOT EXISTS (SELECT FROM noting n WHERE NOT n.known)

-- name: note_seen
-- Notes what a thread has of sections; what was loaded for it before is settled by that.
INSERT INTO agentmem.thread_section (external_id, memory_id, section_id, thread_id, revision, text_hash)
SELECT %(external_id)s, %(memory_id)s, u.section_id, %(thread_id)s, u.revision, u.text_hash
FROM unnest(%(section_ids)s::text[], %(revisions)s::bigint[], %(hashes)s::bytea[]) AS u (section_id, revision, text_hash)
ON CONFLICT (external_id, memory_id, section_id, thread_id)
DO UPDATE SET revision = excluded.revision, text_hash = excluded.text_hash,
              loaded_revision = NULL, loaded_hash = NULL, loaded_at = NULL

-- name: note_loaded
-- Notes what is loaded for a thread, at its last checkpoint.
INSERT INTO agentmem.thread_section (external_id, memory_id, section_id, thread_id, loaded_revision, loaded_hash, loaded_at)
SELECT %(external_id)s, %(memory_id)s, u.section_id, %(thread_id)s, u.revision, u.text_hash, %(checkpoint_id)s
FROM unnest(%(section_ids)s::text[], %(revisions)s::bigint[], %(hashes)s::bytea[]) AS u (section_id, revision, text_hash)
ON CONFLICT (external_id, memory_id, section_id, thread_id)
DO UPDATE SET loaded_revision = excluded.loaded_revision, loaded_hash = excluded.loaded_hash, loaded_at = excluded.loaded_at

-- name: forget_loaded
-- Forgets what was loaded for a thread and never came into a checkpoint.
UPDATE agentmem.thread_section SET loaded_revision = NULL, loaded_hash = NULL, loaded_at = NULL
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND thread_id = %(thread_id)s AND loaded_at IS NOT NULL

-- name: tenants_of_threads
-- Tenants to whose sections threads are mapped.
SELECT DISTINCT external_id FROM agentmem.thread_section
WHERE thread_id = ANY (%(thread_ids)s)
ORDER BY external_id
LIMIT %(limit)s

-- name: forget_threads
-- Forgets what threads have of a tenant's sections.
DELETE FROM agentmem.thread_section
WHERE external_id = %(external_id)s AND thread_id = ANY (%(thread_ids)s)

-- name: copy_thread
-- Notes that a thread has of a tenant's sections what another one has.
INSERT INTO agentmem.thread_section (external_id, memory_id, section_id, thread_id, revision, text_hash)
SELECT %(external_id)s, t.memory_id, t.section_id, %(target)s, t.revision, t.text_hash
FROM agentmem.thread_section t
WHERE t.external_id = %(external_id)s AND t.thread_id = %(source)s
ON CONFLICT (external_id, memory_id, section_id, thread_id)
DO UPDATE SET revision = excluded.revision, text_hash = excluded.text_hash
