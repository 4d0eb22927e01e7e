-- name: write_values
-- Writes sections' values, and makes the memories that are missing. It is the only statement that changes a value; what is
-- derived of values, the chunks, is written by `write_chunks`, right behind it or when somebody asks for them.
--
-- It is sent alone first, as a transaction by itself. What is new is then counted before the memories are locked, so that
-- somebody may come in between; and what was looked at may have moved on: a memory by another id, a section that has expired,
-- or one at another revision than is expected (NULL: any; 0: none). Then it divides by zero, which nothing else in it can do,
-- so that nothing is written, and it is sent again by somebody who holds the memories' locks.
--
-- Edits keep what puts replace: the other keys of the value, the fields, the lifetime. `also` are rows of LangGraph's tables
-- that are stored along, and `agreed` is what must hold of them.
--
-- Memories are locked by the upsert, always in the order of their namespaces, and before any section: two writers of the
-- same memories wait for each other, and lock nothing that the other one waits for.
--
-- Rows that the upsert has updated were locked by it first, and only those: that is what `xmax` tells apart. What is looked
-- up is looked up row by row, and `max_rows` is no limit; see `write_chunks`.
WITH space AS MATERIALIZED (
    SELECT n.place, n.namespace, n.title, a.id
    FROM (
        SELECT u.place, u.namespace::text[] AS namespace, u.title
        FROM unnest(%(namespaces)s::text[], %(titles)s::text[]) WITH ORDINALITY AS u (namespace, title, place)
        LIMIT %(max_rows)s) n
    LEFT JOIN {open_memory} a ON true
),
wanted AS MATERIALIZED (
    SELECT n.namespace, n.title, u.number, u.section_id, u.value, u.fields::text[] AS fields, u.ttl, u.counted, u.expected,
           s.section_id IS NULL AS new, now() + u.ttl * interval '1 minute' AS expires_at
    FROM (
        SELECT * FROM unnest(%(places)s::int[], %(section_ids)s::text[], %(values)s::text[], %(fields)s::text[],
                             %(ttls)s::float8[], %(counted)s::int[], %(expected)s::bigint[])
                      WITH ORDINALITY AS u (place, section_id, value, fields, ttl, counted, expected, number)
        LIMIT %(max_rows)s) u
    JOIN space n ON n.place = u.place
    LEFT JOIN LATERAL (
        SELECT p.section_id FROM agentmem.section p
        WHERE p.external_id = %(external_id)s AND p.memory_id = n.id AND p.section_id = u.section_id
          AND (%(with_expired)s OR p.expires_at IS NULL OR p.expires_at > now())
        OFFSET 0) s ON true
),
memory AS (
    INSERT INTO agentmem.active_memory AS a (external_id, namespace, title, template, section_count, pending_updates,
                                             unchunked_writes, due_at)
    SELECT %(external_id)s, c.namespace, c.title, '{{"sections": []}}', c.items, c.updates, c.unchunked,
           LEAST(CASE WHEN c.updates > 0 THEN c.latest END, CASE WHEN c.updates > 0 AND {new_is_due} THEN c.now END)
    FROM (
        SELECT w.namespace, w.title, count(*) FILTER (WHERE w.new) AS items, sum(w.counted) AS updates,
               CASE WHEN %(later)s THEN sum(w.counted) ELSE 0 END AS unchunked, now() AS now,
               now() + %(minutes)s::float8 * interval '1 minute' AS latest
        FROM wanted w
        GROUP BY w.namespace, w.title
        ORDER BY w.namespace) c
    ON CONFLICT (external_id, namespace_hash, namespace) WHERE closed_at IS NULL
    DO UPDATE SET section_count = a.section_count + excluded.section_count,
                  pending_updates = a.pending_updates + excluded.pending_updates,
                  unchunked_writes = a.unchunked_writes + excluded.unchunked_writes, updated_at = excluded.updated_at,
                  due_at = LEAST(
                      a.due_at,
                      CASE WHEN excluded.pending_updates > 0
                           THEN (excluded.updated_at AT TIME ZONE 'UTC' + %(minutes)s::float8 * interval '1 minute')
                                AT TIME ZONE 'UTC' END,
                      CASE WHEN excluded.pending_updates > 0 AND {known_is_due} THEN excluded.updated_at END)
    RETURNING id, namespace, deleted_revision, due_at, updated_at, unchunked_writes
),
put AS (
    INSERT INTO agentmem.section AS s (external_id, memory_id, section_id, position, value, text_fields, revision,
                                       update_count, total_updates, source, expires_at, ttl_minutes, needs_chunking)
    SELECT %(external_id)s, m.id, w.section_id, 1000000 + w.number, w.value::jsonb, w.fields, m.deleted_revision + 1, w.counted, 1,
           %(source)s, w.expires_at, w.ttl, %(later)s AND w.counted > 0
    FROM wanted w
    JOIN memory m ON m.namespace = w.namespace
    ON CONFLICT (external_id, memory_id, section_id) DO UPDATE
    SET value = CASE WHEN %(edits)s THEN s.value || excluded.value ELSE excluded.value END,
        text_fields = CASE WHEN %(edits)s THEN s.text_fields ELSE excluded.text_fields END,
        expires_at = CASE WHEN %(edits)s THEN s.expires_at ELSE excluded.expires_at END,
        ttl_minutes = CASE WHEN %(edits)s THEN s.ttl_minutes ELSE excluded.ttl_minutes END,
        revision = s.revision + 1, update_count = s.update_count + excluded.update_count,
        total_updates = s.total_updates + 1, source = excluded.source, updated_at = excluded.updated_at,
        needs_chunking = %(later)s AND (s.needs_chunking OR excluded.needs_chunking OR s.text_fields IS DISTINCT FROM '{{}}')
    RETURNING memory_id, section_id, revision, xmax
),
{also}
refused AS (
    SELECT FROM wanted w
    JOIN memory m ON m.namespace = w.namespace
    LEFT JOIN put p ON p.memory_id = m.id AND p.section_id = w.section_id
    WHERE (p.xmax = 0) IS DISTINCT FROM w.new
       OR CASE WHEN p.xmax = 0 THEN 0 ELSE p.revision - 1 END <> w.expected
       OR m.id <> %(memory_id)s::bigint
)
SELECT bool_or(m.due_at = m.updated_at) AS due,
       array_agg(m.id) FILTER (WHERE m.unchunked_writes >= %(max_unchunked)s) AS behind,
       1 / CASE WHEN {agreed} AND NOT EXISTS (SELECT FROM refused) THEN 1 ELSE 0 END AS written
