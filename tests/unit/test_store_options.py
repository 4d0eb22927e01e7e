"""What a store is configured with, and what is said of what does not fit."""

import pytest
from fakes import WordEmbedder
from langgraph.store.base import ListNamespacesOp, MatchCondition

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.errors import AgentMemoryError, ConfigurationError, InvalidInputError, InvalidTextError
from langgraph_agentmem.models.vectors import VectorIndex
from langgraph_agentmem.storage.driver.conninfo import with_pool_config
from langgraph_agentmem.store import AgentMemoryStore

DSN = "postgresql://nobody@localhost:1/nowhere"


def index_of(**config):
    return Embedder.of({"embed": WordEmbedder(), "dims": 64, **config}).index


@pytest.mark.parametrize(
    ("config", "index"),
    [
        ({}, None),
        ({"ann_index_config": {}}, None),
        ({"distance_type": "l2"}, VectorIndex(distance="l2")),
        ({"ann_index_config": {"kind": "flat"}}, VectorIndex(index_kind="flat")),
        ({"ann_index_config": {"vector_type": "vector"}}, VectorIndex(vector_type="vector")),
        (
            {"ann_index_config": {"kind": "hnsw", "m": 8, "ef_construction": 32}},
            VectorIndex(index_options={"m": 8, "ef_construction": 32}),
        ),
        (
            {"distance_type": "inner_product", "ann_index_config": {"kind": "ivfflat", "nlist": 5}},
            VectorIndex(distance="inner_product", index_kind="ivfflat", index_options={"lists": 5}),
        ),
    ],
)
def test_an_index_is_configured_as_for_langgraphs_store(config, index):
    assert index_of(**config) == index


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"distance_type": "manhattan"}, "distance: .*'cosine', 'l2' or 'inner_product'.*'manhattan'"),
        ({"ann_index_config": {"kind": "annoy"}}, "index_kind: .*'annoy'"),
        ({"ann_index_config": {"vector_type": "bit"}}, "vector_type: .*'bit'"),
        ({"ann_index_config": {"kind": "hnsw", "lists": 5}}, "hnsw has no option 'lists'; it has ef_construction, m"),
        ({"ann_index_config": {"kind": "ivfflat", "m": 5}}, "ivfflat has no option 'm'; it has lists"),
        ({"ann_index_config": {"kind": "flat", "m": 5}}, "flat has no option 'm'; it has none"),
        ({"ann_index_config": {"m": 1000}}, "m must be from 2 to 100, not 1000"),
        ({"ann_index_config": {"ef_construction": 3}}, "ef_construction must be from 4 to 1000, not 3"),
        ({"ann_index_config": {"m": 40}}, "ef_construction must be at least twice m, but is 64 with m 40"),
        ({"ann_index_config": {"kind": "ivfflat", "lists": 0}}, "lists must be from 1 to 32768, not 0"),
        ({"ann_index_config": {"m": "many"}}, "index_options.m: .*'many'"),
    ],
)
def test_an_index_that_there_is_not_is_refused(config, said):
    with pytest.raises(ConfigurationError, match=f"the index configuration cannot be used: .*{said}"):
        index_of(**config)


