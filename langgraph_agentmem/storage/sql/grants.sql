-- name: give
-- Lets a reader search what is under a prefix, until a time; nothing is written where that has passed.
INSERT INTO agentmem.read_grant (external_id, reader, namespace, expires_at)
SELECT %(external_id)s, %(reader)s, %(namespace)s::text[], %(expires_at)s::timestamptz
WHERE %(expires_at)s::timestamptz IS NULL OR %(expires_at)s::timestamptz > now()
ON CONFLICT (external_id, reader, namespace) DO UPDATE SET expires_at = excluded.expires_at
RETURNING external_id, reader, namespace, expires_at, created_at

-- name: delete_expired
-- Removes the grants of an owner that have expired.
DELETE FROM agentmem.read_grant WHERE external_id = %(external_id)s AND expires_at <= now()

-- name: revoke
-- Removes the grants of an owner: to one reader or all, of one prefix or all.
DELETE FROM agentmem.read_grant
WHERE external_id = %(external_id)s AND (%(reader)s::text IS NULL OR reader = %(reader)s)
  AND (%(namespace)s::text[] IS NULL OR namespace = %(namespace)s)
RETURNING reader

-- name: given
-- The grants of an owner that hold.
SELECT external_id, reader, namespace, expires_at, created_at FROM agentmem.read_grant
WHERE external_id = %(external_id)s AND (expires_at IS NULL OR expires_at > now())
ORDER BY reader, namespace

-- name: received
-- The grants to a reader, of whichever owners; also those that have expired.
SELECT external_id, reader, namespace, expires_at, created_at, expires_at IS NULL OR expires_at > now() AS holds
FROM agentmem.read_grant WHERE reader = %(reader)s
ORDER BY external_id, namespace

-- name: holds
-- Whether an owner lets a reader search anything.
SELECT EXISTS (SELECT 1 FROM agentmem.read_grant g
               WHERE g.external_id = %(external_id)s AND g.reader = %(reader)s
                 AND (g.expires_at IS NULL OR g.expires_at > now())) AS holds

-- name: granted_memories
-- The open memories of an owner that a reader may search.
SELECT a.id FROM agentmem.active_memory a
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND EXISTS (SELECT 1 FROM agentmem.read_grant g
              WHERE g.external_id = %(external_id)s AND g.reader = %(reader)s AND (g.expires_at IS NULL OR g.expires_at > now())
                AND a.namespace[1:cardinality(g.namespace)] = g.namespace)
