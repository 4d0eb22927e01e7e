"""The Citus cluster that AGENTMEM_CITUS_DSN names, prepared by the commands that users run."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import forking
import psycopg
from fakes import WordEmbedder

from langgraph_agentmem import AgentMemory, AgentMemoryStore

DSN = os.environ.pop("AGENTMEM_CITUS_DSN", "") or os.environ.get("AGENTMEM_TEST_CITUS_DSN", "")
"""Kept under a name that is the tests' own, as the package warns of variables that look like its settings."""
if DSN:
    os.environ["AGENTMEM_TEST_CITUS_DSN"] = DSN
WANTED = (
    "needs a Citus cluster: set AGENTMEM_CITUS_DSN to a database on its coordinator that has the extensions citus and "
    "vector, and whose schema agentmem and LangGraph's checkpoint tables may be dropped (docs/how-to/use-citus.md has one)"
)
LANGGRAPHS = ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "checkpoint_migrations")
BEFORE = "from before"
"""A tenant that had memory before the tables were distributed."""


def run(*arguments: str, dsn: str = DSN) -> subprocess.CompletedProcess[str]:
    """Run `agentmem` on the cluster."""
    agentmem = Path(sys.executable).with_name("agentmem")
    return forking.run(agentmem, *arguments, env=os.environ | {"AGENTMEM_DSN": dsn, "COLUMNS": "160"})


def prepare() -> dict[str, Any]:
    """Make and distribute the tables anew; returns what each command has said: exit code, output, errors."""
    with psycopg.connect(DSN, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS agentmem CASCADE")
        for table in LANGGRAPHS:
            connection.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
        done = {"too early": run("db", "distribute"), "migrate": run("db", "migrate", "--checkpoints")}
        asyncio.run(_remember())
        done |= {
            "dry run": run("db", "distribute", "--dry-run"),
            "status before": run("db", "status"),
            "distribute": run("db", "distribute"),
            "again": run("db", "distribute"),
            "status": run("db", "status"),
        }
        left = connection.execute("SELECT pg_relation_size('agentmem.section')").fetchone()
    said = {step: [ran.returncode, ran.stdout, ran.stderr] for step, ran in done.items()}
    return said | {"bytes left on the coordinator": left and left[0]}


async def _remember() -> None:
    async with AgentMemory.open(DSN, index=WordEmbedder()) as memory:
        await AgentMemoryStore(memory).aput((BEFORE, "notes"), "tea", {"text": "Green tea."})
