"""`agentmem db` prepares a database that holds tenants apart, and says what is lacking."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import forking
import psycopg
import pytest
from guarded import as_role

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore

AGENTMEM = Path(sys.executable).with_name("agentmem")
NOTES = ("alice", "notes")
Db = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def db(empty_dsn: str) -> Db:
    """Runs a command of the group on an empty database, as its owner or as a role."""

    def run(*arguments: str, role: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        dsn = empty_dsn if role is None else as_role(empty_dsn, role)
        return forking.run(
            AGENTMEM, "db", *arguments, env=os.environ | {"AGENTMEM_DSN": dsn, "COLUMNS": "160"} | environment
        )

    return run


@pytest.fixture
def roles(empty_dsn: str) -> Iterator[tuple[str, str]]:
    """The names of two roles that there are not yet; gone with the test, as roles are the server's."""
    names = (f"app {uuid4().hex}", f"worker {uuid4().hex}")
    yield names
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        for name in names:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                connection.execute(f'DROP OWNED BY "{name}"')
                connection.execute(f'DROP ROLE "{name}"')


def row_security(done: subprocess.CompletedProcess[str]) -> str:
    [line] = [line for line in done.stdout.splitlines() if "row security" in line]
    return " ".join(line.split())


def test_a_server_without_citus_has_nothing_to_distribute_over(db: Db) -> None:
    for arguments in ((), ("--dry-run",)):
        done = db("distribute", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "This database has no Citus: nothing was done.\n"
    assert "distribution" not in db("status").stdout


async def test_from_an_empty_database_to_two_roles_in_two_commands(
    db: Db, roles: tuple[str, str], empty_dsn: str
) -> None:
    app, worker = roles
    # without the option, the setting is the default
    for chosen in ({"AGENTMEM_ROW_SECURITY": "on"}, {}):
        migrated = db("migrate", "--checkpoints", **chosen)
        assert (migrated.returncode, migrated.stderr) == (0, "")
        assert "17 tables hold tenants apart, but not from" in row_security(migrated), "what does so stays"
    granted = db("roles", "--app", app, "--worker", worker, "--run")
    assert (granted.returncode, f'CREATE ROLE "{app}" LOGIN' in granted.stdout) == (0, True)
    assert "CREATE ROLE" not in db("roles", "--app", app, "--worker", worker, "--run").stdout

    for role, may in ((app, "may not"), (worker, "may")):
        status = db("status", role=role, AGENTMEM_ROW_SECURITY="on")
        assert status.returncode == 0, status.stdout
        assert row_security(status) == (
            f"ok row security 17 tables hold tenants apart from '{role}', which {may} look over all of them"
        )
    settings: Any = AgentMemorySettings(row_security="on")
    async with AgentMemory.open(as_role(empty_dsn, app), settings=settings) as memory:
        store = AgentMemoryStore(memory)
        await store.aput(NOTES, "tea", {"text": "Green tea."})
        assert await store.aget(NOTES, "tea") is not None
    async with AgentMemory.open(as_role(empty_dsn, worker), settings=settings) as memory:
        assert await AgentMemoryStore(memory).alist_namespaces() == [NOTES]


def test_roles_are_only_printed_unless_they_are_to_be_made(db: Db, roles: tuple[str, str], empty_dsn: str) -> None:
    missing = db("roles")
    assert (missing.returncode, "agentmem db migrate" in missing.stderr) == (1, True)
    db("migrate", "--row-security")
    printed = db("roles", "--app", roles[0])

    assert (printed.returncode, roles[1] in printed.stdout, "agentmem_lookups" in printed.stdout) == (0, False, False)
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        assert connection.execute("SELECT 1 FROM pg_roles WHERE rolname = ANY (%s)", [list(roles)]).fetchall() == []
        connection.execute(printed.stdout.encode())  # as an administrator pastes it
        assert connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [roles[0]]).fetchall() == [(1,)]


def test_status_says_what_is_lacking_and_changes_nothing(db: Db) -> None:
    assert "there are no tables yet" in db("status").stdout
    db("migrate", "--no-row-security")
    assert row_security(db("status")) == "ok row security off: the statements alone hold tenants apart"
    wanted = db("status", AGENTMEM_ROW_SECURITY="on")

    assert wanted.returncode == 1
    assert row_security(wanted).startswith("error row security policies are missing from active_memory, ")
    assert row_security(wanted).endswith("; run `agentmem db migrate --row-security` as the owner")


