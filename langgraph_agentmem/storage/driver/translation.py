"""The translation of the driver's errors into this package's."""

import re

import psycopg
from psycopg.sql import Identifier

from langgraph_agentmem.errors import (
    AgentMemoryError,
    AuthenticationError,
    ConfigurationError,
    InvalidTextError,
    OutageError,
    StorageError,
)

LOOKUPS = "agentmem_lookups"
"""The role with whose rights is looked over all tenants, under row-level security."""
_NO_TENANT = "agentmem.external_id"
"""The setting by which the tenant is named, and which an error names where none was."""
_OUTAGES = ("08", "57P", "53300")
"""SQLSTATEs of connections that fail, servers that stop or start, and of no connection left."""
_REFUSALS = ("28", "3D000")
"""SQLSTATEs of a user that is not let in, and of a database that there is not."""
_REFUSED_IN_ENGLISH = (
    "authentication failed", "no password supplied", "does not exist", "no pg_hba.conf", "is not permitted to log in",
    "permission denied for database", "no such database", "no such user", "auth failed",
)  # fmt: skip
"""What servers, and PgBouncer, say of such."""
_NO_MORE_IN_ENGLISH = ("too many", "remaining connection slots")
_PASSING_IN_ENGLISH = ("starting up", "shutting down", "recovery", *_NO_MORE_IN_ENGLISH)
_WITHOUT_TRANSACTIONS = "statement pooling mode"
"""What PgBouncer says of the mode of that name, with the SQLSTATE of an outage."""
_SAID_BY_THE_SERVER = re.compile(r": [^\W\d_]+:  ")
"""A severity, in whatever language, before what a server says; libpq's own words have none."""


class RefusedError(StorageError):
    """A statement has refused to do its work, as somebody has come in between; nothing was done.

    It says so by dividing by zero, which nothing else does. Whoever sends such a statement handles this: it is no error
    of the server, and no caller of this package ever sees it.
    """


def translation(
    error: psycopg.Error | UnicodeEncodeError, waited: float | None = None, *, lost: bool = False, user: str = ""
) -> AgentMemoryError:
    """This package's error for one of the driver's.

    Args:
        error: The driver's, or that of a text which it cannot write.
        waited: How many seconds an answer was waited for in vain, if that is why.
        lost: Whether the connection was found closed.
        user: Whose connection it is.
    """
    if isinstance(error, UnicodeEncodeError):
        return InvalidTextError(
            f"a text holds a lone surrogate ({error.object[error.start]!r}) at position {error.start}, which is no "
            "Unicode, and cannot be sent to PostgreSQL"
        )
    text, state = str(error).strip(), error.sqlstate or ""
    if waited is not None:
        return OutageError(
            f"PostgreSQL gave no answer within {waited:g} s (AGENTMEM_ANSWER_TIMEOUT_SECONDS); the connection is given "
            f"up: {text}"
        )
    if not state and isinstance(error, psycopg.DataError) and "NUL" in text:
        return InvalidTextError(f"a text holds a NUL character, which PostgreSQL cannot store: {text}")
    if state:
        return _by_state(state, text, error, lost=lost, user=user)
    if _refused(error):
        return AuthenticationError(
            f"PostgreSQL refused the connection; check user, password and database in the DSN: {text}"
        )
    if not isinstance(error, psycopg.OperationalError):
        return StorageError(f"PostgreSQL refused a statement: {text}")
    if _unclear(error):
        return OutageError(
            "PostgreSQL gives no connection, and the driver does not tell why: either it cannot take one now, or user, "
            f"password or database in the DSN are not right. It said: {text}"
        )
    return OutageError(f"PostgreSQL cannot be reached, or went away: {text}{_remedy(text)}")


def _remedy(text: str) -> str:
    """What helps where the server gives no more connections, if it says so in English."""
    if not any(words in text for words in _NO_MORE_IN_ENGLISH):
        return ""
    return (
        "; each process takes up to AGENTMEM_POOL_SIZE (10) of them for each event loop: set less, raise the limit of "
        "the server or role, or put a pooler between"
    )


