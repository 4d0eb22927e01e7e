-- name: get_items
-- Items by (namespace, key), looked up one by one; `max_rows` is no limit, as in `chunks_of_written`.
SELECT w.place, s.*
FROM (
    SELECT u.place, u.namespace::text[] AS namespace, u.key
    FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) WITH ORDINALITY AS u (namespace, key, place)
    LIMIT %(max_rows)s) w
CROSS JOIN LATERAL (
    SELECT m.id FROM agentmem.active_memory m
    WHERE m.external_id = %(external_id)s AND m.namespace = w.namespace AND m.closed_at IS NULL
    OFFSET 0) a
CROSS JOIN LATERAL (
    SELECT p.value, p.created_at, p.updated_at, p.revision,
           CASE WHEN p.expires_at IS NOT NULL THEN p.ttl_minutes END AS ttl_minutes
    FROM agentmem.section p
    WHERE p.external_id = %(external_id)s AND p.memory_id = a.id AND p.section_id = w.key
      AND (NOT %(omit_expired)s OR p.expires_at IS NULL OR p.expires_at > now())
    OFFSET 0) s

-- name: refresh_items
-- Lets items that expire live on from now, all for the same time: those that nobody else is changing, and whose end moves
-- by at least a hundredth of it.
UPDATE agentmem.section s SET expires_at = now() + %(ttl)s * interval '1 minute'
FROM (
    SELECT p.memory_id, p.section_id
    FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) AS u (namespace, key)
    JOIN agentmem.active_memory a
      ON a.external_id = %(external_id)s AND a.namespace = u.namespace::text[] AND a.closed_at IS NULL
    JOIN agentmem.section p ON p.external_id = %(external_id)s AND p.memory_id = a.id AND p.section_id = u.key
    WHERE p.ttl_minutes = %(ttl)s AND p.expires_at < now() + %(ttl)s * interval '0.99 minute'
    ORDER BY p.memory_id, p.section_id
    FOR NO KEY UPDATE OF p SKIP LOCKED
) f
WHERE s.external_id = %(external_id)s AND s.memory_id = f.memory_id AND s.section_id = f.section_id

-- name: lock_memories
-- Open memories by namespace, locked, always in the same order.
SELECT a.id, a.namespace FROM agentmem.active_memory a
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace = ANY (SELECT n.namespace::text[] FROM unnest(%(namespaces)s::text[]) AS n (namespace))
ORDER BY a.namespace
FOR UPDATE

-- name: put_memories
-- Locks the memories that are written to, always in the same order, makes those that are missing, and counts updates,
-- the first of which sets when the memory will be due at the latest.
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, pending_updates, due_at)
SELECT %(external_id)s, u.namespace::text[], u.title, '{"sections": []}', u.updates,
       CASE WHEN u.updates > 0 THEN now() + %(minutes)s::float8 * interval '1 minute' END
FROM unnest(%(namespaces)s::text[], %(titles)s::text[], %(updates)s::int[]) AS u (namespace, title, updates)
ORDER BY u.namespace::text[]
ON CONFLICT (external_id, namespace) WHERE closed_at IS NULL
DO UPDATE SET pending_updates = active_memory.pending_updates + excluded.pending_updates, updated_at = excluded.updated_at,
              due_at = LEAST(active_memory.due_at, excluded.due_at)

