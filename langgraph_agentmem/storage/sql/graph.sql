-- name: shortterm_memory
-- A memory's short-term memory.
SELECT * FROM agentmem.shortterm_memory WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s

-- name: lock_shortterm_memory
-- A memory's short-term memory, locked.
SELECT * FROM agentmem.shortterm_memory WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s FOR UPDATE

-- name: count_consolidation
-- Counts a consolidation; the first one creates the short-term memory.
INSERT INTO agentmem.shortterm_memory AS m (external_id, memory_id, update_count) VALUES (%(external_id)s, %(memory_id)s, 1)
ON CONFLICT (external_id, memory_id) DO UPDATE SET update_count = m.update_count + 1, last_updated = excluded.last_updated
RETURNING id, update_count

-- name: finish_promotion
-- Resets the count of consolidations and appends to the promotion history.
UPDATE agentmem.shortterm_memory
SET update_count = 0, last_updated = now(),
    metadata = jsonb_set(metadata, '{promotion_history}', coalesce(metadata -> 'promotion_history', '[]') || %(entry)s::jsonb)
WHERE external_id = %(external_id)s AND memory_id = %(memory_id)s

-- name: lock_longterm
-- Waits until no other promotion of this tenant is under way.
SELECT pg_advisory_xact_lock(%(key)s)

-- name: now
-- The transaction's time.
SELECT now() AS now

-- name: allocate_entity_ids
-- Ids for entities to be inserted.
SELECT nextval('agentmem.entity_id_seq') AS id FROM generate_series(1, %(count)s)

-- name: allocate_relationship_ids
-- Ids for relationships to be inserted.
SELECT nextval('agentmem.relationship_id_seq') AS id FROM generate_series(1, %(count)s)

-- name: shortterm_entities
-- The entities of a short-term memory.
SELECT * FROM agentmem.entity
WHERE external_id = %(external_id)s AND shortterm_memory_id = %(shortterm_memory_id)s
ORDER BY id

-- name: entity_similarities
-- The short-term entities whose names' vectors are closest to the given ones.
SELECT u.index, e.id, e.similarity
FROM unnest(%(indexes)s::int[], %(embeddings)s::text[]) AS u (index, embedding)
CROSS JOIN LATERAL (
    -- The cosine with a vector of zeros is NaN, which would come before all others.
    SELECT c.id, coalesce(nullif(1 - (c.embedding <=> u.embedding::halfvec), 'NaN'), 0) AS similarity
    FROM agentmem.entity c
    WHERE c.external_id = %(external_id)s AND c.shortterm_memory_id = %(shortterm_memory_id)s
      AND c.embedding_model = %(embedding_model)s
    ORDER BY similarity DESC, c.id
    LIMIT %(limit)s) e

-- name: shortterm_relationships
-- The valid relationships of a short-term memory that start at one of these names.
SELECT r.*, s.name AS source, t.name AS target
FROM agentmem.relationship r
JOIN agentmem.entity s ON s.external_id = %(external_id)s AND s.id = r.source_id
JOIN agentmem.entity t ON t.external_id = %(external_id)s AND t.id = r.target_id
WHERE r.external_id = %(external_id)s AND r.shortterm_memory_id = %(shortterm_memory_id)s AND r.end_date IS NULL
  AND s.form_key = ANY (%(form_keys)s)
ORDER BY r.id

-- name: insert_entities
-- New entities.
INSERT INTO agentmem.entity (external_id, id, tier, shortterm_memory_id, name, name_key, form_key, name_words, types,
                             description, confidence, importance, first_seen, apart_from, embedding, embedding_model)
SELECT %(external_id)s, u.id, %(tier)s, %(shortterm_memory_id)s, u.name, u.name_key, u.form_key,
       u.name_words::text[], ARRAY(SELECT jsonb_array_elements_text(u.types::jsonb)), u.description,
       u.confidence, u.importance, coalesce(u.first_seen, now()),
       ARRAY(SELECT jsonb_array_elements_text(u.apart_from::jsonb)::bigint), u.embedding::halfvec,
       CASE WHEN u.embedding IS NOT NULL THEN %(embedding_model)s::smallint END
