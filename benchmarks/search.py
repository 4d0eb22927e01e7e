"""How fast searches are, at 2,000, 20,000 and 100,000 texts of one tenant, and of 1,000 tenants with 100 each.

    python benchmarks/search.py                         all of it: about half an hour
    python benchmarks/search.py --sizes 2000 20000      only these
    python benchmarks/search.py --sizes 1000x100 --doors sections AsyncPostgresStore
    python benchmarks/search.py --data FOLDER           keeps what is loaded there, and takes it if it is there

The doors (see `doors.py`) are on one embedded PostgreSQL, each in a database of its own, with the same texts and the
same 384-dimension vectors; embedding is a few hashes. They take turns in every round, so that what disturbs the machine
disturbs all of them; what counts are the ratios to the peer. Texts are lines of dialogue: words as frequent as in
language, and some of a topic that the line has in common with others. A question takes words of a line, and names its
speaker half of the time.

    first      a tenant's first search of a process, which counts its words (ms, median)
    p50, p95   of searches one after the other (ms)
    ops/s      with 16 at once
    lag        from the beginning of a write until a search has answered with it (ms, median)
    exact      how much of the page is in the page that the door would give if it compared everything
    short      pages with fewer hits than were asked for
    bytes      of all tables with their indexes, for each text
    loaded     seconds that writing all texts took, in batches, and making the indexes of vectors and words thereafter
"""

import argparse
import asyncio
import gc
import math
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
from doors import DOORS, OURS, Door
from hashed_embeddings import INDEX, HashedEmbeddings
from server import database, started
from talks import Conversation, Question
from writing import table

from langgraph_agentmem import AgentMemorySettings

SIZES = ("2000", "20000", "100000", "1000x100")
LIMIT = 10
LINES_A_SESSION = 50
ASKED_TENANTS = 40
"""Of many tenants, those that are asked again and again."""
FIRST_ASKED = 20
WARM_UP, ROUNDS, PER_ROUND = 3, 8, 32
AT_ONCE = 16
ADDED = 20
MOST_SEARCHES = 50
"""For what was written, until it counts as not found."""
COMPARED = 50
NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "Jill", "Kit", "Lea")
VOCABULARY, TOPICS, WORDS_A_TOPIC = 20_000, 400, 60
EXACT = AgentMemorySettings(exact_search_rows=10**9)


@dataclass
class Figures:
    """What was measured at a door."""

    loaded: float | None = None
    first: list[float] = field(default_factory=list[float])
    taken: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    lags: list[float] = field(default_factory=list[float])
    exact: float = 0.0
    short: int = 0
    bytes: float = 0.0

    def row(self, name: str, peer: "Figures") -> list[str]:
        p50, rate = statistics.median(self.taken), statistics.median(self.rates)
        return [
            name,
            "–" if self.loaded is None else f"{self.loaded:.0f}",
            f"{1e3 * statistics.median(self.first):.1f}",
            f"{1e3 * p50:.2f}",
            f"{1e3 * statistics.quantiles(self.taken, n=20)[-1]:.2f}",
            f"{p50 / statistics.median(peer.taken):.2f}",
            f"{rate:,.0f}",
            f"{rate / statistics.median(peer.rates):.2f}",
            f"{1e3 * statistics.median(self.lags):.1f}",
            f"{self.exact:.3f}",
            f"{self.short} of {COMPARED}",
            f"{self.bytes:,.0f}",
        ]


HEADER = ["door", "loaded s", "first", "p50", "p95", "p50 / peer's", "ops/s", "ops/s / peer's", "lag", "exact", "short",
          "bytes"]  # fmt: skip


# Texts


def corpus(size: str) -> list[Conversation]:
    """Tenants with lines of dialogue: `20000` in one, or `1000x100`; the same every time."""
    tenants, _, each = size.rpartition("x")
    chance = np.random.default_rng(20)
    words = Words(chance)
    return [words.conversation(f"tenant {number}", int(each)) for number in range(int(tenants or 1))]


