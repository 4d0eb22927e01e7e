"""Every way into a section leads to the same rows, without a lock and behind it."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from consistency import assert_consistent, caught_up
from fakes import WordEmbedder
from langgraph.store.base import PutOp
from texts import State, agent

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.errors import ConflictError, NotFoundError
from langgraph_agentmem.operations.sections import values
from langgraph_agentmem.storage.driver.connections import retrying_deadlocks
from langgraph_agentmem.storage.driver.translation import RefusedError
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[object, ...]]]
TEXTS = ("", "a falcon", "an owl\n\n- a crow", "a heron", "The nest: in an oak")
SECTIONS = ("progress", "facts")


class Teller:
    """Tells the same story of a tenant, whoever it is: it draws alike from the same seed."""

    def __init__(self, memory: AgentMemory, tenant: str, seed: int) -> None:
        self.memory, self.tenant, self.draw = memory, tenant, random.Random(seed)
        policy: Any = ["last_write", "refuse", lambda c: f"{c.mine}+{c.theirs}"][seed % 3]
        self.saver = AgentMemorySaver(memory, state_schema=State, on_conflict=policy)
        self.store = AgentMemoryStore(memory, ttl={"omit_expired": True} if seed % 2 else None)

    async def tell(self, steps: int) -> list[str]:
        """Do something so many times; returns what each step came to: what it returned, or its error's type."""
        outcomes = list[str]()
        for _ in range(steps):
            step = self.draw.choice([self.put, self.put, self.batch, self.put_if, self.edit, self.edit, self.checkpoint,
                                     self.checkpoint, self.checkpoint, self.delete, self.search, self.flush, self.expire])  # fmt: skip
            try:
                outcomes.append(f"{step.__name__}: {await step()}")
            except (ConflictError, NotFoundError) as error:
                outcomes.append(f"{step.__name__}: {type(error).__name__}")
        return outcomes

    def namespace(self) -> tuple[str, ...]:
        return self.tenant, self.draw.choice(["notes", "other"])

    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = {"content": self.draw.choice(TEXTS)}
        return value | ({"aside": self.draw.choice(TEXTS)} if self.draw.random() < 0.3 else {})

    async def put(self) -> None:
        index: Any = self.draw.choice([None, None, False, ["content"]])
        ttl = self.draw.choice([None, None, None, 5.0])
        await self.store.aput(self.namespace(), self.draw.choice("abc"), self.value(), index=index, ttl=ttl)

    async def batch(self) -> None:
        keys = self.draw.sample("abcdef", 3)
        puts = [PutOp(self.namespace(), key, self.value(), ttl=self.draw.choice([None, 9.0])) for key in keys]
        await self.store.abatch([*puts, PutOp(self.namespace(), "gone", None)])

    async def put_if(self) -> int:
        item = await self.store.aput_if(self.namespace(), self.draw.choice("abc"), self.value(), self.draw.randrange(3))
        return item.revision

    async def edit(self) -> object:
        for known in await self.memory.aget_active_memories(self.tenant):
            wanted = [id for id in sorted(known.sections) if self.draw.random() < 0.5]
            edits = [{"section_id": id, "new_content": self.draw.choice(TEXTS)} for id in wanted]
            if edits:
                edited = await self.memory.aupdate_active_memory_sections(self.tenant, known.id, edits, source="person")
                return edited.consolidation_info, {id: edited.sections[id].revision for id in wanted}
        return None

    async def checkpoint(self) -> None:
        thread = self.draw.choice("112")
        texts = {name: self.draw.choice(TEXTS[:4]) for name in SECTIONS if self.draw.random() < 0.7}
        config = {"configurable": {"thread_id": f"{self.tenant} {thread}", "user_id": self.tenant}}
        what = self.draw.choice(["say", "say", "say", "mend", "hydrate", "hydrate at once"])
        if what == "mend":
            await agent(self.saver, hydrate=False).aupdate_state(config, texts, as_node="work")
            return
        durability: Any = "exit" if what == "hydrate at once" else "sync"
        await agent(self.saver, hydrate=what != "say").ainvoke({"say": texts}, config, durability=durability)

    async def delete(self) -> None:
        await self.store.adelete(self.namespace(), self.draw.choice("abc"))

    async def search(self) -> object:
        found = await self.store.asearch((self.tenant,), query=self.draw.choice(["falcon", "owl", "oak"]), limit=30)
        return sorted((hit.namespace[1:], hit.key, bool(hit.score)) for hit in found)

    async def flush(self) -> object:
        return sorted(report.updates_consumed for report in await self.memory.queue.aflush(self.tenant))  # in any order

    async def expire(self) -> None:
        async with self.memory.resources.database.transaction(self.tenant) as connection:
            await connection.execute(
                "UPDATE agentmem.section SET expires_at = now() - interval '1 s' "
                "WHERE external_id = %s AND expires_at IS NOT NULL",
                [self.tenant],
            )


LEFT = (
    "SELECT namespace[2:], pending_updates, section_count, deleted_revision, due_at IS NULL, closed_at IS NULL "
    "FROM agentmem.active_memory WHERE external_id = %s ORDER BY id",
    "SELECT a.namespace[2:], s.section_id, s.value, s.text_fields, s.revision, s.update_count, s.total_updates, "
    "split_part(s.source, ' ', 1), s.ttl_minutes, s.needs_chunking FROM agentmem.section s JOIN agentmem.active_memory a "
    "ON a.external_id = s.external_id AND a.id = s.memory_id WHERE s.external_id = %s ORDER BY a.id, s.section_id",
    "SELECT split_part(thread_id, ' ', 2), section_id, revision, text_hash, loaded_revision, loaded_hash "
    "FROM agentmem.thread_section WHERE external_id = %s ORDER BY 1, 2",
    "SELECT section_id, content, tier, current, end_date IS NULL, embedding IS NULL FROM agentmem.memory_chunk "
    "WHERE external_id = %s ORDER BY section_id, content, tier, current, id",
)
"""What a story leaves of a tenant."""


def behind_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, nothing is written without a lock."""

    async def locked(writer: str, attempt: Callable[[bool], Any]) -> Any:
        return await retrying_deadlocks(lambda: attempt(True))

    async def refused(*arguments: Any, **named: Any) -> Any:
        raise RefusedError("not without a lock")

    monkeypatch.setattr(values, "attempted", locked)
    monkeypatch.setattr(values, "write_alone", refused)


@pytest.mark.parametrize(
    ("seed", "embedder"), [*((seed, None) for seed in range(4)), *((seed, WordEmbedder) for seed in range(4, 6))]
)
async def test_any_story_of_all_writers_ends_alike_without_a_lock_and_behind_it(
    opened: Any, rows: Rows, dsn: str, monkeypatch: pytest.MonkeyPatch, seed: int, embedder: Any
) -> None:
    memory = opened(index=embedder() if embedder else None)
    alone = await Teller(memory, "alone", seed).tell(60)
    behind_the_lock(monkeypatch)
    locked = await Teller(memory, "locked", seed).tell(60)

    assert alone == locked
    await caught_up(memory)
    assert [rows(sql, "alone") for sql in LEFT] == [rows(sql, "locked") for sql in LEFT]
    assert_consistent(dsn)
