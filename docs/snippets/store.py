"""AgentMemoryStore in the place of LangGraph's PostgreSQL stores."""

import os

import pytest

DSN = os.environ["AGENTMEM_DSN"]


def embed(texts: list[str]) -> list[list[float]]:
    return [[1.0, 0.1] if "tea" in text or "drink" in text else [0.1, 1.0] for text in texts]


# [drop_in]
from langgraph_agentmem import AgentMemoryStore  # instead of langgraph.store.postgres's PostgresStore

with AgentMemoryStore.from_conn_string(DSN, index={"embed": embed, "dims": 2, "fields": ["text"]}) as store:
    store.setup()
    store.put(("alice", "preferences"), "drink", {"text": "Alice likes green tea.", "confidence": 0.9})
    store.put(("alice", "preferences"), "seat", {"text": "By the window.", "confidence": 0.7})
    best = store.search(("alice",), query="What does she drink?", limit=1)[0]
    print(best.namespace, best.key, best.value)
    # [end]
    assert (best.namespace, best.key) == (("alice", "preferences"), "drink")

# [drop_in_async]
import asyncio


async def main() -> None:
    async with AgentMemoryStore.from_conn_string(DSN) as store:
        await store.aput(("alice", "preferences"), "drink", {"text": "Alice likes green tea."})
        item = await store.aget(("alice", "preferences"), "drink")
        print(item.value)


asyncio.run(main())
# [end]

# [index_ttl]
store = AgentMemoryStore.from_conn_string(
    DSN,
    index={
        "embed": embed,  # or "openai:text-embedding-3-small", or LangChain embeddings
        "dims": 2,
        "fields": ["text", "turns[*].text"],
        "distance_type": "cosine",
        "ann_index_config": {"kind": "hnsw", "vector_type": "halfvec"},
    },
    ttl={"default_ttl": 60 * 24 * 90, "refresh_on_read": True, "omit_expired": True, "sweep_interval_minutes": 10},
    pool_config={"max_size": 20},
)
# [end]
assert store.memory.settings.pool_size == 20
store.put(("alice", "chats"), "1", {"turns": [{"text": "Two seats, please."}, {"text": "By the window?"}]})
assert store.search(("alice", "chats"), query="window", limit=1)[0].key == "1"

# [index_per_put]
store.put(("alice", "chats"), "2", {"title": "Tea", "turns": []}, index=["title"])
store.put(("alice", "chats"), "3", {"token": "kept, and never searched"}, index=False)
store.put(("alice", "chats"), "4", {"text": "A code for tonight."}, ttl=30)  # minutes
# [end]
hits = store.search(("alice", "chats"), query="kept searched", limit=10)
assert [item.score for item in hits if item.key == "3"] == [None]
[chats] = [memory for memory in store.memory.get_active_memories("alice") if memory.title == "chats"]
assert {key: section.update_count for key, section in chats.sections.items()} == {"1": 1, "2": 1, "3": 0, "4": 1}
store.close()

# [owner]
by_user = AgentMemoryStore.from_conn_string(DSN)  # owner=0
by_user.put(("bob", "notes"), "seat", {"text": "On the aisle."})

by_kind = AgentMemoryStore.from_conn_string(DSN, owner=1, default_tenant="everybody")
by_kind.put(("memories", "carol"), "seat", {"text": "In the rear."})
by_kind.put(("faq",), "seats", {"text": "Seats are free after eight."})

print([memory.title for memory in by_kind.memory.get_active_memories("bob")])  # ['notes']
print([memory.title for memory in by_kind.memory.get_active_memories("carol")])  # ['memories']
print([memory.title for memory in by_kind.memory.get_active_memories("everybody")])  # ['faq']
# [end]
assert [memory.title for memory in by_kind.memory.get_active_memories("bob")] == ["notes"]
assert [memory.title for memory in by_kind.memory.get_active_memories("carol")] == ["memories"]
assert [memory.title for memory in by_kind.memory.get_active_memories("everybody")] == ["faq"]
assert by_kind.get(("bob", "notes"), "seat") is None
by_kind.close()

store = by_user
store.put(
    ("dora", "tasks"), "1", {"title": "Ship", "size": 8, "tags": ["work"], "due": "2026-05-04", "who": {"name": "Ada"}}
)
store.put(("dora", "tasks"), "2", {"title": "Rest", "size": 3, "tags": [], "done": True})