class Words:
    """Words as frequent as Zipf found them, and topics that prefer some of the rarer ones."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance
        syllables = [start + vowel for start in "bdfgklmnprstvz" for vowel in "aeiou"]
        drawn = ("".join(chance.choice(syllables, 2 + number // 200 % 3)) for number in range(2 * VOCABULARY))
        self.words = np.array(list(dict.fromkeys(drawn))[:VOCABULARY])
        self.topics = chance.integers(200, len(self.words), (TOPICS, WORDS_A_TOPIC))
        self.frequencies = 1 / np.arange(1, len(self.words) + 1)
        self.frequencies /= self.frequencies.sum()

    def conversation(self, tenant: str, lines: int) -> Conversation:
        common = self.chance.choice(self.words, (lines, 16), p=self.frequencies)
        topics = self.chance.integers(TOPICS, size=lines)
        own = self.words[self.topics[topics[:, None], self.chance.integers(WORDS_A_TOPIC, size=(lines, 8))]]
        said = np.concatenate([common, own], axis=1)
        names = self.chance.choice(NAMES, lines)
        texts = {f"{n}": f"{names[n]}: {' '.join(self.chance.permutation(said[n]))}." for n in range(lines)}
        asked = self.chance.integers(lines, size=max(PER_ROUND, COMPARED))
        questions = [self._question(str(n), texts[str(n)], place) for place, n in enumerate(asked)]
        ids = list(texts)
        sessions = [
            {id: texts[id] for id in ids[start : start + LINES_A_SESSION]} for start in range(0, lines, LINES_A_SESSION)
        ]
        return Conversation(tenant, sessions, questions)

    def _question(self, id: str, text: str, place: int) -> Question:
        name, _, said = text.rstrip(".").partition(": ")
        asked = " ".join(self.chance.choice(said.split(), 6, replace=False))
        return Question(f"What did {name} say about {asked}?" if place % 2 else f"What about {asked}?", {id}, "line")


# Measuring


class Contestant:
    """A door, what is behind it, and what was measured."""

    def __init__(self, name: str, door: Door, exact: Door | None, talks: Sequence[Conversation]) -> None:
        self.name, self.door, self.exact, self.talks = name, door, exact, talks
        self.figures = Figures()

    def asked(self, number: int) -> tuple[Conversation, str]:
        """One question of many, to one tenant after the other."""
        tenants = min(len(self.talks), ASKED_TENANTS)
        talk = self.talks[number % tenants]
        return talk, talk.questions[number // tenants % len(talk.questions)].text

    async def search(self, number: int) -> float:
        talk, question = self.asked(number)
        began = time.perf_counter()
        await self.door.ask(talk, question, LIMIT)
        return time.perf_counter() - began

    async def first(self) -> None:
        """Tenants of whom nobody else asks; the only one, if there is only one."""
        for talk in self.talks[-FIRST_ASKED:]:
            began = time.perf_counter()
            await self.door.ask(talk, talk.questions[0].text, LIMIT)
            self.figures.first.append(time.perf_counter() - began)

    async def at_once(self, numbers: Sequence[int]) -> float:
        """Operations per second."""
        began = time.perf_counter()
        for start in range(0, len(numbers), AT_ONCE):
            await asyncio.gather(*map(self.search, numbers[start : start + AT_ONCE]))
        return len(numbers) / (time.perf_counter() - began)

    async def added(self) -> None:
        """Write a text, and search until it is there."""
        talk = self.talks[len(self.figures.lags) % min(len(self.talks), ASKED_TENANTS)]
        mark = f"x{uuid4().hex[:12]}"
        text = f"Zoe: the xylograph {mark} is ready"
        began = time.perf_counter()
        await self.door.add(talk, mark, text)
        for _ in range(MOST_SEARCHES):
            if mark in str(await self.door.ask(talk, text, LIMIT)):
                break
        else:  # an approximate index may never find it
            began = -math.inf
        self.figures.lags.append(time.perf_counter() - began)

    async def compared(self) -> None:
        """How much of its pages an exact search has as well."""
        same = 0
        for number in range(COMPARED):
            talk, question = self.asked(number)
            page = [hit.id for hit in self.door.hits(talk, await self.door.ask(talk, question, LIMIT))]
            self.figures.short += len(page) < LIMIT
            same += len(set(page) & set(await self._exact_page(talk, question)))
        self.figures.exact = same / (LIMIT * COMPARED)

    async def _exact_page(self, talk: Conversation, question: str) -> list[str]:
        if self.exact is not None:
            return [hit.id for hit in self.exact.hits(talk, await self.exact.ask(talk, question, LIMIT))]
        ids, vectors = self._vectors(talk)
        best = np.argsort(-(vectors @ np.array(HashedEmbeddings().embed_query(question))))[:LIMIT]
        return [ids[place] for place in best]

    def _vectors(self, talk: Conversation) -> tuple[list[str], Any]:
        if talk.name not in VECTORS:
            texts = talk.texts
            VECTORS[talk.name] = list(texts), np.array(HashedEmbeddings().embed_documents(list(texts.values())))
        return VECTORS[talk.name]


VECTORS: dict[str, tuple[list[str], Any]] = {}


async def interleaved(contestants: Sequence[Contestant]) -> None:
    """All figures that are times; who begins changes with every round."""
    for contestant in contestants:
        await contestant.first()
    for turn in range(WARM_UP + ROUNDS):
        await searched(contestants, turn, counts=turn >= WARM_UP)
    for _, contestant in product(range(ADDED), contestants):
        await contestant.added()


async def searched(contestants: Sequence[Contestant], turn: int, *, counts: bool) -> None:
    """One round."""
    numbers = range(turn * PER_ROUND, (turn + 1) * PER_ROUND)
    begins = turn % len(contestants)
    order = [*contestants[begins:], *contestants[:begins]]
    for contestant in order:
        taken = [await contestant.search(number) for number in numbers]
        contestant.figures.taken += taken if counts else []
    for contestant in order:
        rate = await contestant.at_once(numbers)
        contestant.figures.rates += [rate] if counts else []


# Databases


def prepared(server: str, name: str) -> tuple[str, bool]:
    """The DSN of a database by that name, and whether it was there and loaded already."""
    with psycopg.connect(server, autocommit=True) as connection:
        loaded = "SELECT shobj_description(oid, 'pg_database') = 'loaded' FROM pg_database WHERE datname = %s"
        found = connection.execute(loaded, (name,)).fetchone()
        if found and not found[0]:
            connection.execute(f'DROP DATABASE "{name}"')
    whole = bool(found and found[0])
    return database(server, name, new=not whole), whole


def settled(dsn: str, name: str) -> float:
    """Bytes of the tables of a database that is loaded, with its statistics made."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        connection.execute(f"COMMENT ON DATABASE \"{name}\" IS 'loaded'")
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace NOT IN "
            "('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        ).fetchone()
    assert row is not None
    return float(row[0])


