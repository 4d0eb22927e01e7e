"""Batches of section edits: atomic, counted, conditional, and cheap."""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from fakes import WordEmbedder

from langgraph_agentmem import ActiveMemory, AgentMemory, SectionUpdate
from langgraph_agentmem.errors import (
    ContentMismatchError,
    EmbeddingError,
    InvalidInputError,
    InvalidTextError,
    RevisionConflictError,
    SectionNotFoundError,
)
from langgraph_agentmem.operations.sections import edits
from langgraph_agentmem.storage.driver.tenants import NOBODY

Rows = Callable[..., list[tuple[object, ...]]]


async def project(memory: AgentMemory, sections: int = 3, **contents: str) -> ActiveMemory:
    template = {"sections": [f"s{i}" for i in range(sections)]}
    return await memory.acreate_active_memory("alice", "Project", template, contents)


async def test_a_batch_edits_counts_and_tells_when_the_memory_is_due(memory: AgentMemory) -> None:
    created = await project(memory, s0="The cat sleeps.", s1="one")
    updated = await memory.aupdate_active_memory_sections(
        "alice",
        created.id,
        [
            {"section_id": "s0", "new_content": "dog", "old_content": "cat"},
            {"section_id": "s1", "new_content": "two", "action": "insert"},
            SectionUpdate(section_id="s2", new_content="whole"),
        ],
        source="tool",
    )
    assert {id: section.content for id, section in updated.sections.items()} == {
        "s0": "The dog sleeps.", "s1": "one\ntwo", "s2": "whole",
    }  # fmt: skip
    assert {(s.revision, s.update_count, s.total_updates, s.source) for s in updated.sections.values()} == {
        (2, 1, 1, "tool")
    }
    assert updated.consolidation_info.model_dump() == {
        "total_update_count": 3, "threshold": 15.0, "will_consolidate": False,
    }  # fmt: skip
    assert updated == await memory.aget_active_memory("alice", created.id)


async def test_insert_after_an_excerpt(memory: AgentMemory) -> None:
    created = await project(memory, s0="alpha gamma")
    updated = await memory.aupdate_active_memory_section("alice", created.id, "s0", " beta", "alpha", "insert")
    assert updated.sections["s0"].content == "alpha beta gamma"


async def test_the_threshold_is_average_times_sections_capped(opened: Callable[..., AgentMemory], rows: Rows) -> None:
    memory = opened(settings={"avg_section_update_count": 2, "max_pending_updates": 5})
    created = await project(memory, 2)
    due = []
    for i in range(4):
        updated = await memory.aupdate_active_memory_section("alice", created.id, "s0", f"v{i}")
        due.append(
            (updated.consolidation_info.will_consolidate, rows("SELECT due_at <= now() FROM agentmem.active_memory"))
        )
    assert due == [(False, [(False,)])] * 3 + [(True, [(True,)])]
    many = await memory.acreate_active_memory("alice", "Many", {"sections": [f"s{i}" for i in range(40)]})
    assert many.consolidation_info.threshold == 5


@pytest.mark.parametrize(
    ("error", "bad"),
    [
        (SectionNotFoundError, {"section_id": "nope", "new_content": "x"}),
        (ContentMismatchError, {"section_id": "s1", "new_content": "x", "old_content": "absent"}),
        (ContentMismatchError, {"section_id": "s1", "new_content": "x", "old_content": "o"}),
        (RevisionConflictError, {"section_id": "s1", "new_content": "x", "expected_revision": 7}),
        (InvalidInputError, {"section_id": "", "new_content": "x"}),
        (InvalidInputError, {"section_id": "s1", "new_content": 7}),
        (InvalidInputError, {"section_id": "s1"}),
        (InvalidInputError, {"section_id": "s1", "new_content": "x", "action": "append"}),
        (InvalidInputError, {"section_id": "s0", "new_content": "x"}),
        (InvalidInputError, "s1"),
        (InvalidTextError, {"section_id": "s1", "new_content": "a\0"}),
        (InvalidTextError, {"section_id": "s1", "new_content": "\udfff"}),
        (InvalidTextError, {"section_id": "s1", "new_content": "x" * 10_000_000}),
    ],
)
async def test_one_bad_edit_leaves_the_whole_batch_unwritten(
    memory: AgentMemory, rows: Rows, error: type[Exception], bad: Any
) -> None:
    created = await project(memory, s0="zero", s1="foo boo")
    before = (
        rows("SELECT * FROM agentmem.section ORDER BY section_id"),
        rows("SELECT * FROM agentmem.memory_chunk ORDER BY id"),
    )
    with pytest.raises(error):
        await memory.aupdate_active_memory_sections(
            "alice", created.id, [{"section_id": "s0", "new_content": "new"}, bad]
        )
    assert before == (
        rows("SELECT * FROM agentmem.section ORDER BY section_id"),
        rows("SELECT * FROM agentmem.memory_chunk ORDER BY id"),
    )
    assert (await memory.aupdate_active_memory_section("alice", created.id, "s0", "new")).sections["s0"].revision == 2


