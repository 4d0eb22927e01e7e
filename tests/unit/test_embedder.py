"""Every answer of an embedder is checked; what cannot be vectors is an error, not a wrong search."""

import asyncio
import math
import threading
from typing import Any

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langchain_openai import AzureOpenAIEmbeddings, OpenAIEmbeddings

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.errors import ConfigurationError, EmbeddingError
from langgraph_agentmem.policies import fingerprints

TEXTS = ["one", "two"]


def answering(*answers):
    """An embedder that returns these answers, one a call."""
    remaining = list(answers)
    return Embedder.of(lambda texts: remaining.pop(0))


class Lengths(Embeddings):
    """LangChain embeddings: the length of a text, and one."""

    model = "lengths-v1"

    def embed_documents(self, texts):
        return [[float(len(text)), 1.0] for text in texts]

    def embed_query(self, text):
        return [1.0, float(len(text))]


# Forms


def by_length(texts):
    return [[float(len(text)), 0.0] for text in texts]


async def by_length_async(texts):
    await asyncio.sleep(0)
    return by_length(texts)


@pytest.mark.parametrize(
    "index",
    [
        by_length,
        by_length_async,
        {"embed": by_length},
        {"embed": by_length_async, "dims": 2},
        {"embed": by_length, "dims": 2, "fields": ["$"]},
    ],
    ids=["function", "async function", "configuration", "async configuration", "LangGraph's configuration"],
)
async def test_every_form_of_an_embedder_gives_unit_vectors(index):
    embedder = Embedder.of(index)

    assert await embedder.embed(TEXTS) == [[1.0, 0.0], [1.0, 0.0]]
    assert await embedder.embed_query("query") == [1.0, 0.0]
    assert embedder.dimensions == 2


async def test_langchain_embeddings_embed_documents_and_queries_each_their_way():
    embedder = Embedder.of(Lengths())

    assert await embedder.embed(["xyz"]) == [pytest.approx([3 / math.sqrt(10), 1 / math.sqrt(10)])]
    assert await embedder.embed_query("xyz") == pytest.approx([1 / math.sqrt(10), 3 / math.sqrt(10)])


async def test_a_blocking_embedder_does_not_block_the_event_loop():
    at_work, seen = threading.Event(), threading.Event()

    def slow(texts):
        at_work.set()
        seen.wait(5)
        return by_length(texts)

    task = asyncio.create_task(Embedder.of(slow).embed(TEXTS))
    assert await asyncio.to_thread(at_work.wait, 5)
    seen.set()

    assert len(await task) == 2


async def test_numpy_arrays_are_vectors():
    embedder = Embedder.of(lambda texts: numpy.full((len(texts), 4), 2.0, dtype=numpy.float32))

    assert await embedder.embed(TEXTS) == [[0.5] * 4] * 2


@pytest.mark.parametrize(
    "index",
    [None, 5, ["x"], {}, {"dims": 3}, {"embed": None}, {"embed": 5}, "", "no-provider", "no_such_provider:model"],
)
def test_what_is_no_embedder_is_refused_when_it_is_given(index):
    with pytest.raises(ConfigurationError, match="embed"):
        Embedder.of(index)


@pytest.mark.parametrize("dims", [0, -3, 1.5, "384", [2], True])
def test_dimensions_that_are_no_positive_integer_are_refused(dims):
    with pytest.raises(ConfigurationError, match='"dims" of the index must be a positive integer, not') as refused:
        Embedder.of({"embed": by_length, "dims": dims})

    assert repr(dims) in str(refused.value)


def test_a_configuration_without_an_embedder_is_refused_with_an_example():
    with pytest.raises(ConfigurationError, match=r'needs "embed", e.g. .*"dims": 384'):
        Embedder.of({"dims": 384})


def test_an_embedder_is_named_for_its_model_or_for_its_class_or_as_it_was_told():
    class Nameless(Lengths):
        model = ""

    class ByModelName(Lengths):
        model = None
        model_name = "lengths-v2"

    class ByModelId(Lengths):
        model = None
        model_id = "lengths-v3"

    assert Embedder.of(Lengths()).name == "lengths-v1"
    assert Embedder.of(ByModelName()).name == "lengths-v2"
    assert Embedder.of(ByModelId()).name == "lengths-v3"
    assert Embedder.of(Nameless()).name == "Nameless"
    assert Embedder.of({"embed": Lengths(), "name": "mine"}).name == "mine"


