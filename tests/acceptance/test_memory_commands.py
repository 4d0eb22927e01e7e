"""`agentmem memories`, `show`, `edit`, `search`, `entity`, `runs`, `consolidate`, `promote`, `undo`, `export`, `grants`, `demo`."""

import asyncio
import functools
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start
from tiny_model import write_tiny_model

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.cli import transfer

Open = Callable[..., AgentMemory]
Done = subprocess.CompletedProcess[str]
AGENTMEM = Path(sys.executable).with_name("agentmem")
AS_ON_WINDOWS = Path(__file__).with_name("command_as_on_windows.py")
HOSTILE = "\x1b[31mred\x1b[0m [bold]b[/bold] \u202eturned"


@pytest.fixture
def agentmem(dsn: str) -> Callable[..., Done]:
    """Runs the command on the test's database."""

    def run(*arguments: object, **environment: str) -> Done:
        variables = {"AGENTMEM_DSN": dsn, "COLUMNS": "160", **environment}
        return forking.run(AGENTMEM, *map(str, arguments), env=os.environ | variables)

    return run


@pytest.fixture
async def told(agentmem: Callable[..., Done]) -> Callable[..., Any]:
    """What a command that succeeds prints; with `--json`, as the value that it is."""

    async def run(*arguments: object) -> Any:
        done = await asyncio.to_thread(agentmem, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return run


@pytest.fixture
async def refused(agentmem: Callable[..., Done]) -> Callable[..., Any]:
    """What a command that fails says, in one line."""

    async def run(*arguments: object) -> str:
        done = await asyncio.to_thread(agentmem, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        return done.stderr

    return run


async def test_a_section_is_edited_consolidated_found_promoted_and_undone(
    memory: AgentMemory, told: Callable[..., Any], refused: Callable[..., Any]
) -> None:
    id = await start(memory, "alice")
    assert "is at revision 2" in await told("edit", "alice", id, "facts", "--content", "- The launch is on May 1.")
    assert (await told("consolidate", "alice", id, "--dry-run", "--json"))["status"] == "dry_run"
    assert "1 updates of facts: 1 chunks added, 0 ended" in await told("consolidate", "alice", id)
    assert "is at revision 3" in await told("edit", "alice", id, "facts", "--old", "May 1", "--content", "June 3")
    assert "expected" in await refused("edit", "alice", id, "facts", "--content", "x", "--revision", 2)
    run = (await told("consolidate", "alice", id, "--json"))["run_id"]

    shown = await told("show", "alice", id)
    assert "facts (revision 3, " in shown
    assert ", by agentmem edit)\n- The launch is on June 3.\n" in shown
    [first, *_] = await told("search", "alice", "When is the launch?", "--json")
    assert (first["tier"], first["content"]) == ("shortterm", "- The launch is on June 3.")
    assert "the words say" in await told("search", "alice", "launch", "--explain")
    assert f"{run} │ {id} " in await told("runs", "alice")
    assert "Not promoted: 2 consolidations of 10" in await told("promote", "alice", id)
    assert "2 chunks" in await told("promote", "alice", id, "--force")
    assert "nothing" in (await told("consolidate", "alice", id, "--json"))["status"]
    assert [each["status"] for each in await told("runs", "alice", "--json")] == ["applied", "applied"]
    assert f"run {run} is undone" in await told("undo", "alice", run)


async def test_an_entity_is_shown_with_its_relationships_and_history(opened: Open, told: Callable[..., Any]) -> None:
    memory = opened(model=ScriptedModel(answer=answer))
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Ada/person knows Bob/person")
    shown = await told("entity", "alice", "Ada")

    assert shown.startswith("Ada (person), shortterm entity ")
    assert "│ Ada  │ knows        │ Bob │" in shown
    assert (await told("entity", "alice", (await told("entity", "alice", "Ada", "--json"))["id"])) == shown


async def test_two_tenants_see_nothing_of_each_other(memory: AgentMemory, told: Any, refused: Any) -> None:
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Ada has a secret.")
    [run] = await memory.runs.alist("alice")

    for found in [("memories", "bob"), ("search", "bob", "Ada secret"), ("runs", "bob")]:
        assert await told(*found, "--json") == []
    for known in [("show", "bob", id), ("edit", "bob", id, "facts", "--content", "x"), ("consolidate", "bob", id),
                  ("promote", "bob", id), ("undo", "bob", run.id), ("entity", "bob", "Ada")]:  # fmt: skip
        assert "tenant 'bob'" in await refused(*known) or "no run" in await refused(*known)


async def test_ids_are_printed_as_commands_take_them(memory: AgentMemory, told: Callable[..., Any], rows: Any) -> None:
    rows("ALTER TABLE agentmem.active_memory ALTER COLUMN id RESTART WITH 1234")
    await start(memory, "alice")

    assert "│ 1234 " in await told("memories", "alice")


async def test_what_is_stored_steers_no_terminal(memory: AgentMemory, told: Callable[..., Any]) -> None:
    id = (await memory.acreate_active_memory("alice", HOSTILE, {"sections": ["facts"]})).id
    await consolidate(memory, "alice", id, HOSTILE)
    for command in (("memories", "alice"), ("show", "alice", id), ("search", "alice", "turned", "--explain")):
        printed = await told(*command)
        assert not {"\x1b", "\u202e"} & {*printed}
        assert "\\x1b[31mred\\x1b[0m [bold]b[/bold]" in printed.replace("\n", " ")
    [each] = await told("memories", "alice", "--json")
    assert each["title"] == HOSTILE


async def test_a_text_comes_from_a_file_from_standard_input_or_from_an_editor(
    memory: AgentMemory, told: Callable[..., Any], refused: Callable[..., Any], dsn: str, tmp_path: Path
) -> None:
    id = await start(memory, "alice")
    (tmp_path / "text").write_text("From a file. ünï\n")
    await told("edit", "alice", id, "facts", "--file", tmp_path / "text")
    piped = await asyncio.to_thread(
        subprocess.run,
        [AGENTMEM, "edit", "alice", str(id), "facts", "--append", "--file", "-", "--dsn", dsn],
        input="From a pipe.", text=True, check=False, capture_output=True,
    )  # fmt: skip
    assert (piped.returncode, piped.stderr) == (0, "")
    assert (await memory.aget_active_memory("alice", id)).sections["facts"].content == "From a file. ünï\nFrom a pipe."
    assert "without a terminal there is no editor" in await refused("edit", "alice", id, "facts")
    assert "exclude each other" in await refused("edit", "alice", id, "facts", "--content", "x", "--file", "y")
    assert "cannot be read" in await refused("edit", "alice", id, "facts", "--file", tmp_path / "none")
    assert "unknown section 'none'" in await refused("edit", "alice", id, "none", "--content", "x")


async def test_pipes_are_utf_8_whatever_the_locale(memory: AgentMemory, dsn: str) -> None:
    id = await start(memory, "alice")
    say = functools.partial(
        subprocess.run, env=os.environ | {"AGENTMEM_DSN": dsn, "PYTHONIOENCODING": "cp1252"}, capture_output=True
    )
    edited = await asyncio.to_thread(
        say, [AGENTMEM, "edit", "alice", str(id), "facts", "--file", "-"], input="May 1 → 三月".encode()
    )
    assert (edited.returncode, edited.stderr) == (0, b"")
    assert (await memory.aget_active_memory("alice", id)).sections["facts"].content == "May 1 → 三月"
    shown = await asyncio.to_thread(say, [AGENTMEM, "show", "alice", str(id)])
    assert (shown.returncode, shown.stderr, "May 1 → 三月" in shown.stdout.decode()) == (0, b"", True)


async def test_commands_work_where_the_default_loop_is_as_on_windows(
    memory: AgentMemory, dsn: str, new_database: Any, template: str, tmp_path: Path
) -> None:
    await consolidate(memory, "alice", await start(memory, "alice"), "Ada is here.")
    file = tmp_path / "all.jsonl"
    for database, command in (
        (dsn, ("export", file)),
        (new_database(template), ("import", "file", file)),
        (dsn, ("threads", "prune", "--older-than", "1d")),
    ):
        done = await asyncio.to_thread(
            forking.run, AS_ON_WINDOWS, *map(str, command), env=os.environ | {"AGENTMEM_DSN": database}
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_what_comes_from_a_pipe_is_kept_in_a_closed_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"exported")))
    with transfer._kept(Path("-")) as kept:
        descriptors = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
        opened = [os.fstat(int(each.name)).st_ino for each in descriptors.iterdir() if each.exists()]
        assert (kept.read_bytes(), kept.stat().st_ino in opened) == (b"exported", False)
    assert not kept.parent.exists()