# [filter]
from datetime import date

found = store.search(
    ("dora", "tasks"),
    filter={
        "size": {"$gte": 5, "$lt": 10},
        "due": {"$gt": date(2026, 5, 1)},
        "tags": {"$contains": "work"},
        "who.name": "Ada",
        "$not": {"done": True},
    },
)
# [end]
assert [item.key for item in found] == ["1"]
for filter, keys in [
    ({"title": "Ship"}, "1"),
    ({"title": {"$eq": "Ship"}}, "1"),
    ({"done": {"$ne": True}}, "1"),
    ({"done": None}, "1"),
    ({"size": {"$gt": 3}}, "1"),
    ({"size": {"$lte": 3}}, "2"),
    ({"title": {"$in": ["Ship", "Rest"]}}, "12"),
    ({"title": {"$nin": ["Ship"]}}, "2"),
    ({"done": {"$exists": True}}, "2"),
    ({"tags": {"$contains": "work"}}, "1"),
    ({"title": {"$contains": "hi"}}, "1"),
    ({"who": {"name": "Ada"}}, "1"),
    ({"who": {"$eq": {"name": "Ada"}}}, "1"),
    ({"who": {"name": {"$in": ["Ada"]}}}, "1"),
    ({"$or": [{"title": "Ship"}, {"done": True}]}, "12"),
    ({"$and": [{"title": "Ship"}, {"done": True}]}, ""),
    ({"size": {"$or": [{"$lt": 4}, {"$gt": 100}]}}, "2"),
    ({"size": {"$not": {"$lt": 4}}}, "1"),
    ({"tags": []}, "2"),
    ({"title": {"$gt": "S"}}, "1"),
]:
    assert sorted(item.key for item in store.search(("dora", "tasks"), filter=filter)) == list(keys), filter
with pytest.raises(ValueError, match=r"unknown filter operator '\$near'"):
    store.search(("dora",), filter={"size": {"$near": 3}})


# [put_if]
from langgraph_agentmem.errors import RevisionConflictError


async def add_tag(store: AgentMemoryStore, namespace: tuple[str, ...], key: str, tag: str) -> None:
    while True:
        item = await store.aget(namespace, key)
        value = {**item.value, "tags": [*item.value["tags"], tag]}
        try:
            await store.aput_if(namespace, key, value, revision=item.revision)
            return
        except RevisionConflictError:
            continue  # somebody else was first: read again


# [end]
async def tagged() -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(add_tag(store, ("dora", "tasks"), "2", f"tag {number}"))


asyncio.run(tagged())
assert sorted(store.get(("dora", "tasks"), "2").value["tags"]) == [f"tag {number}" for number in range(5)]
with pytest.raises(RevisionConflictError):
    store.put_if(("dora", "tasks"), "2", {}, revision=0)
store.close()

# [tiers]
with AgentMemoryStore.from_conn_string(DSN, tiers=("active", "shortterm", "longterm")) as store:
    store.put(("erin", "notes"), "seat", {"text": "Erin sits by the window."})
    store.memory.queue.run_due()  # nothing yet: one item is due after five updates
    store.memory.queue.flush("erin")  # consolidates what is pending, due or not
    store.put(("erin", "notes"), "seat", {"text": "Erin sits on the aisle."})

    for item in store.search(("erin",), query="window"):
        print(item.namespace, item.key, item.value.get("text") or item.value["content"])
    chunks = store.search(("erin", "notes", "@shortterm"), query="window")
    # [end]
    assert [item.namespace for item in store.search(("erin",), query="window")] == [
        ("erin", "notes", "@shortterm"),
        ("erin", "notes"),
    ]
    assert [item.value["content"] for item in chunks] == ["Erin sits by the window."]
    assert store.get(chunks[0].namespace, chunks[0].key).value["tier"] == "shortterm"
    assert store.search(("@shortterm",), query="window")[0].key == chunks[0].key

# [delete]
with AgentMemoryStore.from_conn_string(DSN) as store:
    store.delete(("erin", "notes"), "seat")
    print(store.search(("erin",), query="window"), store.memory.search("erin", "window"))  # [] []
    # [end]
    assert (store.search(("erin",), query="window"), store.memory.search("erin", "window")) == ([], [])
