-- name: permissions
-- What the connection's role may do: which tables and views it cannot read, which tables it cannot write, and of which
-- sequences it cannot draw numbers; of LangGraph's checkpointers' tables as well, where they are on the path.
WITH relation AS (
    SELECT c.oid, c.relkind,
           CASE n.nspname WHEN 'agentmem' THEN c.relname ELSE n.nspname || '.' || c.relname END AS name,
           n.nspname <> 'agentmem' AND c.relname <> 'checkpoint_migrations'
           OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'external_id'
                      AND NOT a.attisdropped AND c.relkind <> 'v') AS written
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'S') AND (n.nspname = 'agentmem' OR c.oid IN (
        SELECT to_regclass(t) FROM unnest(%(checkpoints)s::text[]) AS t))
)
SELECT current_user::text AS role, pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only') = 'on' AS reads_only,
       count(*) FILTER (WHERE r.relkind <> 'S') AS relations,
       count(*) FILTER (WHERE r.written) AS writable,
       coalesce(array_agg(r.name ORDER BY r.name) FILTER (
           WHERE r.relkind <> 'S' AND NOT has_table_privilege(r.oid, 'SELECT')), '{}') AS unread,
       coalesce(array_agg(r.name ORDER BY r.name) FILTER (
           WHERE r.written AND NOT (has_table_privilege(r.oid, 'INSERT') AND has_table_privilege(r.oid, 'UPDATE')
                                    AND has_table_privilege(r.oid, 'DELETE'))), '{}') AS unwritten,
       coalesce(array_agg(r.name ORDER BY r.name) FILTER (
           WHERE CASE r.relkind WHEN 'S' THEN NOT has_sequence_privilege(r.oid, 'USAGE') END), '{}') AS undrawn
FROM relation r

-- name: indexes
-- The indexes that there are, and whether a search may use them: one whose building was broken off is not valid.
SELECT i.relname AS name, x.indisvalid AND x.indisready AS usable
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE n.nspname = 'agentmem'
