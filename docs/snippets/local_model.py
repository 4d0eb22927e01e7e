"""Consolidates with a chat model on this machine."""

# [model]
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url=os.environ.get("MODEL_URL", "http://127.0.0.1:8080/v1"),
    api_key="none",  # the server wants none, the client does
    model="local",
    temperature=0,
    max_tokens=2000,  # a small model may not find an end
    timeout=120,  # seconds
)
# [end]

# [consolidate]
from langgraph_agentmem import AgentMemory

with AgentMemory.open(model=model) as memory:
    notes = memory.create_active_memory("alice", "Notes", {"sections": ["team"]}, {"team": "Ada writes the engine."})
    memory.update_active_memory_section("alice", notes.id, "team", "Ada writes the engine. Bo tests it.")
    report = memory.consolidate("alice", notes.id)
    print(report.usage.structured_output)  # ['function_calling', 'json_schema']
    print(report.usage.calls, report.failures)
# [end]

# [setting]
from langgraph_agentmem import AgentMemorySettings

settings = AgentMemorySettings(structured_output="json_schema")
with AgentMemory.open(model=model, settings=settings) as memory:
    memory.update_active_memory_section("alice", notes.id, "team", "Ada writes the engine. Bo and Cy test it.")
    print(memory.consolidate("alice", notes.id).usage.structured_output)  # ['json_schema']
# [end]