@pytest.mark.parametrize(
    ("distance", "unit"), [(None, True), ("cosine", True), ("l2", False), ("inner_product", False)]
)
async def test_only_cosines_are_of_unit_vectors(distance, unit):
    embedder = Embedder.of({"embed": WordEmbedder(2), "dims": 2, "distance_type": distance})
    [vector] = await embedder.embed(["a a b"])

    assert (sum(x * x for x in vector) == pytest.approx(1)) is unit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"owner": -1}, "owner must be the position of a namespace's label, from 0, not -1"),
        ({"owner": "user"}, "owner must be .*, not 'user'"),
        ({"owner": True}, "owner must be .*, not True"),
        ({"tiers": []}, r"tiers must be a non-empty list of 'active', 'shortterm', 'longterm', not \[\]"),
        ({"tiers": "active"}, "tiers must be .*, not 'active'"),
        ({"tiers": ["active", "midterm"]}, r"tiers must be .*, not \['active', 'midterm'\]"),
        ({"ttl": {"defualt_ttl": 5}}, "ttl has no option 'defualt_ttl'; it has .*default_ttl"),
        ({"ttl": 5}, "ttl must be a dict, e.g. .*, not 5"),
        ({"ttl": "5"}, "ttl must be a dict, e.g. .*, not '5'"),
        ({"index": {"embed": WordEmbedder(), "ann_index_config": 5}}, '"ann_index_config" of .* a dict, .*, not 5'),
        ({"index": ["openai:x"]}, r"embeddings must be .*, not \['openai:x'\]"),
        ({"pool_config": [1]}, r"pool_config must be a dict, e.g. .*, not \[1\]"),
        ({"pool_config": {"kwargs": 1}}, r"kwargs of pool_config must be a dict, e.g. .*, not 1"),
        ({"pool_config": {"kwargs": {"foo": 1}}}, r"kwargs of pool_config are not what libpq takes \(.*\): foo; it"),
        ({"pool_config": {"max_idle": 5}}, "pool_config has no option 'max_idle'; it has max_size and kwargs"),
    ],
)
def test_a_store_that_cannot_be_configured_so_says_how_it_could(arguments, said):
    with pytest.raises(ConfigurationError, match=said):
        AgentMemoryStore.from_conn_string(DSN, **arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"ttl": {"default_ttl": 0}}, "ttl must be a positive number of minutes, up to 1,000,000,000, not 0"),
        ({"ttl": {"default_ttl": "5"}}, "ttl must be a positive number of minutes, up to 1,000,000,000, not '5'"),
        ({"ttl": {"sweep_interval_minutes": -1}}, "positive number of minutes, up to 1,000,000,000, not -1"),
        ({"pool_config": {"max_size": 0}}, "max_size must be an integer of at least 1, not 0"),
        ({"default_tenant": ""}, "must not be empty"),
        ({"index": {"embed": WordEmbedder(), "dims": 64, "fields": "text"}}, "fields must be a list of paths"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_opened(arguments, said):
    with pytest.raises(AgentMemoryError, match=said):
        AgentMemoryStore.from_conn_string(DSN, **arguments)


def test_a_pool_is_configured_as_for_langgraphs_store():
    settings = AgentMemorySettings()
    options = {
        "min_size": 1,
        "max_size": 3,
        "kwargs": {"application_name": "agent", "autocommit": True, "row_factory": 1},
    }

    dsn, changed = with_pool_config(DSN, settings, options)

    assert changed.pool_size == 3
    assert "application_name=agent" in dsn
    assert "autocommit" not in dsn
    assert with_pool_config(DSN, settings, None) == with_pool_config(DSN, settings, {}) == (DSN, settings)


def test_connection_options_need_a_server_of_ones_own_which_the_settings_may_name():
    with pytest.raises(ConfigurationError, match="pool_config's kwargs are for a server of your own"):
        with_pool_config(None, AgentMemorySettings(), {"kwargs": {"application_name": "agent"}})

    dsn, _ = with_pool_config(None, AgentMemorySettings(dsn=DSN), {"kwargs": {"application_name": "agent"}})
    assert "application_name=agent" in dsn


def test_a_dsn_that_cannot_be_read_is_refused():
    with pytest.raises(ConfigurationError, match="the DSN is malformed"):
        with_pool_config("postgresql:/nonsense here", AgentMemorySettings(), {"kwargs": {"application_name": "agent"}})


@pytest.mark.parametrize("place", [("@shortterm",), ("alice", "@longterm", "x"), ("alice", "@shortterm")])
async def test_what_was_consolidated_cannot_be_written(place):
    store = AgentMemoryStore(AgentMemory.open(DSN), tiers=["shortterm"])

    for write in (store.aput(place, "k", {}), store.adelete(place, "k"), store.aput_if(place, "k", {}, 0)):
        with pytest.raises(ValueError, match="stands for what was consolidated"):
            await write


@pytest.mark.parametrize("revision", [-1, 1.0, True, "1", None])
async def test_a_revision_is_a_count(revision):
    store = AgentMemoryStore(AgentMemory.open(DSN))

    with pytest.raises(InvalidInputError, match=f"revision must be an integer of at least 0, not {revision!r}"):
        await store.aput_if(("a",), "k", {}, revision)


def test_a_store_is_true_and_has_no_length():
    store = AgentMemoryStore(AgentMemory.open(DSN))

    assert bool(store)
    assert not hasattr(store, "__len__")


def test_an_index_is_also_what_a_memory_takes():
    store = AgentMemoryStore.from_conn_string(DSN, index=WordEmbedder())
    assert store.memory.resources.embedder.name == "words"


async def test_counts_in_a_search_may_be_zero_but_not_less():
    store = AgentMemoryStore(AgentMemory.open(DSN))
    for name in ("limit", "offset"):
        with pytest.raises(InvalidInputError, match=f"{name} must be an integer of at least 0, not -1"):
            await store.asearch(("alice",), **{name: -1})


@pytest.mark.parametrize("label", ["@shortterm", "@longterm"])
async def test_no_active_memory_stands_where_the_consolidated_does(label):
    memory = AgentMemory.open(DSN)
    with pytest.raises(InvalidInputError, match=f"holds the label '{label}', under which stores find"):
        await memory.acreate_active_memory("alice", "x", {"sections": ["a"]}, namespace=("x", "alice", label))
    with pytest.raises(InvalidInputError, match=f"holds the label '{label}', under which stores find"):
        await memory.acreate_active_memory("alice", label, {"sections": ["a"]})


def test_a_store_takes_a_memory_and_says_what_takes_a_connection_string():
    with pytest.raises(ConfigurationError, match=r"memory must be an AgentMemory, not str; .*from_conn_string"):
        AgentMemoryStore(DSN)


def test_a_dsn_and_the_folder_of_an_embedded_server_exclude_each_other(tmp_path):
    with pytest.raises(ConfigurationError, match=r"data_dir is the embedded server's folder; give it or a dsn"):
        AgentMemory.open(DSN, data_dir=tmp_path)


async def test_what_no_listing_of_namespaces_can_match_is_refused_without_a_server():
    store = AgentMemoryStore.from_conn_string(DSN)
    wanted = ListNamespacesOp(match_conditions=(MatchCondition("infix", ("notes",)),))
    with pytest.raises(InvalidInputError, match="match_type must be 'prefix' or 'suffix', not 'infix'"):
        await store.abatch([wanted])


def test_a_value_that_is_not_indexed_may_be_as_long_as_the_limit_and_no_longer():
    store = AgentMemoryStore.from_conn_string(DSN)
    with pytest.raises(InvalidTextError, match="the limit is"):
        store.put(("alice", "notes"), "k", {"text": "x" * 1_000_001}, index=False)
