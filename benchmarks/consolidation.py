"""Measures what consolidation costs and how fast workers are: `make bench`.

Everything runs against one embedded PostgreSQL in a temporary folder. Workers are processes of their own, except where
the application runs one itself. The chat model is a stand-in that answers at once, or after a set time; it counts its
calls and estimates tokens at four characters each.

    python benchmarks/consolidation.py                    # all of it
    python benchmarks/consolidation.py 0.2                # with a fifth of the work
    python benchmarks/consolidation.py 1 lag throughput   # some of it
"""

import asyncio
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from folders import temporary
from stand_in import StandInModel

from langgraph_agentmem import ActiveMemory, AgentMemory, AgentMemorySettings, MemoryWorker

SIZES = (1, 5, 20, 50)
SECTIONS = (3, 5, 10)
PARTS = ("transactions", "frequency", "lag", "throughput", "interference")
WORKS = sys.argv[1:2] in (["--follow"], ["--once"])
SHARE = float(sys.argv[1]) if len(sys.argv) > 1 and not WORKS else 1.0
UPDATES = 1_000
MEMORIES = round(300 * SHARE)
LAGS = round(200 * SHARE)
WINDOWS, WINDOW_SECONDS = max(round(12 * SHARE), 3), 1.5
THINKING = 0.3
"""Seconds that a model takes for an answer where it does not answer at once."""

NAMES = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal")
THINGS = ("engine", "budget", "launch date", "supplier", "test rig", "report", "contract", "prototype")
STATES = ("approved", "late", "on hold", "done", "in review", "cancelled", "ordered", "broken")


def text_of(index: int, mark: str) -> str:
    """A section of three statements, of which one changes."""
    return (
        f"- Task {index}: the review of the draft is with {NAMES[index % 8]} until the end of the week\n"
        f"- State {index}: {mark}\n"
        f"- Owner {index}: the person who wrote the first version, as agreed in the last meeting\n"
    )


async def filled(memory: AgentMemory, tenant: str, title: str, sections: int) -> ActiveMemory:
    """A memory whose sections have their first texts."""
    contents = {f"s{i}": text_of(i, "new") for i in range(sections)}
    return await memory.acreate_active_memory(tenant, title, {"sections": list(contents)}, contents)


