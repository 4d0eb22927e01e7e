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
-- The approximate nearest neighbour index over one model's vectors.
CREATE INDEX IF NOT EXISTS {index} ON agentmem.memory_chunk
USING {kind} (({column}::{type}) {operators}) {options} WHERE embedding_model = {model}

-- name: ann_settings
-- An HNSW index looks at as many candidates as a search takes, and an IVFFlat index at ten lists first.
set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '40', true),
       set_config('ivfflat.iterative_scan', 'relaxed_order', true), set_config('ivfflat.probes', '10', true)
