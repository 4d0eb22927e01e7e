"""An extractor that needs no model, for the examples of the API reference."""

# [extractor]
import re

from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.models.run import ModelUsage


class WorksOn:
    """Finds who works on what, without a model."""

    async def extract(self, chunks):
        entities, links = [], []
        for chunk in chunks:
            for person, thing in re.findall(r"(\w+) works on (\w+)", chunk.content):
                entities += [ExtractedEntity(name=name, chunk_ids=[chunk.id]) for name in (person, thing)]
                links.append(ExtractedRelationship(source=person, target=thing, chunk_ids=[chunk.id]))
        return Extraction(entities=entities, relationships=links), ModelUsage()


# [end]
