-- name: write_chunks
-- Makes the stored chunks of sections those of their present values, and counts the new ones that wait for a vector.
--
-- The n-th of several equal chunks matches the n-th stored one; present ones are preferred to earlier ones that are still
-- valid and come back. Chunks that the section no longer holds go, or, where a run has seen them, are no longer current.
-- A consolidated one that comes back is news to the next run, so it belongs to none.
--
-- What is looked up is looked up row by row, and only where there may be something: a plan that was made when the tables
-- were small would read all of a tenant's rows for a join. `OFFSET 0` keeps it from making one. `max_rows` is no limit, but
-- without one the planner takes every array for ten rows, and plans the statement anew each time, which takes as long as
-- running it.
WITH memory AS MATERIALIZED (
    SELECT array_agg(a.id ORDER BY n.place) AS ids
    FROM (
        SELECT u.place, u.namespace::text[] AS namespace
        FROM unnest(%(namespaces)s::text[]) WITH ORDINALITY AS u (namespace, place)
        LIMIT %(max_rows)s) n
    LEFT JOIN {open_memory} a ON true
),
written AS MATERIALIZED (
    SELECT u.number, m.ids[u.place] AS memory_id, u.section_id, s.revision, s.source
    FROM memory m
    CROSS JOIN (
        SELECT * FROM unnest(%(places)s::int[], %(section_ids)s::text[]) WITH ORDINALITY AS u (place, section_id, number)
        LIMIT %(max_rows)s) u
    LEFT JOIN LATERAL (
        SELECT p.revision, p.source FROM agentmem.section p
        WHERE p.external_id = %(external_id)s AND p.memory_id = m.ids[u.place] AND p.section_id = u.section_id
        OFFSET 0) s ON true
),
numbered AS MATERIALIZED (
    SELECT array_agg(w.memory_id ORDER BY w.number) AS memory_ids, array_agg(w.revision ORDER BY w.number) AS revisions,
           array_agg(w.source ORDER BY w.number) AS sources
    FROM written w
),
wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        %(chunk_numbers)s::int[], %(chunk_section_ids)s::text[], %(chunk_orders)s::int[], %(contents)s::text[],
        %(content_hashes)s::bytea[], %(equal_before)s::int[], %(overlaps)s::text[], %(words)s::text[],
        %(own_words)s::text[], %(labels)s::text[], %(embeddings)s::text[], %(chunk_metadata)s::text[])
        WITH ORDINALITY AS u (number, section_id, chunk_order, content, content_hash, equal_before, overlap, words, own_words,
                              label, embedding, metadata, place)
    LIMIT %(max_rows)s
),
-- The stored chunks of each content, numbered once for all that are equal: counting anew for each would take as many steps
-- as the square of their number.
stored AS MATERIALIZED (
    SELECT u.number, u.content_hash, c.*
    FROM numbered n
    CROSS JOIN wanted u
    CROSS JOIN LATERAL (
        SELECT c.id, c.embedding_model, row_number() OVER (ORDER BY NOT c.current, c.chunk_order, c.id) - 1 AS equal_before
        FROM agentmem.memory_chunk c
        WHERE c.external_id = %(external_id)s AND c.memory_id = n.memory_ids[u.number] AND c.section_id = u.section_id
          AND c.content_hash = u.content_hash AND c.origin = 'section' AND (c.current OR c.end_date IS NULL)
        OFFSET 0) c
    WHERE u.equal_before = 0
),
-- By grouping, which is one pass however many the planner expects; of a join it may make a loop within a loop.
kept AS MATERIALIZED (
    SELECT array_agg(m.id ORDER BY m.place) AS ids, array_agg(m.embedding_model ORDER BY m.place) AS embedding_models
    FROM (
        SELECT max(b.place) AS place, coalesce(max(b.id), 0) AS id, coalesce(max(b.embedding_model), 0) AS embedding_model
        FROM (
            SELECT u.place, u.number, u.content_hash, u.equal_before, NULL::bigint AS id, NULL::smallint AS embedding_model
            FROM wanted u
            UNION ALL
            SELECT NULL, s.number, s.content_hash, s.equal_before, s.id, s.embedding_model FROM stored s) b
        GROUP BY b.number, b.content_hash, b.equal_before) m
    WHERE m.place IS NOT NULL
),
given AS MATERIALIZED (
    SELECT n.memory_ids[u.number] AS memory_id, n.revisions[u.number] AS revision, n.sources[u.number] AS source,
           u.section_id, u.chunk_order, u.content, u.content_hash, u.overlap, u.metadata::jsonb AS metadata,
           -- A chunk that stays keeps its vector, if it is one of this model.
           CASE WHEN nullif(k.embedding_models[u.place], 0) IS DISTINCT FROM %(embedding_model)s THEN u.embedding END AS embedding,
           u.words::sparsevec AS words, u.own_words::int[] AS own_words, u.label, nullif(k.ids[u.place], 0) AS kept
    FROM numbered n
    CROSS JOIN wanted u
    CROSS JOIN kept k
    -- A section that has been deleted since gets no chunks.
    WHERE n.revisions[u.number] IS NOT NULL
),
gone AS MATERIALIZED (
    SELECT s.id, s.claimed
    FROM written w
    CROSS JOIN LATERAL (
        SELECT c.id, c.run_id IS NOT NULL OR c.tier <> 'active' AS claimed FROM agentmem.memory_chunk c
        WHERE c.external_id = %(external_id)s AND c.memory_id = w.memory_id AND c.section_id = w.section_id
          AND c.origin = 'section' AND c.current
        OFFSET 0) s
    WHERE s.id NOT IN (SELECT g.kept FROM given g WHERE g.kept IS NOT NULL)
),
-- Each EXISTS is looked at once, before anything else: where nothing goes, the chunks are not read at all.
deleted AS (
    DELETE FROM agentmem.memory_chunk
    WHERE external_id = %(external_id)s AND EXISTS (SELECT 1 FROM gone g WHERE NOT g.claimed)
      AND id = ANY (ARRAY(SELECT g.id FROM gone g WHERE NOT g.claimed))
),
retired AS (
    UPDATE agentmem.memory_chunk SET current = false
    WHERE external_id = %(external_id)s AND EXISTS (SELECT 1 FROM gone g WHERE g.claimed)
      AND id = ANY (ARRAY(SELECT g.id FROM gone g WHERE g.claimed))
),
-- Most of what stays is as it was: what is not is found row by row, and only that is joined.
changed AS MATERIALIZED (
    SELECT g.* FROM given g
    CROSS JOIN LATERAL (
        SELECT FROM agentmem.memory_chunk c
        WHERE c.external_id = %(external_id)s AND c.id = g.kept
          AND (NOT c.current OR c.chunk_order <> g.chunk_order OR c.content <> g.content OR c.metadata <> g.metadata
               OR c.words <> g.words OR c.own_words <> g.own_words OR c.label IS DISTINCT FROM g.label
               OR g.embedding IS NOT NULL)
        OFFSET 0) c
    WHERE g.kept IS NOT NULL
),
refreshed AS (
    UPDATE agentmem.memory_chunk c
    SET chunk_order = g.chunk_order, content = g.content, metadata = g.metadata, words = g.words,
        own_words = g.own_words, label = g.label, current = true,
        run_id = CASE WHEN c.current OR c.tier = 'active' THEN c.run_id END,
        embedding = CASE WHEN g.embedding IS NULL THEN c.embedding
                         WHEN NOT %(full_vectors)s THEN g.embedding::halfvec END,
        full_embedding = CASE WHEN g.embedding IS NULL THEN c.full_embedding
                              WHEN %(full_vectors)s THEN g.embedding::vector END,
        embedding_model = CASE WHEN g.embedding IS NULL THEN c.embedding_model ELSE %(embedding_model)s END
    FROM changed g
    WHERE c.external_id = %(external_id)s AND EXISTS (SELECT 1 FROM changed)
      AND c.id = ANY (ARRAY[g.kept]) -- which is looked up one by one: an equality may become a join of all rows
),
inserted AS (
    INSERT INTO agentmem.memory_chunk (
        external_id, memory_id, section_id, section_revision, chunk_order, content, content_hash, overlap, source,
        embedding, full_embedding, embedding_model, words, own_words, label, metadata)
    SELECT %(external_id)s, g.memory_id, g.section_id, g.revision, g.chunk_order, g.content, g.content_hash, g.overlap,
           g.source,
           CASE WHEN NOT %(full_vectors)s THEN g.embedding::halfvec END,
           CASE WHEN %(full_vectors)s THEN g.embedding::vector END,
           CASE WHEN g.embedding IS NOT NULL THEN %(embedding_model)s::smallint END,
           g.words, g.own_words, g.label, g.metadata
    FROM given g
    WHERE g.kept IS NULL
    RETURNING embedding_model
)
SELECT count(*) AS unembedded FROM inserted i WHERE i.embedding_model IS NULL

