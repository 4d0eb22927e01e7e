-- What the projection of the graph needs: chunks are projected, too, a change that Neo4j refuses is set aside, and each
-- tenant's batches are numbered.

ALTER TABLE agentmem.graph_outbox
    DROP CONSTRAINT graph_outbox_kind_check,
    ADD CONSTRAINT graph_outbox_kind_check CHECK (kind IN ('entity', 'relationship', 'chunk')),
    ADD COLUMN changes bigint NOT NULL DEFAULT 1,
    ADD COLUMN dead_at timestamptz,
    ADD COLUMN waits boolean NOT NULL DEFAULT false,
    ADD COLUMN error text;

CREATE INDEX graph_outbox_dead ON agentmem.graph_outbox (external_id) WHERE dead_at IS NOT NULL;

-- How far a tenant's graph is projected. A batch's number is drawn under this row's lock, before what it holds is read:
-- a batch with a higher number never holds an older state.
CREATE TABLE agentmem.graph_projection (
    external_id text NOT NULL,
    store text NOT NULL,
    origin uuid NOT NULL,
    drawn bigint NOT NULL DEFAULT 0,
    applied bigint NOT NULL DEFAULT 0,
    rebuild bigint,
    projected_at timestamptz,
    PRIMARY KEY (external_id, store)
);

-- Neighborhoods and paths start at names, in either tier.
CREATE INDEX entity_name ON agentmem.entity (external_id, name_key);

INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision)
SELECT external_id, 'chunk', chunk_id, 'upsert', 0 FROM agentmem.mention GROUP BY external_id, chunk_id;
