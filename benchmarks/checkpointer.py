"""Measures `AgentMemorySaver` beside LangGraph's `AsyncPostgresSaver`: `make bench`, or with numbers of rounds.

Both work on one embedded PostgreSQL in a temporary folder, each in a database of its own, with the same checkpoints,
and take turns in every round. As many agents as there are calls at once have a thread and a tenant each. With mapped
sections, a third contestant does in two calls what `AgentMemorySaver` does in one transaction: it stores the checkpoint
with `AsyncPostgresSaver`, then updates the sections with `AgentMemory`.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.pregel._checkpoint import LATEST_VERSION
from server import database, started

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemorySettings

CONCURRENCY = (1, 16)
SECTIONS = ("progress", "facts")
CHANGES = {"0": (0, 1), "2, both change at every step": (2, 1), "2, one changes at every fourth step": (1, 4)}
"""Mapped sections: how many of them change, at every how many steps."""
PER_ROUND = 48
WARM_UP = 8
"""Rounds that do not count: a connection plans a statement anew the first five times."""
NEVER = AgentMemorySettings(embed="background", max_pending_updates=10**9, avg_section_update_count=1e9, pool_size=16)
SENTENCE = "The agent has looked at the weather, found a train, and asked for a seat by the window. "

Saver = BaseCheckpointSaver[str]
Operation = Callable[[int, int], Awaitable[Any]]
"""One call for an agent's step; agents and steps are numbered."""


def config(agent: int) -> dict[str, Any]:
    return {"configurable": {"thread_id": f"thread {agent}", "checkpoint_ns": "", "user_id": f"user {agent}"}}


class Thread:
    """An agent's thread, step by step: messages that grow to twenty, two texts, and a few small values.

    Each checkpoint gets the writes of one task.
    """

    def __init__(self, agent: int, changes: int, every: int) -> None:
        self.agent, self.changes, self.every = agent, changes, every
        self.step = 0
        self.config: Any = config(agent)
        self.unwritten: list[Any] = []
        self.checkpoint: Checkpoint = {**empty_checkpoint(), "v": LATEST_VERSION}

    def texts(self) -> dict[str, str]:
        """The sections that this step changes."""
        if self.step % self.every:
            return {}
        return {name: f"{SENTENCE * 3}Step {self.step} of {name}." for name in SECTIONS[: self.changes]}

    def next(self) -> tuple[Checkpoint, dict[str, Any], dict[str, Any]]:
        """The next checkpoint, its metadata and its new versions."""
        self.step += 1
        texts = self.texts()
        messages = [{"role": "user", "content": SENTENCE, "id": i} for i in range(min(self.step, 20))]
        changed: dict[str, Any] = {"messages": messages, "step": self.step, "done": False, **texts}
        values = {**self.checkpoint["channel_values"], **changed}
        new = dict.fromkeys(changed, f"{self.step:032}.0.5")
        versions = {**self.checkpoint["channel_versions"], **new}
        stored: Any = {"id": str(uuid6(clock_seq=self.step)), "channel_values": values, "channel_versions": versions}
        self.checkpoint = {**self.checkpoint, **stored}
        return self.checkpoint, {"source": "loop", "step": self.step, "parents": {}}, new

    def follow(self, stored: Any) -> None:
        """Go on from a stored checkpoint, by its config."""
        self.config = {"configurable": {**self.config["configurable"], **stored["configurable"]}}
        self.unwritten.append(self.config)


