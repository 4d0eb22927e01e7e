"""Keeps an embedded server running for as long as somebody uses it; a program of its own that imports nothing of ours.

Whoever uses the server holds a shared lock on a file. The system releases it when a process ends, however it ends: the
keeper, which waits to have that lock alone, hears of the last one's end also where that was killed.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

USERS, KEEPER = ".agentmem-users", ".agentmem-keeper"
"""Files in the data folder: locked by all users together, and by the keeper."""


def locked(folder: int, name: str, how: int) -> int:
    """A descriptor of a file in a folder, or of the folder itself ("."), that holds a lock.

    Raises:
        BlockingIOError: Others hold it, and this is not to wait.
        OSError: The folder was removed.
    """
    flags = os.O_RDONLY if name == "." else os.O_RDWR | os.O_CREAT
    # the folder is closed to others; the server, which may be another user's, reads all of it for a base backup
    descriptor = os.open(name, flags | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def unused(folder: int, *, patience: float = 0.0) -> bool:
    """Whether nobody uses the server; asked by who holds the folder's lock, so that nobody comes meanwhile.

    Args:
        folder: A descriptor of it.
        patience: Seconds for others to let go who only look, as the keeper does.
    """
    until = time.monotonic() + patience
    while True:
        try:
            os.close(locked(folder, USERS, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.01)
        else:
            return True


def pid_of(folder: int) -> int | None:
    """The process of the folder's server, as it has noted itself."""
    try:
        with open(os.open("postmaster.pid", os.O_RDONLY, dir_fd=folder)) as noted:
            return int(noted.readline())
    except (OSError, ValueError):
        return None


def stop(folder: int, pid: int | None) -> None:
    """Let a server end its sessions and end, and wait until it has, for half a minute."""
    if pid is None:
        return
    try:
        os.kill(pid, signal.SIGINT)
        until = time.monotonic() + 30
        while pid_of(folder) == pid and time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.02)
    except ProcessLookupError:
        pass


def wait_for_users(folder: int) -> None:
    """Return when nobody uses the server; the folder's lock is held from then on, until the process ends."""
    while True:
        try:
            os.close(locked(folder, USERS, fcntl.LOCK_EX))  # not kept, or who comes would wait for it
            start = locked(folder, ".", fcntl.LOCK_EX)
            if unused(folder):
                return
            os.close(start)
        except OSError:  # the folder was removed
            return


def main(path: str, command: list[str], identity: dict[str, Any]) -> None:
    """Start a server and stop it when nobody uses it any more; without a command, look after the one that runs."""
    if os.fork():  # whoever starts the keeper has no child to see to
        os._exit(0)
    folder = os.open(path, os.O_RDONLY)
    os.chdir("/")
    if not command:
        wait_for_users(folder)
        stop(folder, pid_of(folder))
        return
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, **identity)

    def end() -> None:
        wait_for_users(folder)
        server.send_signal(signal.SIGINT)

    threading.Thread(target=end, daemon=True).start()
    server.wait()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
