-- name: columns_of
-- The columns of a table of others, with their types, and whether it may be read; none where there is no such table.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, has_table_privilege(a.attrelid, 'SELECT') AS readable
FROM pg_attribute a
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: count_rows
-- How many rows of a table of others are to be read.
SELECT count(*) AS rows FROM {table} t WHERE {condition}

-- name: store_rows
-- The items of LangGraph's store, each with its vectors by the paths of their texts.
SELECT t.prefix, t.key, t.value, t.created_at, t.updated_at, {expires_at} AS expires_at, {ttl_minutes} AS ttl_minutes,
       {vectors} AS vectors
FROM {table} t
ORDER BY t.prefix, t.key

-- name: vectors_of_item
-- The vectors of an item of LangGraph's store; a part of a statement. Those of an earlier value stay in the source where the
-- present one was put without an index.
(SELECT jsonb_object_agg(v.field_name, v.embedding::text) FROM {table} v
 WHERE v.prefix = t.prefix AND v.key = t.key AND v.updated_at >= t.updated_at)

-- name: any_rows
-- Whether a table of others has rows.
SELECT EXISTS (SELECT FROM {table}) AS found

-- name: history_rows
-- The messages of langchain-postgres' history, session by session in their order.
SELECT t.session_id::text AS session_id, t.id, t.message::text AS message, t.created_at
FROM {table} t
ORDER BY t.session_id, t.id

-- name: document_rows
-- The documents of a vector store of langchain-postgres. Metadata are read as text, as not every JSON is a `jsonb`.
SELECT t.{id}::text AS id, t.{content} AS content, t.{embedding}::text AS embedding, {metadata} AS metadata, {more} AS more
FROM {table} t
WHERE {condition}
ORDER BY t.{id}

-- name: collection
-- The id of a collection of langchain-postgres' PGVector.
SELECT c.uuid::text AS id FROM {table} c WHERE c.name = %(name)s

-- name: present_items
-- Items as they stand here, also those that have expired, with who has written them last.
SELECT i.place, s.*
FROM ({items_at}) i
CROSS JOIN LATERAL (
    SELECT p.value, p.updated_at, p.revision, p.source FROM agentmem.section p
    WHERE p.external_id = %(external_id)s AND p.memory_id = i.memory_id AND p.section_id = i.key
    OFFSET 0) s

-- name: date_items
-- Gives items that were written in this transaction the times that they had elsewhere, as far as these are known. When an item
-- was made tells it from one that was deleted before, so that only a new one takes that over.
UPDATE agentmem.section s
SET created_at = CASE WHEN u.is_new THEN u.created_at ELSE s.created_at END, updated_at = u.updated_at,
    expires_at = u.expires_at
FROM ({items_at}) i, unnest(%(created_ats)s::timestamptz[], %(updated_ats)s::timestamptz[], %(expires_ats)s::timestamptz[],
                           %(are_new)s::boolean[])
                    WITH ORDINALITY AS u (created_at, updated_at, expires_at, is_new, place)
WHERE s.external_id = %(external_id)s AND s.memory_id = i.memory_id AND s.section_id = i.key AND u.place = i.place

-- name: date_chunks
-- Lets the chunks of items that are new here be valid since the items were written elsewhere.
UPDATE agentmem.memory_chunk c SET start_date = u.updated_at
FROM ({items_at}) i, unnest(%(updated_ats)s::timestamptz[], %(are_new)s::boolean[]) WITH ORDINALITY AS u (updated_at, is_new, place)
WHERE c.external_id = %(external_id)s AND c.memory_id = i.memory_id AND c.section_id = i.key AND c.current
  AND u.place = i.place AND u.is_new

-- name: transcript_parts
-- The parts of the transcript under a namespace that hold some of these messages, and which of them.
SELECT s.value, s.source, array_agg(n.message_id) AS message_ids
FROM agentmem.active_memory a
JOIN agentmem.noted_message n ON n.external_id = %(external_id)s AND n.memory_id = a.id
JOIN agentmem.section s ON s.external_id = %(external_id)s AND s.memory_id = a.id AND s.section_id = n.section_id
WHERE a.external_id = %(external_id)s AND a.namespace_hash = hash_array_extended(%(namespace)s::text[], 0)
  AND a.namespace = %(namespace)s AND a.closed_at IS NULL
  AND n.message_id = ANY (%(message_ids)s)
GROUP BY s.external_id, s.memory_id, s.section_id
