"""Running the conformance suite against a store."""

import asyncio

# [run]
from contextlib import asynccontextmanager

from langgraph.store.memory import InMemoryStore

from langgraph_agentmem.testing.store_conformance import run


@asynccontextmanager
async def my_store(*, index=None, ttl=None):
    """Opens a store without data; one that has no time-to-live may ignore `ttl`."""
    yield InMemoryStore(index=index)


async def main(only=None):
    report = await run(my_store, only)
    print(report.summary())
    print(report.table())
    return report


# [end]

report = asyncio.run(main(["put-replaces", "put-keeps-created-at", "default-ttl"]))
assert [result.status for result in report.results] == ["passed", "failed", "unsupported"]


# [shared]
import os
from uuid import uuid4

import psycopg
from langgraph.store.postgres import AsyncPostgresStore
from psycopg.conninfo import make_conninfo


class Stores:
    def __init__(self, dsn):
        self.dsn = dsn

    @asynccontextmanager
    async def __call__(self, *, index=None, ttl=None):
        async with AsyncPostgresStore.from_conn_string(self.dsn, index=index, ttl=ttl) as store:
            await store.setup()
            yield store

    def shared(self):
        """A factory whose stores share a new schema."""
        schema = f"conformance_{uuid4().hex}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return Stores(make_conninfo(self.dsn, options=f"-c search_path={schema},public"))


# [end]

# [test]
import pytest

from langgraph_agentmem.testing.store_conformance import capabilities, check

STORES = Stores(os.environ["AGENTMEM_DSN"])
KNOWN = {"filter-numeric-order", "offset-with-query"}  # and so on: what your store does not do


@pytest.mark.parametrize("capability", capabilities(), ids=lambda capability: capability.name)
async def test_my_store(capability):
    result = await check(capability, STORES)
    assert (result.status in ("failed", "error")) == (capability.name in KNOWN), result.detail


# [end]

by_name = {capability.name: capability for capability in capabilities()}
for name in ("put-replaces", "filter-numeric-order", "two-stores-share-data", "data-outlives-store"):
    asyncio.run(test_my_store(by_name[name]))
