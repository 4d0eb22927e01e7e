"""What is relied on in a session on the server: found out at first, and set up for each connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal as OneOf

from psycopg.rows import DictRow
from psycopg.sql import SQL, Composable, Identifier, Literal

from langgraph_agentmem.errors import ConfigurationError, PgvectorError
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.distribution import demand_coordinator
from langgraph_agentmem.storage.driver.rows import first_row
from langgraph_agentmem.storage.driver.statements import statements, template

_SQL = statements("session")
_RELIED_ON = {
    # of two transactions that meet, the second goes on with what the first has left, instead of failing
    "default_transaction_isolation": "read committed",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "gin_fuzzy_search_limit": "0",
}
"""Settings that a role or a database may have otherwise, and which then change what statements mean."""
Pooler = OneOf["auto", "transaction", "session"]


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the sessions of a database are like.

    Attributes:
        own: Whether one lasts as long as its connection. Behind a pooler that gives each transaction to whichever
            session is free, nothing lasts: no prepared statements, no settings, no `LISTEN`.
        settings: To be set for each connection.
        may_write: Whether the user has the rights to write.
        guarded: Whether the server is told for whom connections are used.
        distributes: Whether the server may have its rows on others, as Citus has.
    """

    own: bool
    settings: dict[str, str] = field(default_factory=dict[str, str])
    may_write: bool = True
    guarded: bool = False
    distributes: bool = False

    async def set_up(self, connection: Connection) -> None:
        """Make a new connection what is relied on; a round trip only where the server has it otherwise."""
        connection.may_write, connection.guarded = self.may_write, self.guarded
        connection.distributes = self.distributes
        if self.settings:
            await connection.execute(_SQL["set_up_session"], _columns(self.settings), prepare=False)


async def session_of(connection: Connection, pooler: Pooler, *, guarded: bool = False) -> Session:
    """What a database's sessions are like, of which the server is told for whom they are if they are guarded.

    Raises:
        ConfigurationError: They are not what is relied on, and cannot be made so.
    """
    found = await first_row(connection, _SQL["session"], {"names": list(_RELIED_ON)})
    if found["encoding"] != "UTF8":
        raise ConfigurationError(
            f"the database's encoding is {found['encoding']}, which cannot hold every text; make one with "
            "CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        )
    if found["distributes"]:
        await demand_coordinator(connection)
    # what stands between has told an id of its own making; whether it keeps sessions together cannot be seen
    between = found["backend"] != connection.info.backend_pid
    own = pooler == "session" or (pooler == "auto" and not between)
    if between:
        # a pooler that gives each statement to any session refuses this, and else only what migrates and sets up
        async with connection.transaction():
            await connection.execute("SELECT")
    settings = _differing(found)
    if settings and not own:
        raise _unsettable(connection, found, settings)
    return Session(
        own=own, settings=settings, may_write=found["may_write"], guarded=guarded, distributes=found["distributes"]
    )


def as_parts(settings: Mapping[str, str]) -> Composable:
    """Settings for the rest of a transaction, as parts of a statement."""
    setting = template("session", "setting")
    return SQL(", ").join(setting.format(name=Literal(name), value=Literal(value)) for name, value in settings.items())


def _differing(found: DictRow) -> dict[str, str]:
    """What the server has otherwise than it is relied on."""
    present = dict(zip(_RELIED_ON, found["settings"], strict=True))
    differing = {name: value for name, value in _RELIED_ON.items() if present[name] != value}
    if present["datestyle"].startswith("ISO"):
        differing.pop("datestyle", None)  # dates are written with the year first, which is read alike in any order
    if int(present["extra_float_digits"]) > 0:
        differing.pop("extra_float_digits", None)
    path = [found["search_path"]] if found["search_path"] else []
    # of a path on which there is no schema: what is made without one is made where it is by default
    missing = (["public"] if found["nowhere"] else []) + ([found["vector_schema"]] if found["vector_schema"] else [])
    if missing:
        added = [Identifier(schema).as_string(None) for schema in dict.fromkeys(missing)]
        differing["search_path"] = ", ".join([*path, *added])
    return differing


def _unsettable(connection: Connection, found: DictRow, settings: dict[str, str]) -> ConfigurationError:
    role = Identifier(connection.info.user).as_string(None)
    statements = "; ".join(
        # a path is a list of names, and no text
        f"ALTER ROLE {role} SET {name} = {value if name == 'search_path' else repr(value)}"
        for name, value in settings.items()
    )
    off_the_path = found["vector_schema"] is not None
    kind = PgvectorError if off_the_path and set(settings) == {"search_path"} else ConfigurationError
    where = f" (pgvector is in the schema {found['vector_schema']!r})" if off_the_path else ""
    return kind(
        f"{', '.join(settings)} of the database's sessions cannot be relied on{where}, and behind a connection pooler "
        f"they cannot be set for each: run {statements}; or, if the pooler keeps sessions, set AGENTMEM_POOLER=session"
    )


def _columns(settings: dict[str, str]) -> dict[str, list[str]]:
    return {"names": list(settings), "values": list(settings.values())}
