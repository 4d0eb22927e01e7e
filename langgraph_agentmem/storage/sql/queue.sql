-- name: due_after
-- Memories that wait for a run, by tenant and then the longest waiting first: those of the tenants after one of them.
SELECT external_id, id FROM agentmem.active_memory
WHERE external_id > %(after)s AND due_at <= now() AND dead_at IS NULL AND closed_at IS NULL
  AND (next_attempt_at IS NULL OR next_attempt_at <= now())
  AND (lease_owner IS NULL OR lease_expires_at < now())
ORDER BY external_id, due_at, id
LIMIT %(limit)s

-- name: due_memories
-- A tenant's memories that wait for a run, longest waiting first.
SELECT id FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND due_at <= now() AND dead_at IS NULL AND closed_at IS NULL
  AND (next_attempt_at IS NULL OR next_attempt_at <= now())
  AND (lease_owner IS NULL OR lease_expires_at < now())
ORDER BY due_at, id
LIMIT %(limit)s

-- name: longest_waiting
-- The tenant whose memory waits for a run longest.
SELECT external_id FROM agentmem.active_memory
WHERE due_at <= now() AND dead_at IS NULL AND closed_at IS NULL
  AND (next_attempt_at IS NULL OR next_attempt_at <= now())
  AND (lease_owner IS NULL OR lease_expires_at < now())
ORDER BY due_at
LIMIT %(limit)s

-- name: mark_due
-- Puts a memory into the queue now; one that is due keeps its place.
UPDATE agentmem.active_memory SET due_at = now()
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND (due_at IS NULL OR due_at > now())

-- name: mark_pending_due
-- Puts every memory of a tenant with pending updates into the queue, in which it need not wait.
UPDATE agentmem.active_memory SET due_at = now(), next_attempt_at = NULL
WHERE external_id = %(external_id)s AND closed_at IS NULL AND pending_updates > 0
  AND (%(memory_id)s::bigint IS NULL OR id = %(memory_id)s)
RETURNING id

-- name: schedule
-- Lets a memory be due a while after a time, unless it is sooner.
UPDATE agentmem.active_memory
SET due_at = LEAST(due_at, %(since)s::timestamptz + %(minutes)s::float8 * interval '1 minute')
WHERE external_id = %(external_id)s AND id = %(memory_id)s

-- name: clear_due
-- Takes a memory out of the queue.
UPDATE agentmem.active_memory
SET due_at = NULL, attempts = 0, next_attempt_at = NULL, dead_at = NULL, last_error = NULL
-- A time that is still to come is that of an extraction which is to be made up for.
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND due_at <= now()

-- name: notify_due
-- Wakes those who listen, once the transaction commits.
SELECT pg_notify('agentmem_due', '')

-- name: listen_due
-- Lets a connection hear of memories that are due.
LISTEN agentmem_due

-- name: lease_memory
-- Gives an open memory to a run, unless another run holds it; if so asked, only if the queue offers it.
UPDATE agentmem.active_memory
SET lease_owner = %(run_id)s, lease_expires_at = now() + %(lease_seconds)s * interval '1 second',
    attempts = attempts + %(attempts)s::int
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND closed_at IS NULL
  -- The same run may claim again, as when the answer to its first claim was lost.
  AND (lease_owner IS NULL OR lease_owner = %(run_id)s OR lease_expires_at < now())
  AND (NOT %(if_due)s OR (due_at <= now() AND dead_at IS NULL AND (next_attempt_at IS NULL OR next_attempt_at <= now())))
RETURNING *

-- name: renew_lease
-- Lets a run go on holding its memory.
UPDATE agentmem.active_memory SET lease_expires_at = now() + %(lease_seconds)s * interval '1 second'
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND lease_owner = %(run_id)s

-- name: leased
-- Whether a run holds a memory.
SELECT 1 FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND lease_owner IS NOT NULL AND lease_expires_at >= now()

-- name: give_back_memory
-- Takes the lease from a run that found nothing to do, or was stopped, as if it had never been claimed.
UPDATE agentmem.active_memory
SET lease_owner = NULL, lease_expires_at = NULL, attempts = GREATEST(attempts - %(attempts)s::int, 0)
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND lease_owner = %(run_id)s

