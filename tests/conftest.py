"""A real PostgreSQL for every test: the embedded one, or the server of AGENTMEM_TEST_DSN; a fresh database each."""

import asyncio
import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import guarded
import hypothesis
import neo4j_server
import psycopg
import pytest
from filelock import FileLock
from psycopg.conninfo import make_conninfo

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.projection import Neo4jDatabase
from langgraph_agentmem.storage.driver import embedded
from langgraph_agentmem.storage.driver.database import Database

# On a busy machine, anything takes long. Each run tries other examples.
hypothesis.settings.register_profile("agentmem", deadline=None, max_examples=50)
hypothesis.settings.load_profile("agentmem")
TEMPLATE = "agentmem_test_template"
FOLDER = "MEMORY_TESTS_FOLDER"
collect_ignore = [] if os.environ.keys() & {"AGENTMEM_CITUS_DSN", "AGENTMEM_TEST_CITUS_DSN"} else ["citus"]
"""What nothing here can run is not even collected, unless it is asked for by its path, which then says what is missing."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what names servers for the tests stays."""
    kept = ("AGENTMEM_TEST_", "NEO4J_TEST_")
    for name in [n for n in os.environ if n.startswith(("AGENTMEM_", "NEO4J_")) and not n.startswith(kept)]:
        monkeypatch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder that all workers of this test run share.

    It is not one of pytest's: those are closed to other users, and as root the server runs as another one.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background: what tests start is to hear it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="agentmem-tests-", dir=_in_memory())
        Path(os.environ[FOLDER]).chmod(0o755)  # the server of root's tests has to pass
        atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)  # after the server's own handler
        atexit.register(_stop_neo4j, Path(os.environ[FOLDER]) / "neo4j.pid")
        if given := os.environ.get("AGENTMEM_TEST_DSN"):
            atexit.register(_drop_templates, given, Path(os.environ[FOLDER]))


def _in_memory() -> Path | None:
    """A place for files in memory, if there is much of it; a disk that is asked for a database a test becomes slower and slower."""
    place = Path("/dev/shm")
    roomy = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > 4 * 2**30
    return place if roomy else None


def _drop_templates(server: str, folder: Path) -> None:
    """Leave a server that outlives its tests as it was."""
    with psycopg.connect(server, autocommit=True) as connection:
        for held in (False, True):
            connection.execute(f'DROP DATABASE IF EXISTS "{_template_name(folder, held=held)}"')