FROM unnest(%(ids)s::bigint[], %(names)s::text[], %(name_keys)s::text[], %(form_keys)s::text[], %(types)s::text[],
            %(descriptions)s::text[], %(confidences)s::float8[], %(importances)s::float8[],
            %(first_seens)s::timestamptz[], %(aparts)s::text[],
            %(embeddings)s::text[], %(name_words)s::text[])
     AS u (id, name, name_key, form_key, types, description, confidence, importance, first_seen, apart_from, embedding,
           name_words)

-- name: update_entities
-- Merged entities.
UPDATE agentmem.entity e
SET types = ARRAY(SELECT jsonb_array_elements_text(u.types::jsonb)), description = u.description,
    confidence = u.confidence, importance = u.importance, last_seen = now(), revision = e.revision + 1
FROM unnest(%(ids)s::bigint[], %(types)s::text[], %(descriptions)s::text[], %(confidences)s::float8[],
            %(importances)s::float8[]) AS u (id, types, description, confidence, importance)
WHERE e.external_id = %(external_id)s AND e.id = u.id

-- name: insert_relationships
-- New relationships.
INSERT INTO agentmem.relationship (external_id, id, tier, shortterm_memory_id, source_id, target_id, types, description,
                                   confidence, strength, start_date, end_date)
SELECT %(external_id)s, u.id, %(tier)s, %(shortterm_memory_id)s, u.source_id, u.target_id,
       ARRAY(SELECT jsonb_array_elements_text(u.types::jsonb)), u.description, u.confidence, u.strength,
       coalesce(u.start_date, now()), u.end_date
FROM unnest(%(ids)s::bigint[], %(source_ids)s::bigint[], %(target_ids)s::bigint[], %(types)s::text[],
            %(descriptions)s::text[], %(confidences)s::float8[], %(strengths)s::float8[], %(start_dates)s::timestamptz[],
            %(end_dates)s::timestamptz[])
     AS u (id, source_id, target_id, types, description, confidence, strength, start_date, end_date)

-- name: update_relationships
-- Merged relationships, with the validity that they have now.
UPDATE agentmem.relationship r
SET types = ARRAY(SELECT jsonb_array_elements_text(u.types::jsonb)), description = u.description,
    confidence = u.confidence, strength = u.strength, end_date = u.end_date, revision = r.revision + 1
FROM unnest(%(ids)s::bigint[], %(types)s::text[], %(descriptions)s::text[], %(confidences)s::float8[],
            %(strengths)s::float8[], %(end_dates)s::timestamptz[])
     AS u (id, types, description, confidence, strength, end_date)
WHERE r.external_id = %(external_id)s AND r.id = u.id

-- name: move_ends
-- Moves the ends of relationships to other entities.
UPDATE agentmem.relationship r
SET source_id = coalesce(u.source_id, r.source_id), target_id = coalesce(u.target_id, r.target_id), revision = r.revision + 1
FROM unnest(%(ids)s::bigint[], %(source_ids)s::bigint[], %(target_ids)s::bigint[]) AS u (id, source_id, target_id)
WHERE r.external_id = %(external_id)s AND r.id = u.id
RETURNING r.id, r.revision

-- name: valid_ends
-- The names between which a tenant has valid short-term relationships, and the long-term entities that their ends are
-- part of.
SELECT DISTINCT s.form_key AS source, t.form_key AS target, s.longterm_id AS source_id, t.longterm_id AS target_id
FROM agentmem.relationship r
JOIN agentmem.entity s ON s.external_id = %(external_id)s AND s.id = r.source_id
JOIN agentmem.entity t ON t.external_id = %(external_id)s AND t.id = r.target_id
WHERE r.external_id = %(external_id)s AND r.tier = 'shortterm' AND r.end_date IS NULL
  AND s.form_key = ANY (%(form_keys)s) AND t.form_key = ANY (%(form_keys)s)