FROM memory m

-- name: is_due
-- Whether pending updates, of which there are some, reach the threshold; as `policies.thresholds` says.
{pending} >= LEAST(%(average)s::float8 * GREATEST({sections}, 1), %(max_pending)s::float8)

-- name: make_memories
-- Makes those memories that are missing; their makers come one after the other, in the order of the namespaces.
INSERT INTO agentmem.active_memory (external_id, namespace, title, template)
SELECT %(external_id)s, u.namespace::text[], u.title, '{"sections": []}'
FROM unnest(%(namespaces)s::text[], %(titles)s::text[]) AS u (namespace, title)
ORDER BY u.namespace::text[]
ON CONFLICT (external_id, namespace_hash, namespace) WHERE closed_at IS NULL DO NOTHING

-- name: lock_memories
-- Open memories by namespace, locked, always in the same order.
SELECT a.id, a.namespace FROM agentmem.active_memory a
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace_hash = ANY (ARRAY(SELECT hash_array_extended(n.namespace::text[], 0)
                                    FROM unnest(%(namespaces)s::text[]) AS n (namespace)))
  AND a.namespace = ANY (SELECT n.namespace::text[] FROM unnest(%(namespaces)s::text[]) AS n (namespace))
ORDER BY a.namespace
FOR UPDATE

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

-- name: embedded_in_sections
-- Hashes of the chunks of a memory's sections that have a vector of a model.
SELECT DISTINCT c.content_hash FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.memory_id = %(memory_id)s AND c.section_id = ANY (%(section_ids)s)
  AND c.embedding_model = %(embedding_model)s AND (c.current OR c.end_date IS NULL)

-- name: sections_of_memories
-- The sections of several memories.
SELECT s.* FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.memory_id = ANY (%(memory_ids)s)
ORDER BY s.memory_id, s.position, s.section_id

-- name: newest_sections
-- The sections of a tenant's open memories, or of those of these ids, that were written last and have not expired. However
-- many there are, no more are read of any memory than are wanted. Transcripts are left out unless their ids are given.
SELECT a.id AS memory_id, a.title AS memory_title, s.section_id, s.title, s.position, s.value, s.text_fields, s.source,
       s.updated_at