def test_two_deployments_that_do_not_name_their_models_are_told_apart():
    def azure(**given: str) -> str:
        return Embedder.of(
            AzureOpenAIEmbeddings(api_key="k", azure_endpoint="https://e", api_version="1", **given)
        ).name

    assert azure(azure_deployment="small") == "small"
    assert azure(azure_deployment="large") == "large"
    assert azure(model="text-embedding-3-small", azure_deployment="small") == "text-embedding-3-small"
    assert Embedder.of(OpenAIEmbeddings(api_key="k")).name == "text-embedding-ada-002"
    assert Embedder.of(OpenAIEmbeddings(api_key="k", model="text-embedding-3-large")).name == "text-embedding-3-large"


def test_embeddings_that_are_kept_in_a_cache_are_the_same_model():
    class Kept(Embeddings):
        underlying_embeddings = Lengths()

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return self.underlying_embeddings.embed_documents(texts)

        def embed_query(self, text: str) -> list[float]:
            return self.underlying_embeddings.embed_query(text)

    assert Embedder.of(Kept()).name == "lengths-v1"


@pytest.mark.parametrize("noise", [0.0, 1e-3])
async def test_embedders_that_do_not_say_their_model_are_told_apart_by_a_sentence(noise: float) -> None:
    def function(model: int, noise: float = 0.0) -> Any:
        return lambda texts: [
            [math.sin(model * (i + 1)) * (1 + noise * math.cos(i)) for i in range(384)] for _ in texts
        ]

    names = list[str]()
    for embed in (function(1), function(1, noise), function(2)):
        embedder = Embedder.of({"embed": embed, "dims": 384})
        assert await embedder.probe() == 384
        names.append(embedder.name)
    assert fingerprints.same(names[0], names[1])
    assert not fingerprints.same(names[0], names[2])
    assert not fingerprints.same(names[0], "another" + names[0])


# Vectors


@given(vector=st.lists(st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6), min_size=1, max_size=6))
def test_vectors_come_back_with_length_one_and_their_direction(vector):
    (unit,) = asyncio.run(answering([vector]).embed(["x"]))

    length = math.hypot(*vector)
    assert math.hypot(*unit) == pytest.approx(1.0 if length else 0.0)
    assert [x * length for x in unit] == pytest.approx(vector)


@example(vector=[1e154, 1e154])
@example(vector=[1e308] * 4)
@example(vector=[5e-324])
@given(vector=st.lists(st.floats(), max_size=4))
def test_whatever_the_numbers_there_is_a_vector_or_an_embedding_error(vector):
    try:
        (unit,) = asyncio.run(answering([vector]).embed(["x"]))
    except EmbeddingError:
        return
    assert all(math.isfinite(x) and abs(x) <= 1.0000001 for x in unit)


async def test_a_vector_of_zeros_stays_one():
    assert await answering([[0.0, 0.0], [0, 5]]).embed(TEXTS) == [[0.0, 0.0], [0.0, 1.0]]


async def test_whole_numbers_become_floats():
    ((x, y),) = await answering([[3, 4]]).embed(["x"])

    assert (x, y) == (0.6, 0.8)
    assert type(x) is float


async def test_no_texts_need_no_call():
    assert await answering().embed([]) == []


async def test_the_dimension_is_found_out_by_a_probe_and_told_ones_are_not_probed():
    assert await answering([[1.0, 2.0, 3.0]]).probe() == 3
    assert await Embedder.of({"embed": by_length, "dims": 7, "name": "mine"}).probe() == 7


# Refusals


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param([[1.0]], "returned 1 vectors for 2 texts", id="too few"),
        pytest.param([[1.0]] * 3, "returned 3 vectors for 2 texts", id="too many"),
        pytest.param([], "returned 0 vectors for 2 texts", id="none"),
        pytest.param([[1.0, 2.0], [1.0]], "a vector of 1 dimensions instead of 2", id="of different dimensions"),
        pytest.param([[], []], "a vector of 0 dimensions", id="empty ones"),
        pytest.param([[1.0, math.nan], [1.0, 0.0]], "NaN or infinite", id="NaN"),
        pytest.param([[1.0, 0.0], [math.inf, 0.0]], "NaN or infinite", id="infinity"),
        pytest.param([[1.0, 0.0], [-math.inf, 0.0]], "NaN or infinite", id="negative infinity"),
        pytest.param(None, "EmbeddingsLambda", id="nothing"),
        pytest.param(7, "EmbeddingsLambda", id="a number"),
        pytest.param([None, None], "EmbeddingsLambda", id="nothing for vectors"),
        pytest.param([1.0, 2.0], "EmbeddingsLambda", id="numbers for vectors"),
        pytest.param([["a", "b"], ["a", "b"]], "EmbeddingsLambda", id="texts for numbers"),
        pytest.param([[None], [None]], "EmbeddingsLambda", id="nothing for numbers"),
    ],
)
async def test_what_cannot_be_vectors_is_an_embedding_error_that_names_the_embedder(answer, message):
    with pytest.raises(EmbeddingError, match=message) as refused:
        await answering(answer).embed(TEXTS)

    assert "the embedder 'EmbeddingsLambda'" in str(refused.value)


