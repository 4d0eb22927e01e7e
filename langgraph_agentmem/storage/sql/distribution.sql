-- name: node
-- Whether this server is the coordinator of its cluster; only where Citus is.
SELECT groupid = 0 AS coordinates FROM pg_dist_local_group

-- name: nodes
-- How many servers of the cluster take rows, and whether the coordinator is one of its servers.
SELECT count(*) FILTER (WHERE shouldhaveshards) AS nodes, count(*) FILTER (WHERE groupid = 0) > 0 AS coordinator
FROM pg_dist_node WHERE noderole = 'primary' AND isactive

-- name: tenant_tables
-- The tables that have tenants, each behind those that it refers to, as they were made in that order; by which column
-- they are distributed, if they are; and whether row-level security holds them.
SELECT c.relname::text AS name, c.relrowsecurity AS guarded, d.distribution_column AS by
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'external_id' AND NOT a.attisdropped
LEFT JOIN citus_tables d ON d.table_name = c.oid AND d.citus_table_type = 'distributed'
WHERE n.nspname = 'agentmem' AND c.relkind IN ('r', 'p')
ORDER BY c.oid

-- name: unmanaged_tables
-- Those of some tables of which Citus does not know.
SELECT name FROM unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, place)
WHERE to_regclass(name) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass(name))
ORDER BY place

-- name: one_by_one
-- Lets a transaction change one shard after the other: tables that refer to each other are changed in no other way.
SET LOCAL citus.multi_shard_modify_mode TO 'sequential'

-- name: distribute
-- Distributes a table by tenant, with its rows; those of a tenant are where that tenant's rows of the other table are.
SELECT create_distributed_table(%(table)s::regclass, 'external_id', colocate_with => %(beside)s::text)

-- name: manage
-- Lets Citus manage a table that stays on this server, with its rows.
SELECT citus_add_local_table_to_metadata(%(table)s::regclass)

-- name: drop_local_rows
-- Removes what a distributed table has left behind on this server, which nothing reads any more.
SELECT truncate_local_data_after_distributing_table(%(table)s::regclass)
