-- name: chunks_without_vectors
-- How many chunks wait for a vector.
SELECT count(*) AS chunks FROM agentmem.memory_chunk
WHERE embedding_model IS NULL AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)

-- name: chunks_of_other_models
-- How many chunks have a vector of a model that is not in use; where there never was one, no chunk is read.
SELECT count(*) AS chunks FROM agentmem.memory_chunk
WHERE embedding_model <> %(embedding_model)s AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
  AND EXISTS (SELECT 1 FROM agentmem.embedding_model e WHERE e.id <> %(embedding_model)s)

-- name: expired_leases
-- How many runs let their lease run out, and since when the first of them.
SELECT count(*) AS count, min(lease_expires_at) AS since FROM agentmem.active_memory
WHERE lease_owner IS NOT NULL AND lease_expires_at < now() AND closed_at IS NULL
  AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)

-- name: all_failing_models
-- Memories of all tenants whose model has failed in their last runs, most failures first.
SELECT external_id, id FROM agentmem.active_memory
WHERE model_failures > 0 AND closed_at IS NULL
ORDER BY model_failures DESC, external_id, id
LIMIT %(limit)s

-- name: failing_models
-- A tenant's memories whose model has failed in their last runs, or some of them, most failures first, with when that
-- began and what was said of it. A run that did not ask the model, as it rests, repeats the number of the one before.
SELECT m.external_id, m.id AS memory_id, m.title, m.model_failures AS failures, m.model_retry_at AS retry_at,
       coalesce(m.model_retry_at > now(), false) AS resting, f.since, coalesce(f.errors, '[]') AS errors
FROM agentmem.active_memory m
CROSS JOIN LATERAL (
    SELECT min(r.started_at) AS since,
           (array_agg(r.report -> 'failures' ORDER BY r.started_at)
            FILTER (WHERE (r.report ->> 'model_failures')::int = m.model_failures))[1] AS errors
    FROM agentmem.consolidation_run r
    WHERE r.external_id = %(external_id)s AND r.memory_id = m.id AND (r.report ->> 'model_failures')::int > 0
      AND r.started_at > coalesce((
          SELECT max(k.started_at) FROM agentmem.consolidation_run k
          WHERE k.external_id = %(external_id)s AND k.memory_id = m.id AND k.resolver NOT IN ('review', 'promotion')
            AND (k.report ->> 'model_failures')::int = 0), '-infinity')) f
WHERE m.external_id = %(external_id)s AND m.model_failures > 0 AND m.closed_at IS NULL
  AND (%(ids)s::bigint[] IS NULL OR m.id = ANY (%(ids)s::bigint[]))
ORDER BY m.model_failures DESC, m.external_id, m.id
LIMIT %(limit)s

-- name: reviews
-- How many runs wait for a person, and since when the first of them.
SELECT count(*) AS disputes, count(DISTINCT run_id) AS count, min(created_at) AS since FROM agentmem.dispute
WHERE status = 'pending' AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)

-- name: projections
-- How many tenants' graphs were ever projected, and how many rebuilds are not complete.
SELECT count(*) AS tenants, count(rebuild) AS rebuilding FROM agentmem.graph_projection
WHERE (%(external_id)s::text IS NULL OR external_id = %(external_id)s)

-- name: outbox
-- How many changes of the graph wait to be projected, for how long the oldest, and how many were set aside.
SELECT count(*) FILTER (WHERE dead_at IS NULL) AS pending, count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead,
       coalesce(extract(epoch FROM now() - min(at) FILTER (WHERE dead_at IS NULL)), 0)::float8 AS lag_seconds
FROM agentmem.graph_outbox
WHERE (%(external_id)s::text IS NULL OR external_id = %(external_id)s)

-- name: listening
-- Workers that wait on a connection of their own for memories to become due.
SELECT count(*) AS workers FROM pg_stat_activity
WHERE datname = current_database() AND application_name = %(application)s
