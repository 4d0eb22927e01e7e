"""What an older system's tables hold is brought along: active, short-term and long-term memory, in both of its forms."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import legacy_tables
import pytest
from consistency import assert_consistent
from fakes import WordEmbedder
from legacy_tables import Form

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ConfigurationError, ImportMismatchError

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[Any, ...]]]
FORMS = get_args(Form)
COUNTS = {
    "active_memory.sections": 4,
    "active_memory": 3,
    "shortterm_memory": 2,
    "shortterm_memory_chunk": 3,
    "longterm_memory_chunk": 2,
}
EVERYTHING = """
    SELECT 'memory', a.external_id, a.title, a.namespace::text, a.metadata::text, a.template::text, a.created_at, a.updated_at FROM agentmem.active_memory a
    UNION ALL SELECT 'section', s.external_id, s.section_id, s.title || s.description, s.value::text, s.revision || ' ' || s.update_count || ' ' || s.position, s.created_at, s.updated_at FROM agentmem.section s
    UNION ALL SELECT 'shortterm', m.external_id, m.update_count::text, m.memory_id::text, m.metadata::text, '', m.created_at, m.last_updated FROM agentmem.shortterm_memory m
    UNION ALL SELECT 'chunk', c.external_id, c.id::text, c.section_id, c.content, c.tier || c.origin || c.metadata || c.confidence || c.importance, c.start_date, c.end_date FROM agentmem.memory_chunk c
    ORDER BY 1, 2, 3, 4"""


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, rows: Rows) -> Form:
    """Tables of a form in the memory's own database."""
    rows("SET TimeZone = 'UTC'")
    for statement in legacy_tables.filled(request.param):
        rows(statement)
    return request.param


@pytest.fixture
def older(rows: Rows) -> None:
    """Tables of the older form."""
    for statement in legacy_tables.filled("older"):
        rows(statement)


