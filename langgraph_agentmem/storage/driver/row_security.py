"""Row-level security: the database itself holds tenants apart, by the tenant that each transaction names.

Whoever is not the tables' owner sees and writes rows of that tenant only. A look over all tenants is done with the
rights of a role of its own, which finds every row, but may read only what `_LOOKED_AT` lists. Who may take that role, a
worker, takes it for such a look and gives it back.
"""

from collections.abc import Iterable, Sequence

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composable, Identifier

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.models.health import RowSecurity
from langgraph_agentmem.policies import guarding
from langgraph_agentmem.storage.driver import distribution
from langgraph_agentmem.storage.driver.migrate import server_of, wait_for_turn
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.driver.translation import LOOKUPS

_SQL = statements("row_security")
_NAMED = template("row_security", "named_tenant")
_SCHEMA = "agentmem"
_TENANT, _LOOKUP, _READER = "agentmem_tenant", "agentmem_lookup", "agentmem_reader"
_GRANTS = "read_grant"
_LOOKED_AT = {
    "active_memory": (
        "external_id", "id", "namespace", "section_count", "due_at", "lease_owner", "lease_expires_at",
        "next_attempt_at", "dead_at", "model_failures", "closed_at",
    ),
    "section": ("external_id", "memory_id", "section_id", "needs_chunking", "expires_at"),
    "thread_section": ("external_id", "thread_id"),
    "memory_chunk": ("external_id", "id", "embedding_model"),
    "coming_vector": ("external_id", "chunk_id", "embedding_model"),
    "entity": ("external_id",),
    "dispute": ("external_id", "memory_id", "run_id", "status", "created_at"),
    "graph_outbox": ("external_id", "dead_at", "at"),
    "graph_projection": ("external_id", "rebuild"),
    "embedding_model": ("id",),
}  # fmt: skip
"""What a look over all tenants may read: tenants, ids, namespaces, states and times, never what is remembered."""
_CHECKPOINTS = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


async def state(connection: AsyncConnection[DictRow]) -> RowSecurity:
    """What row-level security there is, and what the connection's role is to it."""
    tables = await (await connection.execute(_SQL["tables"])).fetchall()
    views = await (await connection.execute(_SQL["open_views"])).fetchall()
    role = await (await connection.execute(_SQL["role"], {"lookups": LOOKUPS})).fetchone()
    assert role is not None
    return RowSecurity(
        tables=[table["name"] for table in tables],
        unguarded=[t["name"] for t in tables if not t["enabled"] or t["policies"] != sorted(_policies(t["name"]))],
        open_views=[view["name"] for view in views],
        role=role["name"],
        held=all(table["active"] for table in tables),
        looks=role["looks"],
        inherits=role["inherits"],
    )


async def demand(connection: AsyncConnection[DictRow]) -> None:
    """Refuse a database that does not hold tenants apart, or not from this role.

    Raises:
        ConfigurationError: It does not; the message names what to run.
    """
    found = await state(connection)
    if (problem := guarding.problem(found)) is not None:
        raise ConfigurationError(f"AGENTMEM_ROW_SECURITY=on, but {problem[0]}; {problem[1]}")


async def enable(connection: AsyncConnection[DictRow]) -> None:
    """Give all tables that have tenants their policies, where they have them not; safe for any number of processes.

    Args:
        connection: The owner's, in autocommit mode, not in a pipeline.

    Raises:
        ConfigurationError: This user may not make the role that looks over all tenants, or the tables are distributed.
    """
    async with connection.transaction():
        await wait_for_turn(connection)
        citus = (await server_of(connection))["citus"]
        if (distributed := await distribution.state(connection, citus)) is not None and distributed.distributed:
            raise ConfigurationError(
                "the tables are distributed over servers, to which Citus takes no policies with subqueries; leave "
                "AGENTMEM_ROW_SECURITY off: the statements alone hold tenants apart"
            )
        await _make_lookups(connection)
        found = await state(connection)
        for statement in [*_guarding(found), *_looking(), *_finding()]:
            await connection.execute(statement.as_bytes(connection))


async def _make_lookups(connection: AsyncConnection[DictRow]) -> None:
    role = await (await connection.execute(_SQL["role"], {"lookups": LOOKUPS})).fetchone()
    if role is not None and role["lookups"]:
        return
    try:
        async with connection.transaction():
            await connection.execute(template("row_security", "make_role").format(role=Identifier(LOOKUPS)))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # roles are the server's: another database's owner was faster
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            "this user may not make the role with whose rights workers look over all tenants; let an administrator run "
            f"CREATE ROLE {LOOKUPS} NOLOGIN once on this server"
        ) from error


