-- name: newest_embedding_model
-- The embedding model in use.
SELECT id, name, dimensions, distance, vector_type, index_kind, index_options, floor
FROM agentmem.embedding_model
ORDER BY used_since DESC, id DESC LIMIT 1

-- name: add_embedding_model
-- Registers an embedding model: the first one is in use from then on, another one when all its vectors are there.
INSERT INTO agentmem.embedding_model (
    name, dimensions, distance, vector_type, index_kind, index_options, floor, used_since)
VALUES (%(name)s, %(dimensions)s, %(distance)s, %(vector_type)s, %(index_kind)s, %(index_options)s, %(floor)s,
        CASE WHEN %(first)s THEN clock_timestamp() ELSE '-infinity' END)
ON CONFLICT (name, dimensions, distance, vector_type, index_kind, index_options) DO UPDATE SET floor = excluded.floor
RETURNING id, name, dimensions, distance, vector_type, index_kind, index_options, floor

-- name: create_vector_index
-- The approximate nearest neighbour index over one model's vectors: all of them, or those of one tenant.
CREATE INDEX {concurrently}IF NOT EXISTS {index} ON agentmem.memory_chunk
USING {kind} (({column}::{type}) {operators}) {options} WHERE embedding_model = {model}{of_tenant}

-- name: create_vector_view
-- Valid chunks that have a vector of one model, as LangChain's PGVectorStore reads them: those of the tenant that the
-- transaction names, and none where it names none.
--
-- A filter may be evaluated before the tenant is, and its errors quote what it has read. So what a filter reads of
-- another tenant's chunk is NULL. The vector stands there as it is indexed. A view of two tables takes no writes.
CREATE VIEW {view} WITH (security_invoker = true) AS
SELECT c.id::text AS langchain_id, c.{column}::{type} AS embedding,
       CASE WHEN c.external_id = {tenant} THEN c.content END AS content,
       CASE WHEN c.external_id = {tenant} THEN c.metadata || jsonb_build_object(
           'chunk_id', c.id, 'tier', c.tier, 'memory_id', c.memory_id, 'memory_title', a.title,
           'section_id', c.section_id, 'current', c.current, 'start_date', c.start_date, 'source', c.source)
       END AS langchain_metadata
FROM agentmem.memory_chunk c
JOIN agentmem.active_memory a ON a.external_id = c.external_id AND a.id = c.memory_id
WHERE c.external_id = {tenant} AND c.embedding_model = {model} AND c.end_date IS NULL

-- name: view_tenant
-- The tenant that a transaction names.
current_setting('agentmem.external_id', true)

-- name: find_view
-- Whether there is a view of that name.
SELECT to_regclass(%(view)s) IS NOT NULL AS found

-- name: set_up_vector_view
-- For a transaction that reads such a view: the tenant, no writes, and a search that goes on until there are enough rows
-- that pass. Tells which embedding model is in use.
SELECT set_config('agentmem.external_id', p.external_id, true), set_config('transaction_read_only', 'on', true),
       {settings},
       set_config('search_path', p.search_path, true),
       (SELECT e.id FROM agentmem.embedding_model e ORDER BY e.used_since DESC, e.id DESC LIMIT 1) AS model
FROM (
    SELECT %(external_id)s::text AS external_id, array_to_string(ARRAY[
        nullif(current_setting('search_path'), ''),
        (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'vector' AND n.nspname <> ALL (current_schemas(true)))], ', ') AS search_path) p
