-- name: of_tenant
-- What stands for a tenant in its own indexes, and in the searches that are to use these: a number, so that neither names
-- it.
hashtextextended({chunk}external_id, 0) = {tenant}

-- name: create_words_index
-- The index on the words of one tenant's chunks.
CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON agentmem.memory_chunk
USING gin (own_words) WITH (gin_pending_list_limit = 64) WHERE {of_tenant}

-- name: tenant_indexes
-- The indexes that one tenant has for itself, of all tenants or of one, as their names say.
SELECT i.relname AS name, ('x' || lpad(n.parts[1], 16, '0'))::bit(64)::bigint AS tenant,
       x.indisvalid AND x.indisready AS usable, pg_relation_size(i.oid) AS bytes, pg_has_role(i.relowner, 'USAGE') AS owned
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace s ON s.oid = i.relnamespace
CROSS JOIN LATERAL regexp_match(i.relname, '^memory_chunk_(?:words|vectors_[0-9]+)_([0-9a-f]+)$') AS n (parts)
WHERE s.nspname = 'agentmem' AND i.relname ~ '^memory_chunk_' AND n.parts IS NOT NULL
  AND (%(external_id)s::text IS NULL OR n.parts[1] = to_hex(hashtextextended(%(external_id)s, 0)))
ORDER BY n.parts[1], i.relname

-- name: indexed_tenants
-- The tenants for which numbers stand.
SELECT DISTINCT external_id, hashtextextended(external_id, 0) AS tenant FROM agentmem.active_memory
WHERE hashtextextended(external_id, 0) = ANY (%(tenants)s::bigint[])
LIMIT %(limit)s

-- name: tenant_shares
-- The tenants that have the most chunks, as the planner's statistics have them, and whether they have indexes for
-- themselves: on words, and of one model's vectors if one is given. A tenant with a hundredth of all is among them.
SELECT v.external_id, round(v.share * c.reltuples)::bigint AS chunks, v.share::float8 AS share,
       to_regclass('agentmem.memory_chunk_words_' || to_hex(hashtextextended(v.external_id, 0))) IS NOT NULL
       AND (%(embedding_model)s::int IS NULL
            OR to_regclass('agentmem.memory_chunk_vectors_' || %(embedding_model)s::int || '_'
                           || to_hex(hashtextextended(v.external_id, 0))) IS NOT NULL) AS indexed
FROM pg_stats s
JOIN pg_namespace n ON n.nspname = s.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
CROSS JOIN LATERAL unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (external_id, share)
WHERE s.schemaname = 'agentmem' AND s.tablename = 'memory_chunk' AND s.attname = 'external_id' AND NOT s.inherited
ORDER BY v.share DESC, v.external_id

-- name: tenant_number
-- The number that stands for a tenant; no row where it has no memories.
SELECT hashtextextended(external_id, 0) AS tenant FROM agentmem.active_memory WHERE external_id = %(external_id)s LIMIT 1

-- name: owner_of_chunks
-- Whether the connection's role has the rights of the owner of the chunks; no row where there are none.
SELECT pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS owned
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'agentmem' AND c.relname = 'memory_chunk'

-- name: rebuild_index
-- Builds an index anew that is not valid, as its building was broken off.
REINDEX INDEX CONCURRENTLY agentmem.{index}

-- name: drop_index
-- Drops an index, while others read and write.
DROP INDEX CONCURRENTLY IF EXISTS agentmem.{index}
