"""AgentMemoryMiddleware, the tools, and Claude's memory tool, in agents."""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from fakes import TurnsModel, calls
from langchain_core.messages import AIMessage

asked = {"messages": [("user", "I eat vegetarian food. Which train did I take?")]}
ALICE = {"configurable": {"user_id": "alice", "thread_id": "1"}}
sections = [{"id": "food", "content": "Alice eats vegetarian food."}]
edit = {"section_id": "food", "action": "insert", "new_content": "No nuts."}
model = TurnsModel(
    turns=[
        calls(("create_memory", {"title": "Preferences", "sections": sections})),
        AIMessage("Noted."),
        *(AIMessage(f"Answer {number}") for number in range(5)),
        calls(("update_memory_sections", {"memory_id": 1, "edits": [edit]})),
        AIMessage("Noted."),
        calls(("memory", {"command": "create", "path": "/memories/food.md", "file_text": "No nuts."})),
        AIMessage("Noted."),
    ]
)
sent = model.prompts

# [start]
from langchain.agents import create_agent

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware

memory = AgentMemory.open()  # on AGENTMEM_DSN, or an embedded PostgreSQL
agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory)])
agent.invoke({"messages": [("user", "I eat vegetarian food.")]}, {"configurable": {"user_id": "alice"}})
# [end]
[preferences] = memory.get_active_memories("alice")
assert preferences.sections["food"].content == "Alice eats vegetarian food."


# [identity]
@dataclass
class Context:
    user_id: str


agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory)], context_schema=Context)
agent.invoke(asked, context=Context(user_id="alice"))
# [end]
assert "Alice eats vegetarian food." in sent[-1][0].text


# [callable]
def tenant(runtime):
    return runtime.context["tenant"]


agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory, external_id=tenant)], context_schema=dict)
agent.invoke(asked, context={"tenant": "alice"})
# [end]
assert "Alice eats vegetarian food." in sent[-1][0].text

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
agent.invoke({"messages": [("user", "I took the night train to Oslo.")]}, ALICE)
print(memory.search("alice", "train Oslo")[0].content)  # User: I took the night train to Oslo.
# [end]
assert memory.search("alice", "train Oslo")[0].content.strip() == "User: I took the night train to Oslo."

# [limits]
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
create_agent(model, middleware=[middleware]).invoke(asked, ALICE)
assert "Alice eats vegetarian food." in sent[-1][0].text

# [tools]
from langgraph_agentmem import create_memory_tools

tools = create_memory_tools(memory, allow_forget=True)
agent = create_agent(model, tools)
print([tool.name for tool in tools])
# [end]
agent.invoke(asked, ALICE)

# [approval]
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.types import Command

approval = HumanInTheLoopMiddleware(interrupt_on={"update_memory_sections": True, "create_memory": True})
agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory), approval], checkpointer=InMemorySaver())
agent.invoke({"messages": [("user", "And no nuts.")]}, ALICE)
agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), ALICE)
# [end]
after = memory.get_active_memory("alice", preferences.id)
assert after.sections["food"].content.endswith("No nuts."), (preferences.id, after)

# [claude]
from langgraph_agentmem import create_claude_memory_tool

agent = create_agent(model, [create_claude_memory_tool(memory)])  # a ChatAnthropic, or any other model
agent.invoke({"messages": [("user", "No nuts, please.")]}, ALICE)
[files] = [each for each in memory.get_active_memories("alice") if each.title == "Claude"]
print(files.sections["food.md"].content)  # No nuts.
# [end]
assert files.sections["food.md"].content == "No nuts."
memory.close()