def _guarding(found: RowSecurity) -> list[Composable]:
    """What gives tables and views what they lack; those that lack nothing are not locked."""
    made: list[Composable] = []
    for name in found.unguarded:
        table = Identifier(_SCHEMA, name)
        made.append(template("row_security", "enable").format(table=table))
        for policy, statement in _policies(name).items():
            named = {"policy": Identifier(policy), "table": table}
            made.append(template("row_security", "drop_policy").format(**named))
            made.append(statement.format(**named, role=Identifier(LOOKUPS), named=_NAMED))
    made += [template("row_security", "guard_view").format(view=Identifier(_SCHEMA, name)) for name in found.open_views]
    return made


def _policies(table: str) -> dict[str, SQL]:
    """The policies of a table, by name."""
    policies = {
        _TENANT: template("row_security", "tenant_policy"),
        _LOOKUP: template("row_security", "lookup_policy"),
    }
    return policies | ({_READER: template("row_security", "reader_policy")} if table == _GRANTS else {})


def _looking() -> list[Composable]:
    role = Identifier(LOOKUPS)
    granted: list[Composable] = [template("row_security", "grant_schema").format(schema=Identifier(_SCHEMA), role=role)]
    granted += [
        template("row_security", "grant_columns").format(
            columns=_listed(names), table=Identifier(_SCHEMA, table), role=role
        )
        for table, names in _LOOKED_AT.items()
    ]
    return granted


def _finding() -> list[Composable]:
    """What finds by words, past the policies, for the tenant that they would let pass."""
    return [
        _words_function("chunks_with_words", "memory_chunk", "own_words", SQL("int[]")),
        _words_function("entities_with_words", "entity", "name_words", SQL("text[]")),
    ]


def _words_function(name: str, table: str, column: str, type: Composable) -> Composable:
    return template("row_security", "words_function").format(
        function=Identifier(_SCHEMA, name),
        table=Identifier(_SCHEMA, table),
        column=Identifier(column),
        type=type,
        named=_NAMED,
    )


async def grants(connection: AsyncConnection[DictRow], app: str | None, worker: str | None) -> list[str]:
    """The statements that give roles what they need, in order; roles that there are not are made, without a password.

    Args:
        connection: To the database.
        app: A role that reads and writes for one tenant at a time.
        worker: A role that in addition looks over all tenants.

    Raises:
        ConfigurationError: There are no tables yet.
    """
    roles = [role for role in (app, worker) if role is not None]
    found = await (await connection.execute(_SQL["grantees"], {"roles": roles})).fetchone()
    if found is None:
        raise ConfigurationError("there are no tables to grant anything on; run `agentmem db migrate --row-security`")
    tables = (await state(connection)).tables
    made: list[Composable] = []
    for name in roles:
        role = Identifier(name)
        if name not in found["roles"]:
            made.append(template("row_security", "make_user").format(role=role))
        made += _using(role, tables, found)
    if worker is not None:
        made += _working(Identifier(worker), exists=worker in found["roles"], by_grant=found["inherits_by_grant"])
    return [statement.as_string(None) for statement in made]


async def run(connection: AsyncConnection[DictRow], statements: Iterable[str]) -> None:
    """Run what `grants` says: all of it, or nothing."""
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement.encode())


def _using(role: Identifier, tables: Sequence[str], found: DictRow) -> list[Composable]:
    """What whoever reads and writes needs."""
    schema = Identifier(_SCHEMA)
    made: list[Composable] = [
        template("row_security", "grant_schema").format(schema=schema, role=role),
        template("row_security", "grant_rows").format(tables=_listed(tables, _SCHEMA), role=role),
        template("row_security", "grant_reading").format(tables=_listed(found["read"], _SCHEMA), role=role),
        template("row_security", "grant_numbers").format(schema=schema, role=role),
    ]
    if (where := found["checkpoints"]) is not None:
        made += [
            template("row_security", "grant_schema").format(schema=Identifier(where), role=role),
            template("row_security", "grant_rows").format(tables=_listed(_CHECKPOINTS, where), role=role),
            template("row_security", "grant_reading").format(
                tables=Identifier(where, "checkpoint_migrations"), role=role
            ),
        ]
    return made


def _working(role: Identifier, *, exists: bool, by_grant: bool) -> list[Composable]:
    """What a worker needs in addition: it takes another embedder into use, and looks over all tenants."""
    model = Identifier(_SCHEMA, "embedding_model")
    made: list[Composable] = [template("row_security", "grant_updates").format(table=model, role=role)]
    if exists and not by_grant:
        made.append(template("row_security", "inherit_nothing").format(role=role))
    lookups = Identifier(LOOKUPS)
    if by_grant:
        return [*made, template("row_security", "grant_role").format(lookups=lookups, role=role)]
    return [*made, template("row_security", "grant_role_before_16").format(lookups=lookups, role=role)]


def _listed(names: Iterable[str], schema: str | None = None) -> Composable:
    return SQL(", ").join(Identifier(name) if schema is None else Identifier(schema, name) for name in names)
