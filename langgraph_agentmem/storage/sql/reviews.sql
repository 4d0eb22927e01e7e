-- name: insert_disputes
-- What a run leaves to a person.
INSERT INTO agentmem.dispute (external_id, run_id, memory_id, kind, section_id, existing_ids, new_id, chunk_ids, verdict,
                              traits, because)
SELECT %(external_id)s, %(run_id)s, %(memory_id)s, u.kind, u.section_id, u.existing_ids::bigint[], u.new_id,
       u.chunk_ids::bigint[], u.verdict::jsonb, u.traits::jsonb, u.because
FROM unnest(%(kinds)s::text[], %(section_ids)s::text[], %(existing_ids)s::text[], %(new_ids)s::bigint[],
            %(chunk_ids)s::text[], %(verdicts)s::text[], %(traits)s::text[], %(becauses)s::text[])
     WITH ORDINALITY AS u (kind, section_id, existing_ids, new_id, chunk_ids, verdict, traits, because, place)
ORDER BY u.place
RETURNING id

-- name: disputes_about
-- The disputes, decided ones too, about any of these chunks of a memory.
SELECT kind, existing_ids, new_id, verdict, status, decision FROM agentmem.dispute
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND kind IN ('chunk', 'merge')
  AND existing_ids && %(chunk_ids)s::bigint[] AND status <> 'withdrawn'
ORDER BY id

-- name: pending_runs
-- Runs of one tenant or of all that wait for a person, the longest waiting first.
SELECT external_id, run_id::text AS run_id, min(created_at) AS waiting_since FROM agentmem.dispute
WHERE status = 'pending' AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
  AND (%(memory_id)s::bigint IS NULL OR memory_id = %(memory_id)s)
GROUP BY external_id, run_id
ORDER BY waiting_since, external_id, run_id
LIMIT %(limit)s

-- name: count_pending
-- How many disputes wait for a person, of all tenants.
SELECT count(*) AS disputes FROM agentmem.dispute WHERE status = 'pending'

-- name: disputes_of_runs
-- The disputes of some runs.
SELECT external_id, id, run_id::text AS run_id, memory_id, kind, section_id, existing_ids, new_id, verdict, traits, because,
       status, decision, reviewer, review_run_id::text AS review_run_id, created_at, closed_at
FROM agentmem.dispute
WHERE external_id = %(external_id)s AND run_id = ANY (%(run_ids)s::uuid[])
ORDER BY id

-- name: open_disputes
-- What waits for a person, of a tenant's memories or of those of these ids, the oldest first, with what valid chunks say.
SELECT d.id, d.run_id::text AS run_id, d.memory_id, a.title AS memory_title, d.kind, d.section_id, d.chunk_ids,
       d.verdict, d.traits, d.created_at,
       ARRAY(SELECT c.content FROM agentmem.memory_chunk c
             WHERE c.external_id = %(external_id)s AND c.id = ANY (d.existing_ids) AND d.kind IN ('chunk', 'merge')
               AND c.end_date IS NULL ORDER BY c.id) AS existing,
       (SELECT c.content FROM agentmem.memory_chunk c
        WHERE c.external_id = %(external_id)s AND c.id = d.new_id AND d.kind = 'chunk' AND c.end_date IS NULL) AS new
FROM agentmem.dispute d
JOIN agentmem.active_memory a ON a.external_id = %(external_id)s AND a.id = d.memory_id
WHERE d.external_id = %(external_id)s AND d.status = 'pending' AND d.closed_at IS NULL
  AND (%(memory_ids)s::bigint[] IS NULL OR d.memory_id = ANY (%(memory_ids)s::bigint[]))
ORDER BY d.created_at, d.id
LIMIT %(limit)s

-- name: titles
-- The titles of memories, open or closed.
SELECT id, title FROM agentmem.active_memory WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)

-- name: chunks
-- Chunks as they are, with what took their place.
SELECT c.id, c.content, c.section_id, c.section_revision, c.source, c.run_id::text AS run_id, c.start_date, c.current,
       c.end_date IS NULL AS valid, c.superseded_by, s.content AS successor
FROM agentmem.memory_chunk c
LEFT JOIN agentmem.memory_chunk s ON s.external_id = %(external_id)s AND s.id = c.superseded_by
WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s)

-- name: supporting_chunks
-- The chunks that state entities and relationships, the newest first.
SELECT m.entity_id, m.relationship_id, c.id AS chunk_id, c.section_id, c.content, c.source, c.start_date
FROM agentmem.mention m
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.id = m.chunk_id
WHERE m.external_id = %(external_id)s
  AND (m.entity_id = ANY (%(entity_ids)s) OR m.relationship_id = ANY (%(relationship_ids)s))