def line(done: subprocess.CompletedProcess[str], check: str) -> str:
    [found] = [line for line in done.stdout.splitlines() if f"  {check}  " in line]
    return " ".join(found.split())


def test_a_check_succeeds_once_programs_can_start(db: Db, empty_dsn: str) -> None:
    assert (db("status").returncode, db("check").returncode) == (0, 1), "the tables are yet to be made"
    db("migrate", "--checkpoints")
    assert db("check").returncode == 0, db("check").stdout
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("DROP INDEX agentmem.section_newest")
    checked = db("check")
    assert (checked.returncode, db("status").returncode) == (1, 0), "searches are slow, and answer"
    told = {finding["check"]: finding["severity"] for finding in json.loads(db("check", "--json").stdout)}
    assert (told["schema"], told["indexes"]) == ("ok", "warning")
    assert line(checked, "indexes").startswith("warning indexes missing are section_newest; run as the owner: CREATE ")


def test_rights_that_a_role_lacks_are_told_with_what_grants_them(
    db: Db, roles: tuple[str, str], empty_dsn: str
) -> None:
    app, _ = roles
    db("migrate", "--checkpoints")
    db("roles", "--app", app, "--run")
    fine = db("check", role=app)
    assert (fine.returncode, line(fine, "permissions")[:30]) == (0, f"ok permissions '{app}"[:30])
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        for statement in (
            "REVOKE DELETE ON agentmem.mention FROM",
            "REVOKE SELECT ON agentmem.longterm_entity FROM",
            "REVOKE UPDATE ON checkpoint_blobs FROM",
            "REVOKE USAGE ON ALL SEQUENCES IN SCHEMA agentmem FROM",
        ):
            connection.execute(f'{statement} "{app}"'.encode())
    lacking = db("check", role=app)
    said = line(lacking, "permissions")
    assert lacking.returncode == 1
    assert said.startswith(
        f"error permissions '{app}' cannot read longterm_entity; cannot write mention, public.checkpoint_blobs; cannot draw"
    )
    assert said.endswith(f"; run `agentmem db roles --app '{app}' --run` as the owner")
    db("roles", "--app", app, "--run")
    assert db("check", role=app).returncode == 0


def test_who_only_reads_is_told_so(db: Db, roles: tuple[str, str], empty_dsn: str) -> None:
    app, _ = roles
    db("migrate")
    db("roles", "--app", app, "--run")
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute(f'REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA agentmem FROM "{app}"'.encode())
    reads = db("status", role=app)
    assert (reads.returncode, db("check", role=app).returncode) == (0, 1)
    assert line(reads, "permissions").startswith(
        f"warning permissions '{app}' may only read: searches and reads answer"
    )
    session = db("status", PGOPTIONS="-c default_transaction_read_only=on")
    assert "only read: searches and reads answer" in line(session, "permissions")


def test_a_large_tenant_gets_indexes_for_itself_and_gives_them_back(db: Db, empty_dsn: str) -> None:
    db("migrate")
    with AgentMemory.open(empty_dsn) as memory:
        memory.create_active_memory("acme [x]", "Apollo", {"sections": ["plan"]})
    nothing = "No tenant has indexes for itself.\n"
    assert db("tenant-index").stdout == nothing

    for _ in range(2):
        done = db("tenant-index", "--tenant", "acme [x]")
        assert (done.returncode, done.stderr, done.stdout.count("acme [x]")) == (0, "", 1), done.stdout
    [told] = json.loads(db("tenant-index", "--json").stdout)
    assert (told["external_id"], told["usable"], told["name"][:19]) == ("acme [x]", True, "memory_chunk_words_")
    assert db("check").returncode == 0
    assert db("tenant-index", "--tenant", "acme [x]", "--drop").stdout == nothing


def test_indexes_of_nobody_in_particular_are_refused(db: Db) -> None:
    db("migrate")
    whose = db("tenant-index", "--drop")
    assert (whose.returncode, whose.stdout) == (1, "")
    assert whose.stderr == "error: --drop does not say whose indexes are to go; name the tenant with --tenant\n"
    unknown = db("tenant-index", "--tenant", "acme")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: tenant 'acme' has no memories to be indexed; name one that has")