async def test_an_unknown_section_names_the_known_ones(memory: AgentMemory) -> None:
    created = await project(memory)
    with pytest.raises(SectionNotFoundError, match=r"'nope'.*'s0', 's1', 's2'"):
        await memory.aupdate_active_memory_section("alice", created.id, "nope", "x")


async def test_a_revision_conflict_carries_what_is_there(memory: AgentMemory) -> None:
    created = await project(memory, s0="first")
    await memory.aupdate_active_memory_section("alice", created.id, "s0", "second", expected_revision=1)
    with pytest.raises(RevisionConflictError) as caught:
        await memory.aupdate_active_memory_section("alice", created.id, "s0", "third", expected_revision=1)
    assert (caught.value.revision, caught.value.content) == (2, "second")


@pytest.mark.parametrize("bad", [[], {}, "s0", None, 7])
async def test_a_batch_must_be_a_list_of_edits(memory: AgentMemory, bad: Any) -> None:
    created = await project(memory)
    with pytest.raises(InvalidInputError):
        await memory.aupdate_active_memory_sections("alice", created.id, bad)


@pytest.mark.parametrize("memory_id", [0, -1, True, "1", 2**63, None, 1.0])
async def test_a_memory_id_must_be_a_positive_integer(memory: AgentMemory, memory_id: Any) -> None:
    with pytest.raises(InvalidInputError, match="memory_id"):
        await memory.aupdate_active_memory_section("alice", memory_id, "s0", "x")


async def test_what_was_written_is_found_at_once_and_what_was_replaced_is_not(memory: AgentMemory) -> None:
    created = await project(memory, s0="- The code is crimson.\n- The door is open.")
    await memory.aupdate_active_memory_section("alice", created.id, "s0", "indigo", "crimson")
    assert (await memory.asearch("alice", "indigo code"))[0].content == "- The code is indigo.\n"
    assert all("crimson" not in hit.content for hit in await memory.asearch("alice", "crimson code door"))


async def test_an_edit_leaves_the_rows_of_untouched_chunks_alone(memory: AgentMemory, rows: Rows) -> None:
    items = [f"- Item {i} is here." for i in range(20)]
    created = await project(memory, s0="\n".join(items))
    before = dict(rows("SELECT content, id FROM agentmem.memory_chunk"))
    items[10] = "- Item ten was edited."
    await memory.aupdate_active_memory_section("alice", created.id, "s0", "\n".join(items))
    after = dict(rows("SELECT content, id FROM agentmem.memory_chunk"))
    assert len(after) == 20
    assert {content for content, id in after.items() if before.get(content) != id} == {"- Item ten was edited.\n"}


@pytest.mark.parametrize("embedder", [None, WordEmbedder()])
async def test_twenty_sections_take_as_many_round_trips_as_one_and_at_most_four(
    opened: Callable[..., AgentMemory], embedder: WordEmbedder | None
) -> None:
    memory = opened(index=embedder)
    created = await project(memory, 20)
    counts = []
    for sections in (1, 1, 20):  # the first call opens the connection
        edits = [{"section_id": f"s{i}", "new_content": f"content {sections} {i}"} for i in range(sections)]
        async with RoundTrips(memory) as trips:
            await memory.aupdate_active_memory_sections("alice", created.id, edits)
        counts.append(trips.count)
    assert counts[1] == counts[2]
    assert 1 <= counts[1] <= 4