async def test_all_is_exported_into_a_file_that_is_there_when_it_is_whole(
    memory: AgentMemory, told: Callable[..., Any], refused: Callable[..., Any], tmp_path: Path
) -> None:
    for tenant in ("alice", "bob"):
        await consolidate(memory, tenant, await start(memory, tenant), f"{tenant} is here.")
    file, compressed = tmp_path / "all.jsonl", tmp_path / "alice.jsonl.gz"

    assert "2 tenants, 2 memories, 2 chunks, 0 entities" in await told("export", file)
    assert "1 tenants, 1 memories, 1 chunks" in await told("export", compressed, "--tenant", "alice")
    assert file.stat().st_mode & 0o777 == 0o600
    lines = gzip.decompress(compressed.read_bytes()).splitlines()
    assert json.loads(lines[1]) == {"tenant": "alice"}
    assert "bob" not in str(lines)
    assert "exists already" in await refused("export", file)
    assert "tenant 'nobody' has no memories" in await refused("export", tmp_path / "n", "--tenant", "nobody")
    assert "cannot be written" in await refused("export", tmp_path / "no folder" / "n")
    assert sorted(os.listdir(tmp_path)) == ["alice.jsonl.gz", "all.jsonl"]


async def test_another_embedder_takes_over(
    memory: AgentMemory, agentmem: Callable[..., Done], refused: Callable[..., Any], rows: Any, tmp_path: Path
) -> None:
    await consolidate(memory, "alice", await start(memory, "alice"), "- Ada writes the engine.\n- The cat sleeps.")
    assert "AGENTMEM_EMBEDDINGS names no embedder" in await refused("reembed")
    short, long = (f"local:{write_tiny_model(tmp_path / str(size), size)}" for size in (13, 20))

    first = await asyncio.to_thread(agentmem, "reembed", AGENTMEM_EMBEDDINGS=short)
    second = await asyncio.to_thread(agentmem, "reembed", "--old", short, AGENTMEM_EMBEDDINGS=long)

    assert [(done.returncode, done.stdout) for done in (first, second)] == [(0, "2 vectors computed\n")] * 2
    assert rows("SELECT DISTINCT vector_dims(embedding) FROM agentmem.memory_chunk") == [(20,)]