-- name: end_relationships
-- Ends the validity of relationships.
UPDATE agentmem.relationship SET end_date = now(), revision = revision + 1
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s) AND end_date IS NULL
RETURNING id, revision

-- name: insert_mentions
-- Which chunk supports which entity or relationship.
INSERT INTO agentmem.mention (external_id, chunk_id, entity_id, relationship_id)
SELECT %(external_id)s, u.chunk_id, u.entity_id, u.relationship_id
FROM unnest(%(chunk_ids)s::bigint[], %(entity_ids)s::bigint[], %(relationship_ids)s::bigint[])
     AS u (chunk_id, entity_id, relationship_id)
ON CONFLICT DO NOTHING

-- name: remove_mentions
-- Takes support back.
DELETE FROM agentmem.mention m
USING unnest(%(chunk_ids)s::bigint[], %(entity_ids)s::bigint[], %(relationship_ids)s::bigint[])
      AS u (chunk_id, entity_id, relationship_id)
WHERE m.external_id = %(external_id)s AND m.chunk_id = u.chunk_id
  AND m.entity_id IS NOT DISTINCT FROM u.entity_id AND m.relationship_id IS NOT DISTINCT FROM u.relationship_id

-- name: copy_entity_mentions
-- Gives long-term entities the support that their short-term ones have.
INSERT INTO agentmem.mention (external_id, chunk_id, entity_id)
SELECT %(external_id)s, m.chunk_id, u.to_id
FROM unnest(%(from_ids)s::bigint[], %(to_ids)s::bigint[]) AS u (from_id, to_id)
JOIN agentmem.mention m ON m.external_id = %(external_id)s AND m.entity_id = u.from_id
ON CONFLICT DO NOTHING

-- name: copy_relationship_mentions
-- Gives long-term relationships the support that their short-term ones have.
INSERT INTO agentmem.mention (external_id, chunk_id, relationship_id)
SELECT %(external_id)s, m.chunk_id, u.to_id
FROM unnest(%(from_ids)s::bigint[], %(to_ids)s::bigint[]) AS u (from_id, to_id)
JOIN agentmem.mention m ON m.external_id = %(external_id)s AND m.relationship_id = u.from_id
ON CONFLICT DO NOTHING

-- name: inherit_mentions
-- Gives texts that a run has written the support that their sources give to what the texts still name.
INSERT INTO agentmem.mention (external_id, chunk_id, entity_id, relationship_id)
SELECT %(external_id)s, u.to_id, m.entity_id, m.relationship_id
FROM unnest(%(from_ids)s::bigint[], %(to_ids)s::bigint[], %(texts)s::text[]) AS u (from_id, to_id, text)
JOIN agentmem.mention m ON m.external_id = %(external_id)s AND m.chunk_id = u.from_id
LEFT JOIN agentmem.relationship r
  ON r.external_id = %(external_id)s AND r.external_id = m.external_id AND r.id = m.relationship_id
-- An entity stands for both ends, so that one condition serves entities and relationships.
JOIN agentmem.entity a
  ON a.external_id = %(external_id)s AND a.external_id = m.external_id AND a.id = coalesce(m.entity_id, r.source_id)
JOIN agentmem.entity b
  ON b.external_id = %(external_id)s AND b.external_id = m.external_id AND b.id = coalesce(m.entity_id, r.target_id)
WHERE strpos(u.text, a.name_key) > 0 AND strpos(u.text, b.name_key) > 0
ON CONFLICT DO NOTHING

-- name: insert_history
-- Appends to the state history.
INSERT INTO agentmem.state_history (external_id, entity_id, relationship_id, run_id, change, old_description)
SELECT %(external_id)s, u.entity_id, u.relationship_id, %(run_id)s, u.change::jsonb, u.old_description
FROM unnest(%(entity_ids)s::bigint[], %(relationship_ids)s::bigint[], %(changes)s::text[], %(old_descriptions)s::text[])
     AS u (entity_id, relationship_id, change, old_description)