-- name: insert_chunks
-- Short-term chunks that a run has written.
INSERT INTO agentmem.memory_chunk (
    external_id, id, memory_id, section_id, section_revision, chunk_order, content, content_hash, source, tier, current,
    shortterm_memory_id, run_id, origin, embedding, full_embedding, embedding_model, words, own_words, label)
SELECT %(external_id)s, u.id, %(memory_id)s, u.section_id, 0, 0, u.content, u.content_hash, %(source)s, 'shortterm', false,
       %(shortterm_memory_id)s, %(run_id)s, u.origin,
       CASE WHEN NOT %(full_vectors)s THEN u.embedding::halfvec END,
       CASE WHEN %(full_vectors)s THEN u.embedding::vector END,
       CASE WHEN u.embedding IS NOT NULL THEN %(embedding_model)s::smallint END,
       u.words::sparsevec, u.own_words::int[], u.label
FROM unnest(%(ids)s::bigint[], %(section_ids)s::text[], %(contents)s::text[], %(content_hashes)s::bytea[],
            %(origins)s::text[], %(embeddings)s::text[], %(words)s::text[], %(own_words)s::text[], %(labels)s::text[])
     AS u (id, section_id, content, content_hash, origin, embedding, words, own_words, label)

-- name: allocate_ids
-- Ids for chunks to be inserted.
SELECT nextval('agentmem.memory_chunk_id_seq') AS id FROM generate_series(1, %(count)s)

