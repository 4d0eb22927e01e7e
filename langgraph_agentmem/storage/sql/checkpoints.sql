-- name: checkpoint_tables
-- Whether there are the tables of LangGraph's PostgreSQL checkpointers.
SELECT to_regclass('checkpoint_migrations') IS NOT NULL AS made

-- name: checkpoint_version
-- Which of their migrations these tables have seen.
SELECT coalesce(max(v), -1) AS version FROM checkpoint_migrations

-- name: try_lock_setup
-- Whether it is this transaction's turn to set these tables up. Nobody may wait in a statement: indexes that are built
-- concurrently would wait for it.
SELECT pg_try_advisory_xact_lock({key}) AS locked

-- name: checkpoint_metadata
-- The metadata of a checkpoint of a graph itself.
SELECT metadata FROM checkpoints
WHERE thread_id = %(thread_id)s AND checkpoint_ns = '' AND checkpoint_id = %(checkpoint_id)s

-- name: thread_exists
-- Whether a thread has anything.
SELECT EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = %(thread_id)s)
    OR EXISTS (SELECT 1 FROM checkpoint_writes WHERE thread_id = %(thread_id)s) AS found

-- name: copy_checkpoints
-- Copies a thread as it stands at one moment.
WITH copied AS (
    INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,
           CASE WHEN metadata ? 'thread_id' THEN jsonb_set(metadata, '{thread_id}', to_jsonb(%(target)s::text))
                ELSE metadata END
    FROM checkpoints WHERE thread_id = %(source)s
),
blobs AS (
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT %(target)s, checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs WHERE thread_id = %(source)s
)
INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path)
SELECT %(target)s, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path
FROM checkpoint_writes WHERE thread_id = %(source)s

-- name: needed_runs
-- Threads with a later checkpoint, not of these runs, whose delta channels are rebuilt from one of these runs.
SELECT DISTINCT c.thread_id
FROM checkpoints g
JOIN checkpoints c
  ON c.thread_id = g.thread_id AND c.checkpoint_ns = g.checkpoint_ns AND c.parent_checkpoint_id = g.checkpoint_id
WHERE g.metadata ->> 'run_id' = ANY (%(run_ids)s)
  -- IS NOT TRUE: a checkpoint whose metadata name no run is not of these runs either.
  AND (c.metadata ->> 'run_id' = ANY (%(run_ids)s)) IS NOT TRUE
  AND EXISTS (SELECT 1 FROM checkpoints d WHERE d.thread_id = c.thread_id AND d.checkpoint_ns = c.checkpoint_ns
              AND (d.metadata ? 'counters_since_delta_snapshot' OR d.metadata ? 'delta_writes_versioned'))
ORDER BY c.thread_id

-- name: delete_runs
-- Removes the checkpoints of runs, with their writes and what of their values no other checkpoint has.
WITH gone AS (
    DELETE FROM checkpoints WHERE metadata ->> 'run_id' = ANY (%(run_ids)s)
    RETURNING thread_id, checkpoint_ns, checkpoint_id, checkpoint
),
writes AS (
    DELETE FROM checkpoint_writes w USING gone g
    WHERE w.thread_id = g.thread_id AND w.checkpoint_ns = g.checkpoint_ns AND w.checkpoint_id = g.checkpoint_id
),
freed AS (
    SELECT g.thread_id, g.checkpoint_ns, v.key, v.value
    FROM gone g, jsonb_each_text(g.checkpoint -> 'channel_versions') v
    -- What another checkpoint still has, stays.
    EXCEPT
    SELECT c.thread_id, c.checkpoint_ns, v.key, v.value
    FROM checkpoints c, jsonb_each_text(c.checkpoint -> 'channel_versions') v
    WHERE c.thread_id IN (SELECT g.thread_id FROM gone g)
      AND (c.metadata ->> 'run_id' = ANY (%(run_ids)s)) IS NOT TRUE
),
blobs AS (
    DELETE FROM checkpoint_blobs b USING freed f
    WHERE b.thread_id = f.thread_id AND b.checkpoint_ns = f.checkpoint_ns AND b.channel = f.key AND b.version = f.value
)
UPDATE checkpoints c SET parent_checkpoint_id = NULL
FROM gone g
WHERE c.thread_id = g.thread_id AND c.checkpoint_ns = g.checkpoint_ns AND c.parent_checkpoint_id = g.checkpoint_id
  AND (c.metadata ->> 'run_id' = ANY (%(run_ids)s)) IS NOT TRUE

