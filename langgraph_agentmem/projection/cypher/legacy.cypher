// name: entities
// The entities of a tier of an older system, of all tenants: all that have one name together. What has a batch is a copy of
// what stands in PostgreSQL.
MATCH (e:ENTITY)
WHERE e.batch IS NULL
WITH e.external_id AS external_id, CASE WHEN $shortterm THEN toStringOrNull(e.shortterm_memory_id) END AS memory_id,
     e.name AS name, e
ORDER BY size(elementId(e)), elementId(e)
WITH external_id, memory_id, name, collect(properties(e)) AS things
RETURN name AS id, external_id, memory_id, name, things

// name: relationships
// The relationships of a tier of an older system, of all tenants: all that lead from one entity to another together.
MATCH (s)-[r:RELATES]->(t)
WHERE r.batch IS NULL
WITH s, t, r, s:ENTITY AND t:ENTITY AS fits
ORDER BY size(elementId(r)), elementId(r)
WITH s.external_id AS external_id, CASE WHEN $shortterm THEN toStringOrNull(s.shortterm_memory_id) END AS memory_id,
     s.name AS source, t.external_id AS target_external_id,
     CASE WHEN $shortterm THEN toStringOrNull(t.shortterm_memory_id) END AS target_memory_id, t.name AS target, fits,
     collect(properties(r)) AS things
RETURN coalesce(toStringOrNull(source), '?') + ' → ' + coalesce(toStringOrNull(target), '?') AS id, external_id, memory_id,
       source, target_external_id, target_memory_id, target, fits, things