-- name: active_chunks
-- Whether a memory has chunks that no run has consolidated, or values that are no chunks yet.
SELECT EXISTS (SELECT 1 FROM agentmem.memory_chunk
               WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND tier = 'active')
    OR EXISTS (SELECT 1 FROM agentmem.section
               WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND needs_chunking) AS found

-- name: claim_chunks
-- Marks what a run takes: chunks of changed sections that are active or came back, and what a run that died had taken.
UPDATE agentmem.memory_chunk SET run_id = %(run_id)s
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
  AND ((tier = 'active' AND (%(everything)s OR section_id = ANY (%(section_ids)s) OR run_id IS NOT NULL))
       OR (tier <> 'active' AND current AND run_id IS NULL AND section_id = ANY (%(section_ids)s)))

-- name: claimed_chunks
-- The chunks that a run has taken, and earlier ones whose extraction failed.
SELECT id, section_id, content, metadata AS place, source, start_date AS written_at, tier, current,
       run_id = %(run_id)s AS taken, extraction_pending
FROM agentmem.memory_chunk
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
  AND (run_id = %(run_id)s OR (extraction_pending AND %(with_pending)s))
ORDER BY section_id, chunk_order, id

-- name: vanished_chunks
-- Consolidated chunks of these sections that are still valid but no longer part of them, newest first, at most so many
-- a section.
SELECT id, section_id, content, metadata AS place, source, start_date AS written_at FROM (
    SELECT id, section_id, content, metadata, source, start_date,
           row_number() OVER (PARTITION BY section_id ORDER BY id DESC) AS age
    FROM agentmem.memory_chunk
    WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND section_id = ANY (%(section_ids)s)
      AND tier <> 'active' AND NOT current AND end_date IS NULL) c