-- name: keep_latest
-- Keeps of every namespace of threads the latest checkpoint and those that its delta channels are rebuilt from; a call of a
-- subgraph goes with the root checkpoint that it started from.
WITH RECURSIVE latest AS (
    SELECT DISTINCT ON (thread_id, checkpoint_ns)
           thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata
    FROM checkpoints WHERE thread_id = ANY (%(thread_ids)s)
    ORDER BY thread_id, checkpoint_ns, checkpoint_id DESC
),
-- Channels that were delta channels at any time: what was written then stays to be rebuilt. LangGraph.js does not say
-- which, so that all channels count.
delta AS (
    SELECT DISTINCT c.thread_id, c.checkpoint_ns, k.key
    FROM checkpoints c, jsonb_object_keys(c.metadata -> 'counters_since_delta_snapshot') AS k (key)
    WHERE c.thread_id = ANY (%(thread_ids)s)
    UNION
    SELECT c.thread_id, c.checkpoint_ns, v.key
    FROM checkpoints c, jsonb_object_keys(c.checkpoint -> 'channel_versions') AS v (key)
    WHERE c.thread_id = ANY (%(thread_ids)s) AND c.metadata ? 'delta_writes_versioned'
),
-- Those of them whose value does not stand in the latest checkpoint but comes of its ancestors' writes.
head AS (
    SELECT l.*, ARRAY(
        SELECT v.key
        FROM jsonb_each_text(l.checkpoint -> 'channel_versions') v
        JOIN delta d ON d.thread_id = l.thread_id AND d.checkpoint_ns = l.checkpoint_ns AND d.key = v.key
        WHERE (l.checkpoint -> 'channel_values' -> v.key) IS NULL
          AND NOT EXISTS (SELECT 1 FROM checkpoint_blobs b
                          WHERE b.thread_id = l.thread_id AND b.checkpoint_ns = l.checkpoint_ns AND b.channel = v.key
                            AND b.version = v.value AND b.type <> 'empty')
    ) AS wanted
    FROM latest l
),
-- Each ancestor takes off the list what it has a value of; the walk ends when nothing is wanted any more.
chain AS (
    SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, wanted FROM head
    UNION ALL
    SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, ARRAY(
        SELECT w.key FROM unnest(p.wanted) AS w (key)
        WHERE coalesce(c.checkpoint -> 'channel_values' -> w.key, 'null') = 'null'
          AND NOT EXISTS (SELECT 1 FROM checkpoint_blobs b
                          WHERE b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns AND b.channel = w.key
                            AND b.version = c.checkpoint -> 'channel_versions' ->> w.key AND b.type <> 'empty')
    )
    FROM chain p
    JOIN checkpoints c
      ON c.thread_id = p.thread_id AND c.checkpoint_ns = p.checkpoint_ns AND c.checkpoint_id = p.parent_checkpoint_id
    WHERE cardinality(p.wanted) > 0
),
-- Up to format 3, what was sent to other nodes stands in the parent.
kept AS (
    SELECT thread_id, checkpoint_ns, checkpoint_id FROM chain
    UNION
    SELECT h.thread_id, h.checkpoint_ns, h.parent_checkpoint_id
    FROM head h
    JOIN checkpoint_writes w
      ON w.thread_id = h.thread_id AND w.checkpoint_ns = h.checkpoint_ns AND w.checkpoint_id = h.parent_checkpoint_id
    WHERE (h.checkpoint ->> 'v')::int < 4 AND w.channel = '__pregel_tasks'
),
-- Calls of subgraphs, whose namespaces hold a colon, that were begun from a root checkpoint which goes.
ended AS (
    SELECT h.thread_id, h.checkpoint_ns
    FROM head h
    JOIN checkpoints r ON r.thread_id = h.thread_id AND r.checkpoint_ns = '' AND r.checkpoint_id = h.metadata -> 'parents' ->> ''
    WHERE position(':' IN h.checkpoint_ns) > 0
      AND NOT EXISTS (SELECT 1 FROM kept k WHERE k.thread_id = r.thread_id AND k.checkpoint_ns = ''
                      AND k.checkpoint_id = r.checkpoint_id)
),
remaining AS (
    SELECT k.* FROM kept k WHERE (k.thread_id, k.checkpoint_ns) NOT IN (SELECT thread_id, checkpoint_ns FROM ended)
),
gone AS (
    DELETE FROM checkpoints c
    WHERE c.thread_id = ANY (%(thread_ids)s)
      AND (c.thread_id, c.checkpoint_ns, c.checkpoint_id) NOT IN (SELECT * FROM remaining)
    RETURNING c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.checkpoint
),
writes AS (
    DELETE FROM checkpoint_writes w USING gone g
    WHERE w.thread_id = g.thread_id AND w.checkpoint_ns = g.checkpoint_ns AND w.checkpoint_id = g.checkpoint_id
),
freed AS (
    SELECT g.thread_id, g.checkpoint_ns, v.key, v.value
    FROM gone g, jsonb_each_text(g.checkpoint -> 'channel_versions') v
    EXCEPT
    SELECT c.thread_id, c.checkpoint_ns, v.key, v.value
    FROM remaining r
    JOIN checkpoints c USING (thread_id, checkpoint_ns, checkpoint_id),
    jsonb_each_text(c.checkpoint -> 'channel_versions') v
),
blobs AS (
    DELETE FROM checkpoint_blobs b USING freed f
    WHERE b.thread_id = f.thread_id AND b.checkpoint_ns = f.checkpoint_ns AND b.channel = f.key AND b.version = f.value
)
UPDATE checkpoints c SET parent_checkpoint_id = NULL
FROM remaining r
WHERE c.thread_id = r.thread_id AND c.checkpoint_ns = r.checkpoint_ns AND c.checkpoint_id = r.checkpoint_id
  AND c.parent_checkpoint_id IS NOT NULL
  AND (c.thread_id, c.checkpoint_ns, c.parent_checkpoint_id) NOT IN (SELECT * FROM remaining)

