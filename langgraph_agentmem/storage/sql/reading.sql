-- name: neighborhood
-- Entities of these names and what can be reached from them over valid relationships, nearest first.
WITH RECURSIVE reached (id, distance) AS (
    SELECT e.id, 0 FROM agentmem.entity e
    WHERE e.external_id = %(external_id)s AND e.name_key = ANY (%(name_keys)s)
      AND (%(tier)s::text IS NULL OR e.tier = %(tier)s)
      AND e.first_seen <= coalesce(%(as_of)s::timestamptz, 'infinity')
    -- UNION drops what was reached at the same distance already, or the number of ways would decide the work.
    UNION
    SELECT n.id, c.distance + 1
    FROM reached c
    JOIN agentmem.relationship r ON r.external_id = %(external_id)s AND (r.source_id = c.id OR r.target_id = c.id)
    JOIN agentmem.entity n ON n.external_id = %(external_id)s
     AND n.id = CASE WHEN r.source_id = c.id THEN r.target_id ELSE r.source_id END
    WHERE c.distance < %(depth)s
      AND r.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (r.end_date IS NULL OR r.end_date > %(as_of)s::timestamptz)
      AND n.first_seen <= coalesce(%(as_of)s::timestamptz, 'infinity')
)
SELECT e.id, e.tier, e.shortterm_memory_id, e.name, e.types, e.description, e.confidence, e.importance, d.distance
FROM (SELECT id, min(distance) AS distance FROM reached GROUP BY id ORDER BY 2, 1 LIMIT %(limit)s) d
JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.id = d.id
ORDER BY d.distance, e.id

-- name: best_connected
-- Names of a tenant's entities: those with the most valid relationships first, then the most important.
WITH ends (id) AS (
    SELECT unnest(ARRAY[r.source_id, r.target_id]) FROM agentmem.relationship r
    WHERE r.external_id = %(external_id)s
      AND r.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (r.end_date IS NULL OR r.end_date > %(as_of)s::timestamptz)
)
SELECT e.name
FROM agentmem.entity e
LEFT JOIN (SELECT id, count(*) AS relationships FROM ends GROUP BY id) c ON c.id = e.id
WHERE e.external_id = %(external_id)s
  AND (%(tier)s::text IS NULL OR e.tier = %(tier)s)
  AND e.first_seen <= coalesce(%(as_of)s::timestamptz, 'infinity')
ORDER BY coalesce(c.relationships, 0) DESC, e.importance DESC, e.id
LIMIT %(limit)s

-- name: relationships_among
-- The valid relationships among entities that have at least one end within a distance.
SELECT r.id, r.tier, r.source_id, r.target_id, r.types, r.description, r.confidence, r.strength, r.start_date, r.end_date
FROM agentmem.relationship r
JOIN unnest(%(ids)s::bigint[], %(distances)s::int[]) AS s (id, distance) ON s.id = r.source_id
JOIN unnest(%(ids)s::bigint[], %(distances)s::int[]) AS t (id, distance) ON t.id = r.target_id
WHERE r.external_id = %(external_id)s AND least(s.distance, t.distance) < %(depth)s
  AND r.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
  AND (r.end_date IS NULL OR r.end_date > %(as_of)s::timestamptz)
ORDER BY r.id

-- name: paths
-- The shortest paths over valid relationships between entities of two names: distances from each start, then back from
-- each end along falling distances.
WITH RECURSIVE reached (start, id, distance) AS (
    SELECT e.id, e.id, 0 FROM agentmem.entity e
    WHERE e.external_id = %(external_id)s AND e.name_key = %(from_key)s
      AND (%(tier)s::text IS NULL OR e.tier = %(tier)s)
      AND e.first_seen <= coalesce(%(as_of)s::timestamptz, 'infinity')
    UNION
    SELECT c.start, n.id, c.distance + 1
    FROM reached c
    JOIN agentmem.relationship r ON r.external_id = %(external_id)s AND (r.source_id = c.id OR r.target_id = c.id)
    JOIN agentmem.entity n ON n.external_id = %(external_id)s
     AND n.id = CASE WHEN r.source_id = c.id THEN r.target_id ELSE r.source_id END
    WHERE c.distance < %(depth)s
      AND r.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (r.end_date IS NULL OR r.end_date > %(as_of)s::timestamptz)
      AND n.first_seen <= coalesce(%(as_of)s::timestamptz, 'infinity')
),
nearest AS MATERIALIZED (
    SELECT start, id, min(distance) AS distance FROM reached GROUP BY start, id
),
back (start, distance, entity_ids, relationship_ids) AS (
    SELECT d.start, d.distance, ARRAY[d.id], ARRAY[]::bigint[]
    FROM nearest d
    JOIN agentmem.entity e ON e.external_id = %(external_id)s AND e.id = d.id
    WHERE e.name_key = %(to_key)s AND d.distance > 0
    UNION ALL
    SELECT b.start, d.distance, d.id || b.entity_ids, r.id || b.relationship_ids
    FROM back b
    JOIN agentmem.relationship r ON r.external_id = %(external_id)s
     AND (r.source_id = b.entity_ids[1] OR r.target_id = b.entity_ids[1])
    JOIN nearest d ON d.start = b.start AND d.distance = b.distance - 1
     AND d.id = CASE WHEN r.source_id = b.entity_ids[1] THEN r.target_id ELSE r.source_id END
    WHERE b.distance > 0
      AND r.start_date <= coalesce(%(as_of)s::timestamptz, 'infinity')
      AND (r.end_date IS NULL OR r.end_date > %(as_of)s::timestamptz)
)
SELECT entity_ids, relationship_ids FROM back WHERE distance = 0
ORDER BY cardinality(relationship_ids), entity_ids, relationship_ids
LIMIT %(limit)s

-- name: entities_by_id
-- Entities of a path.
SELECT e.id, e.tier, e.shortterm_memory_id, e.name, e.types, e.description, e.confidence, e.importance
FROM agentmem.entity e
WHERE e.external_id = %(external_id)s AND e.id = ANY (%(ids)s)

-- name: relationships_by_id
-- Relationships of a path.
SELECT r.id, r.tier, r.source_id, r.target_id, r.types, r.description, r.confidence, r.strength, r.start_date, r.end_date
FROM agentmem.relationship r
WHERE r.external_id = %(external_id)s AND r.id = ANY (%(ids)s)

-- name: named
-- Entities whose names consist of these words only, with the chunks that mention them.
SELECT e.name_key, e.confidence, m.chunk_id
FROM agentmem.entity e
LEFT JOIN agentmem.mention m ON m.external_id = %(external_id)s AND m.entity_id = e.id
WHERE e.external_id = %(external_id)s AND e.name_words && %(words)s::text[]
  AND e.name_words <@ %(words)s::text[]
ORDER BY e.id, m.chunk_id
