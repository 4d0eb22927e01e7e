-- name: serve_tenant
-- Says for which tenant the rest of the transaction is.
SELECT set_config('agentmem.external_id', $1, true)

-- name: serve
-- Says with whose rights the rest of the transaction is, and for which tenant.
SELECT set_config('role', $1, true), set_config('agentmem.external_id', $2, true)

-- name: tables
-- The tables that have tenants, with what row-level security does there, whoever has made them.
SELECT c.relname AS name, c.relrowsecurity AS enabled, row_security_active(c.oid) AS active,
       ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive ORDER BY 1) AS policies
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'external_id' AND NOT a.attisdropped
WHERE n.nspname = 'agentmem' AND c.relkind IN ('r', 'p')
ORDER BY c.relname

-- name: open_views
-- Views that read with their owner's rights, to which no policy applies.
SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'agentmem' AND c.relkind = 'v'
  AND NOT coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
ORDER BY c.relname

-- name: role
-- Whose connection it is, and what looks over all tenants are to it: it may have the rights for them where it asks for
-- these, but not all the time.
SELECT current_user::text AS name, r.rolsuper OR r.rolbypassrls AS bypasses,
       coalesce(pg_has_role(l.oid, 'MEMBER'), false) AS looks, coalesce(pg_has_role(l.oid, 'USAGE'), false) AS inherits,
       l.oid IS NOT NULL AS lookups
FROM pg_roles r LEFT JOIN pg_roles l ON l.rolname = %(lookups)s
WHERE r.rolname = current_user

-- name: make_role
-- The role that looks over all tenants; nobody connects as it.
CREATE ROLE {role} NOLOGIN

-- name: enable
-- Holds everybody but the owner to the policies of a table.
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY

-- name: drop_policy
-- Makes room for a policy.
DROP POLICY IF EXISTS {policy} ON {table}

-- name: tenant_policy
-- Rows are read and written for the tenant that the transaction names. One that names none is an error, not empty: where
-- an earlier transaction of the session has named one, what is left of that is an empty text, for which a setting is asked
-- that there never is. The subquery is evaluated once a statement, not once a row.
CREATE POLICY {policy} ON {table} USING (external_id = (SELECT {named}))

-- name: reader_policy
-- A tenant to whom something is granted reads the grant as well; only who gives it writes it.
CREATE POLICY {policy} ON {table} FOR SELECT USING (reader = (SELECT {named}))

-- name: named_tenant
-- The tenant that the transaction names.
current_setting(CASE current_setting('agentmem.external_id', true) WHEN '' THEN 'agentmem.external_id_is_empty'
                ELSE 'agentmem.external_id' END)

-- name: words_function
-- What an index finds and a policy would keep it from, as `&&` is not known to be leakproof: the ids of the rows that hold
-- one of some words, of the tenant that the transaction names, with the rights of the owner. The tenant is compared by
-- another collation than its indexes have, as a search does, so that the index on words is used: the one of all, or the
-- one that the tenant has for itself, which is taken only by a statement that is planned for its number.
CREATE OR REPLACE FUNCTION {function} (searched {type}, indexed_as bigint DEFAULT NULL) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE
        'SELECT r.id FROM {table} r WHERE r.external_id = $1 COLLATE "C" AND r.{column} && $2'
        || coalesce(' AND hashtextextended(r.external_id, 0) = ' || indexed_as, '')
    USING {named}, searched;
END
$$

-- name: lookup_policy
-- Who looks over all tenants finds every row; what of it may be read is a matter of the columns that are granted.
CREATE POLICY {policy} ON {table} FOR SELECT TO {role} USING (true)

-- name: guard_view
-- Lets a view read with the rights of who asks it.
ALTER VIEW {view} SET (security_invoker = true)

-- name: grant_schema
-- Lets a role see what is in the schema.
GRANT USAGE ON SCHEMA {schema} TO {role}

-- name: grant_columns
-- Lets a role read columns of a table.
GRANT SELECT ({columns}) ON {table} TO {role}

-- name: grant_rows
-- Lets a role read and write the rows of tables.
GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}

-- name: grant_reading
-- Lets a role read tables and views.
GRANT SELECT ON {tables} TO {role}

-- name: grant_updates
-- Lets a role update a table.
GRANT UPDATE ON {table} TO {role}

-- name: grant_numbers
-- Lets a role draw numbers for new rows.
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}

-- name: grant_role
-- Lets a role look over all tenants where it asks for that: it inherits nothing.
GRANT {lookups} TO {role} WITH INHERIT FALSE, SET TRUE

-- name: grant_role_before_16
-- The same, on a server where inheriting is a property of who gets the role.
GRANT {lookups} TO {role}

-- name: make_user
-- A role that connects. A password is for the administrator to set.
CREATE ROLE {role} LOGIN NOINHERIT

-- name: inherit_nothing
-- Takes from a role what it has by being a member of others, unless it asks for that.
ALTER ROLE {role} NOINHERIT

-- name: grantees
-- What a server has of what is granted and to whom: roles, tables and views, and where LangGraph's tables are.
SELECT current_setting('server_version_num')::int >= 160000 AS inherits_by_grant,
       ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.rolname = ANY (%(roles)s::text[])) AS roles,
       ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v')
             AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'external_id'
                             AND NOT a.attisdropped AND c.relkind <> 'v') ORDER BY 1) AS read,
       (SELECT k.nspname::text FROM pg_class c JOIN pg_namespace k ON k.oid = c.relnamespace
        WHERE c.oid = to_regclass('checkpoint_migrations')) AS checkpoints
FROM pg_namespace n WHERE n.nspname = 'agentmem'