def may_pass(error: psycopg.Error) -> bool:
    """Whether another attempt to connect may come to something; a password is not to be tried again and again."""
    tried = error.pgconn is not None and error.pgconn.used_password
    return not (_refused(error) or (tried and _unclear(error)))


def _by_state(state: str, text: str, error: psycopg.Error, *, lost: bool, user: str) -> AgentMemoryError:
    if state.startswith(_REFUSALS):
        return AuthenticationError(
            f"PostgreSQL refused the connection; check user, password and database in the DSN: {text}"
        )
    if _WITHOUT_TRANSACTIONS in text:
        return ConfigurationError(
            f"the pooler gives each statement to whichever session is free: {text}; transactions are needed, so set "
            "pool_mode = transaction (or session) for this database in PgBouncer's configuration"
        )
    if state.startswith(_OUTAGES) or lost:
        return OutageError(f"PostgreSQL cannot be reached, or went away: {text}")
    if isinstance(error, psycopg.errors.DivisionByZero):
        return RefusedError(f"a statement has refused: {text}")
    if (problem := _by_row_security(error, text, user)) is not None:
        return problem
    return _of_statement(state, text, error, user=user)


def _of_statement(state: str, text: str, error: psycopg.Error, *, user: str) -> AgentMemoryError:
    """Why a statement was refused or given up, by a server that does its work."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return ConfigurationError(f"PostgreSQL refused a statement ({state}): {text}; {_grants(user)}")
    if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
        role = Identifier(user or "…").as_string(None)
        return StorageError(
            f"PostgreSQL gave up a statement ({state}): {text}; where that was no administrator, it was a limit "
            "which the role, the database or the DSN's options set (statement_timeout, lock_timeout): set a higher "
            f"one, as by ALTER ROLE {role} SET statement_timeout = '60s'"
        )
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return StorageError(
            f"nothing can be written here ({state}): {text}; the server is a standby, or its sessions are read-only "
            "(default_transaction_read_only): give the DSN of the primary, or of a user who may write"
        )
    return StorageError(f"PostgreSQL refused a statement ({state}): {text}")


def _by_row_security(error: psycopg.Error, text: str, user: str) -> ConfigurationError | None:
    """Why row-level security refuses, where the server's words, in whatever language, name what is ours."""
    if isinstance(error, psycopg.errors.UndefinedObject) and _NO_TENANT in text:
        return ConfigurationError(
            f"the database has row-level security, and nothing says to it for which tenant a statement is: {text}; set "
            "AGENTMEM_ROW_SECURITY=on; who sends statements of their own names the tenant first in the transaction, by "
            f"SELECT set_config('{_NO_TENANT}', …, true)"
        )
    refused = isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidParameterValue)
    if refused and LOOKUPS in text:
        role = Identifier(user or "…").as_string(None)
        return ConfigurationError(
            f"this looks over all tenants, which {role} may not, as row-level security is on: {text}; do it tenant by "
            f"tenant, or connect as a worker's role, which `agentmem db roles --worker {role}` grants"
        )
    return None


def _grants(user: str) -> str:
    """What an administrator may run where a right is missing, of which the server names no more than a table."""
    role = Identifier(user or "…").as_string(None)
    return (
        f"let an administrator run GRANT USAGE ON SCHEMA agentmem TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON "
        f"ALL TABLES IN SCHEMA agentmem TO {role}; and for checkpoints the same on the schema of LangGraph's tables, "
        f"by default public, or GRANT CREATE ON SCHEMA public TO {role} where they are to be made"
    )


def _refused(error: psycopg.Error) -> bool:
    """Whether a user is not let in: errors on connecting carry no SQLSTATE, only the server's words."""
    if error.sqlstate:
        return error.sqlstate.startswith(_REFUSALS)
    needs = error.pgconn is not None and error.pgconn.needs_password
    return needs or any(words in str(error) for words in _REFUSED_IN_ENGLISH)


def _unclear(error: psycopg.Error) -> bool:
    """Whether a server has answered with something else than a connection, in words that are not understood."""
    said = _SAID_BY_THE_SERVER.search(str(error)) is not None
    return said and not error.sqlstate and not any(words in str(error) for words in _PASSING_IN_ENGLISH)
