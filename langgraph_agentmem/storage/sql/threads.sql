-- name: lock_memory_of_thread
-- The open memory that a thread's state is mapped to, locked.
SELECT * FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND namespace = %(namespace)s AND closed_at IS NULL
FOR UPDATE

-- name: sections_of_thread
-- The sections that a thread's state is mapped to, with what the thread has of them.
SELECT s.*, t.revision AS seen_revision, t.text_hash
FROM agentmem.active_memory m
JOIN agentmem.section s
  ON s.external_id = %(external_id)s AND s.memory_id = m.id AND s.section_id = ANY (%(section_ids)s)
LEFT JOIN agentmem.thread_section t
  ON t.external_id = %(external_id)s AND t.memory_id = m.id AND t.section_id = s.section_id AND t.thread_id = %(thread_id)s
WHERE m.external_id = %(external_id)s AND m.namespace = %(namespace)s AND m.closed_at IS NULL

-- name: note_thread_sections
-- Notes what a thread has of sections.
INSERT INTO agentmem.thread_section (external_id, memory_id, section_id, thread_id, revision, text_hash)
SELECT %(external_id)s, %(memory_id)s, u.section_id, %(thread_id)s, u.revision, u.text_hash
FROM unnest(%(section_ids)s::text[], %(revisions)s::bigint[], %(hashes)s::bytea[]) AS u (section_id, revision, text_hash)
ON CONFLICT (external_id, memory_id, section_id, thread_id)
DO UPDATE SET revision = excluded.revision, text_hash = excluded.text_hash

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
