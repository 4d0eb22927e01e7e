"""The entity graph in Neo4j: remember, project, draw, and ask what only a graph database answers well.

NEO4J_URI=bolt://localhost:7687 NEO4J_PASSWORD=... python examples/graph.py [--dsn ...] [--svg graph.svg]
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from langgraph_agentmem import AgentMemory, AgentMemoryError
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.projection import Neighborhood, Neo4jGraph

FACTS = """
- Ada/person leads Ferrywise/project
- Bo/person works_on Ferrywise/project
- Bo/person knows Cyd/person
- Cyd/person maintains Timetable/service
- Ferrywise/project uses Timetable/service
- Timetable/service needs Harbour/authority
- Dee/person works_for Harbour/authority
- Cyd/person knows Dee/person
"""
# Who could ask somebody else for help, over one or two acquaintances or shared things, without knowing them?
HIDDEN_LINKS = """
MATCH p = (a:LongtermEntity {external_id: $external_id})-[:LONGTERM_RELATES*2..3]-(b:LongtermEntity)
WHERE 'person' IN a.types AND 'person' IN b.types AND a.name < b.name AND NOT (a)-[:LONGTERM_RELATES]-(b)
  AND all(r IN relationships(p) WHERE r.end_date IS NULL)
WITH a, b, p ORDER BY length(p), [n IN nodes(p) | n.name]
WITH a.name AS one, b.name AS other, collect([n IN nodes(p) | n.name])[0] AS way
RETURN one, other, way ORDER BY size(way), one, other
"""


class Triples:
    """Finds "Ada/person leads Ferrywise/project" in a text; a chat model would find it in prose."""

    async def extract(self, chunks: Sequence[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
        entities: list[ExtractedEntity] = []
        links: list[ExtractedRelationship] = []
        for chunk in chunks:
            for source, a, verb, target, b in re.findall(r"(\w+)/(\w+) (\w+) (\w+)/(\w+)", chunk.content):
                entities += [ExtractedEntity(name=source, types=[a], chunk_ids=[chunk.id])]
                entities += [ExtractedEntity(name=target, types=[b], chunk_ids=[chunk.id])]
                links += [ExtractedRelationship(source=source, target=target, types=[verb], chunk_ids=[chunk.id])]
        return Extraction(entities=entities, relationships=links), ModelUsage()


def drawn(found: Neighborhood, size: int = 640) -> str:
    """The graph as an SVG picture: entities repel each other, relationships pull theirs together."""
    ids = [entity.id for entity in found.entities]
    links = [(r.source_id, r.target_id) for r in found.relationships]
    at = {id: complex(math.cos(i * 2.4), math.sin(i * 2.4)) * (1 + i / len(ids)) for i, id in enumerate(ids)}
    for _ in range(400):
        push = {a: sum((at[a] - at[b]) / abs(at[a] - at[b]) ** 2 for b in ids if b != a) for a in ids}
        for source, target in links:
            pull = (at[target] - at[source]) * 0.6
            push[source] += pull
            push[target] -= pull
        at = {id: place + push[id] * 0.05 for id, place in at.items()}
    scale = size * 0.38 / max(max(abs(place.real), abs(place.imag)) for place in at.values())
    spot = {id: (size / 2 + place.real * scale, size / 2 + place.imag * scale) for id, place in at.items()}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" font-family="sans-serif" font-size="13" '
        'text-anchor="middle">',
        '<marker id="to" viewBox="0 0 9 9" refX="30" refY="4.5" markerWidth="9" markerHeight="9" orient="auto">'
        '<path d="M0 0 9 4.5 0 9z" fill="#888"/></marker>',
        f'<rect width="{size}" height="{size}" fill="#fff"/>',
    ]
    for link in found.relationships:
        (x1, y1), (x2, y2) = spot[link.source_id], spot[link.target_id]
        lines.append(
            f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" stroke="#888" marker-end="url(#to)"/>'
        )
        kind = escape(", ".join(link.types))
        lines.append(f'<text x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2 - 4:.0f}" fill="#666">{kind}</text>')
    for entity in found.entities:
        x, y = spot[entity.id]
        colour = {"person": "#cde7ff", "project": "#ffe3b8"}.get("".join(entity.types[:1]), "#d9f2d0")
        lines.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="26" fill="{colour}" stroke="#555"/>')
        lines.append(f'<text x="{x:.0f}" y="{y + 4:.0f}">{escape(entity.name)}</text>')
    return "\n".join([*lines, "</svg>\n"])


def tell(dsn: str | None, tenant: str, svg: Path) -> None:
    """Remember the facts, project them, draw them, and ask."""
    with AgentMemory.open(dsn, extractor=Triples(), graph="neo4j") as memory:
        for known in memory.get_active_memories(tenant):
            memory.delete_active_memory(tenant, known.id, forget=True)
        team = memory.create_active_memory(tenant, "Team", {"sections": ["facts"]})
        memory.update_active_memory_section(tenant, team.id, "facts", FACTS)
        report = memory.consolidate(tenant, team.id)
        memory.promote(tenant, team.id, force=True)
        print(f"remembered: {report.entities_created} entities, {report.relationships_created} relationships")
        projected = memory.projector.run_once(tenant)
        print(f"projected into Neo4j: {projected.projected} changes")
        if projected.problems:
            sys.exit(projected.problems[tenant])
        compared = memory.projector.verify(tenant)
        print(f"verified: {compared.compared} things compared, {len(compared.differences)} differences")

        around = memory.graph.neighborhood(tenant, ["Ferrywise"], depth=4, tier="longterm")
        svg.write_text(drawn(around), encoding="utf-8")
        print(f"drawn: {len(around.entities)} entities around Ferrywise, in {svg}")
        [way, *_] = memory.graph.paths(tenant, "Ada", "Dee", tier="longterm")
        print("from Ada to Dee:", " – ".join(entity.name for entity in way.entities))

        assert isinstance(memory.graph, Neo4jGraph)
        print("who could meet whom:")
        for row in memory.graph.cypher(tenant, HIDDEN_LINKS):
            print(f"  {row['one']} and {row['other']}, over {' and '.join(row['way'][1:-1])}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsn", help="PostgreSQL; by default AGENTMEM_DSN, else an embedded server")
    parser.add_argument("--tenant", default="graph-example", help="whose graph it is (default: graph-example)")
    parser.add_argument("--svg", type=Path, default=Path("graph.svg"), help="where to draw (default: graph.svg)")
    arguments = parser.parse_args()
    try:
        tell(arguments.dsn, arguments.tenant, arguments.svg)
    except AgentMemoryError as error:
        sys.exit(f"error: {error}")
