-- name: lock_memory_of_thread
-- The open memory that a thread's state is mapped to, locked.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
  AND namespace = %(namespace)s AND closed_at IS NULL
FOR UPDATE

-- name: sections_of_thread
-- The sections that a thread's state is mapped to, with what the thread has of them.
SELECT s.*, t.revision AS seen_revision, t.text_hash, t.loaded_revision, t.loaded_hash, t.loaded_at
FROM agentmem.active_memory m
JOIN agentmem.section s
  ON s.external_id = %(external_id)s AND s.memory_id = m.id AND s.section_id = ANY (%(section_ids)s)
LEFT JOIN agentmem.thread_section t
  ON t.external_id = %(external_id)s AND t.memory_id = m.id AND t.section_id = s.section_id AND t.thread_id = %(thread_id)s
WHERE m.external_id = %(external_id)s AND m.namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
  AND m.namespace = %(namespace)s AND m.closed_at IS NULL

-- name: note_written
-- Notes, in the statement that writes it, what a thread has of sections from now on, where it is as the thread has noted it
-- last; a part of `write_values`, which sees to the sections' own revisions. The memory is locked before these rows, as it is
-- where sections are loaded for a thread. A bare element of an array as what is set would make a server with Citus crash.
noted AS (
    UPDATE agentmem.thread_section t
    SET revision = t.revision + 1,
        text_hash = coalesce((%(text_hashes)s::bytea[])[array_position(%(section_ids)s::text[], t.section_id)], t.text_hash)
    FROM memory m
    WHERE t.external_id = %(external_id)s AND t.memory_id = %(memory_id)s AND t.thread_id = %(thread_id)s
      AND t.section_id = ANY (%(section_ids)s::text[]) AND {as_seen}
    RETURNING t.section_id
),

-- name: all_as_seen
-- Whether all of it was as the thread has noted it; a part of `write_values`. What is compared are lists of ids: aggregates
-- would take longer to set up than to run.
%(seen_ids)s::text[] <@ (ARRAY(SELECT section_id FROM noted){left_alone})

-- name: left_alone
-- Sections that the thread has not changed, as far as nobody else has; a part of `write_values`, where there are any.
|| ARRAY(
    SELECT t.section_id FROM agentmem.thread_section t
    JOIN agentmem.section s
      ON s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = t.section_id
      AND s.revision = t.revision
    WHERE t.external_id = %(external_id)s AND t.memory_id = %(memory_id)s AND t.thread_id = %(thread_id)s
      AND t.section_id = ANY (%(seen_ids)s::text[]) AND t.section_id <> ALL (%(section_ids)s::text[]) AND {as_seen})

-- name: as_seen
-- Whether what a thread has noted of a section is what it is known to have seen, and nothing is loaded for it; a part of
-- statements. Arrays are looked up by position, which takes a fraction of joining them.
t.revision = (%(seen_revisions)s::bigint[])[array_position(%(seen_ids)s::text[], t.section_id)]
    AND t.text_hash = (%(seen_hashes)s::bytea[])[array_position(%(seen_ids)s::text[], t.section_id)] AND t.loaded_at IS NULL

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