FROM (
    SELECT m.id, m.title FROM agentmem.active_memory m
    WHERE m.external_id = %(external_id)s AND m.closed_at IS NULL
      AND CASE WHEN %(memory_ids)s::bigint[] IS NULL THEN NOT m.metadata ? 'transcript_of'
          ELSE m.id = ANY (%(memory_ids)s::bigint[]) END
    ORDER BY m.updated_at DESC, m.id
    LIMIT %(limit)s) a
CROSS JOIN LATERAL (
    SELECT p.section_id, p.title, p.position, p.value, p.text_fields, p.source, p.updated_at FROM agentmem.section p
    WHERE p.external_id = %(external_id)s AND p.memory_id = a.id AND p.updated_at > '-infinity'
      AND (p.expires_at IS NULL OR p.expires_at > now())
    ORDER BY p.updated_at DESC, p.section_id
    LIMIT %(limit)s) s
ORDER BY s.updated_at DESC, a.id, s.section_id
LIMIT %(limit)s

-- name: consume_updates
-- Subtracts exactly what a run took from those sections that are still the same.
UPDATE agentmem.section s SET update_count = GREATEST(s.update_count - u.update_count, 0)
FROM unnest(%(section_ids)s::text[], %(update_counts)s::int[], %(created_ats)s::timestamptz[])
     AS u (section_id, update_count, created_at)
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = u.section_id
  AND s.created_at = u.created_at

-- name: delete_sections
-- Removes a memory's sections.
DELETE FROM agentmem.section WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s

-- name: unchunked_memories
-- Memories of a tenant, or those of these ids, with sections whose chunks are behind.
SELECT DISTINCT s.external_id, s.memory_id FROM agentmem.section s
WHERE s.external_id = %(external_id)s AND s.needs_chunking
  AND (%(memory_ids)s::bigint[] IS NULL OR s.memory_id = ANY (%(memory_ids)s))

-- name: all_unchunked_memories
-- Memories with sections whose chunks are behind, of all tenants, in the order of their ids.
SELECT DISTINCT s.external_id, s.memory_id FROM agentmem.section s
WHERE s.needs_chunking AND (s.external_id, s.memory_id) > (%(external_id)s, %(memory_id)s)
ORDER BY s.external_id, s.memory_id
LIMIT %(limit)s

-- name: take_unchunked
-- Sections of a memory whose chunks are brought up to date in this transaction.
UPDATE agentmem.section s SET needs_chunking = false
FROM agentmem.active_memory a
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s
  AND s.section_id = ANY (ARRAY(
          SELECT p.section_id FROM agentmem.section p
          WHERE p.external_id = %(external_id)s AND p.memory_id = %(memory_id)s AND p.needs_chunking
          ORDER BY p.created_at, p.position
          LIMIT %(limit)s))
  AND a.external_id = %(external_id)s AND a.id = %(memory_id)s
RETURNING a.namespace, s.section_id, s.value, s.text_fields, s.created_at, s.position

-- name: none_unchunked
-- Notes that none of a memory's sections needs chunking any more.
UPDATE agentmem.active_memory SET unchunked_writes = 0
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND unchunked_writes > 0

-- name: open_memory
-- The open memory of a namespace, looked up by itself; a part of statements. The hash is a subquery of its own, as
-- before PostgreSQL 18 policies leave no index a function of another table's row.
LATERAL (
    SELECT m.id FROM agentmem.active_memory m
    WHERE m.external_id = %(external_id)s AND m.namespace_hash = (SELECT hash_array_extended(n.namespace, 0))
      AND m.namespace = n.namespace AND m.closed_at IS NULL
    OFFSET 0)

-- name: items_at
-- Keys of items, numbered, with the memories that hold them; a part of statements. `max_rows` is no limit, see `write_chunks`.
SELECT n.place, n.key, a.id AS memory_id
FROM (
    SELECT u.place, u.namespace::text[] AS namespace, u.key
    FROM unnest(%(namespaces)s::text[], %(keys)s::text[]) WITH ORDINALITY AS u (namespace, key, place)
    LIMIT %(max_rows)s) n
CROSS JOIN {open_memory} a