async def loaded(dsn: str, door: Door, talks: Sequence[Conversation], *, cut: bool = True) -> None:
    """Write all texts, and make the indexes of vectors and words only then, which takes a fraction of the time.

    Args:
        dsn: The database.
        door: That leads to it.
        talks: The texts.
        cut: Whether what the door has written is cut into chunks only by the first search of each tenant.
    """
    nobody = Conversation("nobody", [{"0": "Ann: nothing"}])
    await door.write([nobody])
    await door.ask(nobody, "nothing", LIMIT)  # now there are all tables and indexes
    with psycopg.connect(dsn, autocommit=True) as connection:
        indexes = connection.execute(
            "SELECT format('%I.%I', schemaname, indexname), indexdef FROM pg_indexes "
            "WHERE indexdef ~ 'USING (hnsw|gin)'"
        ).fetchall()
        for index, _ in indexes:
            connection.execute(f"DROP INDEX {index}")
        await door.write(talks)
        for talk in talks if cut else ():
            await door.ask(talk, "chunks are cut by the first search", LIMIT)
        connection.execute("SET maintenance_work_mem = '1GB'")
        for _, definition in indexes:
            connection.execute(definition)


async def opened(name: str, size: str, server: str, talks: Sequence[Conversation], until: AsyncExitStack) -> Contestant:
    """A contestant whose texts are loaded."""
    named = f"{name} {size}"
    dsn, whole = prepared(server, named)
    door = await until.enter_async_context(DOORS[name](dsn, INDEX, AgentMemorySettings()))
    began = time.perf_counter()
    if not whole:
        await loaded(dsn, door, talks)
    taken = time.perf_counter() - began
    exact = await until.enter_async_context(DOORS[name](dsn, INDEX, EXACT)) if name in OURS else None
    contestant = Contestant(name, door, exact, talks)
    contestant.figures.loaded = None if whole else taken
    contestant.figures.bytes = settled(dsn, named) / sum(len(talk.texts) for talk in talks)
    return contestant


async def measure(size: str, doors: Sequence[str], server: str) -> None:
    talks = corpus(size)
    VECTORS.clear()
    async with AsyncExitStack() as until:
        contestants = [await opened(name, size, server, talks, until) for name in doors]
        gc.freeze()  # what is there from now on takes no time of anybody's
        for contestant in contestants:
            await contestant.compared()
        await interleaved(contestants)
    print(f"### {size.replace('x', ' tenants of ')} texts\n")
    peer = contestants[-1].figures
    table(HEADER, [contestant.figures.row(contestant.name, peer) for contestant in contestants])


async def main() -> None:
    global ROUNDS, WARM_UP
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="texts of one tenant, or tenants x texts")
    parser.add_argument(
        "--doors",
        nargs="+",
        default=["sections", "items", "AsyncPostgresStore"],
        help="the last one is the peer of the ratios",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of searches in turn, besides a few to warm up")
    parser.add_argument("--data", type=Path, help="folder of the server's data, which is kept")
    given = parser.parse_args()
    ROUNDS, WARM_UP = given.rounds, min(given.rounds, WARM_UP)
    server = started(given.data)
    for size in given.sizes:
        await measure(size, given.doors, server)


if __name__ == "__main__":
    asyncio.run(main())
