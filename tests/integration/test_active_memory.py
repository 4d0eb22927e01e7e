"""Creating, reading and deleting active memories."""

from collections.abc import Callable

import pytest

from langgraph_agentmem import AgentMemory, MemoryTemplate, TemplateSection
from langgraph_agentmem.errors import (
    DuplicateTitleError,
    InvalidInputError,
    InvalidTemplateError,
    InvalidTextError,
    MemoryNotFoundError,
    SectionNotFoundError,
)

TEMPLATE = {"sections": [{"id": "plan", "description": "What is next"}, {"id": "facts"}]}
Rows = Callable[..., list[tuple[object, ...]]]


@pytest.mark.parametrize(
    "source",
    [
        TEMPLATE,
        "sections:\n  - id: plan\n    description: What is next\n  - id: facts\n",
        "template: {id: t1, name: Project}\nsections: {plan: What is next, facts: }\n",
        MemoryTemplate(sections=(TemplateSection(id="plan", description="What is next"), TemplateSection(id="facts"))),
    ],
)
async def test_a_template_may_be_a_dict_yaml_text_or_a_model(memory: AgentMemory, source: object) -> None:
    created = await memory.acreate_active_memory("alice", "Project", source, {"facts": "The sky is blue."})
    assert list(created.sections) == ["plan", "facts"]
    assert created.sections["plan"].description == "What is next"
    assert created.sections["facts"].content == "The sky is blue."
    assert created == await memory.aget_active_memory("alice", created.id)


async def test_initial_content_is_no_update_but_is_found_at_once(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory(
        "alice", "Project", TEMPLATE, {"facts": {"content": "The sky is blue."}}
    )
    assert created.consolidation_info.total_update_count == 0
    assert [hit.content for hit in await memory.asearch("alice", "sky")] == ["The sky is blue."]


async def test_a_title_is_unique_among_a_tenants_open_memories(memory: AgentMemory) -> None:
    first = await memory.acreate_active_memory("alice", "Project", TEMPLATE)
    with pytest.raises(DuplicateTitleError, match="'Project'"):
        await memory.acreate_active_memory("alice", "Project", TEMPLATE)
    assert (await memory.acreate_active_memory("bob", "Project", TEMPLATE)).id != first.id
    await memory.adelete_active_memory("alice", first.id)
    assert (await memory.acreate_active_memory("alice", "Project", TEMPLATE)).id != first.id


async def test_exist_ok_returns_the_existing_memory_as_it_is(memory: AgentMemory) -> None:
    first = await memory.acreate_active_memory("alice", "Project", TEMPLATE, {"facts": "old"})
    again = await memory.acreate_active_memory(
        "alice", "Project", {"sections": ["other"]}, {"other": "x"}, exist_ok=True
    )
    assert again == first


async def test_a_tenants_memories_are_listed_with_their_sections_oldest_first(memory: AgentMemory) -> None:
    made = [await memory.acreate_active_memory("alice", title, TEMPLATE, metadata={"n": title}) for title in "BA"]
    await memory.acreate_active_memory("bob", "C", TEMPLATE)
    assert await memory.aget_active_memories("alice") == made
    assert [m.metadata for m in made] == [{"n": "B"}, {"n": "A"}]


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (InvalidInputError, {"external_id": ""}),
        (InvalidInputError, {"external_id": 1.5}),
        (InvalidInputError, {"title": "  "}),
        (InvalidInputError, {"title": None}),
        (InvalidTextError, {"title": "a\0b"}),
        (InvalidTextError, {"external_id": "\ud800"}),
        (InvalidTemplateError, {"template_content": {"sections": []}}),
        (InvalidTemplateError, {"template_content": {}}),
        (InvalidTemplateError, {"template_content": "sections: [a, a]"}),
        (InvalidTemplateError, {"template_content": "{unclosed"}),
        (InvalidTemplateError, {"template_content": 7}),
        (InvalidTextError, {"initial_sections": {"facts": "x" * 10_000_001}}),
        (InvalidTextError, {"initial_sections": {"facts": "nul \0"}}),
        (SectionNotFoundError, {"initial_sections": {"fcats": "x"}}),
        (InvalidInputError, {"initial_sections": {"facts": 7}}),
        (InvalidInputError, {"metadata": {"x": float("nan")}}),
        (InvalidInputError, {"metadata": {"x": object()}}),
        (InvalidInputError, {"metadata": [1]}),
    ],
)
async def test_bad_input_is_refused_before_anything_is_written(
    memory: AgentMemory, rows: Rows, error: type[Exception], arguments: dict[str, object]
) -> None:
    good = {"external_id": "alice", "title": "Project", "template_content": TEMPLATE}
    with pytest.raises(error):
        await memory.acreate_active_memory(**{**good, **arguments})
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(0,)]
    await memory.acreate_active_memory(**good)


async def test_another_tenants_memory_is_unknown(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Project", TEMPLATE)
    for call in (
        memory.aget_active_memory("bob", created.id),
        memory.aupdate_active_memory_section("bob", created.id, "plan", "x"),
        memory.adelete_active_memory("bob", created.id),
        memory.adelete_active_memory("bob", created.id, forget=True),
        memory.aconsolidate("bob", created.id),
        memory.apromote("bob", created.id),
    ):
        with pytest.raises(MemoryNotFoundError, match="'bob' has no active memory"):
            await call
    assert await memory.aget_active_memory("alice", created.id) == created


async def test_closing_consolidates_what_is_left_and_keeps_it_readable(memory: AgentMemory, rows: Rows) -> None:
    created = await memory.acreate_active_memory("alice", "Project", TEMPLATE, {"plan": "Visit Rome."})
    await memory.aupdate_active_memory_section("alice", created.id, "facts", "The sky is blue.")
    await memory.adelete_active_memory("alice", created.id)
    with pytest.raises(MemoryNotFoundError):
        await memory.aget_active_memory("alice", created.id)
    assert await memory.aget_active_memories("alice") == []
    hits = await memory.aretrieve_memories("alice", "Rome blue sky")
    assert {(hit.content, hit.tier, hit.memory_title) for hit in hits} == {
        ("Visit Rome.", "shortterm", "Project"),
        ("The sky is blue.", "shortterm", "Project"),
    }
    assert rows("SELECT count(*) FROM agentmem.section") == [(0,)]


async def test_forgetting_removes_every_trace(memory: AgentMemory, rows: Rows) -> None:
    created = await memory.acreate_active_memory("alice", "Project", TEMPLATE, {"plan": "Visit Rome."})
    kept = await memory.acreate_active_memory("alice", "Other", TEMPLATE, {"plan": "Visit Oslo."})
    for content in ("The sky is blue.", "The sky is grey."):
        await memory.aupdate_active_memory_section("alice", created.id, "facts", content)
        await memory.aconsolidate("alice", created.id)
    await memory.apromote("alice", created.id, force=True)
    await memory.adelete_active_memory("alice", created.id, forget=True)
    assert [hit.memory_id for hit in await memory.asearch("alice", "visit Rome sky")] == [kept.id]
    for table in ("memory_chunk", "section", "shortterm_memory", "consolidation_run"):
        found = rows(
            f"SELECT count(*) FROM agentmem.{table} WHERE to_jsonb({table}) ->> 'memory_id' = %s", str(created.id)
        )
        assert found == [(0,)], table
