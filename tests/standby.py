"""A real standby that follows the embedded server: whoever asks it may only read."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from langgraph_agentmem.storage.driver import data_folder


@contextmanager
def of(dsn: str, folder: Path) -> Iterator[str]:
    """The DSN of a standby of the server of a DSN, with its data in a folder that does not exist yet."""
    user = data_folder.identity()
    data_folder.make(folder, user)
    sockets = data_folder.socket_folder(folder, user)
    with psycopg.connect(dsn) as connection:
        [(found,)] = connection.execute("SELECT setting FROM pg_config() WHERE name = 'BINDIR'").fetchall()
    programs = Path(found)
    primary = make_conninfo(dsn, dbname="postgres")  # pg_basebackup takes it, and notes it for the standby

    def run(program: str, *arguments: str) -> None:
        command = [programs / program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **user.arguments)
        assert done.returncode == 0, done.stderr

    run("pg_basebackup", "-D", str(folder), "-d", primary, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
    for copied in folder.glob(".s.PGSQL.*.lock"):
        copied.unlink()
    settings = f"-c listen_addresses= -c unix_socket_directories={sockets}"
    run("pg_ctl", "start", "-D", str(folder), "-l", str(folder / "log"), "-o", settings)
    try:
        yield make_conninfo(dsn, host=str(sockets), port=5432)
    finally:
        run("pg_ctl", "stop", "-D", str(folder), "-m", "immediate")
