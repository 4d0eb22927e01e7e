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

-- name: of_tenant
-- What stands for a tenant in an index of its own, and in the searches that are to use that: a number, so that neither
-- names it.
hashtextextended({chunk}external_id, 0) = {tenant}

-- name: tenant_indexes
-- The indexes of vectors that one tenant has for itself, of all tenants or of one, as their names say.
SELECT i.relname AS name, (n.parts[1])::int AS model, ('x' || lpad(n.parts[2], 16, '0'))::bit(64)::bigint AS tenant,
       x.indisvalid AND x.indisready AS usable, pg_relation_size(i.oid) AS bytes, pg_has_role(i.relowner, 'USAGE') AS owned
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
CROSS JOIN LATERAL regexp_match(i.relname, '^memory_chunk_vectors_([0-9]+)_([0-9a-f]+)$') AS n (parts)
WHERE x.indrelid = to_regclass('agentmem.memory_chunk') AND n.parts IS NOT NULL
  AND (%(external_id)s::text IS NULL OR n.parts[2] = to_hex(hashtextextended(%(external_id)s, 0)))
ORDER BY i.relname

-- name: indexed_tenants
-- The tenants for which numbers stand.
SELECT DISTINCT external_id, hashtextextended(external_id, 0) AS tenant FROM agentmem.active_memory
WHERE hashtextextended(external_id, 0) = ANY (%(tenants)s::bigint[])

-- name: tenant_shares
-- The tenants that have the most chunks, as the planner's statistics have them, and whether they have an index of one
-- model's vectors for themselves. A tenant with a hundredth of all is among them.
SELECT v.external_id, round(v.share * c.reltuples)::bigint AS chunks, v.share::float8 AS share,
       to_regclass('agentmem.memory_chunk_vectors_' || %(embedding_model)s::int || '_'
                   || to_hex(hashtextextended(v.external_id, 0))) IS NOT NULL AS indexed
FROM pg_stats s
JOIN pg_class c ON c.oid = to_regclass('agentmem.memory_chunk')
CROSS JOIN LATERAL unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (external_id, share)
WHERE s.schemaname = 'agentmem' AND s.tablename = 'memory_chunk' AND s.attname = 'external_id' AND NOT s.inherited
ORDER BY v.share DESC, v.external_id

-- name: tenant_vectors
-- How many vectors of a model a tenant has, and the number that stands for it.
SELECT count(*) AS vectors, hashtextextended(%(external_id)s, 0) AS tenant FROM agentmem.memory_chunk
WHERE external_id = %(external_id)s AND embedding_model = %(embedding_model)s

-- name: owner_of_chunks
-- Whether the connection's role has the rights of the owner of the chunks; no row where there are none.
SELECT pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS owned
FROM pg_class c WHERE c.oid = to_regclass('agentmem.memory_chunk')

-- name: rebuild_index
-- Builds an index anew that is not valid, as its building was broken off.
REINDEX INDEX CONCURRENTLY agentmem.{index}

-- name: drop_index
-- Drops an index, while others read and write.
DROP INDEX CONCURRENTLY IF EXISTS agentmem.{index}

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
