"""Embedding models on this machine: from a folder, by a name, with the prefixes that they want, and never twice."""

import asyncio
import json
import math
import threading
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings
from tiny_model import WORDS, write_tiny_model

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.errors import ConfigurationError, EmbeddingError
from langgraph_agentmem.local import LocalEmbeddings
from langgraph_agentmem.policies.prefixes import family
from langgraph_agentmem.policies.vector_cache import VectorCache, text_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "bag-of-words")


def words(vector: list[float]) -> set[str]:
    return {word for word, x in zip(WORDS, vector, strict=False) if x > 0}


# A folder


async def test_a_folder_is_an_embedder_that_needs_no_network(folder: Path) -> None:
    embedder = Embedder.of(f"local:{folder}")

    [engine, cat] = await embedder.embed(["Ada writes the engine", "The cat sleeps"])
    assert (words(engine), words(cat)) == ({"ada", "writes", "the", "engine"}, {"the", "cat", "sleeps"})
    assert engine[WORDS.index("ada")] == pytest.approx(0.5)
    assert words(await embedder.embed_query("Who builds the engine")) == {"who", "builds", "the", "engine"}
    assert (embedder.name, embedder.dimensions) == ("bag-of-words", len(WORDS))


def test_texts_of_any_number_and_length_come_back_in_their_order(folder: Path) -> None:
    texts = [" ".join(WORDS[5 + i % 8 : 6 + i % 8] * (1 + i % 40)) for i in range(100)]

    vectors = LocalEmbeddings(folder).embed_documents([*texts, "ada " * 2_000, ""])

    assert [words(vector) for vector in vectors[:100]] == [{WORDS[5 + i % 8]} for i in range(100)]
    assert all(math.hypot(*vector) == pytest.approx(1) for vector in vectors[:101])


@pytest.mark.parametrize("name", ["e5-tiny", "e5-tiny-int8"])
def test_the_folders_name_tells_the_prefixes_of_a_known_family(tmp_path: Path, name: str) -> None:
    embeddings = LocalEmbeddings(write_tiny_model(tmp_path / name))

    assert words(embeddings.embed_query("ada")) == {"query", ":", "ada"}
    assert words(embeddings.embed_documents(["ada"])[0]) == {"passage", ":", "ada"}


def test_the_folders_configuration_counts_more_and_what_is_given_most(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "e5-tiny")
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "who ", "document": ""}})
    )

    embeddings = LocalEmbeddings(folder)
    assert words(embeddings.embed_query("ada")) == {"who", "ada"}
    assert words(embeddings.embed_documents(["ada"])[0]) == {"ada"}
    given = LocalEmbeddings(folder, query_prefix="the ", passage_prefix="cat ")
    assert words(given.embed_query("ada")) == {"the", "ada"}
    assert words(given.embed_documents(["ada"])[0]) == {"cat", "ada"}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("mean_tokens", {"ada", "cat"}), ("cls_token", {"ada"}), ("lasttoken", {"cat"})],
)
def test_the_folder_says_how_tokens_become_one_vector(folder: Path, mode: str, expected: set[str]) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))

    [vector, _] = LocalEmbeddings(folder).embed_documents(["ada cat", "who writes the engine"])
    assert words(vector) == expected


@pytest.mark.parametrize(
    ("file", "said", "counts"),
    [
        ("sentence_bert_config.json", {"max_seq_length": 2}, {"ada", "cat"}),
        ("tokenizer_config.json", {"model_max_length": 1}, {"ada"}),
        ("tokenizer_config.json", {"model_max_length": 1e30}, {"ada", "cat", "who"}),
    ],
)
def test_the_folder_says_how_much_of_a_text_counts(
    folder: Path, file: str, said: dict[str, float], counts: set[str]
) -> None:
    (folder / file).write_text(json.dumps(said))

    assert words(LocalEmbeddings(folder).embed_query("ada cat who")) == counts


