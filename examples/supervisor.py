"""A supervisor with two sub-agents that share the user's memory: what one finds out, the other knows.

pip install "langgraph-agentmem[embedded,langchain]"
python examples/supervisor.py                        scripted models, without a key
python examples/supervisor.py --model openai:gpt-5   a real model (pip install langchain-openai, OPENAI_API_KEY)

The supervisor hands a task to each sub-agent and tells it nothing else. That the train arrives late at night, the agent
of hotels knows from the memory that the agent of trains has written.
"""

import argparse
import re
import sys

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, tool
from scripted_model import ScriptedAgent, calling

from langgraph_agentmem import AgentMemory, AgentMemoryError, AgentMemoryMiddleware

TENANT = "supervisor-example"  # the user, whose memory all three agents have


@tool
def timetable(place: str) -> str:
    """Trains to a place."""
    return f"The train to {place} leaves at 17:10 and arrives at 23:40."


@tool
def hotels(place: str) -> str:
    """Hotels in a place."""
    return "The Astoria is open until 22:00. The Harbour Inn is open all night."


def team(memory: AgentMemory, model: str | None) -> Runnable:
    """The supervisor, whose tools are agents."""
    # Each agent has a middleware of its own, which recalls what fits its own task; the supervisor only reads.
    trains = create_agent(
        model or ScriptedAgent(script=agent_of_trains),
        [timetable],
        system_prompt="You look up trains. Keep what you find in the section 'trains' of the memory 'Journey'.",
        middleware=[AgentMemoryMiddleware(memory)],
        name="trains",
    )
    rooms = create_agent(
        model or ScriptedAgent(script=agent_of_hotels),
        [hotels],
        system_prompt="You look up hotels that fit what is known of the journey. Keep one in its section 'hotels'.",
        middleware=[AgentMemoryMiddleware(memory)],
        name="hotels",
    )
    return create_agent(
        model or ScriptedAgent(script=supervisor),
        [as_tool(trains, "ask_about_trains"), as_tool(rooms, "ask_about_hotels")],
        system_prompt="You plan journeys. Ask about trains first, then about hotels, then say how it goes.",
        middleware=[AgentMemoryMiddleware(memory, tools=False)],
        name="supervisor",
    )


def as_tool(agent: Runnable, name: str) -> BaseTool:
    """A tool that hands a task to an agent and returns what it says in the end."""

    @tool(name, description="Ask a colleague; say in one sentence what is wanted.")
    def ask(task: str, config: RunnableConfig) -> str:
        # the supervisor's config names the tenant, for this agent as well
        return agent.invoke({"messages": [("user", task)]}, config)["messages"][-1].text

    return ask


def tell(memory: AgentMemory, model: str | None) -> None:
    for earlier in memory.get_active_memories(TENANT):  # so that each run of the example tells the same
        memory.delete_active_memory(TENANT, earlier.id, forget=True)
    template = {"sections": {"wishes": "What the user wants", "trains": "Which train", "hotels": "Which hotel"}}
    memory.create_active_memory(TENANT, "Journey", template, {"wishes": "Leave after work, at five."})
    asked = {"messages": [("user", "Plan my journey to Sandholm.")]}
    config: RunnableConfig = {"configurable": {"user_id": TENANT}}
    for _, step in team(memory, model).stream(asked, config, stream_mode="updates", subgraphs=True):
        for update in step.values():
            for message in update["messages"] if update else []:
                for call in getattr(message, "tool_calls", []):
                    print(f"{message.name:>10} -> {call['name']} {call['args']}")
                if message.type == "ai" and message.text:
                    print(f"{message.name:>10}: {message.text}")
    print("\nWhat is in memory now:")
    [journey] = memory.get_active_memories(TENANT)
    for id, section in journey.sections.items():
        print(f"{id:>10}: {section.content}")


# In place of chat models: what each one says to the messages it is sent


def supervisor(messages: list[BaseMessage]) -> AIMessage:
    done = [message for message in messages if message.type == "tool"]
    if not done:
        return calling("ask_about_trains", task="Which train goes to Sandholm?")
    if len(done) == 1:
        return calling("ask_about_hotels", task="Which hotel in Sandholm fits?")
    return AIMessage(" ".join(message.text for message in done))


def agent_of_trains(messages: list[BaseMessage]) -> AIMessage:
    if messages[-1].type == "human":
        return calling("timetable", place="Sandholm")
    return noted(messages, "trains", messages[-1].text)


def agent_of_hotels(messages: list[BaseMessage]) -> AIMessage:
    if messages[-1].type == "human":
        return calling("hotels", place="Sandholm")
    arrival = re.search(r"arrives at (\d+):\d+", messages[0].text)  # stands in the system message, from memory
    late = arrival is not None and int(arrival[1]) >= 22
    choice = f"The Harbour Inn, as the train arrives after {arrival[1]}:00." if arrival and late else "The Astoria."
    return noted(messages, "hotels", choice)


def noted(messages: list[BaseMessage], section: str, text: str) -> AIMessage:
    """First written into memory, then said."""
    called = [call["args"] for message in messages for call in getattr(message, "tool_calls", [])]
    written = [args["edits"][0]["new_content"] for args in called if "edits" in args]
    if written:
        return AIMessage(written[0])
    shown = re.search(r'memory_id="(\d+)"', messages[0].text)
    assert shown, "the memory of the journey stands in the system message"
    edit = {"section_id": section, "action": "insert", "new_content": text}
    return calling("update_memory_sections", memory_id=int(shown[1]), edits=[edit])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="PROVIDER:MODEL", help="chat model; without one a scripted model stands in")
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; by default AGENTMEM_DSN, else an embedded server")
    given = parser.parse_args()
    try:
        with AgentMemory.open(given.dsn, model=given.model) as opened:
            tell(opened, given.model)
    except AgentMemoryError as error:
        sys.exit(f"supervisor: {error}")
