-- What a worker needs: a memory that was given up is set aside as a dead letter, and a run notes since when its memory was
-- due. From now on, due_at may lie in the future: pending updates make a memory due when they are old enough.

ALTER TABLE agentmem.active_memory ADD COLUMN dead_at timestamptz;
ALTER TABLE agentmem.consolidation_run ADD COLUMN due_at timestamptz;

DROP INDEX agentmem.active_memory_due;
CREATE INDEX active_memory_due ON agentmem.active_memory (due_at) WHERE due_at IS NOT NULL AND dead_at IS NULL;
CREATE INDEX active_memory_dead ON agentmem.active_memory (external_id, id) WHERE dead_at IS NOT NULL;
