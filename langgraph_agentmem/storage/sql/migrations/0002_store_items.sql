-- Sections hold any JSON value, as items of a LangGraph store; vectors may be of full precision.

-- deleted_revision: the highest revision of a section that is gone; new sections start above it, so that no revision comes
-- twice.
ALTER TABLE agentmem.active_memory ADD COLUMN deleted_revision bigint NOT NULL DEFAULT 0;
CREATE INDEX consolidation_run_sections ON agentmem.consolidation_run USING gin (snapshot jsonb_path_ops);

-- The namespace is what identifies an open memory; its title is for people.
DROP INDEX agentmem.active_memory_title;

-- text_fields: the paths of the value whose texts are searched and consolidated; NULL for all texts, empty for none.
ALTER TABLE agentmem.section ADD COLUMN text_fields text[];
CREATE INDEX section_newest ON agentmem.section (external_id, memory_id, updated_at DESC, section_id);
CREATE INDEX section_expiry ON agentmem.section (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE agentmem.embedding_model
    ADD COLUMN distance text NOT NULL DEFAULT 'cosine' CHECK (distance IN ('cosine', 'l2', 'inner_product')),
    ADD COLUMN vector_type text NOT NULL DEFAULT 'halfvec' CHECK (vector_type IN ('halfvec', 'vector')),
    ADD COLUMN index_kind text NOT NULL DEFAULT 'hnsw' CHECK (index_kind IN ('hnsw', 'ivfflat', 'flat')),
    ADD COLUMN index_options jsonb NOT NULL DEFAULT '{}';

-- One of the two columns holds a chunk's vector, as its model says; without a model, it waits for one.
ALTER TABLE agentmem.memory_chunk ADD COLUMN full_embedding vector;
DROP INDEX agentmem.memory_chunk_unembedded;
CREATE INDEX memory_chunk_unembedded ON agentmem.memory_chunk (external_id, id) WHERE embedding_model IS NULL;

ALTER TABLE agentmem.embedding_model DROP CONSTRAINT embedding_model_name_dimensions_key;
CREATE UNIQUE INDEX embedding_model_kind
    ON agentmem.embedding_model (name, dimensions, distance, vector_type, index_kind, index_options);

-- Every search reads the list of what was not sorted into the index yet, so it is kept short.
ALTER INDEX agentmem.memory_chunk_words SET (gin_pending_list_limit = 512);
