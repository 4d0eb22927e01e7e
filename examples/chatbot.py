"""A chatbot that remembers: start it twice, and the second time it knows what it was told the first time.

pip install "langgraph-agentmem[embedded,langchain]"
python examples/chatbot.py                        talk to it; a scripted model answers, without a key
python examples/chatbot.py --user bob             somebody else, of whom it knows nothing
python examples/chatbot.py < /dev/null            where nobody can type, a scripted user talks
python examples/chatbot.py --model openai:gpt-5   a real model (pip install langchain-openai, OPENAI_API_KEY)
"""

import argparse
import sys
from collections.abc import Iterator
from uuid import uuid4

from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from scripted_model import ScriptedAssistant

from langgraph_agentmem import AgentMemory, AgentMemoryError, AgentMemoryMiddleware

INSTRUCTIONS = "You are a friendly assistant. Keep what the user says about themselves in memory, and correct it there."
FIRST = ["I eat vegetarian food.", "I live in Port Elm, by the harbour.", "What food do I eat?"]
LATER = ["What food do I eat?", "I live in Sandholm instead of Port Elm.", "Where do I live?"]


def chat(memory: AgentMemory, model: str | None, user: str) -> None:
    known = memory.get_active_memories(user)
    agent = create_agent(
        model or ScriptedAssistant(),
        system_prompt=INSTRUCTIONS,
        middleware=[AgentMemoryMiddleware(memory)],  # with remember_turns=True, the conversation is kept as well
        checkpointer=InMemorySaver(),  # keeps the conversation while the program runs: memory is what stays
    )
    config: RunnableConfig = {"configurable": {"user_id": user, "thread_id": str(uuid4())}}
    titles = ", ".join(each.title for each in known)
    print(f"There is memory of {user!r}: {titles}." if known else f"There is no memory of {user!r} yet.")
    for said in words_of_the_user(LATER if known else FIRST):
        for step in agent.stream({"messages": [("user", said)]}, config, stream_mode="updates"):
            for update in step.values():
                for message in update["messages"] if update else []:
                    for call in getattr(message, "tool_calls", []):
                        print(f"     -> {call['name']} {call['args']}")  # what the model does with its memory
                    if message.type == "ai" and message.text:
                        print(f"Bot: {message.text}")


def words_of_the_user(script: list[str]) -> Iterator[str]:
    """What somebody types, until an empty line or Ctrl+D; a script where nobody can."""
    if not sys.stdin.isatty():
        for line in script:
            print(f"You: {line}")
            yield line
        return
    print("Tell me about yourself, or ask what I know. An empty line ends it.")
    while said := typed():
        yield said


def typed() -> str:
    try:
        return input("You: ").strip()
    except (EOFError, KeyboardInterrupt):
        print()
        return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="PROVIDER:MODEL", help="chat model; without one a scripted model stands in")
    parser.add_argument("--user", default="chatbot-example", help="whose memory it is (default: %(default)s)")
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; by default AGENTMEM_DSN, else an embedded server")
    given = parser.parse_args()
    try:
        # the worker in the background consolidates what has piled up, while you talk
        with AgentMemory.open(given.dsn, model=given.model, background=True) as opened:
            chat(opened, given.model, given.user)
    except AgentMemoryError as error:
        sys.exit(f"chatbot: {error}")
