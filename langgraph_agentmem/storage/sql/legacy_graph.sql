-- name: shortterm_ids
-- The short-term memories of open memories, by namespace.
SELECT a.namespace, m.id FROM agentmem.active_memory a
JOIN agentmem.shortterm_memory m ON m.external_id = %(external_id)s AND m.memory_id = a.id
WHERE a.external_id = %(external_id)s AND a.closed_at IS NULL
  AND a.namespace_hash = ANY (ARRAY(SELECT hash_array_extended(n.namespace::text[], 0)
                                    FROM unnest(%(namespaces)s::text[]) AS n (namespace)))
  AND a.namespace = ANY (SELECT n.namespace::text[] FROM unnest(%(namespaces)s::text[]) AS n (namespace))

-- name: present_entities
-- Entities that imports have written, by what they were in the source.
SELECT u.place, e.id, e.shortterm_memory_id, m.memory_id, e.types, e.description, e.confidence, e.importance AS weight,
       NULL::timestamptz AS end_date, e.revision, (e.metadata ->> 'imported_revision')::bigint AS imported_revision,
       coalesce((e.metadata ->> 'imported_history')::int, 0) AS imported_history,
       (SELECT count(*) FROM agentmem.state_history h
        WHERE h.external_id = %(external_id)s AND h.entity_id = e.id) AS history
FROM unnest(%(places)s::int[], %(legacy_ids)s::text[], %(names)s::text[], %(name_keys)s::text[])
     AS u (place, legacy_id, name, name_key)
JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.name_key = u.name_key AND e.name = u.name
                      AND e.metadata ->> 'legacy_id' = u.legacy_id
LEFT JOIN agentmem.shortterm_memory m ON m.external_id = %(external_id)s AND m.id = e.shortterm_memory_id
-- Else a planner without statistics compares each name with all entities of the tenant.
WHERE e.name_key = ANY (%(name_keys)s::text[])
ORDER BY e.id

-- name: present_relationships
-- Relationships of a tier between entities: short-term ones that imports have written, and any long-term one, of which there
-- is one between two entities.
SELECT u.place, r.id, r.shortterm_memory_id, m.memory_id, r.types, r.description, r.confidence, r.strength AS weight,
       r.end_date, r.revision, (r.metadata ->> 'imported_revision')::bigint AS imported_revision,
       coalesce((r.metadata ->> 'imported_history')::int, 0) AS imported_history,
       (SELECT count(*) FROM agentmem.state_history h
        WHERE h.external_id = %(external_id)s AND h.relationship_id = r.id) AS history
FROM unnest(%(places)s::int[], %(source_ids)s::bigint[], %(target_ids)s::bigint[]) AS u (place, source_id, target_id)
JOIN agentmem.relationship r ON r.external_id = %(external_id)s AND r.source_id = u.source_id AND r.target_id = u.target_id
LEFT JOIN agentmem.shortterm_memory m ON m.external_id = %(external_id)s AND m.id = r.shortterm_memory_id
WHERE r.tier = 'longterm' OR r.metadata ->> 'legacy_id' IS NOT NULL
ORDER BY r.id

-- name: mark_entities
-- Notes in entities' metadata that they come from the source, and when they were last seen there.
UPDATE agentmem.entity e SET metadata = e.metadata || u.mark::jsonb, last_seen = coalesce(u.last_seen, e.last_seen)
FROM unnest(%(ids)s::bigint[], %(marks)s::text[], %(last_seens)s::timestamptz[]) AS u (id, mark, last_seen)
WHERE e.external_id = %(external_id)s AND e.id = u.id

-- name: mark_relationships
-- Notes in relationships' metadata that they come from the source.
UPDATE agentmem.relationship r SET metadata = r.metadata || u.mark::jsonb
FROM unnest(%(ids)s::bigint[], %(marks)s::text[]) AS u (id, mark)
WHERE r.external_id = %(external_id)s AND r.id = u.id

-- name: link_entities
-- Lets imported chunks support the entities that they name: those of its memory a short-term one, all long-term ones a
-- long-term one.
INSERT INTO agentmem.mention (external_id, chunk_id, entity_id)
SELECT %(external_id)s, c.id, e.id
FROM unnest(%(ids)s::bigint[], %(words)s::text[]) AS u (id, words)
JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.id = u.id
JOIN agentmem.memory_chunk c
  ON c.external_id = %(external_id)s AND c.external_id = e.external_id AND c.origin = 'import' AND c.own_words @> u.words::int[]
 AND CASE e.tier WHEN 'longterm' THEN c.tier = 'longterm' ELSE c.shortterm_memory_id = e.shortterm_memory_id END
WHERE strpos(lower(c.content), lower(e.name)) > 0
ON CONFLICT DO NOTHING
RETURNING chunk_id

-- name: link_relationships
-- Lets imported chunks that name both ends of a relationship support it.
INSERT INTO agentmem.mention (external_id, chunk_id, relationship_id)
SELECT %(external_id)s, a.chunk_id, r.id
FROM agentmem.relationship r
JOIN agentmem.mention a ON a.external_id = %(external_id)s AND a.external_id = r.external_id AND a.entity_id = r.source_id
JOIN agentmem.mention b
  ON b.external_id = %(external_id)s AND b.external_id = r.external_id AND b.entity_id = r.target_id AND b.chunk_id = a.chunk_id
JOIN agentmem.memory_chunk c
  ON c.external_id = %(external_id)s AND c.external_id = r.external_id AND c.id = a.chunk_id AND c.origin = 'import'
WHERE r.external_id = %(external_id)s AND r.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
RETURNING chunk_id
