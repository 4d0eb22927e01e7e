-- name: memory_rows
-- The memories of an older system, each with which one of its tenant's of its title it is.
SELECT t.id::text AS id, t.external_id::text AS external_id, t.title, {template} AS template, t.sections::text AS sections,
       {metadata} AS metadata, {created_at} AS created_at, {updated_at} AS updated_at,
       row_number() OVER (PARTITION BY t.external_id, t.title ORDER BY t.id) AS of_title
FROM {table} t
ORDER BY t.id

-- name: section_rows
-- The sections of these memories.
SELECT t.id, t.external_id, t.title, t.created_at, t.updated_at, t.of_title, s.key AS section_id, s.value::text AS section
FROM ({memories}) t
CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(t.sections::jsonb) = 'object' THEN t.sections::jsonb ELSE '{{}}' END) s

-- name: shortterm_rows
-- The short-term memories of an older system.
SELECT t.id::text AS id, t.external_id::text AS external_id, t.title, {summary} AS summary, {metadata} AS metadata,
       {update_count} AS update_count, {created_at} AS created_at, {last_updated} AS last_updated
FROM {table} t
ORDER BY t.id

-- name: chunk_rows
-- The consolidated chunks of an older system, each with the title of the short-term memory that it came from, as far as that
-- is still there. Metadata are read as text, as not every JSON is a `jsonb`.
SELECT t.id::text AS id, t.external_id::text AS external_id, m.title, t.content, {section_id} AS section_id,
       {metadata} AS metadata, {started_at} AS started_at, {ended_at} AS ended_at, {updated_at} AS updated_at,
       {confidence} AS confidence, {importance} AS importance, {embedding} AS embedding
FROM {table} t
LEFT JOIN {memories} m ON m.id = t.shortterm_memory_id AND m.external_id = t.external_id
ORDER BY t.id

-- name: tenants
-- The tenants of an older system.
SELECT t.external_id::text AS external_id FROM {active} t
UNION SELECT t.external_id::text FROM {shortterm} t
UNION SELECT t.external_id::text FROM {shortterm_chunks} t
UNION SELECT t.external_id::text FROM {longterm_chunks} t

-- name: count_rows
-- How many rows a statement reads.
SELECT count(*) AS rows FROM ({rows}) t

-- name: present_memories
-- Open memories by namespace, as far as they concern an import.
SELECT a.namespace, a.title, a.metadata, a.template -> 'sections' = '[]' AS bare
FROM agentmem.active_memory a
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace_hash = ANY (ARRAY(SELECT hash_array_extended(n.namespace::text[], 0)
                                    FROM unnest(%(namespaces)s::text[]) AS n (namespace)))
  AND a.namespace = ANY (SELECT n.namespace::text[] FROM unnest(%(namespaces)s::text[]) AS n (namespace))

-- name: describe_memories
-- Gives memories that are the source's their titles, metadata and times; those that were made here stay as they are.
UPDATE agentmem.active_memory a
SET title = u.title, metadata = u.metadata::jsonb, created_at = LEAST(u.created_at, a.created_at),
    updated_at = coalesce(u.updated_at, a.updated_at)
FROM unnest(%(namespaces)s::text[], %(titles)s::text[], %(metadata)s::text[], %(legacy_ids)s::text[],
            %(created_ats)s::timestamptz[], %(updated_ats)s::timestamptz[])
     AS u (namespace, title, metadata, legacy_id, created_at, updated_at)
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace_hash = hash_array_extended(ARRAY(SELECT jsonb_array_elements_text(u.namespace::jsonb)), 0)
  AND a.namespace = ARRAY(SELECT jsonb_array_elements_text(u.namespace::jsonb))
  AND (a.template -> 'sections' = '[]' OR a.metadata ->> 'legacy_id' = u.legacy_id)

-- name: describe_sections
-- Gives sections of memories their places, titles and descriptions in the template.
UPDATE agentmem.section s SET position = u.position, title = u.title, description = u.description
FROM agentmem.active_memory a,
     unnest(%(namespaces)s::text[], %(section_ids)s::text[], %(positions)s::int[], %(titles)s::text[], %(descriptions)s::text[])
     AS u (namespace, section_id, position, title, description)
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace_hash = hash_array_extended(ARRAY(SELECT jsonb_array_elements_text(u.namespace::jsonb)), 0)
  AND a.namespace = ARRAY(SELECT jsonb_array_elements_text(u.namespace::jsonb))
  AND s.external_id = %(external_id)s AND s.memory_id = a.id AND s.section_id = u.section_id

