// name: lock
// The tenant's state, locked until the transaction ends: what is written for one tenant is written one after the other.
MERGE (p:AgentMemoryProjection {external_id: $external_id})
SET p.locked_by = $batch
RETURN p.origin AS origin, coalesce(p.batch, 0) AS batch

// name: others
// An entity that no batch has written.
MATCH (e:ENTITY {external_id: $external_id})
USING INDEX e:ENTITY(external_id)
WHERE e.batch IS NULL
RETURN e.name AS name LIMIT 1

// name: finish
// The newest batch that this graph holds, and which database it comes from.
MATCH (p:AgentMemoryProjection {external_id: $external_id})
SET p.origin = $origin, p.batch = $batch, p.at = datetime()

// name: state
// The newest batch that this graph holds.
MATCH (p:AgentMemoryProjection {external_id: $external_id})
WHERE p.batch IS NOT NULL
RETURN p.origin AS origin, p.batch AS batch

// name: upsert_entities
// Entities as they are now.
UNWIND $rows AS row
MERGE (e:ENTITY {external_id: $external_id, id: row.id})
SET e += row, e.batch = $batch

// name: delete_entities
// Entities that are gone, with their edges.
UNWIND $ids AS id
MATCH (e:ENTITY {external_id: $external_id, id: id})
USING INDEX e:ENTITY(external_id, id)
DETACH DELETE e

// name: keep_entities
// Entities whose present state is refused stay as they were, with their edges, when a rebuild sweeps.
UNWIND $ids AS id
MATCH (e:ENTITY {external_id: $external_id, id: id})
USING INDEX e:ENTITY(external_id, id)
SET e.batch = $batch

// name: upsert_chunks
// Chunks as they are now.
UNWIND $rows AS row
MERGE (c:MemoryChunk {external_id: $external_id, id: row.id})
SET c += row, c.batch = $batch

// name: unlink_chunks
// Support that chunks do not give any more.
UNWIND $links AS row
MATCH (c:MemoryChunk {external_id: $external_id, id: row.id})
USING INDEX c:MemoryChunk(external_id, id)
MATCH (c)<-[m:MENTIONED_IN {external_id: $external_id}]-(e {external_id: $external_id})
WHERE NOT coalesce(e.id IN row.entity_ids, false)
DELETE m

// name: link_chunks
// Support that chunks give.
UNWIND $links AS row
MATCH (c:MemoryChunk {external_id: $external_id, id: row.id})
USING INDEX c:MemoryChunk(external_id, id)
UNWIND row.entity_ids AS entity_id
MATCH (e:ENTITY {external_id: $external_id, id: entity_id})
USING INDEX e:ENTITY(external_id, id)
MERGE (e)-[m:MENTIONED_IN {external_id: $external_id}]->(c)
RETURN row.id AS id, count(m) AS links

// name: delete_chunks
// Chunks that are gone, or support nothing any more.
UNWIND $ids AS id
MATCH (c:MemoryChunk {external_id: $external_id, id: id})
USING INDEX c:MemoryChunk(external_id, id)
DETACH DELETE c

// name: unlink_relationships
// Relationships whose ends have moved.
UNWIND $rows AS row
MATCH (s {external_id: $external_id})-[r:RELATES {external_id: $external_id, id: row.id}]->(t {external_id: $external_id})
USING INDEX r:RELATES(external_id, id)
WHERE s.id <> row.source_id OR t.id <> row.target_id
DELETE r

// name: upsert_relationships
// Relationships as they are now.
UNWIND $rows AS row
MATCH (s:ENTITY {external_id: $external_id, id: row.source_id})
USING INDEX s:ENTITY(external_id, id)
MATCH (t:ENTITY {external_id: $external_id, id: row.target_id})
USING INDEX t:ENTITY(external_id, id)
MERGE (s)-[r:RELATES {external_id: $external_id, id: row.id}]->(t)
SET r += row.properties, r.batch = $batch
RETURN row.id AS id

// name: delete_relationships
// Relationships that are gone.
UNWIND $ids AS id
MATCH (s {external_id: $external_id})-[r:RELATES {external_id: $external_id, id: id}]->(t {external_id: $external_id})
USING INDEX r:RELATES(external_id, id)
DELETE r

// name: sweep_entities
// Entities that a rebuild did not write.
MATCH (e:ENTITY {external_id: $external_id})
USING INDEX e:ENTITY(external_id)
WHERE coalesce(e.batch, 0) < $before
WITH e LIMIT $limit
DETACH DELETE e
RETURN count(*) AS swept

// name: sweep_chunks
// Chunks that a rebuild did not write.
MATCH (c:MemoryChunk {external_id: $external_id})
USING INDEX c:MemoryChunk(external_id)
WHERE coalesce(c.batch, 0) < $before
WITH c LIMIT $limit
DETACH DELETE c
RETURN count(*) AS swept

// name: sweep_relationships
// Relationships that a rebuild did not write.
MATCH (s {external_id: $external_id})-[r:RELATES {external_id: $external_id}]->(t {external_id: $external_id})
USING INDEX r:RELATES(external_id)
WHERE coalesce(r.batch, 0) < $before
WITH r LIMIT $limit
DELETE r
RETURN count(*) AS swept
