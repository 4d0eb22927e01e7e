"""What tests on a Citus cluster share; without a cluster they are skipped."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from citus_cluster import DSN, WANTED, prepare
from fakes import ScriptedModel, WordEmbedder
from filelock import FileLock
from store_and_memory import names

from langgraph_agentmem import AgentMemory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is here where there is no cluster."""
    for item in items:
        if not DSN and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason=WANTED))


@pytest.fixture(scope="session")
def cluster(shared_folder: Path) -> dict[str, Any]:
    """What the commands have said and the tables have held, step by step, as the cluster was prepared."""
    prepared = shared_folder / "citus.json"
    with FileLock(shared_folder / "citus.lock"):
        if not prepared.exists():
            prepared.write_text(json.dumps(prepare()))
    return json.loads(prepared.read_text())


@pytest.fixture
def dsn(cluster: dict[str, Any]) -> str:
    """The cluster, which all tests share: each has a tenant of its own."""
    return DSN


@pytest.fixture
async def memory(opened: Callable[..., AgentMemory]) -> AgentMemory:
    """A memory with an embedder and a model that finds every capitalised word, whose conflicts wait for a person."""
    return opened(model=ScriptedModel(answer=names), review="always", index=WordEmbedder())


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the coordinator."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        yield connection


@pytest.fixture
def tenants(tenant: str) -> SimpleNamespace:
    """Two tenants whose rows are on different servers, as far as there are two."""
    with psycopg.connect(DSN) as connection:
        where = "SELECT nodename || ':' || nodeport FROM pg_dist_shard s JOIN pg_dist_shard_placement p USING (shardid) WHERE s.shardid = get_shard_id_for_distribution_column('agentmem.section', %s::text)"
        first = connection.execute(where, [tenant]).fetchone()
        others = (f"{tenant} {number}" for number in range(1_000))
        other = next((name for name in others if connection.execute(where, [name]).fetchone() != first), f"{tenant} 0")
    return SimpleNamespace(one=tenant, other=other)
