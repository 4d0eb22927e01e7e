"""Measures `AgentMemoryMiddleware` beside a bare agent: `make bench`, or with a number of turns.

Agents of `create_agent` on one embedded PostgreSQL in a temporary folder take turns with the same questions. Their
model answers at once, after one call of a tool, and makes JSON of tools for each request, as integrations do. So what
differs is what the middleware takes. Each agent has a thread of its own in a checkpointer in memory. The user's memory
has sections, and chunks that were consolidated.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import Field
from server import database, started

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware

TURNS = 40
WARM_UP = 5
"""Turns that do not count: a connection plans a statement anew the first five times."""
TOPICS = ("engine", "harbour", "budget", "venue", "train", "letter", "garden", "contract")
SECTIONS = {topic: f"- The {topic} is Ada's, and is to be ready in May." for topic in TOPICS[:4]}
CHUNKS = 200


@tool
def clock() -> str:
    """The time."""
    return "noon"


class Answers(BaseChatModel):
    """Calls a tool, then answers; counts the tokens that it is sent, one for four characters."""

    messages_sent: list[int] = Field(default_factory=list)
    tools_sent: list[int] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "answers"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        self.tools_sent.append(len(json.dumps([convert_to_openai_tool(each) for each in tools])) // 4)
        return self.bind()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.messages_sent.append(sum(len(message.text) for message in messages) // 4)
        calls = [{"name": "clock", "args": {}, "id": str(len(self.messages_sent))}]
        answer = AIMessage("It is noon.") if messages[-1].type == "tool" else AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Contestant:
    """An agent, and what its turns have taken."""

    def __init__(self, name: str, middleware: Sequence[Any]) -> None:
        self.name, self.model, self.saver = name, Answers(), InMemorySaver()
        self.agent = create_agent(self.model, [clock], middleware=middleware, checkpointer=self.saver)
        self.config: Any = {"configurable": {"thread_id": name, "user_id": "alice"}}
        self.milliseconds: list[float] = []

    async def turn(self, question: str) -> None:
        began = time.perf_counter()
        await self.agent.ainvoke({"messages": [("user", question)]}, self.config)
        self.milliseconds.append(1000 * (time.perf_counter() - began))

    async def row(self, turns: int, bare: "Contestant") -> list[str]:
        checkpoints = [each async for each in self.saver.alist(self.config)]
        # a turn's input is a checkpoint as well, but no step that runs something
        inputs = sum(each.metadata["source"] == "input" for each in checkpoints)
        median = statistics.median(self.milliseconds[WARM_UP:])
        messages, tools = (
            statistics.mean(mine) - statistics.mean(theirs)
            for mine, theirs in (
                (self.model.messages_sent, bare.model.messages_sent),
                (self.model.tools_sent, bare.model.tools_sent),
            )
        )
        added = median - statistics.median(bare.milliseconds[WARM_UP:])
        return [
            self.name,
            f"{(len(checkpoints) - inputs) / turns:.0f}",
            f"{len(checkpoints) / turns:.0f}",
            f"{median:.1f}",
            f"{added:+.1f}" if self is not bare else "",
            f"{messages:+.0f}" if self is not bare else "",
            f"{tools:+.0f}" if self is not bare else "",
        ]


async def fill(memory: AgentMemory) -> None:
    notes = await memory.acreate_active_memory("alice", "Notes", {"sections": [*SECTIONS, "old"]}, SECTIONS)
    lines = [f"- {TOPICS[n % 8].title()} {n}: Bo asked for {TOPICS[n % 7]} number {n}." for n in range(CHUNKS)]
    await memory.aupdate_active_memory_section("alice", notes.id, "old", "\n".join(lines))
    await memory.aconsolidate("alice", notes.id)
    await memory.aupdate_active_memory_section("alice", notes.id, "old", "")


async def measure(turns: int) -> list[list[str]]:
    async with AgentMemory.open(database(started())) as memory:
        await fill(memory)
        bare = Contestant("a bare agent", [])
        contestants = [
            bare,
            Contestant("with the middleware", [AgentMemoryMiddleware(memory)]),
            Contestant("– without tools", [AgentMemoryMiddleware(memory, tools=False)]),
            Contestant("– and turns remembered", [AgentMemoryMiddleware(memory, remember_turns=True)]),
        ]
        for number in range(turns):
            # who comes first may pay for what the others find ready
            first = number % len(contestants)
            for contestant in contestants[first:] + contestants[:first]:
                await contestant.turn(f"What did Bo ask of the {TOPICS[number % 8]} {number}?")
        return [await contestant.row(turns, bare) for contestant in contestants]


def main() -> None:
    header = ["a turn of", "steps", "checkpoints", "ms", "added ms", "added tokens a request", "and of tools"]
    rows = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS))
    for row in [header, ["---"] * len(header), *rows]:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