-- name: insert_at_once
-- Inserts what LangGraph's checkpointer does by several statements.
WITH {stored} SELECT

-- name: threads_after
-- Some threads, in the order of their ids.
SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id > %(after)s ORDER BY thread_id LIMIT %(limit)s

-- name: tenants_named
-- Which tenants the checkpoints of threads name: by the first of some names that their metadata have.
SELECT DISTINCT c.thread_id, {named} AS tenant
FROM checkpoints c
WHERE c.thread_id = ANY (%(thread_ids)s) AND c.checkpoint_ns = ''

-- name: tenants_of_thread
-- Which tenants the checkpoints of a thread name, in whichever namespace.
SELECT DISTINCT t.tenant
FROM checkpoints c
CROSS JOIN LATERAL (SELECT {named} AS tenant) t
WHERE c.thread_id = %(thread_id)s AND t.tenant IS NOT NULL

-- name: named_tenant
-- The tenant that a checkpoint names: what its metadata have under the first of some names that is there.
(SELECT c.metadata ->> k.key FROM unnest(%(tenant_keys)s::text[]) WITH ORDINALITY AS k (key, place)
 WHERE c.metadata ->> k.key IS NOT NULL ORDER BY k.place LIMIT 1)

-- name: rows_of_threads
-- How many rows each of these threads has.
SELECT t.thread_id, (SELECT count(*) FROM checkpoints c WHERE c.thread_id = t.thread_id)
    + (SELECT count(*) FROM checkpoint_blobs b WHERE b.thread_id = t.thread_id)
    + (SELECT count(*) FROM checkpoint_writes w WHERE w.thread_id = t.thread_id) AS count
FROM unnest(%(thread_ids)s::text[]) AS t (thread_id)
ORDER BY t.thread_id

-- name: forget_threads
-- Removes all that threads have; counts it.
WITH writes AS (DELETE FROM checkpoint_writes WHERE thread_id = ANY (%(thread_ids)s) RETURNING thread_id),
blobs AS (DELETE FROM checkpoint_blobs WHERE thread_id = ANY (%(thread_ids)s) RETURNING thread_id),
gone AS (DELETE FROM checkpoints WHERE thread_id = ANY (%(thread_ids)s) RETURNING thread_id)
SELECT (SELECT count(*) FROM writes) AS checkpoint_writes, (SELECT count(*) FROM blobs) AS checkpoint_blobs,
       (SELECT count(*) FROM gone) AS checkpoints

-- name: idle_threads
-- Those of these threads that have no checkpoint of the last days.
SELECT thread_id FROM checkpoints WHERE thread_id = ANY (%(thread_ids)s)
GROUP BY thread_id
HAVING max((checkpoint ->> 'ts')::timestamptz) < now() - %(days)s * interval '1 day'
ORDER BY thread_id
