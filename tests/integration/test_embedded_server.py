"""The embedded server runs as long as somebody uses it, in any folder, and touches nothing that is not its own."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import fakes
import psycopg
import pytest
from waiting import until

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.storage.driver import data_folder, embedded

USE = """
import sys, time
from langgraph_agentmem import AgentMemory
memory = AgentMemory.open(data_dir=sys.argv[1], background=True)
memory.get_active_memories("alice")
print("up", flush=True)
time.sleep(float(sys.argv[2]))
"""


def user(folder: Path, seconds: float = 60) -> subprocess.Popen[str]:
    """A process that uses the server of a folder, and does."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.slow
async def test_it_ends_with_its_last_user_however_that_ends(data_dir: Path) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        first, last = user(data_dir), user(data_dir)
        first.send_signal(how)
        first.communicate()
        await asyncio.sleep(0.5)
        assert (data_dir / "postmaster.pid").exists()
        last.send_signal(how)
        last.communicate()
        await until(lambda: not (data_dir / "postmaster.pid").exists())


AMID_A_RUN = """
import asyncio, sys, threading
sys.path.insert(0, {tests!r})
from fakes import ScriptedModel
from langgraph_agentmem import AgentMemory, AgentMemorySettings

class Model(ScriptedModel):
    async def _agenerate(self, *args, **kwargs):
        asked.set()
        await asyncio.sleep(600)

def opened():
    settings = AgentMemorySettings(shortterm_update_threshold=1, avg_section_update_count=1)
    return AgentMemory.open(
        {dsn!r}, data_dir={folder!r}, model=Model(answer=print), background=True, settings=settings
    )

async def use(memory, tenant):
    made = await memory.acreate_active_memory(tenant, "Notes", {{"sections": ["a"]}})
    await memory.aupdate_active_memory_section(tenant, made.id, "a", "- a fox")
    while not asked.is_set():
        await asyncio.sleep(0.01)
"""
A_SCRIPT = """
asked, memory = threading.Event(), opened()
made = memory.create_active_memory("alice", "Notes", {"sections": ["a"]})
memory.update_active_memory_section("alice", made.id, "a", "- a fox")
assert asked.wait(60)
"""
A_KERNEL = """
asked, memory = threading.Event(), opened()
# a loop that outlives its cells, and is neither run nor closed at the end
asyncio.new_event_loop().run_until_complete(use(memory, "alice"))

asked, other, loop = threading.Event(), opened(), asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(use(other, "bob"), loop).result()
"""

A_COROUTINE = """
asked, memories = threading.Event(), [opened(), opened()]

async def both():
    await use(memories[0], "alice")
    asked.clear()
    await use(memories[1], "bob")

asyncio.run(both())
"""
MANY_IN_A_KERNEL = """
asked, memories = threading.Event(), [opened() for _ in range(6)]

async def all_of_them():
    for memory in memories:
        await memory.aget_active_memories("alice")
    await use(memories[0], "alice")

asyncio.new_event_loop().run_until_complete(all_of_them())
"""
AMID_STATEMENTS = """
import asyncio, psycopg
from langgraph_agentmem import AgentMemorySettings, AgentMemoryStore

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

async def use():
    settings = AgentMemorySettings(worker_poll_seconds=0.01)
    stores = [AgentMemoryStore.from_conn_string({dsn!r}, background=True, settings=settings) for _ in range(2)]
    for store in stores:
        await store.aput(("alice", "notes"), "a", {{"text": "a fox"}})
    blocking = await psycopg.AsyncConnection.connect({dsn!r})
    await blocking.execute("LOCK TABLE agentmem.active_memory IN ACCESS EXCLUSIVE MODE")
    watching = await psycopg.AsyncConnection.connect({dsn!r}, autocommit=True)
    while (await (await watching.execute(WAITING)).fetchone())[0] < 2:
        await asyncio.sleep(0.01)
    for connection in (watching, blocking):
        connection.pgconn.finish()

asyncio.run(use())
"""


def ends_amid_a_run(program: str, dsn: str | None = None, folder: Path | None = None) -> None:
    tests = str(Path(fakes.__file__).parent)
    ends_quietly(AMID_A_RUN.format(dsn=dsn, folder=folder and str(folder), tests=tests) + program)


