"""The largest numbers that settings take work, wherever they are counted with."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel, WordEmbedder
from people import answer

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore, MemoryWorker

OPTIONAL = {"input_token_price", "output_token_price", "recency_half_life_days"}
NUMBERS = {
    name: field for name, field in AgentMemorySettings.model_fields.items()
    if (isinstance(field.default, int | float) and not isinstance(field.default, bool)) or name in OPTIONAL
    or name.endswith(("_days", "_minutes"))
}  # fmt: skip


def limit(name: str, *names: str) -> float | None:
    found = (getattr(limit, each, None) for limit in NUMBERS[name].metadata for each in names)
    return next((value for value in found if value is not None), None)


def largest(name: str) -> float:
    top = limit(name, "le")
    return 1_000_000_000 if top is None else top


@pytest.mark.parametrize("name", [name for name in NUMBERS if not name.startswith("chunk_") and name != "store_owner"])
async def test_a_largest_number_works(opened: Callable[..., AgentMemory], name: str) -> None:
    memory = opened(model=ScriptedModel(answer=answer), index=WordEmbedder(), settings={name: largest(name)})
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["facts"]})
    await memory.aupdate_active_memory_section("alice", made.id, "facts", "Ada knows Bob.")

    await MemoryWorker(memory, external_id="alice").arun_until_idle()
    report: Any = await memory.aconsolidate("alice", made.id)
    store = AgentMemoryStore(memory)
    await store.aput(("alice", "codes"), "door", {"code": "1234"})
    item = await store.aget(("alice", "codes"), "door")

    assert report.status in ("applied", "nothing")
    assert [hit.content for hit in await memory.asearch("alice", "Ada")][:1] == ["Ada knows Bob."]
    assert item is not None
    await store.aclose()