-- name: enqueue
-- Tells the projection what has changed; the newest change of a thing joins what is still waiting.
INSERT INTO agentmem.graph_outbox AS o (external_id, kind, target_id, operation, revision)
SELECT %(external_id)s, u.kind, u.target_id, u.operation, u.revision
FROM unnest(%(kinds)s::text[], %(target_ids)s::bigint[], %(operations)s::text[], %(revisions)s::bigint[])
     AS u (kind, target_id, operation, revision)
-- In one order, or two writers would each wait for a row of the other's.
ORDER BY u.target_id
ON CONFLICT (external_id, kind, target_id) DO UPDATE
SET operation = excluded.operation, revision = excluded.revision, changes = o.changes + 1, dead_at = NULL, error = NULL

-- name: enqueue_supporting_chunks
-- Tells the projection that chunks have changed, as far as it knows them: those among these that support anything, and
-- those that support these entities and relationships.
INSERT INTO agentmem.graph_outbox AS o (external_id, kind, target_id, operation, revision)
SELECT %(external_id)s, 'chunk', m.chunk_id, 'upsert', 0
FROM agentmem.mention m
WHERE m.external_id = %(external_id)s
  AND (m.chunk_id = ANY (%(chunk_ids)s) OR m.entity_id = ANY (%(entity_ids)s)
       OR m.relationship_id = ANY (%(relationship_ids)s))
GROUP BY m.chunk_id
ORDER BY m.chunk_id
ON CONFLICT (external_id, kind, target_id) DO UPDATE
SET operation = excluded.operation, changes = o.changes + 1, dead_at = NULL, error = NULL

-- name: enqueue_memory_chunks
-- Tells the projection that a memory's chunks change, as far as it knows them: those of one tier and of some sections, or
-- all.
INSERT INTO agentmem.graph_outbox AS o (external_id, kind, target_id, operation, revision)
SELECT %(external_id)s, 'chunk', m.chunk_id, %(operation)s, 0
FROM agentmem.mention m
JOIN agentmem.memory_chunk c ON c.external_id = %(external_id)s AND c.external_id = m.external_id AND c.id = m.chunk_id
WHERE m.external_id = %(external_id)s AND c.memory_id = %(memory_id)s
  AND (%(tier)s::text IS NULL OR c.tier = %(tier)s)
  AND (%(section_ids)s::text[] IS NULL OR c.section_id = ANY (%(section_ids)s))
GROUP BY m.chunk_id
ORDER BY m.chunk_id
ON CONFLICT (external_id, kind, target_id) DO UPDATE
SET operation = excluded.operation, changes = o.changes + 1, dead_at = NULL, error = NULL

-- name: changed_entities
-- Short-term entities that changed since they were last promoted.
SELECT * FROM agentmem.entity
WHERE external_id = %(external_id)s AND shortterm_memory_id = %(shortterm_memory_id)s AND revision > promoted_revision
ORDER BY id

-- name: changed_relationships
-- Short-term relationships that changed since they were last promoted, with the names of their ends.
SELECT r.*, s.name AS source, t.name AS target, s.form_key AS source_key, t.form_key AS target_key
FROM agentmem.relationship r
JOIN agentmem.entity s ON s.external_id = %(external_id)s AND s.id = r.source_id
JOIN agentmem.entity t ON t.external_id = %(external_id)s AND t.id = r.target_id
WHERE r.external_id = %(external_id)s AND r.shortterm_memory_id = %(shortterm_memory_id)s
  AND r.revision > r.promoted_revision
ORDER BY r.id

-- name: longterm_entities
-- A tenant's long-term entities of these names or ids.
SELECT * FROM agentmem.entity
WHERE external_id = %(external_id)s AND tier = 'longterm' AND (form_key = ANY (%(form_keys)s) OR id = ANY (%(ids)s))
ORDER BY id