-- name: put_values
-- Writes items of one lifetime into memories, which are made if they are missing, without their chunks: the sections are
-- stale. All of that is one statement, and so a transaction by itself. It counts which items are new before it has the
-- memories' locks, and fails, by making a boolean of what is none, if that turns out wrong for one of the memories.
--
-- Memories are locked in the order of their namespaces. Otherwise as `put_memories` and `put_items`.
WITH space AS MATERIALIZED (
    SELECT n.place, n.namespace, n.title, a.id
    FROM (
        SELECT u.place, u.namespace::text[] AS namespace, u.title
        FROM unnest(%(namespaces)s::text[], %(titles)s::text[]) WITH ORDINALITY AS u (namespace, title, place)
        LIMIT %(max_rows)s) n
    LEFT JOIN LATERAL (
        SELECT m.id FROM agentmem.active_memory m
        WHERE m.external_id = %(external_id)s AND m.namespace = n.namespace AND m.closed_at IS NULL
        OFFSET 0) a ON true
),
given AS MATERIALIZED (
    SELECT n.namespace, u.section_id, u.value, u.fields::text[] AS fields, u.counted, s.section_id IS NULL AS new,
           now() + %(ttl)s::float8 * interval '1 minute' AS expires_at
    FROM (
        SELECT * FROM unnest(%(places)s::int[], %(section_ids)s::text[], %(values)s::text[], %(fields)s::text[],
                             %(counted)s::int[]) AS u (place, section_id, value, fields, counted)
        LIMIT %(max_rows)s) u
    JOIN space n ON n.place = u.place
    LEFT JOIN LATERAL (
        SELECT p.section_id FROM agentmem.section p
        WHERE p.external_id = %(external_id)s AND p.memory_id = n.id AND p.section_id = u.section_id
        OFFSET 0) s ON true
),
counted AS MATERIALIZED (
    SELECT g.namespace, count(*) FILTER (WHERE g.new) AS items, sum(g.counted) AS updates, now() AS now,
           now() + %(minutes)s::float8 * interval '1 minute' AS latest
    FROM given g
    GROUP BY g.namespace
),
memory AS (
    INSERT INTO agentmem.active_memory AS a (external_id, namespace, title, template, section_count, pending_updates,
                                             unchunked_writes, due_at)
    SELECT %(external_id)s, n.namespace, n.title, '{"sections": []}', c.items, c.updates, c.updates,
           CASE WHEN c.updates >= LEAST(%(average)s::float8 * GREATEST(c.items, 1), %(most)s::float8) AND c.updates > 0
                THEN c.now
                WHEN c.updates > 0 THEN c.latest END
    FROM space n
    JOIN counted c ON c.namespace = n.namespace
    ORDER BY n.namespace
    ON CONFLICT (external_id, namespace) WHERE closed_at IS NULL
    DO UPDATE SET section_count = a.section_count + excluded.section_count,
                  pending_updates = a.pending_updates + excluded.pending_updates,
                  unchunked_writes = a.unchunked_writes + excluded.unchunked_writes, updated_at = excluded.updated_at,
                  due_at = LEAST(
                      a.due_at,
                      CASE WHEN excluded.pending_updates > 0
                           THEN excluded.updated_at + %(minutes)s::float8 * interval '1 minute' END,
                      CASE WHEN excluded.pending_updates > 0
                                AND a.pending_updates + excluded.pending_updates >= LEAST(
                                    %(average)s::float8 * GREATEST(a.section_count + excluded.section_count, 1),
                                    %(most)s::float8)
                           THEN excluded.updated_at END)
    RETURNING id, namespace, deleted_revision, due_at, updated_at, unchunked_writes
),
put AS (
    INSERT INTO agentmem.section AS s (external_id, memory_id, section_id, position, value, text_fields, revision,
                                       update_count, total_updates, source, expires_at, ttl_minutes, needs_chunking)
    SELECT %(external_id)s, m.id, g.section_id, 1000000, g.value::jsonb, g.fields, m.deleted_revision + 1, g.counted, 1,
           %(source)s, g.expires_at, %(ttl)s::float8, g.counted > 0
    FROM given g
    JOIN memory m ON m.namespace = g.namespace
    ON CONFLICT (external_id, memory_id, section_id) DO UPDATE
    SET value = excluded.value, text_fields = excluded.text_fields, revision = s.revision + 1,
        update_count = s.update_count + excluded.update_count, total_updates = s.total_updates + 1,
        source = excluded.source, expires_at = excluded.expires_at, ttl_minutes = excluded.ttl_minutes,
        updated_at = excluded.updated_at, needs_chunking = s.needs_chunking OR excluded.needs_chunking OR s.text_fields IS DISTINCT FROM '{}'
    RETURNING memory_id, created_at, updated_at
),
miscounted AS (
    SELECT m.id
    FROM counted c
    JOIN memory m ON m.namespace = c.namespace
    LEFT JOIN put p ON p.memory_id = m.id
    GROUP BY m.id, c.items
    HAVING count(*) FILTER (WHERE p.created_at = p.updated_at) <> c.items
)
SELECT bool_or(m.due_at = m.updated_at) AS due, array_agg(m.id) FILTER (WHERE m.unchunked_writes >= %(many)s) AS behind
FROM memory m
HAVING CASE WHEN NOT EXISTS (SELECT FROM miscounted)
            THEN true ELSE (count(*) || ' memories, some of which others have written to')::boolean END

