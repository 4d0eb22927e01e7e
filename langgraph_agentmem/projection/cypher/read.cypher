// name: entities
// Entities as this graph holds them, in a range of ids.
MATCH (e:ENTITY {external_id: $external_id})
USING INDEX e:ENTITY(external_id, id)
WHERE e.id > $after AND e.id <= $last
RETURN properties(e) AS properties

// name: chunks
// Chunks as this graph holds them, with the entities that they support, in a range of ids.
MATCH (c:MemoryChunk {external_id: $external_id})
USING INDEX c:MemoryChunk(external_id, id)
WHERE c.id > $after AND c.id <= $last
OPTIONAL MATCH (c)<-[m:MENTIONED_IN {external_id: $external_id}]-(e {external_id: $external_id})
RETURN properties(c) AS properties, collect(e.id) AS entity_ids

// name: relationships
// Relationships as this graph holds them, with their ends, in a range of ids.
MATCH (s {external_id: $external_id})-[r:RELATES {external_id: $external_id}]->(t {external_id: $external_id})
USING INDEX r:RELATES(external_id, id)
WHERE r.id > $after AND r.id <= $last
RETURN properties(r) AS properties, s.id AS source_id, t.id AS target_id

// name: entities_without_id
// Entities that no projector has written.
MATCH (e:ENTITY {external_id: $external_id})
USING INDEX e:ENTITY(external_id)
WHERE e.id IS NULL
RETURN count(e) AS found

// name: relationships_without_id
// Relationships that no projector has written.
MATCH (s {external_id: $external_id})-[r:RELATES {external_id: $external_id}]->(t {external_id: $external_id})
USING INDEX r:RELATES(external_id)
WHERE r.id IS NULL
RETURN count(r) AS found

// name: chunks_without_id
// Chunks that no projector has written.
MATCH (c:MemoryChunk {external_id: $external_id})
USING INDEX c:MemoryChunk(external_id)
WHERE c.id IS NULL
RETURN count(c) AS found

// name: start
// Entities of these names, known at a time.
UNWIND $name_keys AS name_key
MATCH (e:ENTITY {external_id: $external_id, name_key: name_key})
USING INDEX e:ENTITY(external_id, name_key)
WHERE ($tier IS NULL OR e.tier = $tier) AND ($as_of IS NULL OR e.first_seen <= $as_of)
RETURN e {.id, .tier, .shortterm_memory_id, .name, .types, .description, .confidence, .importance} AS entity

// name: neighbors
// Entities that valid relationships connect with these.
UNWIND $ids AS id
MATCH (e:ENTITY {external_id: $external_id, id: id})
USING INDEX e:ENTITY(external_id, id)
MATCH (e)-[r:RELATES {external_id: $external_id}]-(n:ENTITY {external_id: $external_id})
WHERE ($as_of IS NULL AND r.end_date IS NULL
       OR r.start_date <= $as_of AND (r.end_date IS NULL OR r.end_date > $as_of))
  AND ($as_of IS NULL OR n.first_seen <= $as_of) AND NOT n.id IN $known
WITH DISTINCT n ORDER BY n.id LIMIT $limit
RETURN n {.id, .tier, .shortterm_memory_id, .name, .types, .description, .confidence, .importance} AS entity

// name: relationships_among
// The valid relationships that connect these entities with those.
UNWIND $ids AS id
MATCH (e:ENTITY {external_id: $external_id, id: id})
USING INDEX e:ENTITY(external_id, id)
MATCH (e)-[r:RELATES {external_id: $external_id}]-(n {external_id: $external_id})
WHERE n.id IN $known
  AND ($as_of IS NULL AND r.end_date IS NULL
       OR r.start_date <= $as_of AND (r.end_date IS NULL OR r.end_date > $as_of))
WITH DISTINCT r
RETURN r {.id, .tier, .types, .description, .confidence, .strength, .start_date, .end_date,
          source_id: startNode(r).id, target_id: endNode(r).id} AS relationship

// name: paths
// The shortest paths over valid relationships between entities of two names. Their length is looked at only after they
// are found: as a condition of the search, it would make the server try all other paths where there is no short one.
MATCH (a:ENTITY {external_id: $external_id, name_key: $from_key})
USING INDEX a:ENTITY(external_id, name_key)
WHERE ($tier IS NULL OR a.tier = $tier) AND ($as_of IS NULL OR a.first_seen <= $as_of)
MATCH (b:ENTITY {external_id: $external_id, name_key: $to_key})
USING INDEX b:ENTITY(external_id, name_key)
WHERE b <> a
MATCH p = allShortestPaths((a)-[:RELATES*..10]-(b))
WHERE all(r IN relationships(p) WHERE r.external_id = $external_id AND
          ($as_of IS NULL AND r.end_date IS NULL
           OR r.start_date <= $as_of AND (r.end_date IS NULL OR r.end_date > $as_of)))
  AND all(n IN nodes(p) WHERE n.external_id = $external_id AND ($as_of IS NULL OR n.first_seen <= $as_of))
WITH p
WHERE length(p) <= $depth
WITH p, [n IN nodes(p) | n.id] AS entity_ids, [r IN relationships(p) | r.id] AS relationship_ids
ORDER BY length(p), entity_ids, relationship_ids
LIMIT $limit
RETURN [n IN nodes(p) |
        n {.id, .tier, .shortterm_memory_id, .name, .types, .description, .confidence, .importance}] AS entities,
       [r IN relationships(p) |
        r {.id, .tier, .types, .description, .confidence, .strength, .start_date, .end_date,
           source_id: startNode(r).id, target_id: endNode(r).id}] AS relationships

// name: named
// Entities of whose name a query holds every word, with the chunks that mention them.
UNWIND $words AS word
MATCH (e:ENTITY {external_id: $external_id, first_word: word})
USING INDEX e:ENTITY(external_id, first_word)
WHERE all(w IN e.words WHERE w IN $words)
OPTIONAL MATCH (e)-[m:MENTIONED_IN {external_id: $external_id}]->(c:MemoryChunk {external_id: $external_id})
RETURN e.name_key AS name_key, e.confidence AS confidence, c.id AS chunk_id
