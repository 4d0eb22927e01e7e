"""An extractor that needs no model."""

# [extractor]
import re
from collections.abc import Sequence

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.models.run import ModelUsage

WORKS_ON = re.compile(r"(?P<person>[A-Z]\w+) works on (?:the )?(?P<thing>\w+)")


class WorksOnExtractor:
    """Finds who works on what."""

    async def extract(self, chunks: Sequence[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
        entities: list[ExtractedEntity] = []
        relationships: list[ExtractedRelationship] = []
        for chunk in chunks:
            for found in WORKS_ON.finditer(chunk.content):
                person, thing, ids = found["person"], found["thing"], [chunk.id]
                entities.append(ExtractedEntity(name=person, types=["person"], confidence=0.9, chunk_ids=ids))
                entities.append(ExtractedEntity(name=thing, types=["component"], confidence=0.9, chunk_ids=ids))
                relationships.append(
                    ExtractedRelationship(source=person, target=thing, types=["works_on"], chunk_ids=ids)
                )
        return Extraction(entities=entities, relationships=relationships), ModelUsage()


# [end]


# [use]
with AgentMemory.open(extractor=WorksOnExtractor()) as memory:
    team = memory.create_active_memory("alice", "Team", {"sections": ["team"]})
    memory.update_active_memory_section("alice", team.id, "team", "Ada works on the engine. Bo works on tests.")
    report = memory.consolidate("alice", team.id)
    print(report.entities_created, report.relationships_created)  # 4 2
    ada = memory.get_entity("alice", "ada")
    print([(link.types, link.target) for link in ada.relationships])  # [(['works_on'], 'engine')]
    # [end]
    assert (report.entities_created, report.relationships_created) == (4, 2)
    assert [(link.types, link.target) for link in ada.relationships] == [(["works_on"], "engine")]
    assert memory.search("alice", "ada")[0].arms.graph > 0


# [failing]
class ServiceExtractor:
    """Asks a service that may be away."""

    async def extract(self, chunks: Sequence[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
        try:
            return await self.ask([chunk.content for chunk in chunks]), ModelUsage(calls=1)
        except TimeoutError as error:
            raise ModelError(f"the extraction service did not answer: {error}") from error

    async def ask(self, texts: list[str]) -> Extraction:
        raise TimeoutError(f"nothing heard about {len(texts)} texts")


# [end]

with AgentMemory.open(extractor=ServiceExtractor()) as memory:
    memory.update_active_memory_section("alice", team.id, "team", "Cy works on docs.", action="insert")
    report = memory.consolidate("alice", team.id)
    assert report.status == "applied"
    assert "did not answer" in report.failures[0]

with AgentMemory.open(extractor=WorksOnExtractor()) as memory:
    memory.update_active_memory_section("alice", team.id, "team", "Di works on sales.", action="insert")
    memory.consolidate("alice", team.id)
    assert memory.get_entity("alice", "cy").relationships[0].target == "docs"