def test_the_model_may_lie_in_a_folder_of_its_own(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")

    assert words(LocalEmbeddings(folder).embed_query("ada")) == {"ada"}


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused_when_it_is_given(folder: Path, missing: str) -> None:
    (folder / missing).unlink()

    with pytest.raises(ConfigurationError, match="bag-of-words' has no"):
        Embedder.of(f"local:{folder}")


def test_a_folder_that_is_not_there_is_refused_when_it_is_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no folder '.*nowhere'"):
        Embedder.of({"embed": f"local:{tmp_path / 'nowhere'}", "dims": 3})


async def test_a_model_that_cannot_be_read_is_an_embedding_error(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no model")

    with pytest.raises(EmbeddingError, match=r"the embedder 'bag-of-words' failed: .*model.onnx"):
        await Embedder.of(f"local:{folder}").probe()


async def test_the_event_loop_goes_on_while_vectors_are_computed(folder: Path) -> None:
    loop = threading.get_ident()
    at_work: set[int] = set()

    class Watched(LocalEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            at_work.add(threading.get_ident())
            return super().embed_documents(texts)

    await Embedder.of(Watched(folder)).embed(["ada"] * 3)
    assert at_work
    assert loop not in at_work


# A name


def test_the_default_and_other_models_are_known_by_name_before_anything_is_downloaded() -> None:
    default = Embedder.of("local")

    assert default.name == Embedder.of("local:").name == "intfloat/e5-small-v2"
    assert Embedder.of("local:baai/bge-small-en-v1.5").name == "BAAI/bge-small-en-v1.5"


def test_a_model_that_fastembed_does_not_know_is_refused_with_those_that_it_knows() -> None:
    with pytest.raises(ConfigurationError, match=r"no embedding model 'no/such'; it knows BAAI/.*local:/path"):
        Embedder.of("local:no/such")


async def test_a_named_model_is_read_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model stands in the cache where fastembed looks for the default one."""
    monkeypatch.setenv("FASTEMBED_CACHE_PATH", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cached = tmp_path / "models--Xenova--e5-small-v2"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    folder = write_tiny_model(cached / "snapshots" / ("0" * 40), 384)
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model_quantized.onnx")

    embedder = Embedder.of("local")
    [vector] = await embedder.embed(["ada"])
    assert (len(vector), words(vector)) == (384, {"passage", ":", "ada"})
    assert words(await embedder.embed_query("ada")) == {"query", ":", "ada"}


@pytest.mark.parametrize(
    ("name", "query", "passage", "pooling"),
    [
        ("intfloat/e5-small-v2", "query: ", "passage: ", "mean"),
        ("intfloat/multilingual-e5-large", "query: ", "passage: ", "mean"),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", "", "cls"),
        ("snowflake/snowflake-arctic-embed-xs", "Represent this sentence for searching relevant passages: ", "", "cls"),
        ("nomic-ai/nomic-embed-text-v1.5-Q", "search_query: ", "search_document: ", "mean"),
        ("sentence-transformers/all-MiniLM-L6-v2", "", "", "mean"),
    ],
)
def test_known_families_have_their_prefixes(name: str, query: str, passage: str, pooling: str) -> None:
    assert family(name) == (query, passage, pooling)


# Never twice


class Counting(Embeddings):
    """Embeds a text as its length, and counts what it was asked for; fails from some call on."""

    def __init__(self, fails_at: float = math.inf) -> None:
        self.texts: list[str] = []
        self.calls, self.fails_at = 0, fails_at

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls += 1
        if self.calls == self.fails_at:
            raise ConnectionError("gone for a moment")
        self.texts += texts
        return [[1.0, float(len(text))] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [0.0, 1.0]


async def test_a_text_that_did_not_change_is_not_embedded_twice() -> None:
    embeddings = Counting()
    embedder = Embedder.of(embeddings)

    first = await embedder.embed(["a", "bb", "a"])
    again = await embedder.embed(["bb", "ccc", "a"])
    assert sorted(embeddings.texts) == ["a", "bb", "ccc"]
    assert first[0] == first[2] == pytest.approx(again[2])
    assert first[1] == pytest.approx(again[0])
    assert await embedder.embed_query("a") == [0.0, 1.0], "a question is not a text"


async def test_what_was_embedded_before_an_embedder_failed_is_not_embedded_again() -> None:
    embeddings = Counting(fails_at=3)
    embedder = Embedder.of(embeddings)
    texts = [f"text {i}" for i in range(600)]

    with pytest.raises(EmbeddingError):
        await embedder.embed(texts)
    assert len(await embedder.embed(texts)) == 600
    assert sorted(embeddings.texts) == sorted(texts)


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    cache = VectorCache(most=2)
    for name in ("a", "b"):
        cache.put(text_hash(name), [1.0])
    assert cache.get(text_hash("a")) == [1.0]
    cache.put(text_hash("c"), [0.5])
    assert [cache.get(text_hash(name)) for name in ("a", "b", "c")] == [[1.0], None, [0.5]]


def test_threads_may_share_an_embedder() -> None:
    embedder = Embedder.of(Counting())
    failures: list[BaseException] = []

    def embed(start: int) -> None:
        try:
            for i in range(start, start + 50):
                [vector] = asyncio.run(embedder.embed(["x" * (1 + i % 60)]))
                assert vector[1] / vector[0] == pytest.approx(1 + i % 60, rel=1e-5)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=embed, args=[start]) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
