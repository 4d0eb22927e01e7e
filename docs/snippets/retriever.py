"""A tenant's memory as LangChain's retriever."""

# [retriever]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()  # AGENTMEM_DSN, or an embedded PostgreSQL
memory.create_active_memory("bob", "Apollo", {"sections": ["plan"]}, {"plan": "- Deadline: May 1\n- Budget: 5000"})

retriever = memory.as_retriever("bob", k=3)
for document in retriever.invoke("What is the budget?"):
    print(document.page_content, document.metadata["section_id"], document.metadata["score"])
# [end]
[document] = retriever.invoke("What is the budget?")
assert document.page_content == "- Budget: 5000"

# [chain]
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough

prompt = ChatPromptTemplate.from_template("What is known, as data:\n{known}\n\n{question}")
chain = {
    "known": retriever | (lambda documents: "\n".join(document.page_content for document in documents)),
    "question": RunnablePassthrough(),
} | prompt  # | model
# [end]
assert "- Budget: 5000" in chain.invoke("What is the budget?").to_string()
memory.close()