WHERE age <= %(limit)s
ORDER BY section_id, id

-- name: surroundings
-- What stood before and after chunks in their sections, so many characters of each, as the runs that took them have read
-- these. Nothing where that was deleted, or where a chunk's text stands there twice, so that it does not tell.
WITH asked AS MATERIALIZED (
    SELECT c.id, c.run_id, c.section_id, btrim(c.content, E' \t\r\n') AS content FROM agentmem.memory_chunk c
    WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s) AND c.origin = 'section'
),
-- Taken apart once for all of their chunks, as it holds whole sections.
read AS MATERIALIZED (
    SELECT r.id AS run_id, s.section ->> 'section_id' AS section_id, s.section ->> 'section_content' AS content
    FROM agentmem.consolidation_run r
    CROSS JOIN LATERAL jsonb_array_elements(r.conflicts -> 'sections') AS s (section)
    WHERE r.external_id = %(external_id)s AND r.id = ANY (ARRAY(SELECT a.run_id FROM asked a))
)
SELECT a.id, right(left(t.content, p.place - 1), %(length)s) AS before,
       substr(t.content, p.place + length(a.content), %(length)s) AS after
FROM asked a
JOIN read t ON t.run_id = a.run_id AND t.section_id = a.section_id
CROSS JOIN LATERAL (SELECT strpos(t.content, a.content) AS place) p
WHERE a.content <> '' AND p.place > 0 AND strpos(substr(t.content, p.place + 1), a.content) = 0

-- name: consolidate_chunks
-- Moves a run's chunks to the short-term tier.
UPDATE agentmem.memory_chunk
SET tier = 'shortterm', shortterm_memory_id = %(shortterm_memory_id)s, last_updated = now(),
    extraction_pending = %(extraction_pending)s
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND run_id = %(run_id)s AND tier = 'active'

-- name: extracted_chunks
-- Chunks whose extraction was made up for.
UPDATE agentmem.memory_chunk SET extraction_pending = false
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s) AND extraction_pending

-- name: supersede_chunks
-- Ends the validity of chunks in favour of others; those that came back into their section meanwhile stay.
UPDATE agentmem.memory_chunk c SET end_date = now(), superseded_by = u.superseded_by, last_updated = now()
FROM unnest(%(ids)s::bigint[], %(superseded_bys)s::bigint[], %(forced)s::bool[]) AS u (id, superseded_by, forced)
WHERE c.external_id = %(external_id)s AND c.id = u.id AND c.end_date IS NULL AND (u.forced OR NOT c.current)
RETURNING c.id, c.superseded_by

-- name: mark_unclear
-- Notes of chunks which others perhaps took their place, or perhaps lost it to them.
UPDATE agentmem.memory_chunk c
SET unclear_with = ARRAY(SELECT DISTINCT w.id FROM unnest(coalesce(c.unclear_with, '{}') || u.others) AS w (id) ORDER BY w.id)
FROM (SELECT p.id, array_agg(p.other) AS others FROM unnest(%(ids)s::bigint[], %(others)s::bigint[]) AS p (id, other)
      GROUP BY p.id) u
WHERE c.external_id = %(external_id)s AND c.id = u.id

-- name: unmark_unclear
-- Takes such notes back.
UPDATE agentmem.memory_chunk c
SET unclear_with = nullif(ARRAY(SELECT w.id FROM unnest(c.unclear_with) AS w (id) WHERE w.id <> ALL (u.others)), '{}')
FROM (SELECT p.id, array_agg(p.other) AS others FROM unnest(%(ids)s::bigint[], %(others)s::bigint[]) AS p (id, other)
      GROUP BY p.id) u
WHERE c.external_id = %(external_id)s AND c.id = u.id AND c.unclear_with IS NOT NULL

