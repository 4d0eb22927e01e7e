-- name: insert_run
-- A run that has just claimed its memory; claiming twice is claiming once.
INSERT INTO agentmem.consolidation_run (external_id, id, memory_id, status, snapshot, worker, due_at)
VALUES (%(external_id)s, %(run_id)s, %(memory_id)s, 'running', %(snapshot)s, %(worker)s, %(due_at)s)
ON CONFLICT (external_id, id) DO UPDATE SET snapshot = excluded.snapshot, worker = excluded.worker
WHERE consolidation_run.status = 'running' AND consolidation_run.memory_id = excluded.memory_id
RETURNING id

-- name: abandon_runs
-- Runs whose lease has gone to another one.
UPDATE agentmem.consolidation_run SET status = 'abandoned', finished_at = now()
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND status = 'running' AND id <> %(run_id)s

-- name: run
-- A run.
SELECT external_id, id::text AS id, memory_id, status, snapshot, conflicts, plan, resolver, report, changes, usage, error,
       worker, due_at, started_at, finished_at
FROM agentmem.consolidation_run
WHERE external_id = %(external_id)s AND id = %(run_id)s

-- name: lock_run
-- A run, locked.
SELECT external_id, id::text AS id, memory_id, status, snapshot, conflicts, plan, resolver, report, changes, usage, error,
       worker, due_at, started_at, finished_at
FROM agentmem.consolidation_run
WHERE external_id = %(external_id)s AND id = %(run_id)s
FOR UPDATE

-- name: runs
-- A tenant's runs, newest first.
SELECT external_id, id::text AS id, memory_id, status, snapshot, conflicts, plan, resolver, report, changes, usage, error,
       worker, due_at, started_at, finished_at
FROM agentmem.consolidation_run
WHERE external_id = %(external_id)s
  AND (%(memory_id)s::bigint IS NULL OR memory_id = %(memory_id)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY started_at DESC, id
LIMIT %(limit)s

-- name: finish_run
-- A run was applied.
UPDATE agentmem.consolidation_run
SET status = 'applied', conflicts = %(conflicts)s, plan = %(plan)s, resolver = %(resolver)s, report = %(report)s,
    changes = %(changes)s, usage = %(usage)s, finished_at = now()
WHERE external_id = %(external_id)s AND id = %(run_id)s

-- name: insert_review
-- What a person has decided about a run, or what a promotion made one, as a run of its own.
INSERT INTO agentmem.consolidation_run (external_id, id, memory_id, status, snapshot, resolver, report, changes, worker,
                                        finished_at)
VALUES (%(external_id)s, %(run_id)s, %(memory_id)s, 'applied', %(snapshot)s, %(resolver)s, %(report)s, %(changes)s,
        %(worker)s, now())

-- name: fail_run
-- A run failed; its memory goes back as it was.
UPDATE agentmem.consolidation_run SET status = 'failed', error = %(error)s, finished_at = now()
WHERE external_id = %(external_id)s AND id = %(run_id)s AND status = 'running'

-- name: undo_run
-- A run was undone.
UPDATE agentmem.consolidation_run SET status = 'undone'
WHERE external_id = %(external_id)s AND id = %(run_id)s

-- name: report_promotion
-- Adds what the promotion at its end did to a run's report.
UPDATE agentmem.consolidation_run SET report = %(report)s
WHERE external_id = %(external_id)s AND id = %(run_id)s