def _stop_neo4j(noted: Path) -> None:
    if noted.exists():  # at once, as its data go as well: to end in order takes it ten seconds
        neo4j_server.end(int(noted.read_text().split()[1]))


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """A folder that all workers of this test run share."""
    return Path(os.environ[FOLDER])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what runs with row-level security."""
    if item.path.stem in guarded.MODULES:
        item.add_marker("row_security")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, which stay: looking through them takes a fifth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest; leave out what needs a Neo4j where there can be none; in CI it fails instead."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if _without_neo4j():
        needing = [item for item in items if _needs_neo4j(item)]
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if not _needs_neo4j(item)]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the shared Neo4j start while other tests run; what is there from now on need not be looked through as garbage."""
    gc.collect()
    gc.freeze()
    wanted = any(_needs_neo4j(item) for item in session.items) and not session.config.option.collectonly
    if wanted and neo4j_server.startable() and not os.environ.get("NEO4J_TEST_URI"):
        _launched_neo4j(Path(os.environ[FOLDER]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line that tests were left out."""
    if _without_neo4j():
        line = f"The tests that need a Neo4j were left out; a Neo4j for the tests {neo4j_server.WANTED}."
        terminalreporter.write_line(line, yellow=True)


def _without_neo4j() -> bool:
    return neo4j_server.missing() is not None and os.environ.get("CI", "").lower() != "true"


def _needs_neo4j(item: pytest.Item) -> bool:
    return "neo4j_packages" in getattr(item, "fixturenames", ()) or item.get_closest_marker("neo4j") is not None


@pytest.fixture(scope="session")
def neo4j_packages() -> None:
    """Fails where there can be no Neo4j: tests that need one were left out, unless it is demanded."""
    if missing := neo4j_server.missing():
        pytest.fail(f"a Neo4j for the tests {missing}")


@pytest.fixture(scope="session")
def neo4j_settings(neo4j_packages: None, shared_folder: Path) -> dict[str, Any]:
    """Settings that name the Neo4j which all tests of this run share, each with tenants of its own."""
    if uri := os.environ.get("NEO4J_TEST_URI"):
        names = {name: os.environ.get(f"NEO4J_TEST_{name.upper()}") for name in ("username", "password", "database")}
        return {"neo4j_uri": uri} | {f"neo4j_{name}": value for name, value in names.items() if value}
    try:
        server = _launched_neo4j(shared_folder)
        server.wait()
    except RuntimeError:  # whatever it was, it may not be so again
        server = _launched_neo4j(shared_folder, instead_of=server)
        server.wait()
    return {"neo4j_uri": server.uri, "neo4j_password": neo4j_server.PASSWORD}


def _launched_neo4j(folder: Path, instead_of: neo4j_server.Server | None = None) -> neo4j_server.Server:
    """The Neo4j of this test run, which starts; a new one if it is still the one that has failed."""
    home, noted = folder / "neo4j", folder / "neo4j.pid"
    with FileLock(folder / "neo4j.lock"):
        if noted.exists():
            server = neo4j_server.Server(home, *map(int, noted.read_text().split()))
            if server != instead_of:
                return server
            server.kill()
        server = neo4j_server.Server.made(home)
        server.launch()
        noted.write_text(f"{server.port} {server.pid}")
    return server


@pytest.fixture
def own_neo4j(neo4j_packages: None, shared_folder: Path) -> Iterator[neo4j_server.Server]:
    """A Neo4j of the test's own, to be killed or emptied; made, but not started."""
    if os.environ.get("NEO4J_TEST_URI") and not neo4j_server.startable():
        pytest.skip(f"a Neo4j that a test may kill {neo4j_server.WANTED}")
    home = shared_folder / uuid4().hex
    server = neo4j_server.Server.made(home)
    yield server
    if server.pid:
        server.kill()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def neo4j(neo4j_settings: dict[str, Any]) -> AsyncIterator[Neo4jDatabase]:
    """The shared Neo4j."""
    database = Neo4jDatabase.of(AgentMemorySettings(**neo4j_settings))
    yield database
    await database.close()


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test has, for what is shared."""
    return f"tenant {uuid4().hex}"


@pytest.fixture
def data_dir(shared_folder: Path) -> Iterator[Path]:
    """A folder for an embedded server of the test's own; it does not exist yet."""
    folder = shared_folder / uuid4().hex / "a folder's 100% & more" / "data"
    yield folder
    shutil.rmtree(folder.parents[1], ignore_errors=True)


@pytest.fixture(scope="session")
def server(shared_folder: Path) -> str:
    """The DSN of the server's maintenance database."""
    if given := os.environ.get("AGENTMEM_TEST_DSN"):
        return given
    dsn = make_conninfo(embedded.start(shared_folder / "postgres"), dbname="postgres")
    with FileLock(shared_folder / "server.lock"), psycopg.connect(dsn, autocommit=True) as connection:
        if not (set_up := shared_folder / "server.set_up").exists():
            for setting in _HURRIED:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
            set_up.touch()
    return dsn


_HURRIED = (
    "fsync = off",
    "full_page_writes = off",
    "max_wal_size = '1GB'",
    "checkpoint_timeout = '1h'",
    "autovacuum = off",
)
"""Of the shared server, whose machine does not crash: a database is made and dropped for every test. A commit is still
written before it is acknowledged, so that a server that is killed loses none. No database lives for long enough to be
vacuumed, and while one is, the snapshot of who does it keeps dead rows where a test counts on their room."""


@pytest.fixture(scope="session")
def template(server: str, shared_folder: Path) -> str:
    """The name of a migrated database, made once per test run."""
    return _template(server, shared_folder, held=guarded.EVERYWHERE)


@pytest.fixture(scope="session")
def guarded_template(server: str, shared_folder: Path) -> str:
    """The name of one with row-level security."""
    return _template(server, shared_folder, held=True)


@cache
def _template(server: str, shared_folder: Path, *, held: bool) -> str:
    """The name of a migrated database, with row-level security or without."""
    name = _template_name(shared_folder, held=held)
    with FileLock(shared_folder / f"{name}.lock"), psycopg.connect(server, autocommit=True) as connection:
        made = shared_folder / f"{name}.made"
        if not made.exists():
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
            asyncio.run(_migrate(make_conninfo(server, dbname=name)))
            if held:
                guarded.guard(make_conninfo(server, dbname=name))
            made.touch()
    return name


def _template_name(shared_folder: Path, *, held: bool) -> str:
    return f"{TEMPLATE}_{'held_' if held else ''}{shared_folder.name.replace('-', '_')}"


async def _migrate(dsn: str) -> None:
    await Database(dsn).start()


@pytest.fixture(scope="session")
def maintenance(server: str) -> Iterator[psycopg.Connection[Any]]:
    """Makes and drops databases; opening a connection for each would take as long."""
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection


@pytest.fixture
def new_database(server: str, maintenance: psycopg.Connection[Any]) -> Iterator[Callable[[str], str]]:
    """Makes databases from a template and drops them after the test."""
    names: list[str] = []

    def make(template: str = "template0") -> str:
        names.append(f"test_{uuid4().hex}")
        # without fsync, copying files takes less than logging each of their pages
        maintenance.execute(f'CREATE DATABASE "{names[-1]}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return make_conninfo(server, dbname=names[-1])

    yield make
    for name in names:
        maintenance.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def dsn(
    request: pytest.FixtureRequest,
    new_database: Callable[[str], str],
    server: str,
    shared_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A database of its own, migrated; memories open it as a worker's role, if the test runs with row-level security."""
    held = guarded.EVERYWHERE or request.node.get_closest_marker("row_security") is not None
    dsn = new_database(_template(server, shared_folder, held=held))
    if held:
        guarded.opens_as_worker(monkeypatch, dsn)
    return dsn


@pytest.fixture
def empty_dsn(new_database: Callable[[str], str]) -> str:
    """A database of its own, empty."""
    return new_database("template0")


@pytest.fixture
async def memory(dsn: str) -> AsyncIterator[AgentMemory]:
    """A memory without model and embedder."""
    async with AgentMemory.open(dsn) as memory:
        yield memory


@pytest.fixture
async def opened(dsn: str) -> AsyncIterator[Callable[..., AgentMemory]]:
    """Opens memories on the test's database, with arguments and settings, and closes them after the test."""
    memories: list[AgentMemory] = []

    def make(*, settings: dict[str, object] | None = None, **arguments: object) -> AgentMemory:
        memories.append(AgentMemory.open(dsn, settings=AgentMemorySettings(**(settings or {})), **arguments))
        return memories[-1]

    yield make
    for memory in memories:
        await memory.aclose()


@pytest.fixture
def rows(dsn: str) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Reads rows of the test's database directly, on one connection as long as the test does not end that as well."""
    opened: list[psycopg.Connection[Any]] = []

    def connection() -> psycopg.Connection[Any]:
        if not opened or opened[-1].closed:
            opened.append(psycopg.connect(dsn, autocommit=True, prepare_threshold=None))
        return opened[-1]

    def read(sql: str, *params: object) -> list[tuple[object, ...]]:
        try:
            cursor = connection().execute(sql, params)
        except psycopg.errors.AdminShutdown:
            cursor = connection().execute(sql, params)
        return cursor.fetchall() if cursor.description else []

    yield read
    for each in opened:
        each.close()
