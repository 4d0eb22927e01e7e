"""A tenant's vectors as LangChain's PGVectorStore."""

from langchain_core.embeddings import DeterministicFakeEmbedding

embeddings = DeterministicFakeEmbedding(size=64)

# [vectorstore]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(index=embeddings)  # what the vectors come from
memory.create_active_memory("carol", "Apollo", {"sections": ["plan"]}, {"plan": "- Deadline: May 1\n- Budget: 5000"})

vectors = memory.as_vectorstore("carol")
for document, distance in vectors.similarity_search_with_score("What is the budget?", k=2):
    print(document.page_content, document.metadata["section_id"], distance)
print(vectors.similarity_search("What is the budget?", filter={"tier": {"$in": ["shortterm", "longterm"]}}))  # []
# [end]
assert len(vectors.similarity_search("What is the budget?")) == 2
assert vectors.similarity_search("What is the budget?", filter={"tier": "shortterm"}) == []

# [refused]
from langgraph_agentmem.errors import InvalidInputError

try:
    vectors.add_texts(["- Deadline: June 1"])
except InvalidInputError as error:
    print(error)  # a vector store on memory only reads; write sections with ...
    # [end]
    refused = str(error)
assert "only reads" in refused
memory.close()
