"""AgentMemoryMiddleware, the tools, and Claude's memory tool, in agents."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from fakes import ObligingModel

model = ObligingModel(
    arguments={
        ("I eat", "create_memory"): {
            "title": "Preferences",
            "sections": [{"id": "food", "content": "Alice eats vegetarian food."}],
        },
        ("And no", "create_memory"): {"title": "Allergies", "sections": [{"id": "nuts", "content": "No nuts."}]},
        ("No nuts", "memory"): {"command": "create", "path": "/memories/food.md", "file_text": "No nuts."},
    }
)
sent = model.prompts

# [start]
from langchain.agents import create_agent

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware

memory = AgentMemory.open()  # on AGENTMEM_DSN, or an embedded PostgreSQL
agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory)])
agent.invoke({"messages": [("user", "I eat vegetarian food.")]}, {"configurable": {"user_id": "alice"}})
# [end]
[made] = memory.get_active_memories("alice")
assert made.sections["food"].content == "Alice eats vegetarian food."

# [identity]
from dataclasses import dataclass


@dataclass
class Context:
    user_id: str


agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory)], context_schema=Context)
agent.invoke({"messages": [("user", "What food do I eat?")]}, context=Context(user_id="alice"))
# [end]
assert "Alice eats vegetarian food." in sent[-1][0].text


# [callable]
def tenant(runtime):
    return runtime.context["tenant"]


agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory, external_id=tenant)], context_schema=dict)
agent.invoke({"messages": [("user", "What food do I eat?")]}, context={"tenant": "alice"})
# [end]
assert "Alice eats vegetarian food." in sent[-1][0].text

# [limits]
preferences = memory.create_active_memory("alice", "Preferences", {"sections": ["food"]}, exist_ok=True)
middleware = AgentMemoryMiddleware(
    memory,
    token_budget=1000,
    limit=5,
    memory_ids=[preferences.id],
    tiers=["active", "longterm"],
    tools=False,
    hide_from_traces=True,
)
# [end]
asked, whose = {"messages": [("user", "What food do I eat?")]}, {"configurable": {"user_id": "alice"}}
create_agent(model, middleware=[middleware]).invoke(asked, whose)
assert "Alice eats vegetarian food." in sent[-1][0].text

# [tools]
from langgraph_agentmem import create_memory_tools

tools = create_memory_tools(memory, allow_forget=True)
agent = create_agent(model, tools)
print([tool.name for tool in tools])
# [end]
agent.invoke(asked, whose)

# [approval]
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

approval = HumanInTheLoopMiddleware(interrupt_on={"update_memory_sections": True, "create_memory": True})
agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory), approval], checkpointer=InMemorySaver())
thread = {"configurable": {"user_id": "alice", "thread_id": "1"}}
agent.invoke({"messages": [("user", "And no nuts.")]}, thread)
agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread)
# [end]
assert memory.search("alice", "nuts")[0].memory_title == "Allergies"

# [remember]
from langchain.agents.middleware import SummarizationMiddleware
from langgraph.checkpoint.memory import InMemorySaver

agent = create_agent(
    model,
    middleware=[
        AgentMemoryMiddleware(memory, remember_turns=True),
        SummarizationMiddleware(model, trigger=("messages", 50)),
    ],
    checkpointer=InMemorySaver(),
)
agent.invoke({"messages": [("user", "I took the night train to Oslo.")]}, thread)
print(memory.search("alice", "train Oslo")[0].content)  # User: I took the night train to Oslo.
# [end]
assert memory.search("alice", "train Oslo")[0].content.strip() == "User: I took the night train to Oslo."

# [claude]
from langgraph_agentmem import create_claude_memory_tool

agent = create_agent(model, [create_claude_memory_tool(memory)])  # a ChatAnthropic, or any other model
agent.invoke({"messages": [("user", "No nuts, please.")]}, {"configurable": {"user_id": "alice"}})
print([each for each in memory.get_active_memories("alice") if each.title == "Claude"])  # its sections are the files
# [end]
[files] = [each for each in memory.get_active_memories("alice") if each.title == "Claude"]
assert files.sections["food.md"].content == "No nuts."
memory.close()
