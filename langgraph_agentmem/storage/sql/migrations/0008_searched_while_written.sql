-- What has been written lately is kept in a list beside the index on words, which every search reads whole: a short one.
ALTER INDEX agentmem.memory_chunk_words SET (gin_pending_list_limit = 64);
ALTER INDEX agentmem.entity_words SET (gin_pending_list_limit = 64);
