-- Writing a section looks each of its chunks up by its hash, however many the section has.
DROP INDEX agentmem.memory_chunk_section;
CREATE INDEX memory_chunk_section ON agentmem.memory_chunk (external_id, memory_id, section_id, content_hash);

-- The newest items are listed from an index of their own; the condition, which always holds, keeps the planner from looking
-- single items up in it.
DROP INDEX agentmem.section_newest;
CREATE INDEX section_newest ON agentmem.section (external_id, memory_id, updated_at DESC, section_id)
    WHERE updated_at > '-infinity';