-- name: put_items
-- Writes items that live for the same time into memories that are locked, with their chunks, counts the new ones, and puts
-- memories into the queue whose pending updates reach the threshold of `policies.thresholds`.
WITH memory AS MATERIALIZED (
    SELECT array_agg(a.id ORDER BY n.place) AS ids, array_agg(a.deleted_revision ORDER BY n.place) AS deleted_revisions,
           array_agg(a.section_count ORDER BY n.place) AS section_counts,
           array_agg(a.pending_updates ORDER BY n.place) AS pending_updates
    FROM (
        SELECT u.place, u.namespace::text[] AS namespace
        FROM unnest(%(namespaces)s::text[]) WITH ORDINALITY AS u (namespace, place)
        LIMIT %(max_rows)s) n
    LEFT JOIN LATERAL (
        SELECT m.id, m.deleted_revision, m.section_count, m.pending_updates FROM agentmem.active_memory m
        WHERE m.external_id = %(external_id)s AND m.namespace = n.namespace AND m.closed_at IS NULL
        OFFSET 0) a ON true
),
written AS MATERIALIZED (
    SELECT u.number, u.place, m.ids[u.place] AS memory_id, u.section_id, u.value, u.fields, u.counted, s.revision IS NULL AS new,
           coalesce(s.revision, m.deleted_revisions[u.place]) + 1 AS revision, %(source)s::text AS source
    FROM memory m
    CROSS JOIN (
        SELECT * FROM unnest(%(places)s::int[], %(section_ids)s::text[], %(values)s::text[], %(fields)s::text[],
                             %(counted)s::int[])
                      WITH ORDINALITY AS u (place, section_id, value, fields, counted, number)
        LIMIT %(max_rows)s) u
    LEFT JOIN LATERAL (
        SELECT p.revision FROM agentmem.section p
        WHERE p.external_id = %(external_id)s AND p.memory_id = m.ids[u.place] AND p.section_id = u.section_id
        OFFSET 0) s ON true
),
put AS (
    INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value, text_fields, revision, update_count,
                                  total_updates, source, expires_at, ttl_minutes)
    SELECT %(external_id)s, w.memory_id, w.section_id, 1000000, w.value::jsonb, w.fields::text[], w.revision, w.counted, 1,
           w.source, now() + %(ttl)s::float8 * interval '1 minute', %(ttl)s::float8
    FROM written w
    ON CONFLICT (external_id, memory_id, section_id) DO UPDATE
    SET value = excluded.value, text_fields = excluded.text_fields, revision = excluded.revision,
        update_count = section.update_count + excluded.update_count, total_updates = section.total_updates + 1,
        source = excluded.source, expires_at = excluded.expires_at, ttl_minutes = excluded.ttl_minutes,
        updated_at = excluded.updated_at, needs_chunking = false
),
{chunks},
counted AS (
    SELECT m.ids[w.place] AS memory_id, w.items,
           w.updates > 0 AND m.pending_updates[w.place] >= LEAST(
               %(average)s::float8 * GREATEST(m.section_counts[w.place] + w.items, 1), %(most)s::float8) AS due
    FROM (
        SELECT i.place, count(*) FILTER (WHERE i.new) AS items, sum(i.counted) AS updates FROM written i GROUP BY i.place
    ) w
    CROSS JOIN memory m
)
UPDATE agentmem.active_memory a
SET section_count = a.section_count + c.items,
    due_at = CASE WHEN c.due THEN LEAST(a.due_at, a.updated_at) ELSE a.due_at END
