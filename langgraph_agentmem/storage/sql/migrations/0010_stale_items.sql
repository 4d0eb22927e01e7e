-- Items without vectors are put by their values alone, too.
-- stale_items: at least so many of the memory's sections are stale; once there are many, whoever puts brings them up to date.
ALTER TABLE agentmem.active_memory ADD COLUMN stale_items int NOT NULL DEFAULT 0;
