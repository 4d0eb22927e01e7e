// name: shortterm_entity_id
// A short-term entity is one node.
CREATE CONSTRAINT agentmem_shortterm_entity_id IF NOT EXISTS
FOR (e:ShorttermEntity) REQUIRE (e.external_id, e.id) IS UNIQUE

// name: longterm_entity_id
// A long-term entity is one node.
CREATE CONSTRAINT agentmem_longterm_entity_id IF NOT EXISTS
FOR (e:LongtermEntity) REQUIRE (e.external_id, e.id) IS UNIQUE

// name: chunk_id
// A chunk is one node.
CREATE CONSTRAINT agentmem_chunk_id IF NOT EXISTS
FOR (c:MemoryChunk) REQUIRE (c.external_id, c.id) IS UNIQUE

// name: projection_tenant
// A tenant has one state.
CREATE CONSTRAINT agentmem_projection_tenant IF NOT EXISTS
FOR (p:AgentMemoryProjection) REQUIRE p.external_id IS UNIQUE

// name: shortterm_relationship_id
// A short-term relationship is one edge.
CREATE CONSTRAINT agentmem_shortterm_relationship_id IF NOT EXISTS
FOR ()-[r:SHORTTERM_RELATES]-() REQUIRE (r.external_id, r.id) IS UNIQUE

// name: longterm_relationship_id
// A long-term relationship is one edge.
CREATE CONSTRAINT agentmem_longterm_relationship_id IF NOT EXISTS
FOR ()-[r:LONGTERM_RELATES]-() REQUIRE (r.external_id, r.id) IS UNIQUE

// name: shortterm_entity_tenant
// All of a tenant's short-term entities.
CREATE INDEX agentmem_shortterm_entity_tenant IF NOT EXISTS FOR (e:ShorttermEntity) ON (e.external_id)

// name: longterm_entity_tenant
// All of a tenant's long-term entities.
CREATE INDEX agentmem_longterm_entity_tenant IF NOT EXISTS FOR (e:LongtermEntity) ON (e.external_id)

// name: chunk_tenant
// All of a tenant's chunks.
CREATE INDEX agentmem_chunk_tenant IF NOT EXISTS FOR (c:MemoryChunk) ON (c.external_id)

// name: shortterm_relationship_tenant
// All of a tenant's short-term relationships.
CREATE INDEX agentmem_shortterm_relationship_tenant IF NOT EXISTS FOR ()-[r:SHORTTERM_RELATES]-() ON (r.external_id)

// name: longterm_relationship_tenant
// All of a tenant's long-term relationships.
CREATE INDEX agentmem_longterm_relationship_tenant IF NOT EXISTS FOR ()-[r:LONGTERM_RELATES]-() ON (r.external_id)

// name: shortterm_entity_name
// A tenant's short-term entities of a name.
CREATE INDEX agentmem_shortterm_entity_name IF NOT EXISTS FOR (e:ShorttermEntity) ON (e.external_id, e.name_key)

// name: longterm_entity_name
// A tenant's long-term entities of a name.
CREATE INDEX agentmem_longterm_entity_name IF NOT EXISTS FOR (e:LongtermEntity) ON (e.external_id, e.name_key)

// name: shortterm_entity_word
// A tenant's short-term entities by the first of their name's words, to find those that a query names.
CREATE INDEX agentmem_shortterm_entity_word IF NOT EXISTS FOR (e:ShorttermEntity) ON (e.external_id, e.first_word)

// name: longterm_entity_word
// A tenant's long-term entities by the first of their name's words, to find those that a query names.
CREATE INDEX agentmem_longterm_entity_word IF NOT EXISTS FOR (e:LongtermEntity) ON (e.external_id, e.first_word)
