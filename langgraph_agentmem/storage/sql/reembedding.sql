-- name: chunks_to_reembed
-- Chunks with a vector of another model, for which none of this model waits yet, in the order of their ids.
SELECT c.external_id, c.id FROM agentmem.memory_chunk c
WHERE (%(external_id)s::text IS NULL OR c.external_id = %(external_id)s) AND (c.external_id, c.id) > (%(after_tenant)s, %(after)s)
  AND c.embedding_model <> %(embedding_model)s
  AND NOT EXISTS (SELECT 1 FROM agentmem.coming_vector v
                  WHERE v.external_id = c.external_id AND v.chunk_id = c.id AND v.embedding_model = %(embedding_model)s)
ORDER BY c.external_id, c.id
LIMIT %(limit)s

-- name: keep_coming_vectors
-- Vectors that wait until there are all of them.
INSERT INTO agentmem.coming_vector (external_id, chunk_id, embedding_model, embedding, full_embedding)
SELECT %(external_id)s, u.id, %(embedding_model)s,
       CASE WHEN NOT %(full_vectors)s THEN u.embedding::halfvec END, CASE WHEN %(full_vectors)s THEN u.embedding::vector END
FROM unnest(%(ids)s::bigint[], %(embeddings)s::text[]) AS u (id, embedding)
ON CONFLICT (external_id, chunk_id, embedding_model) DO NOTHING

-- name: tenants_with_coming_vectors
-- The tenants for whose chunks vectors wait, in the order of their names.
SELECT DISTINCT external_id FROM agentmem.coming_vector WHERE external_id > %(after)s ORDER BY external_id LIMIT %(limit)s

-- name: take_coming_vectors
-- Gives a tenant's chunks the vectors that waited for them.
UPDATE agentmem.memory_chunk c
SET embedding = v.embedding, full_embedding = v.full_embedding, embedding_model = v.embedding_model
FROM agentmem.coming_vector v
WHERE c.external_id = %(external_id)s AND v.external_id = %(external_id)s AND v.chunk_id = c.id
  AND v.embedding_model = %(embedding_model)s AND c.embedding_model <> %(embedding_model)s

-- name: drop_coming_vectors
-- Vectors of a tenant that wait no longer, also those of a model that never came to be used.
DELETE FROM agentmem.coming_vector WHERE external_id = %(external_id)s

-- name: use_embedding_model
-- Makes a registered embedding model the one in use.
UPDATE agentmem.embedding_model SET used_since = now() WHERE id = %(embedding_model)s
