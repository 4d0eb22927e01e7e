"""An embedder on this machine, how it takes another one's place, and a reranker behind it."""

# [local]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(index="local")  # what is written and asked from here on is embedded on this machine
# [end]

# [folder]
import os

folder = os.environ["MODEL_FOLDER"]  # holds model.onnx and tokenizer.json
memory = AgentMemory.open(index=f"local:{folder}")
notes = memory.create_active_memory("bob", "Notes", {"sections": ["team"]}, {"team": "Ada writes the engine."})
hit = memory.search("bob", "Who builds the engine?")[0]
print(hit.content, hit.arms.vector > 0)  # Ada writes the engine. True
# [end]

# [prefixes]
from langgraph_agentmem import LocalEmbeddings

embeddings = LocalEmbeddings(folder, query_prefix="query: ", passage_prefix="passage: ", threads=2)
named = {"embed": embeddings, "name": "mine, with prefixes"}  # other prefixes make other vectors
# [end]

# [reembed]
with AgentMemory.open(index=named, reembed=f"local:{folder}") as both:
    print(both.search("bob", "Who builds the engine?")[0].content)  # by the old embedder
    print(both.queue.embed_pending())  # how many: all vectors are computed again, and then used
    print(both.search("bob", "Who builds the engine?")[0].content)  # by the new one
# [end]


# [rerank]
def shared_words(query: str, texts: list[str]) -> list[float]:
    """Stands here for a model that reads the question along with each text."""
    asked = set(query.casefold().split())
    return [len(asked.intersection(text.casefold().split())) for text in texts]


with AgentMemory.open(index=named, reranker=shared_words) as reranked:
    hit = reranked.search("bob", "Who writes the engine?")[0]
    print(hit.rerank_score, hit.content)  # 2.0 Ada writes the engine.
# [end]

if __name__ == "__main__":
    assert hit.rerank_score == 2.0
    memory.close()
