"""A real PgBouncer in transaction mode before the tests' server."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo


def _found() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


PROGRAM = _found()
needed = pytest.mark.skipif(
    not PROGRAM and os.environ.get("CI", "").lower() != "true", reason="there is no pgbouncer here (Debian: pgbouncer)"
)
"""For tests that want one: without it they are skipped, but fail where it is demanded."""
_FOLLOWS_STATEMENTS = (1, 21)
"""From this version on it can prepare a client's statements itself, in whichever session the client gets."""


@contextmanager
def before(dsn: str, folder: Path, *, mode: str = "transaction", sessions: int = 3) -> Iterator[str]:
    """The DSN of a PgBouncer before the server of a DSN, with so many sessions on it."""
    assert PROGRAM
    target = conninfo_to_dict(dsn)
    host, port = str(target.get("host") or "127.0.0.1"), str(target.get("port") or 5432)
    password = f" password={target['password']}" if target.get("password") else ""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own_port = free.getsockname()[1]
    folder.mkdir(parents=True)
    settings = folder / "pgbouncer.ini"
    settings.write_text(f"""
[databases]
* = host={host} port={port} user={target.get("user", "postgres")}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 500
server_round_robin = 1
{"max_prepared_statements = 200" if version() >= _FOLLOWS_STATEMENTS else ""}
""")
    process = subprocess.Popen([PROGRAM, "-q", *_as_user(host, folder), settings], stderr=subprocess.DEVNULL)
    try:
        through = make_conninfo(dsn, host="127.0.0.1", port=own_port)
        _wait(through)
        yield through
    finally:
        process.terminate()
        process.wait()


def missing() -> str | None:
    """Why there is no PgBouncer for the tests; None where there is one."""
    return None if _found() else "it is not installed (Debian: apt-get install pgbouncer)"


def version() -> tuple[int, int]:
    """Of the program: major and minor."""
    assert PROGRAM
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    major, minor = said.split()[1].split(".")[:2]
    return int(major), int(minor)


def _as_user(host: str, folder: Path) -> list[str]:
    """Not root, which it refuses to run as, but whoever may use the server's socket."""
    if os.getuid() != 0:
        return []
    owner = pwd.getpwuid(os.stat(host).st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid)
    shutil.chown(folder, owner.pw_name)
    return ["-u", owner.pw_name]


def _wait(dsn: str) -> None:
    for _ in range(100):
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    psycopg.connect(dsn).close()