ORDER BY c.id DESC

-- name: section_values
-- Sections of a memory as they are.
SELECT section_id, updated_at, value, text_fields FROM agentmem.section
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND section_id = ANY (%(section_ids)s)

-- name: close_disputes
-- Notes what a person has decided.
UPDATE agentmem.dispute d
SET status = 'decided', decision = u.decision::jsonb, reviewer = %(reviewer)s, review_run_id = %(review_run_id)s,
    closed_at = now()
FROM unnest(%(ids)s::bigint[], %(decisions)s::text[]) AS u (id, decision)
WHERE d.external_id = %(external_id)s AND d.id = u.id

-- name: withdraw_disputes
-- Takes back what a run has left to a person and nobody has decided.
UPDATE agentmem.dispute SET status = 'withdrawn', closed_at = now()
WHERE external_id = %(external_id)s AND run_id = %(run_id)s AND status = 'pending'

-- name: reopen_disputes
-- Opens again what a review had decided.
UPDATE agentmem.dispute
SET status = 'pending', decision = NULL, reviewer = NULL, review_run_id = NULL, closed_at = NULL
WHERE external_id = %(external_id)s AND review_run_id = %(run_id)s
RETURNING id

-- name: replace_disputed
-- Lets disputes name what took the place of an entity or a relationship that a review had removed.
UPDATE agentmem.dispute d SET new_id = u.new_id
FROM unnest(%(kinds)s::text[], %(old_ids)s::bigint[], %(new_ids)s::bigint[]) AS u (kind, old_id, new_id)
WHERE d.external_id = %(external_id)s AND d.memory_id = %(memory_id)s AND d.kind = u.kind AND d.new_id = u.old_id

-- name: insert_tombstones
-- What a person has rejected.
INSERT INTO agentmem.tombstone (external_id, memory_id, dispute_id, kind, key)
SELECT %(external_id)s, %(memory_id)s, u.dispute_id, u.kind, u.key
FROM unnest(%(dispute_ids)s::bigint[], %(kinds)s::text[], %(keys)s::bytea[]) AS u (dispute_id, kind, key)

-- name: delete_tombstones
-- Forgets that a person has rejected something.
DELETE FROM agentmem.tombstone WHERE external_id = %(external_id)s AND dispute_id = ANY (%(dispute_ids)s)

-- name: tombstones
-- When a person has last rejected what has one of these keys.
SELECT t.kind, t.key, max(t.rejected_at) AS rejected_at FROM agentmem.tombstone t
JOIN unnest(%(kinds)s::text[], %(keys)s::bytea[]) AS u (kind, key) ON u.kind = t.kind AND u.key = t.key
WHERE t.external_id = %(external_id)s AND t.memory_id = %(memory_id)s
GROUP BY t.kind, t.key

-- name: has_tombstones
-- Whether a person has ever rejected anything of a memory.
SELECT EXISTS (SELECT 1 FROM agentmem.tombstone
               WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s) AS found

-- name: written_at
-- When the texts of chunks were written.
SELECT id, start_date FROM agentmem.memory_chunk WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)

-- name: disputed
-- Those of these entities and relationships that wait for a person.
SELECT d.kind, u.id FROM agentmem.dispute d
CROSS JOIN LATERAL unnest(d.existing_ids || d.new_id) AS u (id)
WHERE d.external_id = %(external_id)s AND d.status = 'pending'
  AND ((d.kind = 'entity' AND u.id = ANY (%(entity_ids)s)) OR (d.kind = 'relationship' AND u.id = ANY (%(relationship_ids)s)))

-- name: forget_disputes
-- Removes disputes about what was made from items, and what they have led persons to reject.
DELETE FROM agentmem.dispute d
WHERE d.external_id = %(external_id)s AND d.memory_id = %(memory_id)s
  AND (d.section_id = ANY (%(keys)s)
       OR d.chunk_ids && ARRAY(SELECT c.id FROM agentmem.memory_chunk c
                               WHERE c.external_id = %(external_id)s AND c.memory_id = %(memory_id)s
                                 AND c.section_id = ANY (%(keys)s))
       OR (d.kind = 'entity' AND (d.existing_ids || d.new_id) && %(entity_ids)s::bigint[])
       OR (d.kind = 'relationship' AND (d.existing_ids || d.new_id) && %(relationship_ids)s::bigint[]))