def day(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


async def test_all_of_it_comes_along_and_is_counted(form: Form, memory: AgentMemory, dsn: str) -> None:
    passed: list[tuple[int, int]] = []

    report = await memory.imports.alegacy(on_progress=lambda *counts: passed.append(counts))

    assert {name: (count.read, count.verified) for name, count in report.tables.items()} == {
        name: (count, count) for name, count in COUNTS.items()
    }
    assert (report.read, report.written, report.verified, report.refused) == (14, 14, 14, 0)
    assert report.hash == report.source_hash
    assert passed[-1] == (28, 28)
    assert_consistent(dsn)


async def test_memories_keep_their_sections_templates_and_counts(form: Form, memory: AgentMemory) -> None:
    await memory.imports.alegacy()

    first, second, nowhere = await memory.aget_active_memories("agent-7")
    assert (first.title, first.namespace) == ("Project", ("agent-7", "Project"))
    assert first.metadata == {"owner": "Ada", "legacy_id": "active_memory:1"}
    assert [(s.section_id, s.title, s.description, s.content) for s in first.sections.values()] == [
        ("progress", "Progress", "How far the work is", "The draft of the bridge is done."),
        ("open", "", "What is open", "- The review of the bridge"),
        ("later", "", "What can wait", ""),
    ]
    assert first.template.name == "Project"
    assert first.created_at == day(2024, 3, 1, 9)
    assert first.sections["progress"].updated_at == day(2024, 3, 5, 10)
    assert {id: s.update_count for id, s in first.sections.items()} == {"progress": 0, "open": 2, "later": 0}
    assert first.consolidation_info.total_update_count == 2
    assert (second.title, second.namespace) == ("Project", ("agent-7", "Project", "3"))
    assert second.sections["progress"].content == "A second one of that title."
    assert (nowhere.title, nowhere.sections) == ("imported", {})
    [other, gone] = await memory.aget_active_memories("agent-8")
    assert other.sections["progress"].content == "Nothing of the tunnel is done."
    assert list(other.sections) == (["progress"] if form == "older" else ["progress", "open", "later"])
    assert (gone.title, gone.sections) == ("Gone", {})


async def test_chunks_keep_their_tier_section_times_and_validity(form: Form, memory: AgentMemory, rows: Rows) -> None:
    await memory.imports.alegacy()

    chunks = rows(
        "SELECT c.content, c.tier, c.section_id, a.title, c.start_date, c.end_date, c.confidence, c.importance FROM agentmem.memory_chunk c JOIN agentmem.active_memory a ON a.id = c.memory_id WHERE c.origin = 'import' ORDER BY c.id"
    )
    newer = form == "newer"
    assert [chunk[:6] for chunk in chunks] == [
        ("The bridge is drawn by Grace.", "shortterm", "progress", "Project", day(2024, 3, 4, 9), None),
        ('The bridge has "two" lanes, {not} three.', "shortterm", "imported", "Project", day(2024, 3, 4, 9), None),
        ("The tunnel is drawn by Alan.", "shortterm", "imported", "Gone", day(2024, 3, 4, 9), None),
        ("The bridge is of steel.", "longterm", "imported", "Project", day(2023, 1, 1), None),
        ("The bridge is of wood.", "longterm", "imported", "imported", day(2022, 1, 1), None if newer else day(2023, 1, 1)),
    ]  # fmt: skip
    assert [tuple(round(score, 2) for score in chunk[6:]) for chunk in chunks[3:]] == (
        [(1, 0.75), (1, 0.5)] if newer else [(0.9, 0.75), (0.5, 0.5)]
    )
    assert rows("SELECT m.update_count, m.metadata FROM agentmem.shortterm_memory m ORDER BY m.metadata ->> 'legacy_id'")[0] == (
        3 if newer else 0,
        {"legacy_id": "shortterm_memory:1", "summary": "Of the bridge", "promotion_history": []},
    )  # fmt: skip


async def test_it_is_found_by_its_tenant_alone_as_of_any_time(older: None, memory: AgentMemory) -> None:
    await memory.imports.alegacy()

    [hit] = await memory.asearch("agent-7", "Grace", limit=1)
    assert (hit.content, hit.tier, hit.section_id) == ("The bridge is drawn by Grace.", "shortterm", "progress")
    assert {hit.content for hit in await memory.asearch("agent-8", "bridge Grace steel tunnel", limit=50)} == {
        "The tunnel is drawn by Alan.",
        "Nothing of the tunnel is done.",
    }
    material = [hit.content for hit in await memory.asearch("agent-7", "steel wood", limit=50)]
    assert "The bridge is of steel." in material
    assert "The bridge is of wood." not in material
    then = await memory.asearch("agent-7", "wood", as_of=day(2022, 6, 1), limit=50)
    assert [hit.content for hit in then] == ["The bridge is of wood."]


async def test_the_same_again_changes_nothing(form: Form, memory: AgentMemory, rows: Rows) -> None:
    await memory.imports.alegacy()
    before = rows(EVERYTHING)

    report = await memory.imports.alegacy()

    assert (report.written, report.known, report.verified) == (0, 14, 14)
    assert rows(EVERYTHING) == before


async def test_what_has_changed_there_since_is_brought_up_to_date(older: None, memory: AgentMemory, rows: Rows) -> None:
    await memory.imports.alegacy()
    rows(
        "UPDATE active_memory SET sections = jsonb_set(sections, '{progress,content}', '\"The bridge stands.\"'), metadata = '{\"owner\": \"Grace\"}' WHERE id = 1"
    )
    rows("UPDATE shortterm_memory_chunk SET content = 'The bridge is drawn by Ada.' WHERE id = 1")
    rows("UPDATE longterm_memory_chunk SET end_date = now() WHERE id = 1")
    rows("INSERT INTO shortterm_memory_chunk (external_id, shortterm_memory_id, content) VALUES ('agent-8', 2, 'New.')")

    report = await memory.imports.alegacy()

    assert (report.read, report.written, report.known, report.verified) == (15, 5, 10, 15)
    first, *_ = await memory.aget_active_memories("agent-7")
    assert (first.sections["progress"].content, first.metadata["owner"]) == ("The bridge stands.", "Grace")
    chunks = "SELECT content, end_date IS NULL FROM agentmem.memory_chunk WHERE content LIKE 'The bridge is%%' AND external_id = 'agent-7' ORDER BY id"
    assert rows(chunks) == [
        ("The bridge is drawn by Grace.", False),
        ("The bridge is of steel.", False),
        ("The bridge is of wood.", False),
        ("The bridge is drawn by Ada.", True),
    ]
    assert (await memory.imports.alegacy()).known == 15


async def test_what_was_written_here_stays(older: None, memory: AgentMemory, rows: Rows) -> None:
    template = {"sections": ["progress", "mine"]}
    mine = await memory.acreate_active_memory("agent-7", "Project", template, {"progress": "Begun anew."})

    report = await memory.imports.alegacy()

    assert (report.written, report.kept, report.verified) == (12, 2, 12)
    here = await memory.aget_active_memory("agent-7", mine.id)
    assert {id: section.content for id, section in here.sections.items()} == {
        "progress": "Begun anew.",
        "mine": "",
        "open": "- The review of the bridge",
    }
    assert "legacy_id" not in here.metadata
    rows("UPDATE agentmem.memory_chunk SET end_date = now() WHERE content = 'The bridge is of steel.'")
    rows("UPDATE longterm_memory_chunk SET content = 'The bridge is of stone.' WHERE id = 1")
    assert (await memory.imports.alegacy()).kept == 3
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE content LIKE '%%stone%%'") == [(0,)]


async def test_vectors_are_taken_over_where_the_model_fits(older: None, opened: Open, rows: Rows) -> None:
    embedder = WordEmbedder()
    for table in ("shortterm_memory_chunk", "longterm_memory_chunk"):
        for id, content in rows(f"SELECT id, content FROM {table}"):
            rows(f"UPDATE {table} SET embedding = %s WHERE id = %s", str(embedder.embed_documents([content])[0]), id)
    embedder.calls.clear()

    report = await opened(index=embedder).imports.alegacy()

    assert (report.vectors, report.without_vectors) == (5, "")
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NULL") == [(0,)]
    asked = [text for call in embedder.calls for text in call]
    assert "The bridge is of steel." not in asked  # three of the short-term ones were, to compare


async def test_vectors_of_another_model_are_computed_again(older: None, opened: Open, rows: Rows) -> None:
    rows("UPDATE shortterm_memory_chunk SET embedding = array_fill(0.1, ARRAY[64])::vector")

    report = await opened(index=WordEmbedder()).imports.alegacy()

    assert report.vectors == 0
    assert "are not those that" in report.without_vectors
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NULL") == [(0,)]


async def test_what_cannot_stand_here_is_refused_and_keeps_nothing_else(
    older: None, memory: AgentMemory, rows: Rows
) -> None:
    rows(
        "INSERT INTO active_memory (external_id, title, template_content, sections) VALUES ('', 'Nobody''s', '', '{\"a\": {\"content\": \"x\"}}'), ('agent-9', 'Odd', '', '{\"a\": {\"content\": 5}, \"b\": \"A text.\", \"\": {}}'), ('agent-9', 'None', '', '[]')"
    )
    rows(
        "INSERT INTO longterm_memory_chunk (external_id, content) VALUES ('agent-9', '  '), ('agent-9', repeat('x', 2000000))"
    )

    report = await memory.imports.alegacy()

    assert {remark.place: remark.reason for remark in report.refusals} == {
        "section 'a' of memory 4": "external_id must not be empty",
        "section 'a' of memory 5": "it is no section such as {'content': 'text'}, but '{\"content\": 5}'",
        "section '' of memory 5": "key must not be empty",
        "memory 4": "external_id must not be empty",
        "longterm chunk 4": "content has 2,000,000 characters; the limit is 1,000,000",
    }
    assert (report.refused, report.skipped) == (5, 1)
    [odd, none] = await memory.aget_active_memories("agent-9")
    assert {id: section.content for id, section in odd.sections.items()} == {"b": "A text.", "a": ""}
    assert (none.title, none.sections) == ("None", {})


async def test_consolidation_and_promotion_go_on_from_there(
    form: Form, memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    await memory.imports.alegacy()
    first, *_ = await memory.aget_active_memories("agent-7")
    await memory.aupdate_active_memory_section("agent-7", first.id, "progress", "The bridge is drawn by Grace.")

    report = await memory.aconsolidate("agent-7", first.id)

    assert report.status == "applied"
    assert (await memory.apromote("agent-7", first.id, force=True)).status == "promoted"
    assert rows(
        "SELECT DISTINCT tier FROM agentmem.memory_chunk WHERE memory_id = %s AND origin = 'import'", first.id
    ) == [("longterm",)]
    valid = [hit.content for hit in await memory.asearch("agent-7", "drawn Grace", limit=50)]
    assert valid.count("The bridge is drawn by Grace.") == 1
    assert_consistent(dsn)
    await memory.adelete_active_memory("agent-7", first.id, forget=True)
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE memory_id = %s", first.id) == [(0,)]


async def test_what_differs_at_the_end_is_an_error_that_names_it(older: None, memory: AgentMemory, rows: Rows) -> None:
    rows(
        "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.content LIKE '%%Grace%%' AND NEW.origin = 'import' THEN NULL ELSE NEW END; END $$"
    )
    rows("CREATE TRIGGER lost BEFORE INSERT ON agentmem.memory_chunk FOR EACH ROW EXECUTE FUNCTION lost()")

    with pytest.raises(ImportMismatchError) as raised:
        await memory.imports.alegacy()

    [difference] = raised.value.report.differences
    assert (difference.place, difference.reason) == ("shortterm chunk 1", "it is not here")
    counted = raised.value.report.tables["shortterm_memory_chunk"]
    assert (counted.read, counted.verified) == (3, 2)


async def test_tables_that_are_missing_or_others_are_named(memory: AgentMemory, rows: Rows) -> None:
    with pytest.raises(ConfigurationError, match="no table 'active_memory' on its search path"):
        await memory.imports.alegacy()
    rows("CREATE TABLE active_memory (id int, external_id text)")
    with pytest.raises(ConfigurationError, match="no column 'title'"):
        await memory.imports.alegacy()


async def test_empty_tables_are_nothing(memory: AgentMemory, rows: Rows) -> None:
    rows("CREATE SCHEMA old")
    rows("SET search_path = old, public")
    for statement in legacy_tables.tables("newer"):
        rows(statement)

    report = await memory.imports.alegacy(schema="old")

    assert (report.read, report.verified) == (0, 0)
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(0,)]


async def test_two_at_once_write_each_row_once(older: None, memory: AgentMemory, opened: Open, rows: Rows) -> None:
    both = await asyncio.gather(memory.imports.alegacy(), opened().imports.alegacy())

    assert [report.verified for report in both] == [14, 14]
    assert rows(
        "SELECT count(*), count(DISTINCT metadata ->> 'legacy_id') FROM agentmem.memory_chunk WHERE origin = 'import'"
    ) == [(5, 5)]


async def test_nothing_of_what_is_redacted_comes_along(older: None, opened: Open, rows: Rows) -> None:
    memory = opened(redact=lambda text: text.replace("Grace", "[name]").replace("Ada", "[name]"))

    report = await memory.imports.alegacy()

    assert report.verified == 14
    assert [hit.content for hit in await memory.asearch("agent-7", "drawn", limit=1)] == [
        "The bridge is drawn by [name]."
    ]
    [first, *_] = await memory.aget_active_memories("agent-7")
    assert first.metadata["owner"] == "[name]"
