"""The entity graph in Neo4j, as the how-to shows it; NEO4J_URI and NEO4J_PASSWORD name a server."""

import uuid

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.models.run import ModelUsage

ALICE = f"alice {uuid.uuid4()}"


class Works:
    """Ada and Bo work on the engine."""

    async def extract(self, chunks):
        ids = [chunk.id for chunk in chunks]
        names = {"Ada": "person", "Bo": "person", "Engine": "component"}
        entities = [ExtractedEntity(name=name, types=[kind], chunk_ids=ids) for name, kind in names.items()]
        links = [
            ExtractedRelationship(source=name, target="Engine", types=["works_on"], chunk_ids=ids)
            for name in ("Ada", "Bo")
        ]
        return Extraction(entities=entities, relationships=links), ModelUsage()


with AgentMemory.open(extractor=Works()) as filling:
    team = filling.create_active_memory(ALICE, "Team", {"sections": ["team"]})
    filling.update_active_memory_section(ALICE, team.id, "team", "Ada and Bo work on the engine.")
    filling.consolidate(ALICE, team.id)
    filling.promote(ALICE, team.id, force=True)
    report = filling.projector.run_once()
    assert (report.projected, report.dead, report.problems) == (11, 0, {})

# [project]
from langgraph_agentmem.projection import GraphProjector

with GraphProjector.open() as projector:  # AGENTMEM_DSN, NEO4J_URI, NEO4J_USERNAME, NEO4J_PASSWORD, NEO4J_DATABASE
    report = projector.run_once()
    print(report.projected, report.dead, report.problems)
# [end]

# [read]
from langgraph_agentmem import AgentMemory

with AgentMemory.open(graph="neo4j") as memory:  # or AGENTMEM_GRAPH=neo4j
    around = memory.graph.neighborhood(ALICE, ["Engine"], depth=2, tier="longterm")
    print([(entity.name, entity.distance) for entity in around.entities])  # [('Engine', 0), ('Ada', 1), ('Bo', 1)]
    [path] = memory.graph.paths(ALICE, "Ada", "Bo", tier="longterm")
    print([entity.name for entity in path.entities])  # ['Ada', 'Engine', 'Bo']
    # [end]
    assert [(entity.name, entity.distance) for entity in around.entities] == [("Engine", 0), ("Ada", 1), ("Bo", 1)]
    assert [entity.name for entity in path.entities] == ["Ada", "Engine", "Bo"]
    # [cypher]
    rows = memory.graph.cypher(
        ALICE,
        """
        MATCH (a:LongtermEntity {external_id: $external_id})-[r:LONGTERM_RELATES]->(b:LongtermEntity)
        WHERE $kind IN r.types AND r.end_date IS NULL
        RETURN b.name AS thing, count(a) AS people
        """,
        {"kind": "works_on"},
    )
    print(rows)  # [{'thing': 'Engine', 'people': 2}]
    # [end]
    assert rows == [{"thing": "Engine", "people": 2}]