-- name: fail_memory
-- Takes the lease from a run that failed; the queue offers the memory again after a while.
UPDATE agentmem.active_memory
SET lease_owner = NULL, lease_expires_at = NULL, attempts = %(attempts)s, last_error = %(error)s,
    next_attempt_at = now() + %(wait_seconds)s * interval '1 second'
-- Without an owner, the run failed while it was claiming.
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND (lease_owner = %(run_id)s OR lease_owner IS NULL)

-- name: note_model
-- Notes in how many runs the model has failed, one after the other, and when runs from the queue may ask it again.
UPDATE agentmem.active_memory
SET model_failures = %(failures)s, model_retry_at = %(retry_at)s
WHERE external_id = %(external_id)s AND id = %(memory_id)s

-- name: model_rests
-- Whether runs from the queue are not to ask the model yet.
SELECT 1 FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND model_retry_at > now()

-- name: give_up_memory
-- Sets a due memory aside that nobody holds, as a dead letter.
UPDATE agentmem.active_memory
SET dead_at = now(), last_error = %(error)s, lease_owner = NULL, lease_expires_at = NULL
WHERE external_id = %(external_id)s AND id = %(memory_id)s AND due_at <= now() AND dead_at IS NULL
  AND (lease_owner IS NULL OR lease_expires_at < now())
RETURNING id

-- name: all_dead_letters
-- Memories of all tenants that were set aside, by tenant and id.
SELECT external_id, id FROM agentmem.active_memory
WHERE dead_at IS NOT NULL AND closed_at IS NULL
ORDER BY external_id, id
LIMIT %(limit)s

-- name: dead_letters
-- A tenant's memories that were set aside, or some of them.
SELECT external_id, id AS memory_id, title, pending_updates, attempts, due_at, dead_at, last_error AS error
FROM agentmem.active_memory
WHERE external_id = %(external_id)s AND dead_at IS NOT NULL AND closed_at IS NULL
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
ORDER BY id
LIMIT %(limit)s

-- name: retry_dead_letters
-- Puts a tenant's memories that were set aside, or one of them, back into the queue, with all attempts before them.
UPDATE agentmem.active_memory SET dead_at = NULL, attempts = 0, next_attempt_at = NULL
WHERE external_id = %(external_id)s AND dead_at IS NOT NULL AND closed_at IS NULL
  AND (%(memory_id)s::bigint IS NULL OR id = %(memory_id)s)
RETURNING id

-- name: tenants_with_dead_letters
-- Tenants of which memories were set aside.
SELECT DISTINCT external_id FROM agentmem.active_memory
WHERE dead_at IS NOT NULL AND closed_at IS NULL AND external_id > %(after)s
ORDER BY external_id
LIMIT %(limit)s

-- name: queue_status
-- How many memories are in which state of the queue, of one tenant or of all, and since when the oldest is due.
SELECT count(*) FILTER (WHERE q.state = 'due') AS due, count(*) FILTER (WHERE q.state = 'running') AS running,
       count(*) FILTER (WHERE q.state = 'waiting') AS waiting, count(*) FILTER (WHERE q.state = 'dead') AS dead,
       count(*) FILTER (WHERE q.state = 'scheduled') AS scheduled,
       min(q.due_at) FILTER (WHERE q.state IN ('due', 'running', 'waiting')) AS oldest_due_at,
       coalesce(extract(epoch FROM now() - min(q.due_at) FILTER (WHERE q.state IN ('due', 'running', 'waiting'))), 0)::float8
           AS lag_seconds,
       count(*) FILTER (WHERE q.model_failures > 0) AS model_failing
FROM (
    SELECT due_at, model_failures,
           CASE WHEN due_at IS NULL THEN 'idle'
                WHEN lease_owner IS NOT NULL AND lease_expires_at >= now() THEN 'running'
                WHEN dead_at IS NOT NULL THEN 'dead'
                WHEN due_at > now() THEN 'scheduled'
                WHEN next_attempt_at > now() THEN 'waiting'
                ELSE 'due' END AS state
    FROM agentmem.active_memory
    WHERE (due_at IS NOT NULL OR model_failures > 0) AND closed_at IS NULL
      AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
) q
