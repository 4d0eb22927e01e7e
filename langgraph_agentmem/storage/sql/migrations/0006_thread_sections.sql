-- What a checkpointer's threads have of the sections that their state is mapped to. A section that has moved on since is
-- not overwritten unknowingly.
-- revision, text_hash: the section's revision that the thread has seen, and the hash of the text in its checkpoints.
-- loaded_...: what was read for the thread, while its checkpoint loaded_at was the last; it counts as seen once a later
-- checkpoint holds it.
CREATE TABLE agentmem.thread_section (
    external_id text NOT NULL,
    memory_id bigint NOT NULL,
    section_id text NOT NULL,
    thread_id text NOT NULL,
    revision bigint,
    text_hash bytea,
    loaded_revision bigint,
    loaded_hash bytea,
    loaded_at text,
    PRIMARY KEY (external_id, memory_id, section_id, thread_id),
    FOREIGN KEY (external_id, memory_id, section_id) REFERENCES agentmem.section ON DELETE CASCADE
) WITH (fillfactor = 70);

-- A thread is deleted by its id alone.
CREATE INDEX thread_section_thread ON agentmem.thread_section (thread_id, external_id);