class RoundTrips:
    """Counts by libpq's own trace how often the connection went from sending to receiving."""

    def __init__(self, memory: AgentMemory) -> None:
        self.memory = memory
        self.count = 0

    async def __aenter__(self) -> "RoundTrips":
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        async with self.memory.resources.database.connection(NOBODY) as connection:
            connection.pgconn.trace(self._file.fileno())
            self._connection = connection
        return self

    async def __aexit__(self, *error: object) -> None:
        self._connection.pgconn.untrace()
        self._file.seek(0)
        directions = "".join(re.findall(r"^[^\t]+\t([FB])\t", self._file.read().decode(), re.MULTILINE))
        self.count = len(re.findall("F+B", directions))
        self._file.close()


async def test_a_failing_embedder_fails_the_update_and_writes_nothing(
    opened: Callable[..., AgentMemory], rows: Rows
) -> None:
    embedder = WordEmbedder()
    memory = opened(index=embedder)
    created = await project(memory, s0="before")
    embedder.embed_documents = lambda texts: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(EmbeddingError, match="division by zero"):
        await memory.aupdate_active_memory_section("alice", created.id, "s0", "after")
    assert rows("SELECT value ->> 'content', revision FROM agentmem.section WHERE section_id = 's0'") == [("before", 1)]


@pytest.mark.parametrize(
    "vectors",
    [[], [[1.0] * 64] * 2, [[1.0] * 63], [[float("nan")] * 64], [[float("inf")] * 64], [[]]],
)
async def test_nonsense_vectors_fail_the_update_and_write_nothing(
    opened: Callable[..., AgentMemory], rows: Rows, vectors: list[list[float]]
) -> None:
    embedder = WordEmbedder()
    memory = opened(index=embedder)
    created = await project(memory, s0="before")
    embedder.embed_documents = lambda texts: vectors  # type: ignore[method-assign]
    with pytest.raises(EmbeddingError):
        await memory.aupdate_active_memory_section("alice", created.id, "s0", "after")
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE content = 'after'") == [(0,)]
    del embedder.embed_documents
    await memory.aupdate_active_memory_section("alice", created.id, "s0", "after")
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NOT NULL") == [(1,)]


async def test_background_embedding_writes_first_and_embeds_later(
    opened: Callable[..., AgentMemory], rows: Rows
) -> None:
    embedder = WordEmbedder()
    memory = opened(index=embedder, settings={"embed": "background"})
    await project(memory, s0="The heron stands still.")
    missing = "SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NULL"
    assert rows(missing) == [(1,)]
    assert [hit.arms.vector for hit in await memory.asearch("alice", "heron")] == [0]
    assert await memory.queue.aembed_pending() == 1
    assert rows(missing) == [(0,)]
    assert (await memory.asearch("alice", "heron"))[0].arms.vector > 0


async def test_only_new_chunks_are_embedded(opened: Callable[..., AgentMemory]) -> None:
    embedder = WordEmbedder()
    memory = opened(index={"embed": embedder, "dims": 64})
    created = await project(memory, s0="\n".join(f"- Item {i} is here." for i in range(50)))
    embedder.calls.clear()
    await memory.aupdate_active_memory_section("alice", created.id, "s0", "- A new one.", action="insert")
    assert [len(texts) for texts in embedder.calls] == [1]


