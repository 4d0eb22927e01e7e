-- name: server
-- The server's version, the version of pgvector that is available and installed, and that of Citus in this database.
SELECT current_setting('server_version_num')::int AS server_version,
       current_setting('server_version') AS server_version_name,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
       (SELECT extversion FROM pg_extension WHERE extname = 'citus') AS citus,
       EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'agentmem' AND c.relname = 'schema_migration') AS migrated

-- name: take_time
-- Lifts the limits that a role may have for what it usually sends; to wait for others, and to change full tables, takes time.
SELECT set_config(s.name, '0', true)
FROM unnest(ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) AS s (name)

-- name: lock_migrations
-- Waits for its turn to migrate, until the transaction ends.
SELECT pg_advisory_xact_lock(%(key)s)

-- name: create_extension
-- Installs pgvector.
CREATE EXTENSION IF NOT EXISTS vector

-- name: schema_rights
-- Whether there is the schema, and whether this user may make tables in it, or make it.
SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS database, n.oid IS NOT NULL AS made,
       has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') AS fills,
       has_database_privilege(current_database(), 'CREATE') AS makes
FROM (SELECT) AS one LEFT JOIN pg_namespace n ON n.nspname = 'agentmem'

-- name: create_schema
-- The schema, which an administrator may have made: to ask for it again needs a right that is not needed otherwise.
CREATE SCHEMA agentmem

-- name: create_migration_table
-- The list of migrations that the schema has seen.
CREATE TABLE IF NOT EXISTS agentmem.schema_migration (
    version int PRIMARY KEY,
    name text NOT NULL,
    text_hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: applied_migrations
-- The migrations that were applied, each with the hash of its text. By way of JSON, as the column is missing in a
-- database that was made before there was one, which is to be told so.
SELECT m.version, m.name, to_jsonb(m) ->> 'text_hash' AS text_hash FROM agentmem.schema_migration m
ORDER BY m.version

-- name: record_migration
-- Notes a migration as applied.
INSERT INTO agentmem.schema_migration (version, name, text_hash) VALUES (%(version)s, %(name)s, %(text_hash)s)
