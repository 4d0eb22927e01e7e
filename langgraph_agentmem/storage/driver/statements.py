"""The named SQL statements of `sql/*.sql`."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

from psycopg.sql import SQL

_SQL = files("langgraph_agentmem.storage") / "sql"
_NOT_SENT = re.compile(r"^ *--.*\n|^ +", re.MULTILINE)
"""Comments and indentation: the driver remembers how to read statements of up to 4,096 bytes only."""

_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_END = re.compile(r";\s*$", re.MULTILINE)


def named_blocks(text: str, comment: str) -> dict[str, str]:
    """The blocks of a text by name; each begins with a line comment that says `name: ...`."""
    _, *parts = re.split(rf"^{comment} name: (\w+)$", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


@cache
def statements(file: str) -> dict[str, bytes]:
    """The statements of `sql/<file>.sql` by name."""
    blocks = named_blocks((_SQL / f"{file}.sql").read_text(encoding="utf-8"), "--")
    return {name: _NOT_SENT.sub("", body).strip().encode() for name, body in blocks.items()}


@cache
def template(file: str, name: str) -> SQL:
    """A statement with placeholders for identifiers or literals, to be filled in by `format`."""
    return SQL(cast("LiteralString", statements(file)[name].decode()))


@cache
def migrations() -> list[tuple[int, str, bytes]]:
    """(version, name, SQL) of every migration, oldest first."""
    folder = _SQL / "migrations"
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), name[5:-4], (folder / name).read_bytes()) for name in found]


def commands(migration: bytes) -> list[bytes]:
    """The statements of a migration, each of which ends a line: Citus passes on the whole of what it was sent."""
    text = _COMMENT.sub("", migration.decode())
    return [part.strip().encode() for part in _END.split(text) if part.strip()]


def text_hash(migration: bytes) -> str:
    """A hash of what a migration says to the server; comments and indentation may change."""
    return hashlib.sha256(_NOT_SENT.sub("", migration.decode().replace("\r\n", "\n")).encode()).hexdigest()
