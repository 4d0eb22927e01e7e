-- name: some_tenants
-- Tenants that have memories, by name; only those in whose name a text occurs, if one is given.
SELECT DISTINCT external_id FROM agentmem.active_memory
WHERE external_id > %(after)s AND (%(part)s::text IS NULL OR strpos(lower(external_id), lower(%(part)s)) > 0)
ORDER BY external_id LIMIT %(limit)s

-- name: old_runs
-- Removes some of a tenant's old runs, with their disputes. Each memory's log is cut at its beginning: an undo asks the runs
-- that came later. It is cut no further than where a run is under way, has left something to a person, or was decided
-- about lately, or where something was rejected that is not to come back.
DELETE FROM agentmem.consolidation_run
WHERE external_id = %(external_id)s AND id IN (
    SELECT r.id FROM agentmem.consolidation_run r
    WHERE r.external_id = %(external_id)s AND r.finished_at < now() - %(days)s * interval '1 day'
      AND NOT EXISTS (
          SELECT 1 FROM agentmem.consolidation_run k
          LEFT JOIN agentmem.dispute d ON d.external_id = %(external_id)s AND d.run_id = k.id
          LEFT JOIN agentmem.tombstone t ON t.external_id = %(external_id)s AND t.dispute_id = d.id
          WHERE k.external_id = %(external_id)s AND k.memory_id = r.memory_id AND k.started_at <= r.started_at
            AND (k.finished_at IS NULL OR k.finished_at >= now() - %(days)s * interval '1 day' OR d.status = 'pending'
                 OR d.closed_at >= now() - %(days)s * interval '1 day' OR t.id IS NOT NULL))
    ORDER BY r.started_at LIMIT %(limit)s)
RETURNING id

-- name: old_chunks
-- Some of a tenant's chunks that were superseded long ago, of one memory; what a dispute names stays with it.
SELECT c.id, c.memory_id FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.end_date < now() - %(days)s * interval '1 day' AND NOT c.current AND c.tier <> 'active'
  AND NOT EXISTS (SELECT 1 FROM agentmem.dispute d
                  WHERE d.external_id = %(external_id)s AND d.memory_id = c.memory_id AND c.id = ANY (d.chunk_ids))
ORDER BY c.memory_id, c.id
LIMIT %(limit)s

-- name: lock_old_chunks
-- Those of these chunks that are still superseded.
SELECT c.id FROM agentmem.memory_chunk c
WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s) AND c.end_date < now() - %(days)s * interval '1 day' AND NOT c.current
ORDER BY c.id
FOR UPDATE

-- name: old_history
-- Removes some old entries of a tenant's state history.
DELETE FROM agentmem.state_history
WHERE external_id = %(external_id)s AND id IN (
    SELECT h.id FROM agentmem.state_history h
    WHERE h.external_id = %(external_id)s AND h.at < now() - %(days)s * interval '1 day'
    LIMIT %(limit)s)
RETURNING id
