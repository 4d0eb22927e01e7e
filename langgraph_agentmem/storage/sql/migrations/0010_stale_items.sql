-- Items without vectors are put by their values alone, too.
-- stale_items: how often items were put since all of the memory's sections were up to date; after many, whoever puts sees to
-- that.
ALTER TABLE agentmem.active_memory ADD COLUMN unchunked_writes int NOT NULL DEFAULT 0;
