-- A checkpointer's sections are overwritten many times before anybody searches them, so it writes their values alone.
-- stale: the section's chunks are those of an earlier value; whoever needs them brings them up to date first.
ALTER TABLE agentmem.section ADD COLUMN needs_chunking boolean NOT NULL DEFAULT false;
CREATE INDEX section_needs_chunking ON agentmem.section (external_id, memory_id) WHERE needs_chunking;
