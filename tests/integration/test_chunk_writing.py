"""The statement that writes chunks does what the comparison in Python did that it replaced, and touches nothing else."""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.models.chunk import TextChunk, WrittenSection
from langgraph_agentmem.policies.placing import content_hash, placed
from langgraph_agentmem.policies.weighing import vector_text, weighed
from langgraph_agentmem.policies.words import DIMENSIONS, dimension, reader
from langgraph_agentmem.storage import chunks

Rows = Callable[..., list[tuple[object, ...]]]
Section = tuple[str, str]
"""The last label of the memory's namespace, and the section's id."""
Value = list[list[str]]
"""The texts of a value, each cut into chunks."""

READER = reader("english")
SECTIONS = [("plans", "a"), ("plans", "b"), ("notes", "a")]
PIECES = [
    "alpha",
    "alpha\n",
    " alpha beta. ",
    "alpha beta.",
    "Gamma ran.\n\n",
    "Gamma ran.",
    "the",
    "Ada: alpha\n",
    "Bob: Gamma ran.",
    "",
    "  \n",
    "δέλτα",
]


pytestmark = pytest.mark.usefixtures("consistent_afterwards")


class Table:
    """The chunks of a database, and what may happen to them besides being written."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row)

    def __call__(self, sql: str, *params: Any) -> list[Any]:
        cursor = self.connection.execute(sql, params)
        return cursor.fetchall() if cursor.description else []

    def memory(self, tenant: str, namespace: str, *section_ids: str, closed: bool = False) -> None:
        [(id,)] = self(
            "INSERT INTO agentmem.active_memory (external_id, namespace, title, template, section_count, closed_at) "
            "VALUES (%s, %s, 'Plans', '{\"sections\": []}', %s, CASE WHEN %s THEN now() END) RETURNING id",
            tenant, [tenant, namespace], 0 if closed else len(section_ids), closed,
        )  # fmt: skip
        for section_id in section_ids if not closed else ():
            self(
                "INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value, revision, source) "
                "VALUES (%s, %s, %s, 0, '{}', 7, 'me')",
                tenant, id, section_id,
            )  # fmt: skip
        if closed:
            for section_id in section_ids:
                self(
                    "INSERT INTO agentmem.memory_chunk (external_id, memory_id, section_id, section_revision, chunk_order, "
                    "content, content_hash, words, own_words, current) "
                    "VALUES (%s, %s, %s, 1, 0, 'alpha', %s, '{}/1000000000', '{}', false)",
                    tenant, id, section_id, content_hash("alpha"),
                )  # fmt: skip

    def read(self) -> dict[int, Any]:
        """All chunks by id, with where their rows are: an update moves a row."""
        found = self(
            "SELECT c.id, c.ctid::text || c.xmin::text AS row, c.external_id, a.namespace[2] AS memory, c.section_id, "
            "a.closed_at IS NOT NULL AS closed, c.section_revision, c.chunk_order, c.content, c.overlap, c.tier, "
            "c.current, c.run_id, c.origin, c.source, c.end_date, c.superseded_by, c.last_updated, c.start_date, "
            "c.words::text AS words, c.own_words, c.label FROM agentmem.memory_chunk c "
            "JOIN agentmem.active_memory a ON a.external_id = c.external_id AND a.id = c.memory_id"
        )
        return {row.id: row for row in found}

    def happen(self, rng: random.Random) -> None:
        """Something that a run, a promotion or an undo does to some chunks of tenant alice."""
        some = "external_id = 'alice' AND mod(id, 3) = %s"
        event, which = rng.randrange(8), rng.randrange(3)
        if event == 0:
            self(f"UPDATE agentmem.memory_chunk SET run_id = %s WHERE tier = 'active' AND {some}", uuid4(), which)
        elif event == 1:
            self(
                f"UPDATE agentmem.memory_chunk SET tier = 'shortterm', run_id = coalesce(run_id, %s) WHERE {some}",
                uuid4(), which,
            )  # fmt: skip
        elif event == 2:
            self(f"UPDATE agentmem.memory_chunk SET tier = 'longterm' WHERE tier = 'shortterm' AND {some}", which)
        elif event == 3:
            self(f"UPDATE agentmem.memory_chunk SET end_date = now() WHERE NOT current AND {some}", which)
        elif event == 4:
            self(f"UPDATE agentmem.memory_chunk SET end_date = now() WHERE tier <> 'active' AND {some}", which)
        elif event == 5:
            self(
                "INSERT INTO agentmem.memory_chunk (external_id, memory_id, section_id, section_revision, chunk_order, "
                "content, content_hash, words, own_words, current, tier, origin) SELECT external_id, memory_id, "
                "section_id, 0, 0, content, content_hash, words, own_words, false, 'shortterm', 'merge' "
                f"FROM agentmem.memory_chunk WHERE {some} LIMIT 1",
                which,
            )


class Expected(NamedTuple):
    """What a write leads to: stored chunks that stay, with what changes of them, new ones, and those that go."""

    kept: dict[int, dict[str, Any]]
    inserted: list[dict[str, Any]]
    retired: set[int]
    deleted: set[int]


def found_by(group: Sequence[str]) -> list[dict[str, Any]]:
    """By what each chunk of a text is found."""
    words = weighed([TextChunk(text=text) for text in group], READER)
    return [{"words": vector_text(w.weights, DIMENSIONS), "own_words": w.own, "label": w.label} for w in words]


def oracle(stored: Sequence[Any], value: Value) -> Expected:
    """The comparison as it was in Python."""
    texts = [[text for text in group if text.strip()] for group in value]
    available: dict[str, deque[Any]] = defaultdict(deque)
    for known in sorted(stored, key=lambda c: (not c.current, c.chunk_order, c.id)):
        if known.origin == "section" and (known.current or known.end_date is None):
            available[known.content.strip()].append(known)
    expected = Expected({}, [], set(), set())
    pairs = [pair for group in texts for pair in zip(group, found_by(group), strict=True)]
    for order, (text, words) in enumerate(pairs):
        new = {"chunk_order": order, "content": text, "current": True} | words
        if same := available[text.strip()]:
            known = same.popleft()
            back = not known.current and known.tier != "active"
            expected.kept[known.id] = new | {"run_id": None if back else known.run_id}
        else:
            expected.inserted.append(new)
    for chunk in stored:
        if chunk.current and chunk.id not in expected.kept:
            claimed = chunk.run_id is not None or chunk.tier != "active"
            (expected.retired if claimed else expected.deleted).add(chunk.id)
    return expected


async def write(memory: AgentMemory, tenant: str, values: dict[Section, Value]) -> int:
    """Write values' chunks, and return how many of them lack their vector."""
    sections = [
        WrittenSection(
            namespace=(tenant, namespace), section_id=section_id,
            chunks=placed([[TextChunk(text=text, overlap="so far") for text in group] for group in value], READER),
        )
        for (namespace, section_id), value in values.items()
    ]  # fmt: skip
    async with memory.resources.database.transaction(tenant) as connection:
        unembedded = await chunks.write(connection, tenant, sections, {}, model=None)
    return await unembedded()


