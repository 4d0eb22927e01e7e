"""Adds conversations, without a model and with one that stands for any."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Model(BaseChatModel):
    """Says what was found, whatever it is asked."""

    answers: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind()

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        call = {"name": "ProposedFacts", "args": {"facts": [self.answers.pop(0)]}, "id": "1"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=[call]))])


model = Model(
    answers=[
        {"section_id": "profile", "fact": "Lives in Oslo.", "messages": [1]},
        {"section_id": "profile", "fact": "Lives in Bergen.", "corrects": "- Lives in Oslo.", "messages": [1]},
    ]
)

# [add]
from langgraph_agentmem import AgentMemory

with AgentMemory.open() as memory:
    report = memory.add(
        "alice",
        [
            {"role": "user", "content": "I live in Oslo.", "id": "m1", "time": "2026-05-08T14:03"},
            {"role": "assistant", "content": "Then you know winters.", "id": "m2", "time": "2026-05-08T14:04"},
        ],
    )
    print(report.summary)  # 2 messages kept, 0 known, 0 skipped; without a model, nothing was inferred
    print(memory.search("alice", "Where does the user live?")[0].content)  # [2026-05-08 14:03] User: I live in Oslo.
# [end]
assert (report.added, report.inferred) == (["m1", "m2"], False)

# [model]
with AgentMemory.open(model=model) as memory:
    memory.add("bob", [{"role": "user", "content": "I live in Oslo.", "id": "m1"}])
    report = memory.add("bob", [{"role": "user", "content": "I have moved to Bergen.", "id": "m2"}])
    for fact in report.facts:
        print(fact.section_id, fact.fact, "instead of", fact.corrected, "as", fact.message_ids, "say")
    for proposal in report.refused:
        print(proposal.fact, "was refused:", proposal.reason)
    print(memory.get_active_memory("bob", report.memory_id).sections["profile"].content)  # - Lives in Bergen.
# [end]
assert [fact.corrected for fact in report.facts] == ["Lives in Oslo."]

# [import]
history = ({"role": "user", "content": f"Message {n}.", "id": f"m{n}"} for n in range(1_000))
with AgentMemory.open() as memory:
    memory.add("carol", history, title="Support", on_progress=lambda passed: print(passed, "of 1000"))
# [end]