def ask(dsn: str, sql: str, *params: object) -> list[tuple[Any, ...]]:
    """Rows, read beside the memory."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


# Transactions


async def measure_transactions(memory: AgentMemory, dsn: str) -> None:
    """Transactions that write, by the ids that PostgreSQL gave out."""
    created = await filled(memory, "bench", "transactions", max(SIZES))
    rows: list[list[str]] = []

    async def batch(size: int) -> object:
        edits = [{"section_id": f"s{i}", "new_content": text_of(i, f"batch of {size}")} for i in range(size)]
        return await memory.aupdate_active_memory_sections("bench", created.id, edits)

    async def singles(size: int) -> object:
        for i in range(size):
            await memory.aupdate_active_memory_section("bench", created.id, f"s{i}", text_of(i, f"one of {size}"))
        return None

    for label, write in (("one batch of N updates", batch), ("N single updates", singles)):
        counts: list[str] = []
        for size in SIZES:
            before = next_transaction(dsn)
            await write(size)
            counts.append(str(next_transaction(dsn) - before))
        rows.append([label, *counts])
    print("### Transactions that write\n")
    table(["", *(f"N = {size}" for size in SIZES)], rows)


def next_transaction(dsn: str) -> int:
    """The id that the next transaction that writes will get."""
    return int(ask(dsn, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0][0])


# How often


def stream(sections: int) -> list[tuple[int, str]]:
    """Updates of random sections: (section, statement), the same for everyone."""
    chance = random.Random(7)
    return [
        (
            chance.randrange(sections),
            f"- The {chance.choice(THINGS)} of {chance.choice(NAMES)} is {chance.choice(STATES)}, note {i}.\n",
        )
        for i in range(UPDATES)
    ]


async def consolidated(memory: AgentMemory, tenant: str, sections: int, *, together: bool) -> tuple[int, int, int]:
    """(runs, model calls, prompt tokens) of a stream of updates, whose memories are consolidated as they become due.

    Args:
        memory: With a model.
        tenant: Whose memories these are.
        sections: How many sections the updates are spread over.
        together: In one memory; else each is a memory of its own, due at each fifth update of the section.
    """
    names = [f"s{i}" for i in range(sections)]
    if together:
        one = await memory.acreate_active_memory(tenant, "all", {"sections": names})
        places = {name: (one.id, name) for name in names}
    else:
        many = [await memory.acreate_active_memory(tenant, name, {"sections": [name]}) for name in names]
        places = {name: (created.id, name) for created, name in zip(many, names, strict=True)}
    texts = dict.fromkeys(names, "")
    for section, statement in stream(sections):
        name = names[section]
        lines = (texts[name] + statement).splitlines(keepends=True)
        texts[name] = "".join(lines[-12:])  # working memory is kept short
        memory_id, section_id = places[name]
        updated = await memory.aupdate_active_memory_section(tenant, memory_id, section_id, texts[name])
        if updated.consolidation_info.will_consolidate:
            await memory.aconsolidate(tenant, memory_id)
    runs = await memory.runs.alist(tenant, status="applied", limit=UPDATES)
    return len(runs), sum(run.usage.calls for run in runs), sum(run.usage.input_tokens for run in runs)


async def measure_frequency(memory: AgentMemory, _: str) -> None:
    """Consolidations, model calls and prompt tokens of 1,000 updates, beside a trigger for each section."""
    rows: list[list[str]] = []
    for sections in SECTIONS:
        ours = await consolidated(memory, f"together {sections}", sections, together=True)
        theirs = await consolidated(memory, f"apart {sections}", sections, together=False)
        for label, found in (("the whole memory", ours), ("each fifth update of a section", theirs)):
            share = [
                "" if found is theirs else f"{1 - mine / other:.0%}" for mine, other in zip(ours, theirs, strict=True)
            ]
            cells = [
                f"{number:,}{f' ({saved} fewer)' if saved else ''}" for number, saved in zip(found, share, strict=True)
            ]
            rows.append([str(sections), label, *cells])
    print(f"### {UPDATES:,} updates of random sections, one at a time\n")
    table(["sections", "due by", "consolidations", "model calls", "prompt tokens"], rows)


# Lag


STILL_DUE = "SELECT 1 FROM agentmem.active_memory WHERE due_at <= now() AND external_id = 'bench-lag'"


async def measure_lag(memory: AgentMemory, dsn: str) -> None:
    """From an update to where it can be read, with an idle worker in a process of its own."""
    memories = [await filled(memory, "bench-lag", f"memory {i}", 5) for i in range(20)]
    updating: list[float] = []
    async with worker_process(dsn):
        for number in range(LAGS):
            created = memories[number % len(memories)]
            edits = [{"section_id": f"s{i}", "new_content": text_of(i, f"lag {number}")} for i in range(5)]
            for _ in range(5):  # 25 updates: the last batch makes the memory due
                started = time.perf_counter()
                await memory.aupdate_active_memory_sections("bench-lag", created.id, edits)
                updating.append(time.perf_counter() - started)
            while ask(dsn, STILL_DUE):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
    lags = ask(
        dsn,
        "SELECT extract(epoch FROM finished_at - due_at)::float8 FROM agentmem.consolidation_run "
        "WHERE external_id = 'bench-lag' AND status = 'applied'",
    )
    print(f"### Lag ({len(lags)} consolidations of 5 sections, a model that answers at once; milliseconds)\n")
    rows = [
        ["until found in active memory: the update itself (a batch of 5)", *percentiles(updating)],
        ["until consolidated: from due to applied", *percentiles([lag for (lag,) in lags])],
    ]
    table(["", "p50", "p95"], rows)


def percentiles(seconds: list[float]) -> list[str]:
    cuts = statistics.quantiles(seconds, n=20)
    return [f"{statistics.median(seconds) * 1000:.1f}", f"{cuts[18] * 1000:.1f}"]


# Throughput


async def measure_throughput(memory: AgentMemory, dsn: str) -> None:
    """Memories that workers consolidate in a second, from the first claim to the last apply."""
    rows: list[list[str]] = []
    for workers in (1, 4):
        tenant = f"bench-throughput-{workers}"
        for i in range(MEMORIES):
            await make_due(memory, await filled(memory, tenant, f"memory {i}", 5), "drafted")
        processes = [await spawn(dsn, "--once", tenant) for _ in range(workers)]
        for process in processes:
            assert await process.wait() == 0
        [(count, seconds)] = ask(
            dsn,
            "SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))::float8 "
            "FROM agentmem.consolidation_run WHERE external_id = %s AND status = 'applied'",
            tenant,
        )
        assert count == MEMORIES
        rows.append([str(workers), f"{count / seconds:.0f}", f"{count * 5 / seconds:.0f}"])
    print(f"### Throughput ({MEMORIES} memories of 5 changed sections, a model that answers at once)\n")
    table(["worker processes", "memories/s", "sections/s"], rows)


async def make_due(memory: AgentMemory, created: ActiveMemory, mark: str) -> None:
    """Write all sections, and ask for a consolidation, without carrying it out."""
    edits = [{"section_id": f"s{i}", "new_content": text_of(i, mark)} for i in range(5)]
    await memory.aupdate_active_memory_sections(created.external_id, created.id, edits)
    assert memory.dsn is not None
    ask(memory.dsn, "UPDATE agentmem.active_memory SET due_at = now() WHERE external_id = %s AND id = %s",
        created.external_id, created.id)  # fmt: skip


# Updates beside a busy worker


async def measure_interference(memory: AgentMemory, dsn: str) -> None:
    """How long an update takes while a worker consolidates others all the time, and while none does, in turns."""
    created = await filled(memory, "bench-updates", "updated", 5)
    rows: list[list[str]] = []
    for label, thinking, inside in (
        ("a process, a model that takes 0.3 s", THINKING, False),
        ("a process, a model that answers at once", 0.0, False),
        ("within the application, a model that takes 0.3 s", THINKING, True),
        ("within the application, a model that answers at once", 0.0, True),
    ):
        tenant = f"busy {thinking} {inside}"
        for i in range(40):
            await filled(memory, tenant, f"memory {i}", 5)
        switch = application(memory, tenant, thinking) if inside else processes(dsn, tenant, thinking)
        quiet, busy = list[float](), list[float]()
        seconds = 0.0
        async with switch as turn:
            for window in range(2 * WINDOWS):
                works = window % 2 == 1
                await turn(works)
                started = time.perf_counter()
                (busy if works else quiet).extend(await updates(memory, created, dsn, tenant if works else None))
                seconds += time.perf_counter() - started if works else 0.0
            await turn(True)
        [(done,)] = ask(dsn, "SELECT count(*) FROM agentmem.consolidation_run WHERE external_id = %s", tenant)
        ratio = statistics.median(busy) / statistics.median(quiet)
        rows.append(
            [
                label,
                percentiles(quiet)[0],
                percentiles(busy)[0],
                f"{ratio:.2f}",
                percentiles(busy)[1],
                f"{done / seconds:.0f}",
            ]
        )
    print(f"### Updates beside a busy worker (batches of 5 sections, milliseconds; {os.cpu_count()} cores)\n")
    table(["the worker", "p50 without", "p50 with", "ratio", "p95 with", "consolidations/s meanwhile"], rows)


async def updates(memory: AgentMemory, created: ActiveMemory, dsn: str, feed: str | None) -> list[float]:
    """Seconds of the updates of one window; memories that are fed to the worker are due again as they are done."""
    taken: list[float] = []
    end = time.perf_counter() + WINDOW_SECONDS
    fed = 0.0
    while time.perf_counter() < end:
        if feed is not None and time.perf_counter() > fed + 0.05:
            await asyncio.to_thread(ask, dsn, FEED, feed)
            await asyncio.to_thread(ask, dsn, "SELECT pg_notify('agentmem_due', '')")
            fed = time.perf_counter()
        edits = [{"section_id": f"s{i}", "new_content": text_of(i, f"at {end} {len(taken)}")} for i in range(5)]
        started = time.perf_counter()
        await memory.aupdate_active_memory_sections(created.external_id, created.id, edits)
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(0.005)
    return taken


FEED = (
    "WITH fed AS (UPDATE agentmem.active_memory SET due_at = now(), pending_updates = section_count "
    "WHERE external_id = %s AND due_at IS NULL AND lease_owner IS NULL RETURNING external_id, id), "
    "chunks AS (UPDATE agentmem.memory_chunk c SET extraction_pending = true FROM fed "
    "WHERE c.external_id = fed.external_id AND c.memory_id = fed.id AND c.tier <> 'active') "
    "UPDATE agentmem.section s SET update_count = 1 FROM fed "
    "WHERE s.external_id = fed.external_id AND s.memory_id = fed.id"
)
"""Lets memories be due again, with something to ask the model about, without the cost of updates of their own."""

Switch = Callable[[bool], Any]


@asynccontextmanager
async def processes(dsn: str, tenant: str, thinking: float) -> AsyncGenerator[Switch]:
    """A worker process that is stopped and continued."""
    async with worker_process(dsn, tenant, thinking) as process:

        async def turn(on: bool) -> None:
            process.send_signal(signal.SIGCONT if on else signal.SIGSTOP)

        yield turn


@asynccontextmanager
async def application(memory: AgentMemory, tenant: str, thinking: float) -> AsyncGenerator[Switch]:
    """A worker on this event loop that is stopped and started."""
    assert memory.dsn is not None
    async with AgentMemory.open(memory.dsn, settings=memory.settings, model=StandInModel(seconds=thinking)) as own:
        task: asyncio.Task[None] | None = None
        worker = MemoryWorker(own, external_id=tenant)

        async def turn(on: bool) -> None:
            nonlocal task
            if on:
                task = asyncio.create_task(worker.arun())
            elif task is not None:
                worker.stop()
                await task

        yield turn
        await turn(False)


@asynccontextmanager
async def worker_process(
    dsn: str, tenant: str = "", thinking: float = 0.0
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker that listens."""
    process = await spawn(dsn, "--follow", tenant, thinking)
    while not ask(dsn, "SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN agentmem_due'"):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        await process.wait()