def check(table: Table, values: dict[Section, Value], before: dict[int, Any], after: dict[int, Any]) -> int:
    """Compare what a write did with the oracle; returns how many chunks were inserted."""
    written: set[int] = set()
    new = [row for id, row in after.items() if id not in before]
    inserted = 0
    for (namespace, section_id), value in values.items():
        mine = ("alice", namespace, section_id, False)
        stored = [c for c in before.values() if (c.external_id, c.memory, c.section_id, c.closed) == mine]
        expected = oracle(stored, value)
        written |= {*expected.kept, *expected.retired, *expected.deleted}
        for id, changes in expected.kept.items():
            assert after[id]._replace(row=None) == before[id]._replace(row=None, **changes)
            if before[id]._replace(**changes) == before[id]:
                assert after[id].row == before[id].row, "what stays as it is is not written"
        for id in expected.retired:
            assert after[id]._replace(row=None) == before[id]._replace(row=None, current=False)
        assert not expected.deleted & after.keys()
        found = sorted(
            (c for c in new if (c.external_id, c.memory, c.section_id, c.closed) == mine), key=lambda c: c.chunk_order
        )
        names = ("chunk_order", "content", "current", "words", "own_words", "label")
        assert [{name: getattr(c, name) for name in names} for c in found] == expected.inserted
        fixed = {(c.tier, c.run_id, c.origin, c.source, c.section_revision, c.overlap, c.end_date) for c in found}
        assert fixed <= {("active", None, "section", "me", 7, "so far", None)}
        inserted += len(found)
    assert len(new) == inserted, "nothing comes where nothing was written"
    assert {id: row for id, row in before.items() if id not in written} == {
        id: row for id, row in after.items() if id in before and id not in written
    }
    return inserted


def random_value(rng: random.Random) -> Value:
    return [[rng.choice(PIECES) for _ in range(rng.randrange(6))] for _ in range(rng.choice([1, 1, 1, 2]))]