async def test_a_hundred_concurrent_writers_lose_no_update_while_consolidation_runs(
    memory: AgentMemory, rows: Rows
) -> None:
    created = await project(memory, 4)

    async def write(i: int) -> None:
        await memory.aupdate_active_memory_sections(
            "alice",
            created.id,
            [
                {"section_id": f"s{i % 4}", "new_content": f"- writer {i} was here", "action": "insert"},
                {"section_id": f"s{(i + 1) % 4}", "new_content": f"- also {i}", "action": "insert"},
            ],
        )

    async def consolidate() -> int:
        taken = 0
        for _ in range(8):
            report = await memory.aconsolidate("alice", created.id)
            taken += report.updates_consumed
            await asyncio.sleep(0)
        return taken

    *_, taken = await asyncio.gather(*(write(i) for i in range(100)), consolidate())
    taken += (await memory.aconsolidate("alice", created.id)).updates_consumed
    assert taken == 200
    final = await memory.aget_active_memory("alice", created.id)
    assert sum(section.revision - 1 for section in final.sections.values()) == 200
    assert sum(section.total_updates for section in final.sections.values()) == 200
    assert {section.update_count for section in final.sections.values()} == {0}
    assert final.consolidation_info.total_update_count == 0
    text = "\n".join(section.content for section in final.sections.values())
    assert all(f"- writer {i} was here" in text and f"- also {i}" in text for i in range(100))
    lines = {line for section in final.sections.values() for line in section.content.splitlines()}
    stored = rows("SELECT content FROM agentmem.memory_chunk WHERE tier <> 'active' AND current AND end_date IS NULL")
    assert lines == {str(content).strip() for (content,) in stored}


async def test_pending_counts_always_add_up(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory)
    for i in range(7):
        await memory.aupdate_active_memory_section("alice", created.id, f"s{i % 3}", f"v{i}")
        if i == 4:
            await memory.aconsolidate("alice", created.id)
    assert rows(
        "SELECT pending_updates, (SELECT sum(update_count) FROM agentmem.section) FROM agentmem.active_memory"
    ) == [(2, 2)]


def test_an_update_from_a_forked_process_uses_its_own_connections(dsn: str) -> None:
    with AgentMemory.open(dsn) as memory:
        created = memory.create_active_memory("alice", "Project", {"sections": ["s0"]})
    code = (
        "from langgraph_agentmem import AgentMemory; import os\n"
        "memory = AgentMemory.open(); memory.setup()\n"
        "pid = os.fork()\n"
        f"memory.update_active_memory_section('alice', {created.id}, 's0', '- ' + ('child' if pid == 0 else 'parent'), "
        "action='insert')\n"
        "if pid == 0: os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", code], env={**os.environ, "AGENTMEM_DSN": dsn}, check=True, timeout=300)
    with AgentMemory.open(dsn) as memory:
        content = memory.get_active_memory("alice", created.id).sections["s0"].content
    assert sorted(content.splitlines()) == ["- child", "- parent"]


async def test_a_memory_of_many_sections_returns_those_that_were_edited(memory: AgentMemory) -> None:
    created = await project(memory, 150)
    updated = await memory.aupdate_active_memory_section("alice", created.id, "s77", "x")
    assert list(updated.sections) == ["s77"]
    assert updated.section_count == 150
    with pytest.raises(SectionNotFoundError, match=r"'s0', 's1'.* and 120 more"):
        await memory.aupdate_active_memory_section("alice", created.id, "nope", "x")


async def test_a_misspelt_key_of_an_edit_is_refused(memory: AgentMemory) -> None:
    created = await project(memory, s0="keep this")
    with pytest.raises(InvalidInputError, match="old_contents"):
        await memory.aupdate_active_memory_sections(
            "alice", created.id, [{"section_id": "s0", "new_content": "x", "old_contents": "this"}]
        )


async def test_others_are_served_while_a_long_text_is_cut(memory: AgentMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    loop, cut, served = asyncio.get_running_loop(), edits.pieces, list[str]()

    def cut_while_others_are_served(*args: Any) -> Any:
        other = asyncio.run_coroutine_threadsafe(
            memory.acreate_active_memory("bob", "Notes", {"sections": ["b"]}), loop
        )
        served.append(other.result(timeout=60).external_id)
        return cut(*args)

    monkeypatch.setattr(edits, "pieces", cut_while_others_are_served)
    text = "\n".join(f"# heading {number}" for number in range(2000))
    updated = await memory.aupdate_active_memory_section("alice", created.id, "a", text)

    assert served == ["bob"]
    assert updated.sections["a"].content == text