FROM counted c
WHERE a.external_id = %(external_id)s AND a.id = ANY ((SELECT m.ids FROM memory m)::bigint[]) AND a.id = c.memory_id
  AND (c.items > 0 OR c.due AND (a.due_at IS NULL OR a.due_at > a.updated_at))
RETURNING a.due_at, a.updated_at

-- name: item_revisions
-- Revisions of items, as those see them who hold their memories' locks.
SELECT u.place, s.revision
FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) WITH ORDINALITY AS u (namespace, key, place)
JOIN agentmem.active_memory a
  ON a.external_id = %(external_id)s AND a.namespace = u.namespace::text[] AND a.closed_at IS NULL
JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = a.id AND s.section_id = u.key

-- name: embedded_hashes
-- Hashes of the chunks of items that have a vector of a model.
SELECT DISTINCT c.content_hash
FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) AS u (namespace, key)
JOIN agentmem.active_memory a
  ON a.external_id = %(external_id)s AND a.namespace = u.namespace::text[] AND a.closed_at IS NULL
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.memory_id = a.id AND c.section_id = u.key
WHERE c.embedding_model = %(embedding_model)s AND (c.current OR c.end_date IS NULL)

-- name: supported_by_items
-- The entities and relationships that the chunks of items support.
SELECT DISTINCT m.entity_id, m.relationship_id FROM agentmem.mention m
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = m.chunk_id
WHERE m.external_id = %(external_id)s AND c.memory_id = %(memory_id)s AND c.section_id = ANY (%(keys)s)

-- name: expired_items
-- Those of these items that have expired.
SELECT s.section_id FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = ANY (%(keys)s)
  AND s.expires_at <= now()

-- name: delete_item_chunks
-- Removes what was made from items, in every tier.
DELETE FROM agentmem.memory_chunk
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND section_id = ANY (%(keys)s)

-- name: delete_items
-- Removes items, and takes their pending updates from the memory's.
WITH gone AS (
    DELETE FROM agentmem.section
    WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND section_id = ANY (%(keys)s)
    RETURNING update_count, revision
)
UPDATE agentmem.active_memory
SET section_count = section_count - (SELECT count(*) FROM gone),
    pending_updates = GREATEST(pending_updates - (SELECT coalesce(sum(update_count), 0) FROM gone), 0),
    deleted_revision = GREATEST(deleted_revision, (SELECT max(revision) FROM gone)),
    updated_at = now()
WHERE external_id = %(external_id)s AND id = %(memory_id)s

-- name: forget_runs
-- Takes the contents out of the log of runs that have seen items, or of all of the memory's runs. A run that changed
-- entities cannot be undone any more, as what they were is part of its contents.
UPDATE agentmem.consolidation_run
SET conflicts = NULL, plan = NULL, report = report - 'decisions' - 'failures', error = NULL,
    changes = CASE WHEN NOT EXISTS (SELECT 1 FROM jsonb_each(changes - 'superseded' - 'written') AS e
                                    WHERE e.value <> '[]') THEN changes END
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND (conflicts IS NOT NULL OR plan IS NOT NULL OR resolver = 'review')
  AND (%(everything)s OR id = ANY (ARRAY(
           SELECT r.id FROM unnest(%(sections)s::text[]) AS k (section)
           JOIN agentmem.consolidation_run r ON r.external_id = %(external_id)s AND r.snapshot @> k.section::jsonb
           WHERE r.memory_id = %(memory_id)s)))

