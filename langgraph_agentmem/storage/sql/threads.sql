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

-- name: write_as_seen
-- What `operations.threads.write` does, for a thread that has written all of these sections before, and since the last time
-- alone: in one statement, which fails on everything else, also where somebody comes in between: what is no boolean is made
-- one. It changes the memory's row first, as all do who write, and then only what is as it was when the statement began.
-- What LangGraph's checkpointer inserts goes along, so that this is a transaction by itself.
--
-- What is looked up is looked up row by row, and `max_rows` is no limit; see `chunks_of_written`.
WITH {stored},
given AS MATERIALIZED (
    SELECT u.section_id, u.value, u.text_hash, s.revision, t.revision AS seen,
           coalesce(s.value -> 'content', '""') <> u.value::jsonb -> 'content' AS differs, t.text_hash <> u.text_hash AS changed
    FROM (
        SELECT * FROM unnest(%(section_ids)s::text[], %(values)s::text[], %(hashes)s::bytea[])
                      AS u (section_id, value, text_hash)
        LIMIT %(max_rows)s) u
    CROSS JOIN LATERAL (
        SELECT p.revision, p.value FROM agentmem.section p
        WHERE p.external_id = %(external_id)s AND p.memory_id = %(memory_id)s AND p.section_id = u.section_id
        OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT p.revision, p.text_hash FROM agentmem.thread_section p
        WHERE p.external_id = %(external_id)s AND p.memory_id = %(memory_id)s AND p.section_id = u.section_id
          AND p.thread_id = %(thread_id)s AND p.loaded_at IS NULL AND p.revision IS NOT NULL
        OFFSET 0) t
),
wanted AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE NOT g.differs OR NOT g.changed OR g.seen = g.revision) AS plain,
           count(*) FILTER (WHERE g.differs AND g.changed) AS updates,
           count(*) FILTER (WHERE g.changed OR NOT g.differs AND g.seen <> g.revision) AS notes,
           now() AS now, now() + %(minutes)s::float8 * interval '1 minute' AS latest
    FROM given g
),
counted AS (
    UPDATE agentmem.active_memory a
    SET pending_updates = a.pending_updates + w.updates,
        updated_at = CASE WHEN w.updates > 0 THEN w.now ELSE a.updated_at END,
        due_at = CASE WHEN w.updates > 0 THEN LEAST(a.due_at, w.latest, CASE WHEN a.pending_updates + w.updates >= LEAST(
            %(average)s::float8 * GREATEST(a.section_count, 1), %(most)s::float8) THEN w.now END) ELSE a.due_at END
    FROM wanted w
    WHERE a.external_id = %(external_id)s AND a.id = %(memory_id)s
      AND w.plain = %(count)s AND w.notes > 0
    RETURNING a.pending_updates, a.section_count
),
written AS (
    UPDATE agentmem.section s
    SET value = s.value || g.value::jsonb, revision = s.revision + 1,
        update_count = s.update_count + 1, total_updates = s.total_updates + 1, source = %(source)s, updated_at = now(),
        needs_chunking = true
    FROM given g, counted c
    WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = ANY (%(section_ids)s::text[])
      AND s.section_id = g.section_id AND s.revision = g.revision AND g.differs AND g.changed
    RETURNING s.section_id
),
noted AS (
    UPDATE agentmem.thread_section t SET revision = g.revision + g.differs::int, text_hash = g.text_hash
    FROM given g, counted c
    WHERE t.external_id = %(external_id)s AND t.memory_id = %(memory_id)s AND t.section_id = ANY (%(section_ids)s::text[])
      AND t.thread_id = %(thread_id)s AND t.section_id = g.section_id AND t.revision = g.seen AND t.loaded_at IS NULL
      AND (g.changed OR NOT g.differs AND g.seen <> g.revision)
    RETURNING t.section_id
)
SELECT c.pending_updates >= t.threshold AND c.pending_updates - w.updates < t.threshold AS due
FROM wanted w
LEFT JOIN counted c ON true
CROSS JOIN LATERAL (
    SELECT LEAST(%(average)s::float8 * GREATEST(c.section_count, 1), %(most)s::float8) AS threshold OFFSET 0) t
WHERE CASE WHEN w.plain = %(count)s AND w.updates = (SELECT count(*) FROM written) AND w.notes = (SELECT count(*) FROM noted)
           THEN true ELSE (w.plain || ' sections are as the thread has left them')::boolean END

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
