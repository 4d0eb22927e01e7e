"""Every statement about one tenant is one task for one server; those about everyone are listed, with a reason each.

Statements are read from their files. What each parameter is, the server tells; what fills a statement's holes is what the
package fills them with.
"""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import pq
from psycopg.sql import Composable, Identifier
from sql_files import FILES, FOR_EVERYONE, TENANT_TABLES, VIEWS

from langgraph_agentmem.policies.words import DIMENSIONS
from langgraph_agentmem.storage import chunks, imports, items, search, transfer, values
from langgraph_agentmem.storage.driver.rows import RawStatement
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.vectors import VectorForm

Connection = psycopg.Connection[Any]

UPSERTS = tuple(
    (query, 1) for query in (AsyncPostgresSaver.UPSERT_CHECKPOINT_BLOBS_SQL, AsyncPostgresSaver.UPSERT_CHECKPOINTS_SQL)
)
VECTORS = VectorForm(1, 3, "halfvec", "cosine", "hnsw", 0.1)
NOT_SENT = {
    "search:set_up_search": "on a cluster, settings go to its servers by SET LOCAL",
    "search:with_rare_words_guarded": "on a cluster, there is no row-level security",
}


def filled(file: str, name: str, **holes: Composable) -> bytes:
    return template(file, name).format(**holes).as_bytes(None)


def built() -> Iterable[RawStatement | bytes]:
    """The statements whose holes are filled when they are sent."""
    yield from (values._statement(None, False), values._statement(UPSERTS, True))
    yield from (chunks._WRITE, search._ONE_DOCUMENT, *search._COUNTS[False], *search._COUNTS[True])
    for form in (None, VECTORS):
        yield from (search._hits_statement(form, False, granted, None) for granted in (False, True))
        for documents in (False, True):
            yield search._items_statement(form, True, documents, "(s.value -> 'a'::text) IS NOT NULL", False, None)
    yield from (items._GET_ITEMS, items._EMBEDDED_HASHES, items._EXPIRED_ITEMS, items._REFRESH_ITEMS)
    yield items._list_statement("TRUE", 64)
    yield from (imports._PRESENT_ITEMS, imports._DATE_ITEMS, imports._DATE_CHUNKS)
    for table in sorted(TENANT_TABLES):
        yield filled("transfer", "exported_rows", table=Identifier("agentmem", table))
    yield transfer._LARGEST_IDS


