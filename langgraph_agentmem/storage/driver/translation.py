"""The translation of the driver's errors into this package's."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from langgraph_agentmem.errors import AgentMemoryError, AuthenticationError, OutageError, StorageError

_OUTAGES = ("08", "57P", "XX000", "53300")
"""SQLSTATEs of connections that fail, servers that stop or start, internal errors, and of no connection left."""
_REFUSALS = ("28", "3D000")
"""SQLSTATEs of a user that is not let in, and of a database that there is not."""


class RefusedError(StorageError):
    """A statement has refused to do its work, as somebody has come in between; nothing was done.

    It says so by dividing by zero, which nothing else does. Whoever sends such a statement handles this: it is no error
    of the server, and no caller of this package ever sees it.
    """


@contextmanager
def translated() -> Generator[None]:
    """Translate the driver's errors into this package's, chained."""
    try:
        yield
    except psycopg.Error as error:
        raise translation(error) from error


def translation(error: psycopg.Error) -> AgentMemoryError:
    """This package's error for one of the driver's."""
    if isinstance(error, PoolTimeout):
        return OutageError(f"PostgreSQL gave no connection in time ({error}); is it up, and the pool large enough?")
    state = error.sqlstate or ""
    text = str(error).strip()
    if state.startswith(_REFUSALS) or (not state and _refused_in_words(text)):
        return AuthenticationError(
            f"PostgreSQL refused the connection; check user, password and database in the DSN: {text}"
        )
    if state.startswith(_OUTAGES) or (not state and isinstance(error, psycopg.OperationalError)):
        return OutageError(f"PostgreSQL cannot be reached, or went away: {text}")
    if isinstance(error, psycopg.errors.DivisionByZero):
        return RefusedError(f"a statement has refused: {text}")
    return StorageError(f"PostgreSQL refused a statement ({state}): {text}")


def _refused_in_words(text: str) -> bool:
    """Errors on connecting carry no SQLSTATE, only the server's words."""
    return any(
        words in text for words in ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf")
    )