-- name: insert_shortterm
-- Short-term memories, as far as memories have none yet.
INSERT INTO agentmem.shortterm_memory (external_id, memory_id, update_count, metadata, created_at, last_updated)
SELECT %(external_id)s, u.memory_id, u.update_count, u.metadata::jsonb, coalesce(u.created_at, now()),
       coalesce(u.last_updated, now())
FROM unnest(%(memory_ids)s::bigint[], %(update_counts)s::int[], %(metadata)s::text[], %(created_ats)s::timestamptz[],
            %(last_updateds)s::timestamptz[]) AS u (memory_id, update_count, metadata, created_at, last_updated)
ORDER BY u.memory_id
ON CONFLICT (external_id, memory_id) DO NOTHING
RETURNING memory_id

-- name: present_shortterm
-- Those of these namespaces whose open memories have a short-term memory.
SELECT a.namespace FROM agentmem.active_memory a
JOIN agentmem.shortterm_memory m ON m.external_id = %(external_id)s AND m.memory_id = a.id
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace_hash = ANY (ARRAY(SELECT hash_array_extended(n.namespace::text[], 0)
                                    FROM unnest(%(namespaces)s::text[]) AS n (namespace)))
  AND a.namespace = ANY (SELECT n.namespace::text[] FROM unnest(%(namespaces)s::text[]) AS n (namespace))

-- name: present_pieces
-- What imports have written of these chunks of a source, in order.
SELECT c.metadata ->> 'legacy_id' AS legacy_id, c.id, c.content, c.content_hash, c.end_date IS NOT NULL AS ended
FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.origin = 'import' AND c.metadata ->> 'legacy_id' = ANY (%(legacy_ids)s::text[])
ORDER BY c.chunk_order, c.id

-- name: insert_pieces
-- Consolidated chunks of a source, in the short-term memories of the memories that they belong to.
INSERT INTO agentmem.memory_chunk (
    external_id, memory_id, section_id, section_revision, chunk_order, content, content_hash, overlap, source, tier, current,
    shortterm_memory_id, origin, embedding, full_embedding, embedding_model, words, own_words, label, metadata, start_date,
    end_date, last_updated, confidence, importance)
SELECT %(external_id)s, u.memory_id, u.section_id, 0, u.chunk_order, u.content, u.content_hash, u.overlap, %(source)s, u.tier,
       false, m.id, 'import',
       CASE WHEN NOT %(full_vectors)s THEN u.embedding::halfvec END,
       CASE WHEN %(full_vectors)s THEN u.embedding::vector END,
       CASE WHEN u.embedding IS NOT NULL THEN %(embedding_model)s::smallint END,
       u.words::sparsevec, u.own_words::int[], u.label, u.metadata::jsonb, coalesce(u.start_date, now()), u.end_date,
       coalesce(u.last_updated, now()), u.confidence, u.importance
FROM unnest(%(memory_ids)s::bigint[], %(section_ids)s::text[], %(tiers)s::text[], %(chunk_orders)s::int[],
            %(contents)s::text[], %(content_hashes)s::bytea[], %(overlaps)s::text[], %(words)s::text[], %(own_words)s::text[],
            %(labels)s::text[], %(embeddings)s::text[], %(metadata)s::text[], %(start_dates)s::timestamptz[],
            %(end_dates)s::timestamptz[], %(last_updateds)s::timestamptz[], %(confidences)s::float8[],
            %(importances)s::float8[])
     AS u (memory_id, section_id, tier, chunk_order, content, content_hash, overlap, words, own_words, label, embedding,
           metadata, start_date, end_date, last_updated, confidence, importance)
JOIN agentmem.shortterm_memory m ON m.external_id = %(external_id)s AND m.memory_id = u.memory_id

-- name: end_pieces
-- Ends the validity of chunks as the source has ended it.
UPDATE agentmem.memory_chunk c SET end_date = u.end_date
FROM unnest(%(ids)s::bigint[], %(end_dates)s::timestamptz[]) AS u (id, end_date)
WHERE c.external_id = %(external_id)s AND c.id = u.id AND c.end_date IS NULL

-- name: replace_pieces
-- Ends the validity of chunks that have another text in the source now; what comes in their place is known by their mark.
UPDATE agentmem.memory_chunk c SET end_date = now(), last_updated = now(), metadata = c.metadata - 'legacy_id'
WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s) AND c.end_date IS NULL
