"""Search over all tiers: by words, by vectors, by entities."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from fakes import ScriptedModel, WordEmbedder

from langgraph_agentmem import ActiveMemory, AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import EmbeddingError, InvalidInputError, InvalidTextError

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]


async def notes(memory: AgentMemory, *lines: str, tenant: str = "alice", title: str = "Notes") -> ActiveMemory:
    return await memory.acreate_active_memory(
        tenant, title, {"sections": ["notes"]}, {"notes": "\n".join(f"- {line}" for line in lines)}
    )


async def found(memory: AgentMemory, query: str, **arguments: Any) -> list[str]:
    hits = await memory.asearch("alice", query, **arguments)
    return [hit.content.strip().removeprefix("- ") for hit in hits]


async def test_words_are_found_in_any_form_and_rare_ones_count_more(memory: AgentMemory) -> None:
    await notes(
        memory, "The project is late.", "The project is big.", "The project visits zebras.", "A project of ours."
    )
    assert (await found(memory, "zebra project"))[0] == "The project visits zebras."


@pytest.mark.parametrize(
    "query", ["naïve ÉCOLE", "größe", "東京", "'; DROP TABLE x; --", "a & b | !c <-> (", "\\", "''\\''", "%(x)s {y}"]
)
async def test_any_text_may_be_a_query(memory: AgentMemory, query: str) -> None:
    await notes(memory, "Une école naïve.", "Die Größe zählt.", "東京 is large.", "nothing")
    hits = await memory.asearch("alice", query)
    assert all(0 <= hit.score <= 1 for hit in hits)
    if query[0] in "ng東":
        assert hits


SPELT = [
    ("inv20394", "Please pay INV-20394."),
    ("obrien", "Ask O'Brien."),
    ("+4930123456", "Call +49 30 123456."),
    ("2.3.1", "We pin pkg==2.3.1."),
    ("llama", "It runs llama3."),
    ("Mueller", "Müller is away."),
    ("Will's birthday", "Will was born in June."),
    ("wx_ada88", "她的微信号是wx_ada88。"),
    ("2024", "เริ่มในปี ๒๐๒๔"),
    ("🎉", "We did it 🎉"),
]


@pytest.mark.parametrize("embedder", [None, WordEmbedder()], ids=["words", "vectors"])
async def test_what_is_spelt_otherwise_is_found_first_in_sections_and_among_items(opened: Open, embedder: Any) -> None:
    memory = opened(index=embedder)
    await notes(memory, *(text for _, text in SPELT))
    store = AgentMemoryStore(memory)
    for number, (_, text) in enumerate(SPELT):
        await store.aput(("bob",), str(number), {"text": text})
    for query, text in SPELT:
        assert (await found(memory, query))[0] == text
        assert (await store.asearch(("bob",), query=query))[0].value == {"text": text}


async def test_a_chunk_is_found_by_its_neighbours_words_but_ranks_below_its_own(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Talk", {"sections": ["talk"]})
    said = ["Ada: Alpha is first.", "Bob: Gamma follows.", "Ada: Delta ends."]
    await memory.aupdate_active_memory_section("alice", created.id, "talk", "\n".join(said))
    hits = [hit.content.strip() for hit in await memory.asearch("alice", "gamma")]
    assert hits == [said[1], said[2], said[0]], "what was said before counts more than what comes after"


async def test_what_is_said_in_passing_comes_before_as_much_of_a_long_turn(memory: AgentMemory) -> None:
    advice = [f"- Step {number}: pick a tent, and keep it dry.\n" for number in range(20)]
    advice[5] = "- The kayak\n"
    said = [
        "User: How do I camp?\n",
        f"Assistant: So.\n{''.join(advice)}",
        "User: Thanks.\n",
        "The kayak leaks on deck\n",
    ]
    await memory.acreate_active_memory("alice", "Talk", {"sections": ["talk"]}, {"talk": "\n".join(said)})
    assert await found(memory, "kayak") == ["The kayak leaks on deck", "The kayak"]


async def test_what_stands_beside_a_chunk_in_a_list_does_not_find_it(memory: AgentMemory) -> None:
    await notes(memory, "Alpha is first.", "Gamma follows.", "Delta ends.")
    assert await found(memory, "gamma") == ["Gamma follows."]


async def test_scores_are_within_bounds_ordered_and_stable(opened: Open) -> None:
    memory = opened(index=WordEmbedder())
    await notes(memory, *(f"The same words in line {i % 3}." for i in range(30)))
    first = await memory.asearch("alice", "same words line 1", limit=30)
    assert first == await memory.asearch("alice", "same words line 1", limit=30)
    keys = [(-hit.score, hit.chunk_id) for hit in first]
    assert keys == sorted(keys)
    assert all(0 <= hit.score <= 1 for hit in first)
    assert first[:7] == await memory.asearch("alice", "same words line 1", limit=7)


async def test_a_vector_finds_what_no_word_does(opened: Open) -> None:
    class Synonyms(WordEmbedder):
        def _vector(self, text: str) -> list[float]:
            return super()._vector(text.replace("automobile", "car"))

    memory = opened(index=Synonyms(256))
    await notes(memory, "The automobile broke.", "The tree grew.")
    [best, *_] = await memory.asearch("alice", "car")
    assert best.content.strip() == "- The automobile broke."
    assert (best.arms.lexical, best.arms.vector > 0.3) == (0, True)


async def test_without_an_embedder_there_is_no_vector_arm(memory: AgentMemory) -> None:
    await notes(memory, "The tree grew.")
    [hit] = await memory.asearch("alice", "tree")
    assert hit.arms.vector is None


def gazetteer(name: str, data: dict[str, Any]) -> dict[str, Any]:
    entities = [
        {
            "name": name,
            "types": ["place"],
            "confidence": 0.9,
            "chunk_ids": [c["id"] for c in data["chunks"] if key in c["content"]],
        }
        for name, key in (("New York", "Big Apple"), ("Paris", "Seine"))
    ]
    return {"entities": entities}


async def test_the_graph_arm_finds_what_mentions_the_querys_entities(opened: Open) -> None:
    memory = opened(model=ScriptedModel(answer=gazetteer))
    created = await notes(memory, "x")
    content = "- The Big Apple never sleeps.\n- Boats go down the Seine.\n- York is old."
    await memory.aupdate_active_memory_section("alice", created.id, "notes", content)
    await memory.aconsolidate("alice", created.id)
    [hit, *_] = [hit for hit in await memory.asearch("alice", "anything in new york?") if hit.arms.graph]
    assert (hit.content.strip(), hit.entities, hit.arms.graph) == ("- The Big Apple never sleeps.", ["New York"], 0.9)
    assert not [hit for hit in await memory.asearch("alice", "old York") if hit.arms.graph]


async def test_another_tenants_memories_are_never_found(opened: Open) -> None:
    memory = opened(index=WordEmbedder())
    await notes(memory, "The secret is 1234.", tenant="bob")
    assert await found(memory, "The secret is 1234.") == []
    await notes(memory, "The public is 1234.")
    assert await found(memory, "The secret is 1234.") == ["The public is 1234."]


async def test_tiers_memories_and_limit_narrow_a_search(memory: AgentMemory) -> None:
    first, second = await notes(memory, "fox one"), await notes(memory, "fox two", title="Other")
    await memory.aupdate_active_memory_section("alice", first.id, "notes", "- fox one\n- fox three")
    await memory.aconsolidate("alice", first.id)
    assert set(await found(memory, "fox")) == {"fox one", "fox two", "fox three"}
    assert set(await found(memory, "fox", tiers=["shortterm"])) == {"fox one", "fox three"}
    assert await found(memory, "fox", tiers=["longterm"]) == []
    assert await found(memory, "fox", memory_ids=[second.id]) == ["fox two"]
    assert len(await found(memory, "fox", limit=2)) == 2
    assert await memory.aretrieve_memories("alice", "fox", search_shortterm=False, search_longterm=False) == []
    assert len(await memory.aretrieve_memories("alice", "fox")) == 2


async def test_a_hit_tells_where_it_comes_from(memory: AgentMemory) -> None:
    created = await notes(memory, "x")
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "- a fox", source="browser")
    report = await memory.aconsolidate("alice", created.id)
    [hit] = await memory.asearch("alice", "fox")
    assert (hit.memory_id, hit.memory_title, hit.section_id, hit.section_revision) == (created.id, "Notes", "notes", 2)
    assert (hit.run_id, hit.source, hit.tier, hit.current, hit.origin) == (
        report.run_id,
        "browser",
        "shortterm",
        True,
        "section",
    )


async def test_as_of_before_anything_was_known_finds_nothing(memory: AgentMemory) -> None:
    await notes(memory, "a fox")
    [hit] = await memory.asearch("alice", "fox")
    assert await found(memory, "fox", as_of=hit.start_date - timedelta(seconds=1)) == []
    assert await found(memory, "fox", as_of=hit.start_date) == ["a fox"]


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (InvalidInputError, {"query": "  "}),
        (InvalidInputError, {"query": None}),
        (InvalidTextError, {"query": "a\0b"}),
        (InvalidTextError, {"query": "\ud800"}),
        (InvalidInputError, {"limit": 0}),
        (InvalidInputError, {"limit": "10"}),
        (InvalidInputError, {"tiers": []}),
        (InvalidInputError, {"tiers": ["short"]}),
        (InvalidInputError, {"tiers": "active"}),
        (InvalidInputError, {"as_of": datetime(2024, 1, 1)}),
        (InvalidInputError, {"as_of": "2024-01-01"}),
        (InvalidInputError, {"memory_ids": ["1"]}),
        (InvalidInputError, {"external_id": ""}),
    ],
)
async def test_bad_arguments_are_refused(
    memory: AgentMemory, error: type[Exception], arguments: dict[str, Any]
) -> None:
    with pytest.raises(error):
        await memory.asearch(**{"external_id": "alice", "query": "fox", **arguments})


async def test_an_embedder_that_fails_on_the_query_is_an_error_not_an_empty_result(opened: Open) -> None:
    embedder = WordEmbedder()
    memory = opened(index=embedder)
    await notes(memory, "a fox")
    embedder.embed_query = lambda text: [float("nan")] * 64  # type: ignore[method-assign]
    with pytest.raises(EmbeddingError, match="NaN"):
        await memory.asearch("alice", "fox")


async def test_a_large_tenant_gets_as_many_rows_by_the_index_as_it_asked_for(opened: Open, rows: Rows) -> None:
    exact, approximate = opened(index=WordEmbedder()), opened(index=WordEmbedder(), settings={"exact_search_rows": 10})
    for tenant in ("crowd", "alice"):
        lines = [f"word{i} word{i % 7} of {tenant}" for i in range(300 if tenant == "crowd" else 40)]
        await notes(exact, *lines, tenant=tenant)
    for limit in (5, 40):
        by_index = await approximate.asearch("alice", "word3", limit=limit)
        assert len(by_index) == limit
        assert {hit.content for hit in by_index[:3]} == {
            hit.content for hit in (await exact.asearch("alice", "word3"))[:3]
        }


async def test_zero_vectors_do_no_harm(opened: Open) -> None:
    class Zero(WordEmbedder):
        def _vector(self, text: str) -> list[float]:
            return [0.0] * self.dimensions

    memory = opened(index=Zero())
    await notes(memory, "a fox")
    [hit] = await memory.asearch("alice", "fox")
    assert (hit.arms.vector, hit.score > 0) == (0, True)


async def test_a_hit_says_which_headings_it_stands_under(memory: AgentMemory) -> None:
    made = await memory.acreate_active_memory("alice", "plan", {"sections": [{"id": "trip"}]})
    write = partial(memory.aupdate_active_memory_section, "alice", made.id, "trip")
    await write(new_content="# Travel\n## Hotels\nThe Ritz is booked.\n\n- And a table.")
    assert [hit.metadata for hit in await memory.asearch("alice", "Ritz", limit=1)] == [
        {"headings": ["Travel", "Hotels"]}
    ]

    await write("Hostels", "Hotels")
    assert [hit.metadata for hit in await memory.asearch("alice", "table", limit=1)] == [
        {"headings": ["Travel", "Hostels"]}
    ]
    await write(new_content="- And a table.")
    assert [hit.metadata for hit in await memory.asearch("alice", "table", limit=1)] == [{}]