-- name: states
-- The validity of chunks, and which run brought what superseded them.
SELECT c.id, c.end_date, c.superseded_by, s.run_id AS superseded_by_run
FROM agentmem.memory_chunk c
LEFT JOIN agentmem.memory_chunk s ON s.external_id = %(external_id)s AND s.id = c.superseded_by
WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s)

-- name: existing_chunks
-- Those of these chunks that there are.
SELECT id FROM agentmem.memory_chunk WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)

-- name: restore_chunks
-- Makes superseded chunks valid again, unless an equal one is.
UPDATE agentmem.memory_chunk c SET end_date = NULL, superseded_by = NULL, last_updated = now()
WHERE c.external_id = %(external_id)s AND c.id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT 1 FROM agentmem.memory_chunk d
                  WHERE d.external_id = %(external_id)s AND d.memory_id = c.memory_id AND d.section_id = c.section_id
                    AND d.content_hash = c.content_hash AND d.end_date IS NULL)

-- name: end_chunks
-- Ends the validity of chunks that nothing replaces.
UPDATE agentmem.memory_chunk SET end_date = now(), last_updated = now()
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s) AND end_date IS NULL

-- name: promote_chunks
-- Moves a short-term memory's chunks to the long-term tier, superseded ones too.
WITH moved AS (
    UPDATE agentmem.memory_chunk SET tier = 'longterm', last_updated = now()
    WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND tier = 'shortterm'
    RETURNING id
)
SELECT count(*) AS chunks FROM moved

-- name: refresh_longterm_chunks
-- Confirms long-term chunks that their section still holds.
UPDATE agentmem.memory_chunk SET last_updated = now()
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND tier = 'longterm' AND current

-- name: unembedded_chunks
-- Chunks without a vector of the model in use, of one tenant or of all, oldest first.
SELECT external_id, id FROM agentmem.memory_chunk
WHERE (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
  AND (embedding_model IS NULL OR embedding_model <> %(embedding_model)s)
ORDER BY external_id, id
LIMIT %(limit)s

-- name: waiting_chunks
-- Chunks without any vector, of one tenant or of all, oldest first.
SELECT external_id, id FROM agentmem.memory_chunk
WHERE (%(external_id)s::text IS NULL OR external_id = %(external_id)s) AND embedding_model IS NULL
ORDER BY external_id, id
LIMIT %(limit)s

-- name: contents
-- What is embedded of chunks, oldest first.
SELECT external_id, id, overlap || content AS content FROM agentmem.memory_chunk
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)
ORDER BY id

-- name: lock_chunks
-- Those of these chunks that nobody else is changing, locked: whoever embeds waits for nobody while holding locks.
SELECT id FROM agentmem.memory_chunk
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)
ORDER BY id
FOR NO KEY UPDATE SKIP LOCKED

-- name: embed_chunks
-- Gives chunks their vectors.
UPDATE agentmem.memory_chunk c
SET embedding = CASE WHEN NOT %(full_vectors)s THEN u.embedding::halfvec END,
    full_embedding = CASE WHEN %(full_vectors)s THEN u.embedding::vector END,
    embedding_model = %(embedding_model)s
FROM unnest(%(ids)s::bigint[], %(embeddings)s::text[]) AS u (id, embedding)
WHERE c.external_id = %(external_id)s AND c.id = u.id

-- name: retire_chunks
-- What is left of a closed memory's chunks is part of no section any more.
UPDATE agentmem.memory_chunk SET current = false
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s AND current

-- name: chunk_history
-- A memory's chunks, open or closed, valid or not: the newest first.
SELECT id AS chunk_id, section_id, section_revision, chunk_order, content, tier, current, origin, source,
       run_id::text AS run_id, start_date, end_date, superseded_by
FROM agentmem.memory_chunk
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s
  AND (%(section_id)s::text IS NULL OR section_id = %(section_id)s)
ORDER BY start_date DESC, chunk_order DESC, id DESC
LIMIT %(limit)s
