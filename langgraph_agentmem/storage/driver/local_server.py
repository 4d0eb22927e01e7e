"""Starts and joins the embedded server where files can be locked: everywhere but on Windows.

The wheel's programs are started by ourselves, without a shell, so that any path will do.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from langgraph_agentmem.storage.driver import data_folder, keeper
from langgraph_agentmem.storage.driver.data_folder import Identity

_SUPERUSER = "postgres"
_START_SECONDS = 60.0


class _Used(NamedTuple):
    """A server that this process uses, by descriptors of its folder and of the lock that says so."""

    folder: int
    lock: int
    process: int


_used: dict[tuple[int, int], _Used] = {}
"""By the device and the number of the folder."""


def joined(path: Path, package: Path) -> str:
    """The administrator's DSN of the server, which runs, and which this process is known to use.

    Args:
        path: The folder of its data.
        package: That of the wheel.

    Raises:
        ConfigurationError: The folder cannot be used; nothing was changed.
        SubprocessError: The server does not start.
    """
    user = data_folder.identity()
    if not data_folder.checked(path, user, content=False):
        data_folder.make(path, user)
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    held = keeper.locked(folder, ".", fcntl.LOCK_EX)
    try:
        programs = _programs(package, user)
        if not data_folder.checked(path, user):
            _initialize(path, programs, user)
        _use(folder)
        return _kept(path, folder, programs, user)
    finally:
        os.close(held)
        if folder not in {used.folder for used in _used.values()}:
            os.close(folder)


def leave() -> None:
    """Stop the servers that nobody else uses, and wait for that, so that their data can be moved behind the process."""
    for used in _used.values():
        if used.process == os.getpid():  # what a forked process has inherited is its parent's
            with suppress(OSError):
                keeper.locked(used.folder, ".", fcntl.LOCK_EX)
                os.close(used.lock)  # closed, not unlocked: a forked process may go on using it
                if keeper.unused(used.folder, patience=0.2):
                    keeper.stop(used.folder, keeper.pid_of(used.folder))


def _initialize(path: Path, programs: Path, user: Identity) -> None:
    options = ["--auth=trust", "--encoding=UTF8", "--no-locale", f"--username={_SUPERUSER}", f"--pgdata={path}"]
    _run([str(programs / "initdb"), *options], user)


def _command(path: Path, programs: Path, user: Identity) -> list[str]:
    where = data_folder.socket_folder(path, user)
    quoted = '"' + str(where).replace('"', '""') + '"'  # it is a list of folders
    settings = {"listen_addresses": "", "unix_socket_directories": quoted, "unix_socket_permissions": "0700"}
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(path), "-p", "5432", *options]


def _run(command: list[str], user: Identity) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", env=_environment(), **user.arguments
    )
    if done.returncode:
        raise subprocess.SubprocessError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")


def _environment() -> dict[str, str]:
    """The caller's, without what would change the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _kept(path: Path, folder: int, programs: Path, user: Identity) -> str:
    """The DSN of the server, which runs and has a keeper."""
    admin, until, launched = _running(path), time.monotonic() + _START_SECONDS, False
    if admin is not None:
        _launch(path, folder, [], user)
        return admin
    command = _command(path, programs, user)
    while time.monotonic() < until:
        if launched and _has_ended(folder):
            raise subprocess.SubprocessError("it has ended at once")
        # that of a server which has just died may take a moment to end
        launched = launched or _launch(path, folder, command, user)
        if (admin := _running(path)) is not None:
            return admin
        time.sleep(0.02)
    raise subprocess.SubprocessError(f"it takes no connections after {_START_SECONDS:g} s")


def _launch(path: Path, folder: int, command: list[str], user: Identity) -> bool:
    """Start a keeper, unless there is one; it starts the server, if there is a command to do so."""
    try:
        # it inherits the lock, which is free again when it has ended
        lock = keeper.locked(folder, keeper.KEEPER, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        with open(path / "log", "ab") as log:
            subprocess.run(
                [sys.executable, "-I", "-S", keeper.__file__, json.dumps([str(path), command, user.arguments])],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                pass_fds=[lock],
                start_new_session=True,
            )
    finally:
        os.close(lock)
    return True


def _has_ended(folder: int) -> bool:
    try:
        os.close(keeper.locked(folder, keeper.KEEPER, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _running(path: Path) -> str | None:
    """The DSN of the server that runs in a folder."""
    with suppress(OSError, IndexError, psycopg.OperationalError):
        noted = (path / "postmaster.pid").read_text().splitlines()
        admin = make_conninfo(host=noted[4], port=noted[3], user=_SUPERUSER, dbname="postgres")
        psycopg.connect(admin, connect_timeout=5).close()
        return admin
    return None


def _programs(package: Path, user: Identity) -> Path:
    """The folder of the programs; where the lent user may not enter the wheel's, that of a copy."""
    programs = package / f"pginstall{data_folder.VERSION}" / "bin"
    try:
        _run([str(programs / "postgres"), "--version"], user)
    except (PermissionError, subprocess.SubprocessError):
        if not user.lent:
            raise
        return _copied(package, programs)
    return programs


def _copied(package: Path, programs: Path) -> Path:
    changed = int((programs / "postgres").stat().st_mtime)
    copy = data_folder.default().parent / f"programs-{data_folder.VERSION}-{changed}"
    if not copy.exists():
        being_made = copy.with_name(f"{copy.name}.{os.getpid()}")
        for part in (programs.parent, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, being_made / part.relative_to(package.parent))
        for each in (being_made.parent, being_made, *being_made.rglob("*")):
            each.chmod(0o755)
        being_made.rename(copy)
    return copy / programs.relative_to(package.parent)


def _use(folder: int) -> None:
    """Note that this process uses the server, from now on until it ends."""
    status = os.fstat(folder)
    known = _used.get((status.st_dev, status.st_ino))
    if known is None or known.process != os.getpid():
        lock = keeper.locked(folder, keeper.USERS, fcntl.LOCK_SH)
        _used[status.st_dev, status.st_ino] = _Used(folder, lock, os.getpid())