def numbered(text: str) -> tuple[str, list[str]]:
    """A statement whose parameters are numbers, and their names."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", text), names


WHOLE = re.compile(r"(SELECT|WITH|INSERT|UPDATE|DELETE)\b")
HOLE = re.compile(r"\{[a-z]\w*\}")
TEXTS = {f"{file}:{name}": sql.decode() for file in FILES for name, sql in statements(file).items()}
COMPLETE = {
    name: numbered(text)
    for name, text in TEXTS.items()
    if WHOLE.match(text) and not HOLE.search(re.sub("'[^']*'", "", text))
}
BUILT = [
    (made._text.decode(), made._names) if isinstance(made, RawStatement) else numbered(made.decode())
    for made in built()
]


def of_tenants(text: str) -> bool:
    return any(name in TENANT_TABLES | VIEWS for name in re.findall(r"\bagentmem\.(\w+)", text))


def is_in(text: str, whole: str) -> bool:
    """Whether a block with holes is a part of a statement: what stands between its holes is there, in that order."""
    place = 0
    for part in HOLE.split(re.sub(r"%\(\w+\)s", "{x}", text.replace("{{", "{").replace("}}", "}"))):
        place = whole.find(part.strip(), place)
        if place < 0:
            return False
    return True


def test_every_statement_about_tenants_is_looked_at() -> None:
    parts = {name: text for name, text in TEXTS.items() if of_tenants(text) and not text.startswith("CREATE ")}
    unseen = {
        name
        for name, text in parts.items()
        if not (name in COMPLETE and name != "search:found_items") and not any(is_in(text, whole) for whole, _ in BUILT)
    }

    assert unseen == NOT_SENT.keys()


VALUES = {
    "bigint": "1", "bytea": r"'\x01'", "boolean": "true", "double precision": "1", "integer": "1", "smallint": "1",
    "jsonb": "'[]'", "jsonpath": "'true == true'", "text": "'a'", "uuid": f"'{UUID(int=1)}'", "regclass": "'agentmem.entity'",
    "timestamp with time zone": "'2026-01-01'", "tstzmultirange": "'{}'", "numeric": "1",
    "sparsevec": f"'{{1:1}}/{DIMENSIONS}'", "halfvec": "'[1,0,0]'",
}  # fmt: skip
"""A value of each type, as SQL."""


def plan(connection: Connection, text: str, names: list[str], tenant: str | None) -> str:
    """How a statement is run, for a tenant or for everyone."""
    pgconn = connection.pgconn
    prepared = pgconn.prepare(b"", text.encode())
    assert prepared.status == pq.ExecStatus.COMMAND_OK, prepared.error_message.decode()
    described = pgconn.describe_prepared(b"")
    types = [described.param_type(place) for place in range(described.nparams)]
    kinds = connection.execute(
        "SELECT ARRAY(SELECT format_type(t, NULL) FROM unnest(%s::oid[]) AS t)", [types]
    ).fetchone()
    given = [value(name, kind, tenant) for name, kind in zip(names, kinds[0] if kinds else [], strict=True)]
    explained = re.sub(r"\$(\d+)", lambda found: given[int(found[1]) - 1], text)
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {explained}".encode()))


def value(name: str, kind: str, tenant: str | None) -> str:
    if name == "external_id":
        return "NULL::text" if tenant is None else f"'{tenant}'::text"
    if name == "external_ids":
        return f"'{{{tenant}}}'::text[]"
    if kind == "text[]":  # some elements are arrays themselves
        return """'{"{1}"}'::text[]"""
    return f"ARRAY[{VALUES[kind.removesuffix('[]')]}]::{kind}" if kind.endswith("[]") else f"{VALUES[kind]}::{kind}"


def tasks(found: str) -> set[int]:
    return {int(count) for count in re.findall(r"Task Count: (\d+)", found)}


OF_ONE = {name: made for name, made in COMPLETE.items() if of_tenants(made[0]) and name not in FOR_EVERYONE}
OF_ONE.pop("search:found_items")  # a part of others, which has no holes


@pytest.mark.parametrize("name", sorted(OF_ONE))
def test_a_statement_about_one_tenant_is_one_task(name: str, connection: Connection) -> None:
    assert_one_task(plan(connection, *OF_ONE[name], tenant="acme"))


@pytest.mark.parametrize("place", range(len(BUILT)))
def test_a_statement_that_is_put_together_about_one_tenant_is_one_task(place: int, connection: Connection) -> None:
    assert_one_task(plan(connection, *BUILT[place], tenant="acme"))


def assert_one_task(found: str) -> None:
    # what is inserted from a list goes where its tenant is, row by row, and has no tasks to be shown
    assert tasks(found) == {1} or (tasks(found) == set() and "Citus INSERT ... SELECT" in found), found


@pytest.mark.parametrize("name", sorted(FOR_EVERYONE))
def test_a_statement_about_everyone_is_a_task_for_each_shard(name: str, connection: Connection) -> None:
    everyone = None if "IS NULL OR" in COMPLETE[name][0] else "acme"
    [shards] = connection.execute("SELECT shard_count FROM citus_tables LIMIT 1").fetchone() or [0]

    assert tasks(plan(connection, *COMPLETE[name], tenant=everyone)) == {shards}, FOR_EVERYONE[name]


@pytest.mark.parametrize("name", sorted(FOR_EVERYONE))
def test_where_it_can_be_asked_of_one_tenant_it_is_one_task(name: str, connection: Connection) -> None:
    text, names = COMPLETE[name]
    if "IS NULL OR" not in text or "external_id" not in names:
        return

    assert tasks(plan(connection, text, names, tenant="acme")) == {1}
