"""`agentmem`, as people use it: what it prints, and how it ends."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import psycopg
import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start
from waiting import until_rows, until_waiting

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.projection import Neo4jDatabase

Open = Callable[..., AgentMemory]
AGENTMEM = Path(sys.executable).with_name("agentmem")
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def agentmem(dsn: str, neo4j_settings: dict[str, Any]) -> Callable[..., Done]:
    """Runs the command on the test's databases."""

    def run(*arguments: str, **environment: str) -> Done:
        settings = {name.upper(): value for name, value in neo4j_settings.items()}
        variables = {"AGENTMEM_DSN": dsn, "COLUMNS": "160", **settings, **environment}
        return forking.run(AGENTMEM, *arguments, env=os.environ | variables)

    return run


@pytest.fixture
async def filled(opened: Open, neo4j: Neo4jDatabase, tenant: str) -> AgentMemory:
    memory = opened(model=ScriptedModel(answer=answer), graph=neo4j)
    await consolidate(memory, tenant, await start(memory, tenant), "Ada/person knows Bob/person")
    return memory


def following(dsn: str, neo4j_settings: dict[str, Any]) -> forking.Process:
    settings = {name.upper(): value for name, value in neo4j_settings.items()}
    command = ["graph", "project", "--follow", "--poll-seconds", "0.05"]
    return forking.Process(AGENTMEM, *command, env=os.environ | {"AGENTMEM_DSN": dsn, **settings})


async def call(run: Callable[..., Done], *arguments: str, **environment: str) -> Done:
    return await asyncio.to_thread(run, *arguments, **environment)


