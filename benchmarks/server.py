"""The server that stores and checkpointers are measured on."""

import os
import platform
from pathlib import Path
from uuid import uuid4

import psycopg
from folders import temporary
from psycopg.conninfo import make_conninfo

from langgraph_agentmem.storage.driver import embedded


def started(folder: Path | None = None) -> str:
    """The DSN of an embedded server, or of the one that BENCH_SERVER names; prints what it runs on.

    Args:
        folder: Where its data stays; by default a temporary folder, which goes with the process.
    """
    server = os.environ.get("BENCH_SERVER") or make_conninfo(
        embedded.start((folder or temporary()) / "data"), dbname="postgres"
    )
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}\n")
    return server


def database(server: str, name: str | None = None, *, new: bool = True) -> str:
    """The DSN of a database, which is created if it is new."""
    name = name or f"bench_{uuid4().hex}"
    if new:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    return make_conninfo(server, dbname=name)