-- name: forget_descriptions
-- Takes former descriptions out of the history of entities and relationships.
UPDATE agentmem.state_history SET old_description = NULL
WHERE external_id = %(external_id)s AND old_description IS NOT NULL
  AND (entity_id = ANY (%(entities)s::bigint[]) OR relationship_id = ANY (%(relationships)s::bigint[]))

-- name: expired
-- Items that have expired, of all tenants.
SELECT s.external_id, a.namespace, s.section_id FROM agentmem.section s
JOIN agentmem.active_memory a ON a.external_id = s.external_id AND a.id = s.memory_id
WHERE s.expires_at <= now()
ORDER BY s.expires_at, s.external_id, s.memory_id, s.section_id
LIMIT %(limit)s

-- name: namespaces
-- Namespaces with items, of one tenant or all, whose label at the owner's place is the tenant, or that belong to nobody.
SELECT DISTINCT (n.namespace[1:coalesce(%(max_depth)s::int, cardinality(n.namespace))]) COLLATE "C" AS namespace
FROM (
    SELECT a.namespace FROM agentmem.active_memory a
    WHERE a.closed_at IS NULL AND a.section_count > 0
      AND (%(external_id)s::text IS NULL OR a.external_id = %(external_id)s)
      AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
      AND (NOT %(omit_expired)s OR EXISTS (
               SELECT 1 FROM agentmem.section s
               WHERE s.external_id = a.external_id AND s.memory_id = a.id
                 AND (s.expires_at IS NULL OR s.expires_at > now())))
) n
WHERE NOT EXISTS (
    SELECT 1 FROM jsonb_array_elements(%(conditions)s::jsonb) AS c
    WHERE jsonb_array_length(c -> 'path') > cardinality(n.namespace)
       OR EXISTS (
           SELECT 1 FROM jsonb_array_elements_text(c -> 'path') WITH ORDINALITY AS p (label, place)
           WHERE p.label <> '*'
             AND p.label <> n.namespace[
                 p.place::int + CASE WHEN c ->> 'type' = 'suffix'
                                     THEN cardinality(n.namespace) - jsonb_array_length(c -> 'path') ELSE 0 END]))
ORDER BY 1
LIMIT %(limit)s OFFSET %(offset)s

-- name: tenants
-- Tenants with items under a prefix that names none.
SELECT DISTINCT a.external_id FROM agentmem.active_memory a
WHERE a.closed_at IS NULL AND a.section_count > 0 AND a.namespace[1:cardinality(%(prefix)s::text[])] = %(prefix)s::text[]
  AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
ORDER BY a.external_id

-- name: list_items
-- Items under a prefix that pass a filter, the newest first; each memory's newest are read in their order until there are
-- enough. `most` is a number of at least limit + offset: of one that it does not know, the planner believes that it is a
-- tenth of all items, and plans the statement anew each time.
SELECT s.memory_id, a.namespace, s.section_id AS key, s.value, s.created_at, s.updated_at, s.revision,
       CASE WHEN s.expires_at IS NOT NULL THEN s.ttl_minutes END AS ttl_minutes
FROM agentmem.active_memory a
CROSS JOIN LATERAL (
    SELECT s.* FROM agentmem.section s
    WHERE s.external_id = %(external_id)s AND s.memory_id = a.id AND s.updated_at > '-infinity'
      AND (NOT %(omit_expired)s OR s.expires_at IS NULL OR s.expires_at > now())
      AND {filter}
    ORDER BY s.updated_at DESC, s.section_id
    LIMIT {most}
) s
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace[1:cardinality(%(prefix)s::text[])] = %(prefix)s::text[]
  AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
ORDER BY s.updated_at DESC, s.memory_id, s.section_id
LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
