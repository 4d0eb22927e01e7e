"""After any sequence of what a memory can do, both databases hold the same graph."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel
from people import consolidate, start

from langgraph_agentmem import AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import InvalidInputError, UndoConflictError
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase

Open = Callable[..., AgentMemory]
NAMES = ["Ada", "Bob", "Carol", "Dan", "Tea"]
VERBS = ["knows", "likes", "visits"]
STEPS = 30


class Story:
    """A random sequence of operations on three memories of one tenant, with projections in between."""

    def __init__(self, memory: AgentMemory, tenant: str, seed: int) -> None:
        self.memory = memory
        self.tenant = tenant
        self.random = random.Random(seed)
        self.open: list[int] = []
        self.closed: list[int] = []
        self.kept: list[int] = []
        self.runs: list[str] = []
        self.store = AgentMemoryStore(memory)
        self.titles = 0
        small = GraphProjector(memory.resources.database, memory.projector.neo4j, batch_size=3)
        self.projectors = [memory.projector, small]

    def answer(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Entities and relationships at random, and random decisions about what is unclear."""
        choice = self.random
        if name == "Extraction":
            found: dict[str, Any] = {"entities": [], "relationships": []}
            for chunk in data["chunks"]:
                ids = [chunk["id"]]
                some = choice.sample(NAMES, choice.randint(0, 3))
                found["entities"] += [
                    {"name": n, "types": choice.sample(["a", "b", "c"], choice.randint(1, 2)), "chunk_ids": ids}
                    for n in some
                ]
                found["relationships"] += [
                    {"source": a, "target": b, "types": [choice.choice(VERBS)], "chunk_ids": ids}
                    for a, b in itertools.pairwise(some)
                ]
            return found
        entities = [
            {"conflict": e["conflict"], "action": "merge", "entity_id": e["candidates"][0]["id"]}
            for e in data.get("entities", [])
            if e.get("candidates") and choice.random() < 0.5
        ]
        relationships = [
            {"conflict": r["conflict"], "action": "supersede", "relationship_id": r["candidates"][0]["id"]}
            for r in data.get("relationships", [])
            if r.get("candidates") and choice.random() < 0.7
        ]
        return {"entities": entities, "relationships": relationships}

    async def step(self) -> None:
        steps = [self.write] * 8 + [self.promote] * 3 + [self.undo] * 2 + [self.project] * 3
        steps += [self.put] * 4 + [self.delete] * 3 + [self.new, self.close, self.forget, self.rebuild]
        await self.random.choice(steps)()

    async def new(self) -> None:
        self.titles += 1
        self.open.append(await start(self.memory, self.tenant, f"Memory {self.titles}"))

    async def write(self) -> None:
        if not self.open:
            await self.new()
        lines = [
            f"{self.random.choice(NAMES)} {self.random.choice(VERBS)} {self.random.choice(NAMES)} {self.random.randint(1, 9)}"
            for _ in range(self.random.randint(1, 4))
        ]
        self.runs.append(await consolidate(self.memory, self.tenant, self.random.choice(self.open), "\n".join(lines)))

    async def put(self) -> None:
        text = f"{self.random.choice(NAMES)} {self.random.choice(VERBS)} {self.random.choice(NAMES)}"
        await self.store.aput((self.tenant, "items"), f"k{self.random.randint(1, 4)}", {"text": text})
        [items] = [m for m in await self.memory.aget_active_memories(self.tenant) if m.title == "items"]
        if (report := await self.memory.aconsolidate(self.tenant, items.id)).run_id:
            self.runs.append(report.run_id)
        if items.id not in self.kept:
            self.kept.append(items.id)

    async def delete(self) -> None:
        await self.store.adelete((self.tenant, "items"), f"k{self.random.randint(1, 4)}")

    async def promote(self) -> None:
        if known := self.open + self.closed + self.kept:
            await self.memory.apromote(self.tenant, self.random.choice(known), force=True)

    async def undo(self) -> None:
        if not self.runs:
            return
        run = self.runs.pop(self.random.randrange(max(0, len(self.runs) - 3), len(self.runs)))
        known = {run.id: run.status for run in await self.memory.runs.alist(self.tenant, limit=1000)}
        if known.get(run) == "applied":
            try:
                await self.memory.runs.aundo(self.tenant, run)
            except (UndoConflictError, InvalidInputError):  # the latter where an item that the run had seen was deleted
                return

    async def close(self) -> None:
        if self.open:
            memory = self.open.pop(self.random.randrange(len(self.open)))
            await self.memory.adelete_active_memory(self.tenant, memory)
            self.closed.append(memory)

    async def forget(self) -> None:
        for known in self.random.sample([self.open, self.closed], 2):
            if known:
                memory = known.pop(self.random.randrange(len(known)))
                return await self.memory.adelete_active_memory(self.tenant, memory, forget=True)
        return None

    async def project(self) -> None:
        report = await self.random.choice(self.projectors).arun_once(self.tenant)
        assert (report.dead, report.problems) == (0, {})

    async def rebuild(self) -> None:
        report = await self.random.choice(self.projectors).arebuild(self.tenant)
        assert (report.dead, report.problems) == (0, {})


@pytest.mark.parametrize("seed", range(2))
async def test_after_any_story_both_databases_hold_the_same_graph(
    opened: Open, neo4j: Neo4jDatabase, tenant: str, seed: int
) -> None:
    stories: list[Story] = []
    model = ScriptedModel(answer=lambda name, data: stories[0].answer(name, data))
    memory = opened(model=model, graph=neo4j, settings={"shortterm_update_threshold": 3})
    stories.append(story := Story(memory, tenant, seed))
    for _ in range(STEPS):
        await story.step()
        assert (await memory.projector.averify(tenant)).differences == []
    await story.project()
    report = await memory.projector.averify(tenant)
    assert (report.pending, report.differences) == (0, [])
    for projector in story.projectors:
        assert (await projector.arun_once(tenant)).projected == 0