@pytest.mark.parametrize("answer", [[[1.0]], [[1.0, 2.0, 3.0]], [[math.nan, 1.0]]])
async def test_a_query_is_checked_like_a_text(answer):
    embedder = Embedder.of({"embed": lambda texts: answer, "dims": 2})

    with pytest.raises(EmbeddingError, match="EmbeddingsLambda"):
        await embedder.embed_query("query")


async def test_vectors_must_have_the_dimension_that_was_told():
    embedder = Embedder.of({"embed": by_length, "dims": 3})

    with pytest.raises(EmbeddingError, match="a vector of 2 dimensions instead of 3"):
        await embedder.embed(TEXTS)


async def test_vectors_must_keep_the_dimension_of_the_first_ones():
    embedder = answering([[1.0, 2.0]], [[1.0, 2.0, 3.0]])
    await embedder.embed(["x"])

    with pytest.raises(EmbeddingError, match="a vector of 3 dimensions instead of 2"):
        await embedder.embed(["y"])


@pytest.mark.parametrize("answer", [[[]], [[math.nan]], [[1.0]] * 3])
async def test_a_refused_first_answer_does_not_settle_the_dimension(answer):
    embedder = answering(answer, [[3.0, 4.0]])
    with pytest.raises(EmbeddingError):
        await embedder.embed(["x"])

    assert await embedder.embed(["x"]) == [[0.6, 0.8]]
    assert embedder.dimensions == 2


def failing(texts):
    raise RuntimeError("quota exceeded")


async def failing_async(texts):
    raise TimeoutError("quota exceeded")


@pytest.mark.parametrize("function", [failing, failing_async])
async def test_a_failing_embedder_is_an_embedding_error_with_its_cause(function):
    embedder = Embedder.of({"embed": function, "name": "mine"})

    for call in (embedder.embed(TEXTS), embedder.embed_query("query"), embedder.probe()):
        with pytest.raises(EmbeddingError, match="the embedder 'mine' failed: quota exceeded") as failed:
            await call
        assert isinstance(failed.value.__cause__, RuntimeError | TimeoutError)


async def test_a_cancelled_call_is_cancelled_not_failed():
    started = asyncio.Event()

    async def hanging(texts):
        started.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(Embedder.of(hanging).embed(TEXTS))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


# What the database can keep


@pytest.mark.parametrize(
    ("config", "component", "said"),
    [
        ({"distance_type": "l2"}, 65_505.0, '65505, but halfvec keeps none beyond 65504; .*"vector_type": "vector"'),
        ({"distance_type": "inner_product"}, -7e4, '-70000, but halfvec .*"vector_type": "vector"'),
        (
            {"distance_type": "l2", "ann_index_config": {"vector_type": "vector"}},
            1e39,
            'but vector keeps none beyond 3.4.*; compare the vectors by "cosine"',
        ),
    ],
)
async def test_numbers_that_the_database_cannot_keep_are_refused(config, component, said):
    embedder = Embedder.of({"embed": lambda texts: [[0.0, component] for _ in texts], **config})

    with pytest.raises(EmbeddingError, match=said):
        await embedder.embed(TEXTS)
    with pytest.raises(EmbeddingError, match=said):
        await embedder.embed_query("one")


@pytest.mark.parametrize("config", [{}, {"distance_type": "l2", "ann_index_config": {"vector_type": "vector"}}])
async def test_large_numbers_are_kept_by_vectors_and_scaled_for_cosines(config):
    embedder = Embedder.of({"embed": lambda texts: [[0.0, 7e4] for _ in texts], **config})

    assert await embedder.embed(["one"]) == [[0.0, 7e4 if config else 1.0]]
