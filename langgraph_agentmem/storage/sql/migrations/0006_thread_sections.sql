-- What a checkpointer's threads have of the sections that their state is mapped to: the revision that a thread has seen, and
-- the hash of the text that its state holds. A section that has moved on since is not overwritten unknowingly.
CREATE TABLE agentmem.thread_section (
    external_id text NOT NULL,
    memory_id bigint NOT NULL,
    section_id text NOT NULL,
    thread_id text NOT NULL,
    revision bigint NOT NULL,
    text_hash bytea NOT NULL,
    PRIMARY KEY (external_id, memory_id, section_id, thread_id),
    FOREIGN KEY (external_id, memory_id, section_id) REFERENCES agentmem.section ON DELETE CASCADE
) WITH (fillfactor = 70);

-- A thread is deleted by its id alone.
CREATE INDEX thread_section_thread ON agentmem.thread_section (thread_id, external_id);
