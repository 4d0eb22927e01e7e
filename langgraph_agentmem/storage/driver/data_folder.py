"""The folder of the embedded server's data: whether it can be used is found out before anything is changed in it."""

import hashlib
import os
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from langgraph_agentmem.errors import ConfigurationError

VERSION = "18"
"""Of the PostgreSQL in the wheel."""
SYSTEM_USER = "pgserver"
_LONGEST_SOCKET = 103
"""Bytes of a socket's path that every system takes."""


class Identity(NamedTuple):
    """As which user the server runs; root, as whom it does not, lends it one of its own."""

    uid: int
    gid: int
    lent: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """What a subprocess is started with to run as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.lent else {}


def identity() -> Identity:
    """As which user the server is to run.

    Raises:
        ConfigurationError: This is root, and the system user cannot be made.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), lent=False)
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        known = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", SYSTEM_USER], check=True, capture_output=True)
            known = pwd.getpwnam(SYSTEM_USER)
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and its system user {SYSTEM_USER!r} cannot be made ({error}); "
                f"make it (useradd --system {SYSTEM_USER}), run this as another user, or pass the DSN of a server"
            ) from error
    return Identity(known.pw_uid, known.pw_gid, lent=True)


def checked(path: Path, user: Identity, *, content: bool = True) -> bool:
    """Whether a folder, which need not exist, holds data already.

    Args:
        path: The folder.
        user: As whom the server runs.
        content: Whether to look at what it holds. Another process may be about to make it, so that only who has locked
            the folder can tell a part from a whole.

    Raises:
        ConfigurationError: It holds something else, is somebody else's, or cannot be reached by the server.
    """
    if any(char in str(path) for char in "\0\n\r"):
        raise ConfigurationError(f"the embedded PostgreSQL takes no path with a line break: {str(path)!r}")
    if user.lent:
        _refuse_closed(path, user)
    if not path.exists():
        return False
    if not path.is_dir():
        raise ConfigurationError(f"the embedded PostgreSQL needs a folder for its data, and {path} is a file")
    owner, found = path.stat().st_uid, sorted(each.name for each in path.iterdir())
    if owner != user.uid and not (owner == os.geteuid() and not found):
        raise ConfigurationError(
            f"the embedded PostgreSQL does not touch {path}, which belongs to another user (uid {owner}); give a "
            "folder that does not exist yet, or an empty one of your own"
        )
    if not found:
        return False
    if content:
        _refuse_other_content(path, found)
    return True


def _refuse_other_content(path: Path, found: list[str]) -> None:
    if "PG_VERSION" not in found or not (path / "global" / "pg_control").exists():
        shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
        raise ConfigurationError(
            f"{path} holds no data of the embedded PostgreSQL, or only a part of it, but it is not empty ({shown}); "
            "give a folder that does not exist yet, or an empty one, or empty this one if what it holds may go"
        )
    version = (path / "PG_VERSION").read_text().strip()
    if version != VERSION:
        raise ConfigurationError(
            f"{path} holds data of PostgreSQL {version}, and the embedded one is {VERSION}; give another folder"
        )


def _refuse_closed(path: Path, user: Identity) -> None:
    """Refuse a folder below one that the lent user may not enter; none is opened up for it."""
    for above in path.parents:
        if not above.exists():
            continue
        mode = above.stat()
        if not (mode.st_mode & stat.S_IXOTH or (mode.st_uid == user.uid and mode.st_mode & stat.S_IXUSR)):
            raise ConfigurationError(
                f"as root, the embedded PostgreSQL runs as the system user {SYSTEM_USER!r}, which may not enter "
                f"{above}; give another folder for its data ({default()} is the default), or run this as another user"
            )


def default() -> Path:
    """The folder where none is named: the user's own, or the system's for root."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/langgraph-agentmem/postgres")
    import platformdirs  # noqa: PLC0415 - only who has no server of their own needs it

    return Path(platformdirs.user_data_dir("langgraph-agentmem", appauthor=False)) / "postgres"


def make(path: Path, user: Identity) -> None:
    """Make a folder that only the server's user enters."""
    missing = [above for above in path.parents if not above.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for above in missing if user.lent else []:
        above.chmod(0o755)  # ours, whatever the umask: the server has to pass
    if user.lent:
        os.chown(path, user.uid, user.gid)
    path.chmod(0o700)


def socket_folder(path: Path, user: Identity) -> Path:
    """Where the server's socket is: with its data, or where that path is too long, in a short folder as closed.

    Whoever reaches the socket is the server's superuser.

    Raises:
        ConfigurationError: There is no short path, or somebody else has taken it.
    """
    if _fits(path):
        return path
    name = f"agentmem-{hashlib.sha256(f'{path}-{path.stat().st_ino}'.encode()).hexdigest()[:12]}"
    for base in (tempfile.gettempdir(), "/tmp"):
        if _fits(short := Path(base) / name):
            return _closed(short, user)
    raise ConfigurationError(f"the path of {path} is too long for a socket; give a shorter folder for its data")


def _fits(path: Path) -> bool:
    # a comma would part hosts
    return len(os.fsencode(path / ".s.PGSQL.5432")) <= _LONGEST_SOCKET and "," not in str(path)


def _closed(path: Path, user: Identity) -> Path:
    try:
        path.mkdir(mode=0o700)
        if user.lent:
            os.chown(path, user.uid, user.gid)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user.uid or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{path}, where the embedded PostgreSQL would have its socket, is not a folder that is only its own; "
            "remove it, or give a shorter folder for the data"
        )
    return path