async def spawn(dsn: str, how: str, tenant: str = "", thinking: float = 0.0) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, __file__, how, dsn, tenant, str(thinking), stdout=subprocess.DEVNULL
    )


async def work(how: str, dsn: str, tenant: str, thinking: str) -> None:
    """What a worker process does."""
    async with AgentMemory.open(dsn, settings=SETTINGS, model=StandInModel(seconds=float(thinking))) as memory:
        worker = MemoryWorker(memory, external_id=tenant or None)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await (worker.arun() if how == "--follow" else worker.arun_until_idle())


SETTINGS = AgentMemorySettings(max_pending_minutes=None)


def table(header: list[str], rows: Iterable[list[str]]) -> None:
    """Print a Markdown table."""
    for line in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(line)} |")
    print(flush=True)


async def main() -> None:
    folder = temporary() / "data"
    async with AgentMemory.open(data_dir=folder, settings=SETTINGS, model=StandInModel()) as memory:
        assert memory.dsn is not None
        [(version,)] = ask(memory.dsn, "SHOW server_version")
        load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
        print(f"Python {platform.python_version()}, PostgreSQL {version}, {os.cpu_count()} cores, load {load}\n")
        for part in sys.argv[2:] or PARTS:
            await globals()[f"measure_{part}"](memory, memory.dsn)
        print(f"Load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]) if WORKS else main())