async def test_the_graph_is_projected_shown_verified_and_rebuilt(
    agentmem: Callable[..., Done], filled: AgentMemory, neo4j: Neo4jDatabase, tenant: str
) -> None:
    done = await call(agentmem, "graph", "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"{tenant} .* 4 .* s ago .* 0 .* never .* behind", done.stdout)
    done = await call(agentmem, "graph", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "4 things compared, 0 differences; 4 more differ because they still wait to be projected\n"
    done = await call(agentmem, "graph", "project")
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 changes projected, 0 set aside\n", "")
    assert "up to date" in (await call(agentmem, "graph", "status", "--tenant", tenant)).stdout
    await neo4j.write(tenant, lambda t: t.run("MATCH (n {external_id: $external_id}) DETACH DELETE n"))
    done = await call(agentmem, "graph", "verify", "--tenant", tenant)
    assert done.returncode == 1
    assert f"{tenant}: entity 1 'Ada': missing in Neo4j\n" in done.stdout
    assert done.stdout.endswith("4 things compared, 4 differences\n")
    assert done.stderr == "`agentmem graph rebuild` mends what differs.\n"
    told = json.loads((await call(agentmem, "graph", "verify", "--json")).stdout)
    assert (told["compared"], len(told["differences"]), told["differences"][0]["problem"]) == (4, 4, "missing")
    done = await call(agentmem, "graph", "status")
    assert done.returncode == 1
    assert "stuck" in done.stdout
    assert "emptied" in done.stderr
    [state] = json.loads((await call(agentmem, "graph", "status", "--json")).stdout)
    assert (state["external_id"], "emptied" in state["problem"]) == (tenant, True)
    done = await call(agentmem, "graph", "rebuild")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "4 entities, chunks and relationships written, 0 set aside\n"
    done = await call(agentmem, "graph", "verify")
    assert (done.returncode, done.stdout) == (0, "4 things compared, 0 differences\n")
    await neo4j.write(tenant, lambda t: t.run("MATCH (n {external_id: $external_id}) DETACH DELETE n"))
    project = (await filled.aget_active_memories(tenant))[0].id
    await consolidate(filled, tenant, project, "Ada/person likes Tea/drink")
    done = await call(agentmem, "graph", "project")
    assert (done.returncode, done.stdout) == (1, "0 changes projected, 0 set aside\n")
    assert re.match(r"problem: .* emptied.*\n\Z", done.stderr)


async def test_what_is_set_aside_is_shown_with_its_reason_and_tried_again(
    agentmem: Callable[..., Done], filled: AgentMemory, tenant: str, rows: Callable[..., Any]
) -> None:
    rows("UPDATE agentmem.entity SET types = '{NULL}', name = '[red]Ada[/red]' WHERE name = 'Ada'")
    done = await call(agentmem, "graph", "project")
    assert (done.returncode, done.stdout) == (1, "1 changes projected, 3 set aside\n")
    assert done.stderr == "`agentmem graph status` says why changes were set aside.\n"
    done = await call(agentmem, "graph", "status")
    assert done.returncode == 1
    assert f"{tenant}: entity 1 is set aside: Neo4j refused a statement" in done.stdout
    assert f"{tenant}: relationship 1 is set aside: Neo4j has not both of its ends" in done.stdout
    assert "'[red]Ada[/red]': missing" in (await call(agentmem, "graph", "verify")).stdout
    rows("UPDATE agentmem.entity SET types = '{person}'")
    assert (await call(agentmem, "graph", "project")).stdout == "0 changes projected, 0 set aside\n"
    assert (await call(agentmem, "graph", "project", "--retry-dead")).stdout == "3 changes projected, 0 set aside\n"


async def test_following_projects_whatever_comes_until_interrupted(
    filled: AgentMemory, dsn: str, neo4j_settings: dict[str, Any], tenant: str, rows: Callable[..., Any]
) -> None:
    project = (await filled.aget_active_memories(tenant))[0].id
    with following(dsn, neo4j_settings) as process:
        for text in ("Ada/person likes Tea/drink", "Bob/person likes Tea/drink"):
            await consolidate(filled, tenant, project, text)
            await until_rows(rows, "SELECT 1 FROM agentmem.graph_outbox", [])
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        done = await asyncio.to_thread(process.wait)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


async def test_following_ends_quietly_when_interrupted_as_it_waits_for_the_database(
    filled: AgentMemory, dsn: str, neo4j_settings: dict[str, Any], rows: Callable[..., Any]
) -> None:
    with following(dsn, neo4j_settings) as process:
        await until_rows(rows, "SELECT 1 FROM agentmem.graph_outbox", [])
        async with await psycopg.AsyncConnection.connect(dsn) as other:
            await other.execute("LOCK TABLE agentmem.graph_outbox")
            await until_waiting(rows)
            process.send_signal(signal.SIGINT)
            done = await asyncio.to_thread(process.wait)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("command", "environment", "said"),
    [
        ("project", {"NEO4J_URI": "bolt://127.0.0.1:1"}, "error: Neo4j at bolt://127.0.0.1:1 cannot be reached"),
        ("rebuild", {"NEO4J_URI": "nonsense"}, "error: Neo4j's address 'nonsense'"),
        ("verify", {"NEO4J_PASSWORD": "wrong"}, "error: Neo4j at .* refused user 'neo4j'; check NEO4J_USERNAME"),
        ("rebuild", {"NEO4J_DATABASE": "elsewhere"}, "error: Neo4j at .* has no database 'elsewhere'"),
        ("verify", {"AGENTMEM_DSN": "postgresql://127.0.0.1:1/x"}, "error: PostgreSQL cannot be reached"),
        ("project", {"AGENTMEM_POOL_SIZE": "0"}, "error: invalid settings: AGENTMEM_POOL_SIZE"),
        ("project --follow", {"NEO4J_PASSWORD": "wrong"}, "error: Neo4j at .* refused user 'neo4j'"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    agentmem: Callable[..., Done], filled: AgentMemory, command: str, environment: dict[str, str], said: str
) -> None:
    done = await call(agentmem, "graph", *command.split(), **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(said, done.stderr)
    assert done.stderr.count("\n") == 1


async def test_status_shows_the_lag_while_neo4j_is_down(agentmem: Callable[..., Done], filled: AgentMemory) -> None:
    done = await call(agentmem, "graph", "status", NEO4J_URI="bolt://127.0.0.1:1")
    assert done.returncode == 1
    assert "stuck" in done.stdout
    assert re.match(r"problem: Neo4j at bolt://127.0.0.1:1 cannot be reached.*\n\Z", done.stderr)


async def test_without_a_neo4j_or_a_graph_it_says_so(agentmem: Callable[..., Done], dsn: str) -> None:
    done = await call(agentmem, "graph", "status")
    assert (done.returncode, done.stdout, done.stderr) == (0, "PostgreSQL holds no graph yet.\n", "")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEO4J")}
    plain = await asyncio.to_thread(forking.run, AGENTMEM, "graph", "status", "--dsn", dsn, env=environment)
    assert (plain.returncode, plain.stdout) == (1, "")
    assert plain.stderr == "error: no Neo4j is configured; set NEO4J_URI, as in bolt://localhost:7687\n"


def test_help_and_version_need_no_server() -> None:
    installed = subprocess.run([AGENTMEM, "--version"], capture_output=True, text=True, check=False, timeout=300)
    helped = [
        forking.run(AGENTMEM, *asked, "--help", env=os.environ) for asked in ([], ["graph"], ["graph", "rebuild"])
    ]
    for done in (installed, *helped):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.strip()


def test_it_runs_as_a_module_where_its_script_is_not_on_the_path(tmp_path: Path) -> None:
    def run(*arguments: str) -> Done:
        command = [sys.executable, "-m", "langgraph_agentmem", *arguments]
        places = {"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env=os.environ | places, cwd=tmp_path
        )

    helped, mistaken = run("graph", "--help"), run("grpah")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "Usage: python -m langgraph_agentmem graph" in helped.stdout
    assert (mistaken.returncode, mistaken.stdout) == (2, "")
    assert "Usage: python -m langgraph_agentmem" in mistaken.stderr
