-- name: session
-- What a session is like, before anything is made of it.
SELECT pg_backend_pid() AS backend, current_setting('server_encoding') AS encoding,
       ARRAY(SELECT current_setting(s.name) FROM unnest(%(names)s::text[]) WITH ORDINALITY AS s (name, place)
             ORDER BY s.place) AS settings,
       current_setting('search_path') AS search_path, current_schema() IS NULL AS nowhere,
       (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
        AND n.nspname <> ALL (current_schemas(true))) AS vector_schema,
       EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') AS distributes,
       -- Without the right to use the schema, its tables may not even be named.
       NOT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'agentmem' AND c.relname IN ('section', 'memory_chunk')
                     AND NOT (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'))) AS may_write

-- name: setting
-- A setting for the rest of a transaction, as a part of a statement.
set_config({name}, {value}, true)

-- name: set_local
-- The same as a statement, which a server passes on to others that have its rows, once it was told to pass such on.
SET LOCAL {name} = {value}

-- name: set_up_session
-- Settings for as long as the session lasts, which is to be one's own.
SELECT set_config(s.name, s.value, false) FROM unnest(%(names)s::text[], %(values)s::text[]) AS s (name, value)
