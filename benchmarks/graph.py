"""Measures the projection into Neo4j and reading the graph, PostgreSQL against Neo4j: `make bench`.

One run on one machine: an embedded PostgreSQL in a temporary folder, and the Neo4j that NEO4J_URI names, or else one
that is started for the run. The two readers take turns with the same questions.
"""

import argparse
import asyncio
import atexit
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from folders import temporary

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase, Neo4jGraph, PostgresGraph

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import neo4j_server

ENTITIES = 100_000
RELATIONSHIPS = 200_000
CHUNKS = 50_000
MENTIONS = 2
QUESTIONS = 60
DEPTHS = (1, 2, 3)
TENANT = "bench-graph"

FILL = """
INSERT INTO agentmem.active_memory (external_id, id, namespace, title, template)
VALUES (%(tenant)s, 1, '{{bench}}', 'Bench', '{{"sections": [{{"id": "facts"}}]}}');

INSERT INTO agentmem.entity (
    external_id, id, tier, name, name_key, form_key, name_words, types, confidence, importance, first_seen)
SELECT %(tenant)s, i, 'longterm', 'Entity ' || i, 'entity ' || i, 'entity' || i, ARRAY['entity', i::text],
       '{{thing}}', 0.8, 0.5, now()
FROM generate_series(1, {entities}) i;

INSERT INTO agentmem.relationship (external_id, id, tier, source_id, target_id, types, confidence, strength)
SELECT %(tenant)s, row_number() OVER (), 'longterm', s, t, '{{knows}}', 0.8, 0.5 FROM (
    SELECT DISTINCT 1 + floor(random() * {entities})::bigint AS s, 1 + floor(random() * {entities})::bigint AS t
    FROM generate_series(1, {relationships})) ends
WHERE s <> t;

INSERT INTO agentmem.memory_chunk (
    external_id, id, memory_id, section_id, section_revision, chunk_order, content, content_hash, tier, words,
    own_words)
SELECT %(tenant)s, i, 1, 'facts', 1, i, 'text ' || i, sha256(i::text::bytea), 'longterm',
       '{{1:1}}/1000000000', '{{1}}'
FROM generate_series(1, {chunks}) i;

INSERT INTO agentmem.mention (external_id, chunk_id, entity_id)
SELECT %(tenant)s, i, e FROM generate_series(1, {chunks}) i
CROSS JOIN LATERAL (SELECT DISTINCT 1 + ((i * 7919 + k * 104729) %% {entities}) AS e
                    FROM generate_series(1, {mentions}) k) m;

ANALYZE agentmem.entity, agentmem.relationship, agentmem.memory_chunk, agentmem.mention
"""
ENQUEUE = """
INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision)
SELECT external_id, '{kind}', id, 'upsert', 1 FROM agentmem.{table} WHERE external_id = %(tenant)s
"""


def neo4j() -> Neo4jDatabase:
    """The server that the environment names, or one of our own."""
    settings = AgentMemorySettings()
    if settings.neo4j_uri:
        return Neo4jDatabase.of(settings)
    if not neo4j_server.startable():
        print(f"The graph is not measured: it {neo4j_server.WANTED.replace('NEO4J_TEST_', 'NEO4J_')}.")
        sys.exit(0)
    home = temporary()
    server = neo4j_server.Server.made(home / "neo4j").start()
    atexit.register(neo4j_server.end, server.pid)
    return Neo4jDatabase(server.uri, password=neo4j_server.PASSWORD)