-- name: longterm_relationships
-- A tenant's long-term relationships between these entities.
SELECT * FROM agentmem.relationship
WHERE external_id = %(external_id)s AND tier = 'longterm'
  AND source_id = ANY (%(entity_ids)s) AND target_id = ANY (%(entity_ids)s)
ORDER BY id

-- name: promoted_entities
-- Notes the revisions up to which entities are promoted, and of what they are part now.
UPDATE agentmem.entity e SET promoted_revision = e.revision, longterm_id = u.to_id
FROM unnest(%(from_ids)s::bigint[], %(to_ids)s::bigint[]) AS u (from_id, to_id)
WHERE e.external_id = %(external_id)s AND e.id = u.from_id

-- name: promoted_relationships
-- Notes the revisions up to which relationships are promoted, and of what they are part now.
UPDATE agentmem.relationship r SET promoted_revision = r.revision, longterm_id = u.to_id
FROM unnest(%(from_ids)s::bigint[], %(to_ids)s::bigint[]) AS u (from_id, to_id)
WHERE r.external_id = %(external_id)s AND r.id = u.from_id

-- name: keep_apart
-- Notes which entities are not to be made one with which.
UPDATE agentmem.entity e SET apart_from = e.apart_from || u.other_id
FROM unnest(%(ids)s::bigint[], %(other_ids)s::bigint[]) AS u (id, other_id)
WHERE e.external_id = %(external_id)s AND e.id = u.id

-- name: detach_entities
-- Parts short-term entities from their long-term ones, for good; the next promotion makes others of them.
UPDATE agentmem.entity SET apart_from = apart_from || longterm_id, longterm_id = NULL, promoted_revision = 0
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s) AND longterm_id IS NOT NULL

-- name: detach_relationships
-- Parts short-term relationships from their long-term ones; the next promotion looks for others.
UPDATE agentmem.relationship SET longterm_id = NULL, promoted_revision = 0
WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)

-- name: parts_of_entities
-- The short-term entities that long-term ones are made of.
SELECT * FROM agentmem.entity
WHERE external_id = %(external_id)s AND tier = 'shortterm' AND longterm_id = ANY (%(ids)s)
ORDER BY id

-- name: parts_of_relationships
-- The short-term relationships that long-term ones are made of.
SELECT * FROM agentmem.relationship
WHERE external_id = %(external_id)s AND tier = 'shortterm' AND longterm_id = ANY (%(ids)s)
ORDER BY id

-- name: withdraw_entity_mentions
-- Takes the support from long-term entities that none of their parts has.
DELETE FROM agentmem.mention m
WHERE m.external_id = %(external_id)s AND m.entity_id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT 1 FROM agentmem.entity e
                  JOIN agentmem.mention o ON o.external_id = %(external_id)s AND o.entity_id = e.id
                  WHERE e.external_id = %(external_id)s AND e.longterm_id = m.entity_id AND o.chunk_id = m.chunk_id)
RETURNING m.chunk_id

-- name: withdraw_relationship_mentions
-- Takes the support from long-term relationships that none of their parts has.
DELETE FROM agentmem.mention m
WHERE m.external_id = %(external_id)s AND m.relationship_id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT 1 FROM agentmem.relationship r
                  JOIN agentmem.mention o ON o.external_id = %(external_id)s AND o.relationship_id = r.id
                  WHERE r.external_id = %(external_id)s AND r.longterm_id = m.relationship_id AND o.chunk_id = m.chunk_id)
RETURNING m.chunk_id

-- name: entities
-- A tenant's entities by id or by name in whatever form, long-term ones first.
SELECT * FROM agentmem.entity
WHERE external_id = %(external_id)s
  AND (%(entity_id)s::bigint IS NULL OR id = %(entity_id)s)
  AND (%(form_key)s::text IS NULL OR form_key = %(form_key)s)
  AND (%(tier)s::text IS NULL OR tier = %(tier)s)
