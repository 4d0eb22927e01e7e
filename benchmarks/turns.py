"""Measures this checkout beside another one: `python benchmarks/turns.py ../other [operation …]`.

Each runs in a process of its own, on an embedded PostgreSQL of its own, and they take turns of a few calls each, so
that what else the machine does slows both. Printed are the medians of the turns' ratios, this checkout's to the
other's: by the clock of a caller that is alone, and by the seconds of processor of the client and of the server. Both
checkouts run on this one's environment, so that what they depend on is the same.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import UUID

import psycopg
from folders import temporary
from hashed_embeddings import INDEX
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.store.base import PutOp
from psycopg.conninfo import make_conninfo

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemoryStore, MemorySection

TURNS = 24
CALLS = 25
OF_MANY = 5
"""Calls of a turn that make thirty-two each, or that take as long."""
NAMESPACE = ("tenant", "notes")
ITEMS = 500

Operation = Callable[[int], Awaitable[Any]]


class State(TypedDict, total=False):
    progress: Annotated[str, MemorySection("Progress")]
    facts: Annotated[str, MemorySection("Facts")]


def putting(saver: AgentMemorySaver, thread: str, channels: list[str]) -> Operation:
    """Puts checkpoints of a thread, each of which changes these channels."""
    last: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": "", "user_id": "user"}}

    async def put(number: int) -> None:
        versions: Any = dict.fromkeys(channels, f"{number:032}.0")
        values = {channel: f"{channel} {number}" for channel in channels}
        changed: Any = {"id": str(UUID(int=number)), "channel_values": values, "channel_versions": versions}
        checkpoint: Any = {**empty_checkpoint(), "v": 4, **changed}
        stored = await saver.aput(last, checkpoint, {"source": "loop", "step": number}, versions)
        last["configurable"] |= stored["configurable"]

    return put


async def plain(memory: AgentMemory) -> dict[str, Operation]:
    """Operations without vectors."""
    store, at = AgentMemoryStore(memory), NAMESPACE
    saver = AgentMemorySaver(memory, state_schema=State)
    await store.abatch([PutOp(at, f"k{i}", {"text": f"item {i} red old new"}) for i in range(ITEMS)])
    edited = await memory.acreate_active_memory("editor", "Plan", {"sections": ["a", "b", "c"]})

    async def many(one: Operation, number: int) -> None:
        await asyncio.gather(*(one(32 * number + i) for i in range(32)))

    async def put(number: int) -> None:
        await store.aput(at, f"k{number % ITEMS}", {"text": f"again {number}"})

    async def get(number: int) -> None:
        await store.aget(at, f"k{number % ITEMS}")

    return {
        "put, new": lambda i: store.aput(at, f"n{i}", {"text": f"item {i}"}),
        "put, over": put,
        "32 puts": lambda i: many(put, i),
        "get": get,
        "32 gets": lambda i: many(get, i),
        "search by words": lambda _: store.asearch(at, query="red item"),
        "edit": lambda i: memory.aupdate_active_memory_section("editor", edited.id, "a", new_content=f"text {i}"),
        "checkpoint, no sections": putting(saver, "without", ["messages"]),
        "checkpoint, two sections": putting(saver, "with", ["progress", "facts"]),
    }


async def embedded(memory: AgentMemory) -> dict[str, Operation]:
    """Operations with vectors."""
    store, at = AgentMemoryStore(memory), NAMESPACE
    await store.abatch([PutOp(at, f"k{i}", {"text": f"item {i} red old new"}) for i in range(ITEMS)])
    edited = await memory.acreate_active_memory("editor", "Plan", {"sections": ["a", "b", "c"]})
    return {
        "put, with vectors": lambda i: store.aput(at, f"k{i % ITEMS}", {"text": f"again {i}"}),
        "search with vectors": lambda _: store.asearch(at, query="red item"),
        "edit, with vectors": lambda i: memory.aupdate_active_memory_section(
            "editor", edited.id, "a", new_content=f"text {i}"
        ),
    }


@asynccontextmanager
async def operations(folder: Path) -> AsyncGenerator[dict[str, Operation]]:
    async with AgentMemory.open(data_dir=folder) as memory:
        await memory.asetup()
        dsn = str(memory.dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE DATABASE other TEMPLATE template0")
        async with AgentMemory.open(make_conninfo(dsn, dbname="other"), index=INDEX) as other:
            yield {**await plain(memory), **await embedded(other)}


def running_in(folder: Path) -> int:
    """The process of the server whose data are in a folder."""
    [pid] = folder.rglob("postmaster.pid")
    return int(pid.read_text().split()[0])


def seconds_of_server(postmaster: int) -> float:
    """What the server's processes have computed; those that have ended do not count."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == postmaster:
                total += int((folder / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1e9


async def serve(folder: Path) -> None:
    """Do what stands on standard input, an operation and how often a line, and print what each call took."""
    async with operations(folder) as known:
        postmaster = running_in(folder)
        print(json.dumps(list(known)), flush=True)
        numbers = dict.fromkeys(known, 0)
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            name, calls = line.rsplit(" ", 1)
            taken: list[float] = []
            client, server = time.process_time(), seconds_of_server(postmaster)
            for _ in range(int(calls)):
                numbers[name] += 1
                begun = time.perf_counter()
                await known[name](numbers[name])
                taken.append(time.perf_counter() - begun)
            each = [(time.process_time() - client), (seconds_of_server(postmaster) - server)]
            print(json.dumps([statistics.median(taken), *(part / int(calls) for part in each)]), flush=True)


class Checkout:
    """A checkout at work."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(temporary() / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(path.resolve())},
        )
        self.operations: list[str] = self._answer()

    def turn(self, name: str, calls: int) -> list[float]:
        """Seconds of a call: by the clock, of the client's processor, of the server's."""
        print(name, calls, file=self.process.stdin, flush=True)
        return self._answer()

    def end(self) -> None:
        self.process.communicate()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


def compare(others: Path, wanted: list[str], turns: int) -> None:
    other, this = Checkout(others), Checkout(Path(__file__).parent.parent)
    print(f"{'operation':26}{'other, ms':>10}{'clock':>8}{'client':>8}{'server':>8}{'both':>8}")
    for name in other.operations:
        if wanted and not any(part in name for part in wanted):
            continue
        calls = OF_MANY if name.startswith("32") or name == "search by words" else CALLS
        pairs: list[tuple[list[float], list[float]]] = []
        for turn in range(turns + 1):
            order = [other, this] if turn % 2 else [this, other]
            took = {checkout: checkout.turn(name, calls) for checkout in order}
            if turn:  # the first one is to warm up
                pairs.append((took[other], took[this]))
        ratios = [statistics.median(b[i] / a[i] for a, b in pairs) for i in range(3)]
        both = statistics.median((b[1] + b[2]) / (a[1] + a[2]) for a, b in pairs)
        clock = statistics.median(a[0] for a, _ in pairs) * 1000
        print(f"{name:26}{clock:10.2f}" + "".join(f"{ratio:8.2f}" for ratio in (*ratios, both)), flush=True)
    other.end()
    this.end()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(Path(sys.argv[2])))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("other", type=Path, help="the other checkout's folder")
        parser.add_argument("operations", nargs="*", help="those whose names have one of these in them; all by default")
        parser.add_argument("--turns", type=int, default=TURNS)
        given = parser.parse_args()
        compare(given.other, given.operations, given.turns)