class Contestant:
    """A checkpointer with its agents, and the memory in which it updates sections by a second call, if it does."""

    def __init__(self, saver: Saver, agents: int, changes: int, every: int, memory: AgentMemory | None = None) -> None:
        self.saver, self.memory = saver, memory
        self.threads = [Thread(agent, changes, every) for agent in range(agents)]
        self.memories: dict[int, int] = {}
        self.latencies: list[float] = []
        self.seconds = 0.0

    async def put(self, agent: int, _: int) -> None:
        thread = self.threads[agent]
        stored = await self.saver.aput(thread.config, *thread.next())
        thread.follow(stored)
        if self.memory is not None and (texts := thread.texts()):
            edits = [{"section_id": name, "new_content": text} for name, text in texts.items()]
            memory = self.memories.get(agent) or await self._made(agent)
            await self.memory.aupdate_active_memory_sections(f"user {agent}", memory, edits)

    async def _made(self, agent: int) -> int:
        made = await self.memory.acreate_active_memory(f"user {agent}", "Agent state", {"sections": list(SECTIONS)})
        self.memories[agent] = made.id
        return made.id

    async def get_tuple(self, agent: int, _: int) -> None:
        assert await self.saver.aget_tuple(config(agent)) is not None

    async def put_writes(self, agent: int, number: int) -> None:
        writes = [("messages", [{"role": "ai", "content": SENTENCE}]), ("step", number)]
        of = self.threads[agent].unwritten.pop()
        await self.saver.aput_writes(of, writes, f"00000000-0000-4000-8000-{number:012}")

    async def burst(self, operation: Operation, start: int, *, counts: bool) -> None:
        """One round: every agent makes its calls one after the other, all agents at once."""

        async def work(agent: int) -> None:
            for number in range(start + agent, start + PER_ROUND, len(self.threads)):
                began = time.perf_counter()
                await operation(agent, number)
                if counts:
                    self.latencies.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(work(agent) for agent in range(len(self.threads))))
        self.seconds += (time.perf_counter() - began) * counts

    def figures(self, rounds: int) -> tuple[float, float, float]:
        """Milliseconds (median, 95th percentile) and calls per second."""
        ordered = statistics.quantiles(self.latencies, n=20)
        return statistics.median(self.latencies) * 1e3, ordered[-1] * 1e3, rounds * PER_ROUND / self.seconds


async def compare(contestants: list[Contestant], name: str, rounds: int) -> list[tuple[float, float, float]]:
    """Figures of an operation by contestant; they take turns in every round."""
    for one in contestants:
        one.latencies, one.seconds = [], 0.0
    for turn in range(WARM_UP + rounds):
        for one in contestants:
            await one.burst(getattr(one, name), turn * PER_ROUND, counts=turn >= WARM_UP)
    return [one.figures(rounds) for one in contestants]


def row(name: str, at_once: int, figures: list[tuple[float, float, float]]) -> str:
    """A row of the table."""
    (median, _, rate), *others = figures
    shown = [f"{half:.2f} / {most:.2f}" for half, most, _ in figures] + ["–"] * (3 - len(figures))
    ratios = [f"{other[0] / median:.2f} / {rate / other[2]:.2f}" for other in others] + ["–"] * (2 - len(others))
    return " | ".join(["", name, str(at_once), *shown, *ratios, ""]).strip()


@asynccontextmanager
async def opened(
    server: str, sections: bool, at_once: int, changes: int, every: int
) -> AsyncGenerator[list[Contestant]]:
    """The contestants, each on a database of its own."""
    async with AsyncExitStack() as stack:
        mapped = {name: name for name in SECTIONS} if sections else {}
        ours = AgentMemorySaver.from_conn_string(database(server), sections=mapped, settings=NEVER)
        contestants = [Contestant(await stack.enter_async_context(ours), at_once, changes, every)]
        for memory in (None, AgentMemory.open(database(server), settings=NEVER)) if sections else (None,):
            saver = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(database(server)))
            await saver.setup()
            if memory is not None:
                await stack.enter_async_context(memory)
            contestants.append(Contestant(saver, at_once, changes, every, memory))
        yield contestants


async def main() -> None:
    """Everything, on one embedded server."""
    global WARM_UP
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="rounds before these")
    given = parser.parse_args()
    rounds, WARM_UP = given.rounds, given.warm_up
    server = started()
    for title, (changes, every) in CHANGES.items():
        print(f"## Mapped sections: {title}\n")
        print("| call | at once | ours p50 / p95 ms | AsyncPostgresSaver | it and an update", end="")
        print(" | ratio of p50 / per s | ratio to both calls |\n|---|---|---|---|---|---|---|")
        for at_once in CONCURRENCY:
            async with opened(server, changes > 0, at_once, changes, every) as contestants:
                for name in ("put", "put_writes", "get_tuple"):
                    print(row(name, at_once, await compare(contestants, name, rounds)), flush=True)
        print()


if __name__ == "__main__":
    asyncio.run(main())
