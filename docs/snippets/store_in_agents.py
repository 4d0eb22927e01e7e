"""AgentMemoryStore with agents, langmem and deepagents."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
warnings.filterwarnings("ignore", "Importing Send from langgraph.constants is deprecated")  # a dependency of langmem

from fakes import ObligingModel


def embed(texts: list[str]) -> list[list[float]]:
    return [[float("food" in text), 1.0] for text in texts]


model = ObligingModel(
    arguments={
        ("", "save_preference"): {"topic": "food", "text": "Alice eats vegetarian food."},
        ("", "manage_memory"): {"content": "Alice eats vegetarian food."},
        ("", "Memory"): {"content": "Alice sits by the window."},
        ("", "write_file"): {"file_path": "/plan.md", "content": "Take the train."},
    }
)

# [agent]
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.tools import tool

from langgraph_agentmem import AgentMemoryStore


@tool
def save_preference(topic: str, text: str, runtime: ToolRuntime) -> str:
    """Save a preference of the user."""
    user = runtime.config["configurable"]["user_id"]
    runtime.store.put((user, "preferences"), topic, {"text": text})
    return "saved"


store = AgentMemoryStore.from_conn_string()
agent = create_agent(model, [save_preference], store=store)
agent.invoke({"messages": [("user", "I eat vegetarian food.")]}, {"configurable": {"user_id": "alice"}})
# [end]
assert store.get(("alice", "preferences"), "food").value == {"text": "Alice eats vegetarian food."}
store.close()

# [langmem]
from langchain.agents import create_agent
from langmem import create_manage_memory_tool, create_memory_store_manager, create_search_memory_tool

from langgraph_agentmem import AgentMemoryStore

MEMORIES = ("memories", "{langgraph_user_id}")
INDEX = {"embed": embed, "dims": 2, "fields": ["content"]}
ALICE = {"configurable": {"langgraph_user_id": "alice"}}

store = AgentMemoryStore.from_conn_string(owner=1, index=INDEX)
tools = [create_manage_memory_tool(MEMORIES), create_search_memory_tool(MEMORIES)]
agent = create_agent(model, tools, store=store)
agent.invoke({"messages": [("user", "I eat vegetarian food.")]}, ALICE)

facts = AgentMemoryStore(store.memory, owner=1, fields=["content.content"])
manager = create_memory_store_manager(model, namespace=("facts", "{langgraph_user_id}"), store=facts)
manager.invoke({"messages": [{"role": "user", "content": "I sit by the window."}]}, ALICE)
print([memory.title for memory in store.memory.get_active_memories("alice")])  # [..., 'memories', 'facts']
# [end]
titles = [memory.title for memory in store.memory.get_active_memories("alice")]
assert titles == ["preferences", "memories", "facts"]
hits = store.memory.search("alice", "food window", tiers=["active"])
assert {hit.content for hit in hits} == {"Alice eats vegetarian food.", "Alice sits by the window."}
store.close()

# [deepagents]
from deepagents import create_deep_agent
from deepagents.backends import StoreBackend


def files_of(runtime):
    return ("files", runtime.context["user"])


with AgentMemoryStore.from_conn_string(owner=1, index=INDEX) as store:
    agent = create_deep_agent(model, backend=StoreBackend(namespace=files_of), store=store, context_schema=dict)
    agent.invoke({"messages": [("user", "Plan my journey.")]}, context={"user": "alice"})
    # [end]
    assert store.memory.search("alice", "train", tiers=["active"])[0].content == "Take the train."
    assert store.get(("files", "alice"), "/plan.md").value["content"] == "Take the train."