-- 'longterm' sorts before 'shortterm'.
ORDER BY tier, confidence DESC, id
LIMIT 1

-- name: namesakes
-- The other entities of a name, of a tier and memory.
SELECT id FROM agentmem.entity
WHERE external_id = %(external_id)s AND form_key = %(form_key)s AND tier = %(tier)s AND id <> %(entity_id)s
  AND shortterm_memory_id IS NOT DISTINCT FROM %(shortterm_memory_id)s::bigint
ORDER BY id
LIMIT 100

-- name: entities_by_id
-- Entities by id.
SELECT * FROM agentmem.entity WHERE external_id = %(external_id)s AND id = ANY (%(ids)s) ORDER BY id

-- name: relationships_by_id
-- Relationships by id.
SELECT * FROM agentmem.relationship WHERE external_id = %(external_id)s AND id = ANY (%(ids)s) ORDER BY id

-- name: relationships_of
-- The relationships that an entity takes part in, with the names of their ends.
SELECT r.*, s.name AS source, t.name AS target
FROM agentmem.relationship r
JOIN agentmem.entity s ON s.external_id = %(external_id)s AND s.id = r.source_id
JOIN agentmem.entity t ON t.external_id = %(external_id)s AND t.id = r.target_id
WHERE r.external_id = %(external_id)s AND (r.source_id = %(entity_id)s OR r.target_id = %(entity_id)s)
ORDER BY r.id

-- name: links_of
-- The relationships that entities take part in, with the names of their ends.
SELECT r.*, s.name AS source, t.name AS target, s.form_key AS source_key, t.form_key AS target_key
FROM agentmem.relationship r
JOIN agentmem.entity s ON s.external_id = %(external_id)s AND s.id = r.source_id
JOIN agentmem.entity t ON t.external_id = %(external_id)s AND t.id = r.target_id
WHERE r.external_id = %(external_id)s AND (r.source_id = ANY (%(ids)s) OR r.target_id = ANY (%(ids)s))
ORDER BY r.id

-- name: histories
-- The state histories of an entity and of relationships, oldest first.
SELECT id, entity_id, relationship_id, run_id::text AS run_id, change, old_description FROM agentmem.state_history
WHERE external_id = %(external_id)s
  AND (entity_id = ANY (%(entity_ids)s) OR relationship_id = ANY (%(relationship_ids)s))
ORDER BY id

-- name: unsupported_relationships
-- Relationships among these that no chunk supports any more.
SELECT r.id, r.revision FROM agentmem.relationship r
WHERE r.external_id = %(external_id)s AND r.id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = %(external_id)s AND m.relationship_id = r.id)
ORDER BY r.id

-- name: unsupported_entities
-- Entities among these that neither a chunk nor a relationship supports any more.
SELECT e.id, e.revision FROM agentmem.entity e
WHERE e.external_id = %(external_id)s AND e.id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT 1 FROM agentmem.mention m WHERE m.external_id = %(external_id)s AND m.entity_id = e.id)
  AND NOT EXISTS (SELECT 1 FROM agentmem.relationship r
                  WHERE r.external_id = %(external_id)s AND (r.source_id = e.id OR r.target_id = e.id))
ORDER BY e.id

-- name: delete_relationships
-- Removes relationships, with their history and mentions; counts the history.
WITH history AS (
    DELETE FROM agentmem.state_history WHERE external_id = %(external_id)s AND relationship_id = ANY (%(ids)s) RETURNING id
),
gone AS (
    DELETE FROM agentmem.relationship WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)
)
SELECT count(*) AS state_history FROM history

-- name: delete_entities
-- Removes entities, with their history, mentions and relationships; counts their own history.
WITH history AS (
    DELETE FROM agentmem.state_history WHERE external_id = %(external_id)s AND entity_id = ANY (%(ids)s) RETURNING id
),
gone AS (
    DELETE FROM agentmem.entity WHERE external_id = %(external_id)s AND id = ANY (%(ids)s)
)
SELECT count(*) AS state_history FROM history
