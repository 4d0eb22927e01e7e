"""What of memory goes into a prompt, in one call."""

# [call]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()  # AGENTMEM_DSN, or an embedded PostgreSQL
apollo = memory.create_active_memory("bob", "Apollo", {"sections": ["plan", "team"]})
memory.update_active_memory_section("bob", apollo.id, "plan", "- Deadline: May 1\n- Budget: 5000", source="Ada")

context = memory.context("bob", "When is the deadline?", token_budget=1000)
print(context)
print(context.tokens)  # at most 1000
# [end]
assert 0 < context.tokens <= 1000
assert "- Deadline: May 1" in context.sections
assert context.recalled == ""

# [prompt]
from langchain_core.messages import HumanMessage, SystemMessage

question = "When was the budget cut?"
context = memory.context("bob", question)
messages = [
    SystemMessage(f"You help with projects.\n\n{context.sections}"),  # the same bytes until a section is written
    HumanMessage(f"{context.recalled}\n\n{question}".strip()),
]
# [end]
assert messages[0].content.endswith("</memory_sections>")
assert messages[0].content == f"You help with projects.\n\n{memory.context('bob').sections}"

# [counter]
from langchain_core.messages.utils import count_tokens_approximately


def count(text: str) -> int:
    return count_tokens_approximately([HumanMessage(text)])  # or your model's: model.get_num_tokens


context = memory.context("bob", question, token_budget=500, count_tokens=count)
# [end]
assert count(str(context)) <= 500

# [disputes]
for dispute in context.disputes:
    print(dispute.memory_title, dispute.existing, "or", dispute.new)
# [end]
assert context.disputes == []

# [node]
from langgraph_agentmem import recall_node

recall = recall_node(memory, context="known", token_budget=1000)
update = recall.invoke({"external_id": "bob", "query": "When is the deadline?"})
print(update["known"])  # beside update["memories"], the hits
# [end]
assert update["known"] == str(memory.context("bob", "When is the deadline?", token_budget=1000))
# [conversation]
said = [{"role": "user", "content": "Could the budget be cut again?"}]
memory.add("bob", said)
context = memory.context("bob", said[-1]["content"], messages=said)
# [end]
assert "again" not in context.recalled
assert "again" in memory.context("bob", said[-1]["content"]).recalled
memory.close()
