"""Servers, roles and databases as administrators have made them: what is relied on is set up, or said."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from checkpointing import of
from fakes import WordEmbedder
from proxies import between
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from texts import State, agent
from waiting import until

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemorySettings
from langgraph_agentmem.errors import AuthenticationError, ConfigurationError, OutageError, StorageError
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.migrate import MIGRATION_LOCK
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

NS = ("alice", "notes")


def run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def role(maintenance: psycopg.Connection[Any], empty_dsn: str) -> Iterator[str]:
    """A role without rights; what it owns in the empty database goes with it."""
    name = f"app_{uuid4().hex}"
    maintenance.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    yield name
    run(empty_dsn, f"DROP OWNED BY {name} CASCADE")
    maintenance.execute(f'REVOKE ALL ON DATABASE "{conninfo_to_dict(empty_dsn)["dbname"]}" FROM {name}')
    maintenance.execute(f"DROP ROLE {name}")


async def everything_works(dsn: str) -> None:
    """The memory, the store and the checkpointer, with vectors."""
    async with AgentMemory.open(dsn, index=WordEmbedder()) as memory:
        made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]}, {"a": r"- O'Neill \\ NULL"})
        await memory.aupdate_active_memory_section("alice", made.id, "a", "- a fox\n- a hen")
        assert (await memory.aconsolidate("alice", made.id)).status == "applied"
        await memory.apromote("alice", made.id, force=True)
        hits = await memory.asearch("alice", "fox")
        assert hits[0].arms.vector > 0
        assert (await memory.aget_active_memory("alice", made.id)).updated_at.tzinfo is not None
        store = AgentMemoryStore(memory)
        value = {"text": 'zürich \\ "NULL" {}', "list": ["NULL", None]}
        await store.aput(NS, "NULL", value, ttl=5)
        found = await store.aget(NS, "NULL")
        assert found is not None
        assert found.value == value
        assert (await store.asearch(NS, query="zürich"))[0].key == "NULL"
        saver = AgentMemorySaver(memory, state_schema=State)
        await agent(saver).ainvoke({"say": {"progress": "begun"}}, of("1"))
        assert (await agent(saver).aget_state(of("1"))).values["progress"] == "begun"
        assert not [finding for finding in await memory.adiagnose() if finding.severity == "error"]


# pgvector off the path


@pytest.mark.parametrize("schema", ["extensions", "Odd \"name'"])
async def test_pgvector_may_be_in_a_schema_that_is_not_on_the_path(empty_dsn: str, schema: str) -> None:
    quoted = psycopg.sql.Identifier(schema).as_string(None)
    run(empty_dsn, f"CREATE SCHEMA {quoted}", f"CREATE EXTENSION vector SCHEMA {quoted}")
    await everything_works(empty_dsn)


async def test_the_path_of_a_role_stays_what_it_is_otherwise(
    empty_dsn: str, maintenance: psycopg.Connection[Any]
) -> None:
    name = conninfo_to_dict(empty_dsn)["dbname"]
    run(empty_dsn, "CREATE SCHEMA ext", "CREATE SCHEMA app", "CREATE EXTENSION vector SCHEMA ext")
    maintenance.execute(f'ALTER DATABASE "{name}" SET search_path = app')
    await everything_works(empty_dsn)
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("SELECT to_regclass('app.checkpoints') IS NOT NULL").fetchone() == (True,)


@pytest.mark.parametrize("path", ["''", "nowhere"])
@pytest.mark.parametrize("extension", [None, "public", "extensions"])
async def test_a_path_on_which_there_is_no_schema_leads_to_the_public_one(
    empty_dsn: str, maintenance: psycopg.Connection[Any], path: str, extension: str | None
) -> None:
    if extension is not None:
        run(empty_dsn, f"CREATE SCHEMA IF NOT EXISTS {extension}", f"CREATE EXTENSION vector SCHEMA {extension}")
    maintenance.execute(f'ALTER DATABASE "{conninfo_to_dict(empty_dsn)["dbname"]}" SET search_path = {path}')
    await everything_works(empty_dsn)
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("SELECT to_regclass('public.checkpoints') IS NOT NULL").fetchone() == (True,)


# Limits of what a role may wait for


async def test_a_migration_waits_longer_than_the_role_may_otherwise(
    empty_dsn: str, maintenance: psycopg.Connection[Any]
) -> None:
    name = conninfo_to_dict(empty_dsn)["dbname"]
    maintenance.execute(f'ALTER DATABASE "{name}" SET lock_timeout = 1')
    memory = AgentMemory.open(empty_dsn)
    with psycopg.connect(empty_dsn) as rival:
        rival.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        setting_up = asyncio.create_task(memory.asetup())
        waits = "SELECT FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND datname = %s"
        await until(lambda: setting_up.done() or maintenance.execute(waits, [name]).fetchone() is not None)
    await setting_up
    await memory.aclose()


async def test_a_statement_that_takes_too_long_for_the_role_says_which_limit_that_was(
    dsn: str, maintenance: psycopg.Connection[Any]
) -> None:
    maintenance.execute(f'ALTER DATABASE "{conninfo_to_dict(dsn)["dbname"]}" SET lock_timeout = 1')
    async with AgentMemory.open(dsn) as memory:
        apollo = await memory.acreate_active_memory("alice", "Apollo", {"sections": ["plan"]})
        with psycopg.connect(dsn) as rival:
            rival.execute("SELECT FROM agentmem.section FOR UPDATE")
            rival.execute("SELECT FROM agentmem.active_memory FOR UPDATE")
            with pytest.raises(StorageError, match=r"lock_timeout\): set a higher one, as by ALTER ROLE"):
                await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "May 1")
        await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "May 1")


# Rights


async def test_an_administrator_may_have_made_the_schema(empty_dsn: str, role: str) -> None:
    run(
        empty_dsn,
        "CREATE EXTENSION vector",
        f"CREATE SCHEMA agentmem AUTHORIZATION {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
    )
    await everything_works(make_conninfo(empty_dsn, user=role, password="x"))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((), "GRANT CREATE ON DATABASE .* TO {role}, or CREATE SCHEMA agentmem AUTHORIZATION {role}"),
        (("CREATE SCHEMA agentmem",), "GRANT USAGE, CREATE ON SCHEMA agentmem TO {role}"),
        (
            ("CREATE SCHEMA agentmem", "GRANT USAGE ON SCHEMA agentmem TO {role}"),
            "GRANT USAGE, CREATE ON SCHEMA agentmem TO {role}",
        ),
    ],
)
async def test_a_right_that_is_missing_is_named_with_what_grants_it(
    empty_dsn: str, role: str, given: tuple[str, ...], wanted: str
) -> None:
    run(empty_dsn, "CREATE EXTENSION vector", *(statement.format(role=role) for statement in given))
    with pytest.raises(ConfigurationError, match=wanted.format(role=role)):
        await AgentMemory.open(make_conninfo(empty_dsn, user=role, password="x")).asetup()


async def test_a_role_without_rights_to_tables_that_are_there_is_told_what_grants_them(
    empty_dsn: str, role: str
) -> None:
    await Database(empty_dsn).start()
    mine = make_conninfo(empty_dsn, user=role, password="x")
    with pytest.raises(ConfigurationError, match=f'GRANT USAGE ON SCHEMA agentmem TO "{role}"; GRANT SELECT, INSERT'):
        await AgentMemory.open(mine).asetup()
    run(
        empty_dsn,
        f"GRANT USAGE ON SCHEMA agentmem TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA agentmem TO {role}",
    )
    async with AgentMemory.open(mine) as memory:
        store = AgentMemoryStore(memory)
        await store.aput(NS, "k", {"text": "a falcon"})
        assert (await store.asearch(NS, query="falcon"))[0].key == "k"
        with pytest.raises(ConfigurationError, match=f'GRANT CREATE ON SCHEMA public TO "{role}"'):
            await AgentMemorySaver(memory, state_schema=State).asetup()


# Settings of a role or a database


@pytest.mark.parametrize(
    "settings",
    [
        ["DateStyle = 'German, DMY'"],
        ["DateStyle = 'SQL, MDY'", "IntervalStyle = 'iso_8601'"],
        ["client_encoding = 'LATIN1'"],
        ["client_encoding = 'SQL_ASCII'"],
        ["array_nulls = off"],
        ["standard_conforming_strings = off"],
        ["bytea_output = 'escape'", "extra_float_digits = -15"],
        ["transform_null_equals = on", "gin_fuzzy_search_limit = 1"],
        ["TimeZone = 'Asia/Kathmandu'"],
        ["TimeZone = '<+0730>-07:30'"],
        ["default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on"],
        ["search_path = 'app, public'", "row_security = off", "enable_indexscan = off", "jit = on"],
    ],
    ids=lambda settings: settings[0].split()[0] + settings[0].split()[-1].strip("'"),
)
async def test_settings_of_a_database_change_nothing(
    empty_dsn: str, maintenance: psycopg.Connection[Any], settings: list[str]
) -> None:
    name = conninfo_to_dict(empty_dsn)["dbname"]
    for setting in settings:
        maintenance.execute(
            f'ALTER DATABASE "{name}" SET {setting.replace(chr(39) + "app, public" + chr(39), "app, public")}'
        )
    await everything_works(empty_dsn)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_cannot_hold_every_text_is_refused(
    server: str, maintenance: psycopg.Connection[Any], encoding: str
) -> None:
    name = f"test_{uuid4().hex}"
    maintenance.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C' LOCALE_PROVIDER libc"
    )
    try:
        with pytest.raises(ConfigurationError, match=f"encoding is {encoding}.*ENCODING 'UTF8'"):
            await AgentMemory.open(make_conninfo(server, dbname=name)).asetup()
    finally:
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_updates_at_once_all_succeed_whatever_the_default_isolation(
    dsn: str, maintenance: psycopg.Connection[Any], isolation: str
) -> None:
    maintenance.execute(
        f"ALTER DATABASE \"{conninfo_to_dict(dsn)['dbname']}\" SET default_transaction_isolation = '{isolation}'"
    )
    async with AgentMemory.open(dsn) as memory:
        store = AgentMemoryStore(memory)
        made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
        await asyncio.gather(
            *(
                memory.aupdate_active_memory_section("alice", made.id, "a", f"- line {i}", action="insert")
                for i in range(20)
            ),
            *(store.aput(NS, "k", {"number": i}) for i in range(20)),
        )
        text = (await memory.aget_active_memory("alice", made.id)).sections["a"].content
        assert sorted(text.split("\n")) == sorted(f"- line {i}" for i in range(20))


# DSNs


@pytest.mark.parametrize("dsn", ["", " ", "\n"])
def test_an_empty_dsn_is_no_wish_for_the_embedded_server(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for opens in (
        lambda: AgentMemory.open(dsn),
        lambda: AgentMemoryStore.from_conn_string(dsn),
        lambda: AgentMemoryStore.from_conn_string(dsn, pool_config={"kwargs": {"application_name": "x"}}),
        lambda: AgentMemorySaver.from_conn_string(dsn),
        lambda: AgentMemorySettings(dsn=dsn),
        lambda: AgentMemorySettings(data_dir=dsn),
    ):
        with pytest.raises(ConfigurationError, match="empty"):
            opens()
    for name in ("AGENTMEM_DSN", "AGENTMEM_LISTEN_DSN", "AGENTMEM_DATA_DIR"):
        with monkeypatch.context() as patch:
            patch.setenv(name, dsn)
            with pytest.raises(ConfigurationError, match="empty"):
                AgentMemory.open()


SECRET = "PW-that-is-secret"
WRONG_DSNS = {
    f"postgresql+psycopg://app:{SECRET}@host/db": r"SQLAlchemy's.*'\+psycopg'",
    f"postgres+asyncpg://app:{SECRET}@host/db": r"SQLAlchemy's.*'\+asyncpg'",
    f"postgresql+psycopg2://app:{SECRET}@host/db": "SQLAlchemy's",
    f"mysql://app:{SECRET}@host/db": "mysql:// is no scheme",
    f"jdbc:postgresql://host/db?password={SECRET}": "no scheme",
    f"postgresql://app:x@{SECRET}@host/db": "%40",
    f"postgresql://app:{SECRET}/x@host/db": "port is no number",
    f"postgresql://app:%zz{SECRET}@host/db": "malformed",
    f"postgresql://app:{SECRET}@host:port/db": "port is no number",
    f"postgresql://app:{SECRET}@host/db?nonsense=1": "malformed",
    f"host=h password={SECRET} nonsense=1": "malformed",
    f"host=h password='{SECRET}": "malformed",
    f"host=h user=app {SECRET}": "malformed",
    f'"postgresql://app:{SECRET}@host/db"': "leave out the quotes",
    f"'host=h password={SECRET}'": "leave out the quotes",
    f'host=h password=x" {SECRET}" y': "malformed",
    f'postgresql://app:x" {SECRET}"@host/db': "malformed",
    f"postgresql://host/db?password={SECRET}&nonsense=%22{SECRET}": "malformed",
    f"postgresql://app:{SECRET}@host:70000/db": "no number up to 65535",
    f"Postgres://app:{SECRET}@host/db": "Postgres:// is written in small letters",
    f"host=h;port=5432;password={SECRET}": "separated by spaces, not by semicolons",
    f"postgresql://app:{SECRET}%F0%28@host/db": "no UTF-8",
    f"postgresql://app:{SECRET}\ud800@host/db": "no UTF-8",
    f"postgresql://app:{SECRET}@host/db?sslmode=maybe": 'invalid sslmode value: "…"',
    f"postgresql://app:{SECRET}@host/db?target_session_attrs={SECRET}": 'invalid target_session_attrs value: "…"',
    f"host=h password={SECRET} channel_binding=1": "invalid channel_binding value",
    f"service=none-of-that-name password={SECRET}": 'definition of service "…" not found',
    f"postgresql://app:{SECRET}@host/db?connect_timeout={SECRET}": "connect_timeout must be a number",
    f"postgresql://app:{SECRET}@host/db?keepalives_idle=long": "keepalives_idle must be a number",
    f"postgresql://app:{SECRET}@host:6543/db?pgbouncer=true&connection_limit=1": "pgbouncer is a parameter of other",
    f"postgresql://app:{SECRET}@host/db?sslmode=require&schema=public": "schema is a parameter of other drivers'",
    f"app:{SECRET}@host/db": "no postgresql:// at its beginning",
    f"//app:{SECRET}@host/db": "no postgresql:// at its beginning",
    f"${{SCHEME}}://app:{SECRET}@host/db": "a variable in it was not filled in",
    "$DATABASE_URL": "a variable in it was not filled in",
    "%DATABASE_URL%": "a variable in it was not filled in",
    f"postgresql://app:{SECRET}@${{DB_HOST}}/db": "a variable in it was not filled in",
    "None": "no postgresql:// at its beginning",
}


RIGHT_DSNS = [
    "postgresql://app:$a${b%25@host/db",
    "host=h password=${x}",
    "postgresql://app:x%3Fschema%3Dx@host/db",
    "postgresql://[::1]:5432/db",
    "postgresql://one:5432,two:5433/db?target_session_attrs=read-write&load_balance_hosts=random",
    "postgres://app:p%40ss@host/db?sslmode=require&gssencmode=prefer&connect_timeout=5",
    "host=/run/postgresql hostaddr=127.0.0.1 dbname='a;b' password='x;y=z' keepalives=0 sslmode=verify-full",
    "postgresql://%2Frun%2Fpostgresql/db?gssencmode=disable&require_auth=scram-sha-256&sslrootcert=/none",
]


@pytest.mark.parametrize("dsn", RIGHT_DSNS)
def test_a_dsn_is_taken_whatever_it_needs_to_connect(dsn: str) -> None:
    assert AgentMemory.open(dsn).dsn == dsn


@pytest.mark.parametrize("dsn", WRONG_DSNS)
def test_a_dsn_that_cannot_be_read_shows_no_password(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    for opens in (
        lambda: AgentMemory.open(dsn),
        lambda: AgentMemory.open(settings=AgentMemorySettings(dsn=dsn)),
        lambda: AgentMemory.open(settings=AgentMemorySettings(listen_dsn=dsn)),
        lambda: AgentMemoryStore.from_conn_string(dsn, pool_config={"kwargs": {"application_name": "x"}}),
    ):
        with pytest.raises(ConfigurationError, match=WRONG_DSNS[dsn]) as caught:
            opens()
        assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in caplog.text


async def test_white_space_around_a_dsn_does_not_count(dsn: str) -> None:
    async with AgentMemory.open(f"  {dsn}\n") as memory:
        assert await memory.aget_active_memories("alice") == []


def test_settings_show_no_password() -> None:
    dsn = f"postgresql://app:{SECRET}@host/db"
    assert SECRET not in repr(AgentMemorySettings(dsn=dsn, listen_dsn=dsn, neo4j_password=SECRET))
    for wrong in (
        {"dsnn": dsn},
        {"dsn": [dsn]},
        {"neo4j_password": [SECRET]},
        {"listen_dsn": 7},
        {"x": f"password={SECRET}"},
    ):
        with pytest.raises(ConfigurationError) as caught:
            AgentMemorySettings(**wrong)
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    memory = AgentMemory.open(dsn)
    assert SECRET not in repr(memory) + repr(memory.resources) + repr(memory.settings)


async def test_a_server_that_refuses_or_is_away_hears_the_password_and_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = AgentMemorySettings(connect_timeout_seconds=0.2)
    for dsn in (f"postgresql://app:{SECRET}@127.0.0.1:1/db", f"host=nowhere.invalid user=a password={SECRET}"):
        with pytest.raises(OutageError) as caught:
            await AgentMemory.open(dsn, settings=settings).asetup()
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in caplog.text


# Refusals in other languages


@pytest.fixture
async def german(strict_dsn: str) -> AsyncIterator[Any]:
    """The way to a server that asks for passwords, and speaks German."""
    words = {
        b"SFATAL\x00": b"SFATAL\x00",
        b"password authentication failed for user": "Passwort-Authentifizierung für Benutzer fehlg.".encode()[:39],
    }

    def translated(answer: bytes) -> bytes:
        for english, other in words.items():
            assert len(other) == len(english)
            answer = answer.replace(english, other)
        return answer

    async with between(strict_dsn) as proxy:
        proxy.answers = translated
        yield proxy


async def test_a_refusal_in_another_language_is_told_as_what_it_may_be_and_is_not_tried_again(german: Any) -> None:
    dsn = make_conninfo(german.dsn, user="guest", password="wrong")
    started = german.connections
    with pytest.raises(OutageError, match=r"does not tell why.*user, password.*Passwort"):
        await AgentMemory.open(dsn).asetup()
    assert german.connections == started + 1
    database = Database(make_conninfo(german.dsn), connect_timeout=10)
    await database.start()
    database.dsn = dsn
    started = german.connections
    with pytest.raises(OutageError, match="does not tell why"):
        async with database.connection(EVERYONE):
            pass
    assert german.connections == started + 1, "as accounts are locked by wrong passwords"
    await database.close()


async def test_without_a_password_the_refusal_is_known_in_any_language(german: Any) -> None:
    with pytest.raises(AuthenticationError):
        await AgentMemory.open(make_conninfo(german.dsn, user="guest", password="")).asetup()