def ends_quietly(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def assert_given_back(dsn: str, runs: int = 1) -> None:
    """Nothing runs any more, and the memories are offered at once."""
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT status FROM agentmem.consolidation_run").fetchall() == [("failed",)] * runs
        lease = "SELECT lease_owner, attempts, due_at <= now(), next_attempt_at FROM agentmem.active_memory"
        assert connection.execute(lease).fetchall() == [(None, 0, True, None)] * runs


@pytest.mark.slow
def test_a_program_that_closes_nothing_ends_quietly(data_dir: Path) -> None:
    ends_amid_a_run(A_SCRIPT, folder=data_dir)
    assert not (data_dir / "postmaster.pid").exists()
    assert_given_back(embedded.start(data_dir))


@pytest.mark.slow
def test_loops_that_nobody_has_stopped_give_back_what_is_under_way(dsn: str) -> None:
    ends_amid_a_run(A_KERNEL, dsn)
    assert_given_back(dsn, runs=2)


@pytest.mark.slow
def test_a_coroutine_that_closes_nothing_gives_back_what_is_under_way(dsn: str) -> None:
    ends_amid_a_run(A_COROUTINE, dsn)
    assert_given_back(dsn, runs=2)


@pytest.mark.slow
def test_what_one_worker_gives_back_at_the_end_no_other_takes(dsn: str) -> None:
    ends_amid_a_run(MANY_IN_A_KERNEL, dsn)
    assert_given_back(dsn)


@pytest.mark.slow
def test_workers_that_end_amid_statements_end_quietly(dsn: str) -> None:
    ends_quietly(AMID_STATEMENTS.format(dsn=dsn))
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT update_count FROM agentmem.section").fetchall() == [(2,)]


# the first two stay where they are: of a path with a comma, or of a long one, the sockets are elsewhere
@pytest.mark.parametrize("name", ["it's 100%41 a&b q\"q ä", "$(touch pwned) `touch pwned`", "a,b", "l" * 120])
def test_the_programs_take_any_path(shared_folder: Path, name: str) -> None:
    folder = shared_folder / f"paths {os.getpid()}" / name
    dsn = embedded.start(folder)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SHOW data_directory").fetchone() == (str(folder),)
        [(sockets,)] = connection.execute("SHOW unix_socket_directories").fetchall()
    where = Path(sockets.strip('"').replace('""', '"')).stat()
    assert stat.S_IMODE(where.st_mode) == 0o700
    assert where.st_uid == folder.stat().st_uid
    assert not list(Path.cwd().glob("pwned"))


@pytest.mark.slow
def test_processes_that_start_it_at_once_in_a_new_folder_all_get_it(shared_folder: Path) -> None:
    folder = shared_folder / f"at once {os.getpid()}"
    start = "import sys; from pathlib import Path; from langgraph_agentmem.storage.driver import embedded; "
    start += "embedded.start(Path(sys.argv[1]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", start, str(folder)], stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 6


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Modes and owners of all that is in a folder, and of those above it."""
    return {
        str(path): (path.stat().st_mode, path.stat().st_uid) for path in (*folder.parents, folder, *folder.rglob("*"))
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"notes.txt": ""}, "is not empty"),
        ({"PG_VERSION": "18"}, "only a part"),
        ({"base": ""}, "only a part"),
        ({".agentmem-users": "", "log": ""}, "is not empty"),
        ({"PG_VERSION": "16", "global/pg_control": ""}, "PostgreSQL 16"),
    ],
)
def test_a_folder_with_something_else_is_refused_as_it_is(
    shared_folder: Path, content: dict[str, str], message: str
) -> None:
    folder = shared_folder / f"other {os.getpid()} {abs(hash(tuple(content)))}"
    (folder / "global").mkdir(parents=True) if "global/pg_control" in content else folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    owner = data_folder.identity()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.uid, owner.gid)
    before = tree(folder)
    with pytest.raises(ConfigurationError, match=message):
        embedded.start(folder)
    assert tree(folder) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders of others, and lends the server a user")
def test_root_opens_nothing_up_and_takes_nothing_over(tmp_path: Path, shared_folder: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    foreign = shared_folder / f"foreign {os.getpid()}"
    foreign.mkdir()
    os.chown(foreign, 12345, 12345)
    for folder, message in ((closed / "data", "may not enter"), (foreign, "belongs to another user")):
        before = tree(folder) if folder.exists() else tree(folder.parent)
        with pytest.raises(ConfigurationError, match=message):
            embedded.start(folder)
        assert (tree(folder) if folder.exists() else tree(folder.parent)) == before


def test_a_socket_folder_that_somebody_else_has_made_is_refused(
    shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_folder.tempfile, "gettempdir", lambda: str(shared_folder))
    long = shared_folder / ("s" * 120)
    long.mkdir()
    made = data_folder.socket_folder(long, data_folder.identity())
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert len(os.fsencode(made / ".s.PGSQL.5432")) < len(b"x" * 104)
    made.chmod(0o777)
    with pytest.raises(ConfigurationError, match="only its own"):
        data_folder.socket_folder(long, data_folder.identity())


def test_a_coroutine_that_ends_while_connections_are_made_ends(dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        nowhere = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x"
        for address in (dsn, nowhere):
            code = f"""
import asyncio
from langgraph_agentmem import AgentMemory

async def main(seconds):
    memory = AgentMemory.open({address!r})
    calls = [asyncio.create_task(memory.aget_active_memories("alice")) for _ in range(10)]
    await asyncio.sleep(seconds)

for seconds in (0, 0.001, 0.01, 0.03, 0.1):
    asyncio.run(main(seconds))
"""
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode, done.stderr) == (0, ""), done.stderr