@pytest.fixture
def table(dsn: str) -> Iterator[Table]:
    table = Table(dsn)
    for namespace in ("plans", "notes"):
        table.memory("alice", namespace, "a", "b", closed=True)
        table.memory("alice", namespace, "a", "b")
        table.memory("bob", namespace, "a", "b")
    yield table
    table.connection.close()


@pytest.mark.parametrize("seed", range(5))
async def test_any_history_of_writes_leads_to_what_the_comparison_in_python_said(
    memory: AgentMemory, table: Table, seed: int
) -> None:
    rng = random.Random(seed)
    await write(memory, "bob", {section: random_value(rng) for section in SECTIONS})
    for _ in range(30):
        values = {section: random_value(rng) for section in rng.sample(SECTIONS, rng.randint(1, 3))}
        before = table.read()

        unembedded = await write(memory, "alice", values)

        after = table.read()
        assert check(table, values, before, after) == unembedded
        assert await write(memory, "alice", values) == 0
        assert table.read() == after, "writing the same again changes nothing"
        for _ in range(rng.randrange(3)):
            table.happen(rng)


async def values_of(table: Table, section: Section) -> list[tuple[int, str, int]]:
    rows = table.read().values()
    mine = [c for c in rows if c.current and (c.external_id, c.memory, c.section_id) == ("alice", *section)]
    return [(c.id, c.content, c.chunk_order) for c in sorted(mine, key=lambda c: c.chunk_order)]


async def test_a_chunk_that_comes_back_is_itself_and_news_to_the_next_run(memory: AgentMemory, table: Table) -> None:
    section = ("plans", "a")
    await write(memory, "alice", {section: [["alpha", "Gamma ran."]]})
    [_, (gamma, *_)] = await values_of(table, section)
    table("UPDATE agentmem.memory_chunk SET tier = 'shortterm', run_id = %s WHERE current", uuid4())
    await write(memory, "alice", {section: [["alpha"]]})
    assert not table.read()[gamma].current

    await write(memory, "alice", {section: [["alpha", "Gamma ran.\n"]]})

    assert await values_of(table, section) == [
        ((await values_of(table, section))[0][0], "alpha", 0),
        (gamma, "Gamma ran.\n", 1),
    ]
    assert (table.read()[gamma].run_id, table.read()[gamma].tier) == (None, "shortterm")


async def test_what_was_superseded_does_not_come_back_but_is_written_anew(memory: AgentMemory, table: Table) -> None:
    section = ("plans", "a")
    await write(memory, "alice", {section: [["alpha"]]})
    [(old, *_)] = await values_of(table, section)
    table("UPDATE agentmem.memory_chunk SET tier = 'longterm', run_id = %s WHERE current", uuid4())
    await write(memory, "alice", {section: [[]]})
    table("UPDATE agentmem.memory_chunk SET end_date = now() WHERE id = %s", old)

    await write(memory, "alice", {section: [["alpha"]]})

    [(new, *_)] = await values_of(table, section)
    assert new != old
    assert not table.read()[old].current


async def test_neighbours_are_found_by_a_word_but_texts_of_different_fields_are_none(
    memory: AgentMemory, table: Table
) -> None:
    await write(memory, "alice", {("plans", "a"): [["Ada: alpha", "Bob: gamma"], ["Cleo: delta"]]})

    found = {c.content: c for c in table.read().values() if c.external_id == "alice" and not c.closed}
    places = {word: dimension(word) for word in ("alpha", "gamma", "delta")}
    held = {text: {w for w, at in places.items() if f"{at}:" in c.words} for text, c in found.items()}
    assert held == {"Ada: alpha": {"alpha", "gamma"}, "Bob: gamma": {"alpha", "gamma"}, "Cleo: delta": {"delta"}}
    own = {text: {w for w, at in places.items() if at in c.own_words} for text, c in found.items()}
    assert own == {"Ada: alpha": {"alpha"}, "Bob: gamma": {"gamma"}, "Cleo: delta": {"delta"}}
    assert {text: c.label for text, c in found.items()} == {
        "Ada: alpha": "ada",
        "Bob: gamma": "bob",
        "Cleo: delta": "cleo",
    }


async def test_a_section_that_does_not_exist_gets_no_chunks(memory: AgentMemory, table: Table) -> None:
    before = table.read()

    assert await write(memory, "alice", {("plans", "missing"): [["alpha"]], ("nowhere", "a"): [["alpha"]]}) == 0

    assert table.read() == before