-- name: get_items
-- Items by namespace and key, looked up one by one.
SELECT i.place, s.*
FROM ({items_at}) i
CROSS JOIN LATERAL (
    SELECT p.value, p.created_at, p.updated_at, p.revision,
           CASE WHEN p.expires_at IS NOT NULL THEN p.ttl_minutes END AS ttl_minutes
    FROM agentmem.section p
    WHERE p.external_id = %(external_id)s AND p.memory_id = i.memory_id AND p.section_id = i.key
      AND (NOT %(omit_expired)s OR p.expires_at IS NULL OR p.expires_at > now())
    OFFSET 0) s

-- name: refresh_items
-- Lets items that expire live on from now, all for the same time: those that nobody else is changing, and whose end moves
-- by at least a hundredth of it.
UPDATE agentmem.section s SET expires_at = now() + %(ttl)s * interval '1 minute'
FROM (
    SELECT p.memory_id, p.section_id
    FROM ({items_at}) i
    JOIN agentmem.section p ON p.external_id = %(external_id)s AND p.memory_id = i.memory_id AND p.section_id = i.key
    WHERE p.ttl_minutes = %(ttl)s AND p.expires_at < now() + %(ttl)s * interval '0.99 minute'
    ORDER BY p.memory_id, p.section_id
    FOR NO KEY UPDATE OF p SKIP LOCKED
) f
WHERE s.external_id = %(external_id)s AND s.memory_id = f.memory_id AND s.section_id = f.section_id

-- name: embedded_hashes
-- Hashes of the chunks of items that have a vector of a model.
SELECT DISTINCT c.content_hash
FROM ({items_at}) i
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.memory_id = i.memory_id AND c.section_id = i.key
WHERE c.embedding_model = %(embedding_model)s AND (c.current OR c.end_date IS NULL)

-- name: supported_by_items
-- The entities and relationships that the chunks of items support.
SELECT DISTINCT m.entity_id, m.relationship_id FROM agentmem.mention m
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = m.chunk_id
WHERE m.external_id = %(external_id)s AND c.memory_id = %(memory_id)s AND c.section_id = ANY (%(keys)s)

-- name: expired_items
-- Those of these items that have expired.
SELECT i.place FROM ({items_at}) i
JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = i.memory_id AND s.section_id = i.key
WHERE s.expires_at <= now()

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
-- Namespaces with items, of one tenant or all, whose label at the owner's place is the tenant, or that belong to nobody;
-- those of which the conditions, a JSON path, hold, if there are any.
SELECT DISTINCT (a.namespace[1:coalesce(%(max_depth)s::int, cardinality(a.namespace))]) COLLATE "C" AS namespace
FROM agentmem.active_memory a
WHERE a.closed_at IS NULL AND a.section_count > 0
  AND (%(external_id)s::text IS NULL OR a.external_id = %(external_id)s)
  AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
  AND (NOT %(omit_expired)s OR EXISTS (
           SELECT 1 FROM agentmem.section s
           WHERE (%(external_id)s::text IS NULL OR s.external_id = %(external_id)s)
             AND s.external_id = a.external_id AND s.memory_id = a.id
             AND (s.expires_at IS NULL OR s.expires_at > now())))
  AND (%(conditions)s::jsonpath IS NULL OR jsonb_path_match(to_jsonb(a.namespace), %(conditions)s::jsonpath))
ORDER BY 1
LIMIT %(limit)s OFFSET %(offset)s

-- name: tenants
-- Tenants with items under a prefix that names none.
SELECT DISTINCT a.external_id FROM agentmem.active_memory a
WHERE a.closed_at IS NULL AND a.section_count > 0 AND a.namespace[1:cardinality(%(prefix)s::text[])] = %(prefix)s::text[]
  AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
ORDER BY a.external_id

-- name: some_namespaces
-- A few memories' namespaces and their tenants.
SELECT a.external_id, a.namespace FROM agentmem.active_memory a
WHERE a.closed_at IS NULL AND a.section_count > 0
LIMIT %(limit)s

-- name: list_items
-- Items under a prefix that pass a filter, the newest first; each memory's newest are read in their order until there are
-- enough. `page_limit` is a number of at least limit + offset: of one that it does not know, the planner believes that it is a
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
    LIMIT {page_limit}
) s
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace[1:cardinality(%(prefix)s::text[])] = %(prefix)s::text[]
  AND a.external_id = coalesce(a.namespace[%(owner)s::int + 1], %(default_tenant)s)
ORDER BY s.updated_at DESC, s.memory_id, s.section_id
LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
