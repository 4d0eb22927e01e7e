-- name: exported_rows
-- A tenant's rows of a table, as they are written into a file.
SELECT (to_jsonb(t) - 'external_id' - %(left_out)s::text[])::text AS row FROM {table} t
WHERE t.external_id = %(external_id)s

-- name: lock_import
-- One import of a tenant at a time; it ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('agentmem import ' || %(external_id)s::text, 0))

-- name: known_tenant
-- Whether a tenant has a memory, open or closed.
SELECT EXISTS (SELECT 1 FROM agentmem.active_memory a WHERE a.external_id = %(external_id)s) AS known

-- name: written_columns
-- The columns of each table that are written: all but those that the database computes.
SELECT c.relname::text AS "table", array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE n.nspname = 'agentmem' AND c.relkind IN ('r', 'p')
GROUP BY c.relname

-- name: insert_rows
-- Rows of a tenant's, as they were read from a file; vectors of one model are those of another number here, and others stay
-- behind.
INSERT INTO {table} ({columns})
SELECT {values} FROM jsonb_array_elements(%(rows)s::jsonb) AS e,
     jsonb_populate_record(NULL::{table}, e || jsonb_build_object('external_id', %(external_id)s::text)
         || CASE WHEN e ->> 'embedding_model' = %(theirs)s::text THEN jsonb_build_object('embedding_model', %(ours)s::int)
                 ELSE '{{"embedding": null, "full_embedding": null, "embedding_model": null}}'::jsonb END) AS r

-- name: abandon_runs
-- What was under way where the rows come from goes on nowhere.
UPDATE agentmem.consolidation_run SET status = 'abandoned', finished_at = now()
WHERE external_id = %(external_id)s AND status = 'running'

-- name: largest_id
-- The largest id that a tenant has in a table; joined by UNION ALL with those of other tables.
SELECT {name} AS name, (SELECT max(t.id) FROM {table} t WHERE t.external_id = %(external_id)s) AS id

-- name: pass_ids
-- Sees to it that no id of tables is given again. Others draw numbers meanwhile: far enough ahead, none of theirs comes
-- again. It reads no table: with one, it would be run where the tenant's rows are, which may be another server.
SELECT setval(pg_get_serial_sequence(u.name, 'id'), u.id + 10000)
FROM unnest(%(names)s::text[], %(ids)s::bigint[]) AS u (name, id)
WHERE u.id >= nextval(pg_get_serial_sequence(u.name, 'id'))

-- name: project_tenant
-- Tells the projection of all that a tenant's graph holds.
INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision)
SELECT %(external_id)s, t.kind, t.id, 'upsert', t.revision
FROM (SELECT 'entity' AS kind, e.id, e.revision FROM agentmem.entity e WHERE e.external_id = %(external_id)s
      UNION ALL
      SELECT 'relationship', r.id, r.revision FROM agentmem.relationship r WHERE r.external_id = %(external_id)s
      UNION ALL
      SELECT DISTINCT 'chunk', m.chunk_id, 0 FROM agentmem.mention m WHERE m.external_id = %(external_id)s) t
ORDER BY t.id