@pytest.mark.slow
def test_the_demo_tells_the_whole_cycle() -> None:
    done = forking.run(AGENTMEM, "demo", env=os.environ)

    assert (done.returncode, done.stderr) == (0, "")
    assert "promoted to long-term memory, chunks: 4" in done.stdout
    assert "longterm, still valid: - The launch is on June 3." in done.stdout


async def test_an_exported_file_is_imported_once_also_from_a_pipe(
    memory: AgentMemory,
    told: Callable[..., Any],
    agentmem: Callable[..., Done],
    new_database: Any,
    template: str,
    tmp_path: Path,
) -> None:
    await consolidate(memory, "alice", await start(memory, "alice"), "Ada is here.")
    file = tmp_path / "all.jsonl.gz"
    held = await told("export", file)
    there = new_database(template)
    arguments = [AGENTMEM, "import", "file", "-", "--dsn", there]
    piped = await asyncio.to_thread(
        subprocess.run, arguments, input=file.read_bytes(), check=False, capture_output=True
    )
    assert (piped.returncode, piped.stderr.decode(), piped.stdout.decode()) == (0, "", held)
    again = await asyncio.to_thread(agentmem, "import", "file", file, AGENTMEM_DSN=there)
    assert (again.returncode, again.stdout) == (1, "")
    assert "1 of the 1 tenants in the file have memories here already ('alice')" in again.stderr
    file.write_bytes(file.read_bytes()[:-9])
    damaged = await asyncio.to_thread(agentmem, "import", "file", file, AGENTMEM_DSN=there)
    assert (damaged.returncode, "Traceback" in damaged.stderr) == (1, False)
    assert "cannot be read" in damaged.stderr


async def test_grants_are_given_listed_and_revoked(
    memory: AgentMemory, told: Callable[..., Any], refused: Callable[..., Any]
) -> None:
    assert "--all for all of them" in await refused("grants", "give", "alice", "bob")
    assert "--all for all of them" in await refused("grants", "give", "alice", "bob", "alice", "--all")
    for days in (0, "nan", "inf", 1e300):
        said = await refused("grants", "give", "alice", "bob", "--all", "--days", days)
        assert "--days must be more than 0 and less than 100,000, not " in said
    given = await told("grants", "give", "alice", "bob", "alice", "my notes", "--days", 2, "--json")
    assert (given["namespace"], given["expires_at"] > given["created_at"]) == (["alice", "my notes"], True)
    assert await told("grants", "give", "alice", HOSTILE, "--all") == (
        "\\x1b[31mred\\x1b[0m [bold]b[/bold] \\x202eturned may search everything of alice\n"
    )

    assert [each["reader"] for each in await told("grants", "list", "alice", "--json")] == [HOSTILE, "bob"]
    listed = await told("grants", "list", "alice")
    assert "'alice' 'my notes'" in listed
    assert "everything" in listed
    assert await told("grants", "list", "bob", "--received", "--json") == [given]
    assert await told("grants", "list", "bob") == "Nobody else may search its memory.\n"
    assert await told("grants", "list", "alice", "--received") == "It may search nothing of others.\n"
    assert await told("grants", "revoke", "alice", "bob", "alice") == "0 grants revoked\n"
    assert await told("grants", "revoke", "alice", "bob") == "1 grants revoked\n"