def execute(dsn: str, sql: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in sql.split(";"):
            connection.execute(statement, {"tenant": TENANT})


async def seconds(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def measure_projection(dsn: str, projector: GraphProjector) -> None:
    sys.stdout.reconfigure(line_buffering=True)
    print("### Projecting (one projector)\n")
    print("| what | number | seconds | per second |\n| --- | --- | --- | --- |")
    for kind, table in (("entity", "entity"), ("chunk", "memory_chunk"), ("relationship", "relationship")):
        execute(dsn, ENQUEUE.format(kind=kind, table=table))
        done = 0

        def count(now: int, _: int) -> None:
            nonlocal done
            done = now

        took = await seconds(projector.arun_once(TENANT, progress=count))
        what = {"entity": "entities", "chunk": f"chunks with {MENTIONS} mentions each"}.get(kind, "relationships")
        print(f"| {what} | {done:,} | {took:.1f} | {done / took:,.0f} |")
    print()


async def measure_reading(postgres: PostgresGraph, neo4j: Neo4jGraph) -> None:
    """Medians of both readers, who take turns with the same questions."""
    names = [f"Entity {number}" for number in random.Random(7).sample(range(1, ENTITIES + 1), QUESTIONS + 5)]
    print("### Reading (milliseconds, median; in brackets: times PostgreSQL)\n")
    print("| question | found | PostgreSQL | Neo4j |\n| --- | --- | --- | --- |")

    async def compare(what: str, ask: Callable[[PostgresGraph | Neo4jGraph, int], Awaitable[int]]) -> None:
        took: dict[str, list[float]] = {"postgres": [], "neo4j": []}
        sizes: list[int] = []
        for number in range(len(names)):
            answers: list[int] = []
            for name, graph in (("postgres", postgres), ("neo4j", neo4j)):
                started = time.perf_counter()
                answers.append(await ask(graph, number))
                if number >= 5:  # the first ones warm up
                    took[name].append(time.perf_counter() - started)
            assert answers[0] == answers[1], (names[number], answers)
            sizes.append(answers[0])
        ours, theirs = (statistics.median(took[name]) * 1000 for name in ("postgres", "neo4j"))
        print(f"| {what} | {statistics.median(sizes):.0f} | {ours:.1f} (1.0) | {theirs:.1f} ({theirs / ours:.1f}) |")

    for depth in DEPTHS:

        async def around(graph: PostgresGraph | Neo4jGraph, number: int, depth: int = depth) -> int:
            return len((await graph.aneighborhood(TENANT, [names[number]], depth, limit=10_000)).entities)

        await compare(f"neighborhood, depth {depth}", around)

    async def ways(graph: PostgresGraph | Neo4jGraph, number: int) -> int:
        return len(await graph.apaths(TENANT, names[number], names[number - 1], 6))

    await compare("paths of up to 6 relationships", ways)
    print()


async def measure_mending(projector: GraphProjector) -> None:
    """A rebuild of everything over itself, and its verification."""
    total = 0

    def count(now: int, _: int) -> None:
        nonlocal total
        total = now

    print("### Mending\n")
    print("| what | number | seconds | per second |\n| --- | --- | --- | --- |")
    took = await seconds(projector.arebuild(TENANT, progress=count))
    print(f"| rebuild of all of that over itself | {total:,} | {took:.1f} | {total / took:,.0f} |")
    started = time.perf_counter()
    report = await projector.averify(TENANT)
    took = time.perf_counter() - started
    assert not report.differences, report.differences[:3]
    print(f"| verification of all of that | {total:,} | {took:.1f} | {total / took:,.0f} |\n")


async def main() -> None:
    global ENTITIES, RELATIONSHIPS, CHUNKS, QUESTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--entities", type=int, default=ENTITIES, help="twice as many relationships, half as many chunks"
    )
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    given = parser.parse_args()
    ENTITIES, RELATIONSHIPS, CHUNKS = given.entities, 2 * given.entities, given.entities // 2
    QUESTIONS = given.questions
    database = neo4j()
    folder = temporary() / "data"
    async with AgentMemory.open(data_dir=folder, graph=database) as memory:
        assert memory.dsn is not None
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores, Neo4j at {database.uri}\n")
        sizes = {"entities": ENTITIES, "relationships": RELATIONSHIPS, "chunks": CHUNKS, "mentions": MENTIONS}
        execute(memory.dsn, FILL.format(**sizes))
        await measure_projection(memory.dsn, memory.projector)
        await measure_reading(PostgresGraph(memory.resources.database), Neo4jGraph(database))
        await measure_mending(memory.projector)


if __name__ == "__main__":
    asyncio.run(main())
