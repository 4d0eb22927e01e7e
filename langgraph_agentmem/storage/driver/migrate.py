"""Brings a database's schema up to date, safely for any number of processes at once."""

import zlib

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from langgraph_agentmem.errors import (
    ConfigurationError,
    PgvectorError,
    SchemaMismatchError,
    SchemaTooNewError,
    ServerTooOldError,
)
from langgraph_agentmem.models.health import Distribution
from langgraph_agentmem.storage.driver import distribution
from langgraph_agentmem.storage.driver.statements import commands, migrations, statements, text_hash

_SQL = statements("migrating")
_OLDEST_SERVER = 150000
_OLDEST_PGVECTOR = (0, 8)
MIGRATION_LOCK = zlib.crc32(b"agentmem.migrations")
"""Key of the advisory lock of whoever changes tables or indexes."""


async def wait_for_turn(connection: AsyncConnection[DictRow]) -> None:
    """Wait, in a transaction, until nobody else changes tables or indexes, and then take as long as it takes."""
    await connection.execute(_SQL["take_time"])
    await connection.execute(_SQL["lock_migrations"], {"key": MIGRATION_LOCK})


async def migrate(connection: AsyncConnection[DictRow], *, to: int | None = None) -> int:
    """Apply the migrations that are missing and return the schema's version.

    Args:
        connection: In autocommit mode, not in a pipeline.
        to: Stop at this version; the newest by default.

    Raises:
        ServerTooOldError: Older than PostgreSQL 15.
        PgvectorError: pgvector is missing, too old, or may not be installed by this user.
        SchemaTooNewError: The database is newer than this code.
        SchemaMismatchError: A migration that was applied is not the one that this code has.
        ConfigurationError: This user may not make the schema, or tables in it.
    """
    target = migrations()[-1][0] if to is None else to
    server = await server_of(connection)
    check_server(server)
    check_pgvector(server)
    if (version := await version_of(connection, server)) is not None and version >= target:
        return version
    async with connection.transaction():
        await wait_for_turn(connection)
        await _install_pgvector(connection)
        await _make_schema(connection)
        await connection.execute(_SQL["create_migration_table"])
        version = await _version(connection)
        for number, name, script in migrations():
            if version < number <= target:
                for command in commands(script):
                    await connection.execute(command)
                await distribute_new(connection, server)
                params = {"version": number, "name": name, "text_hash": text_hash(script)}
                await connection.execute(_SQL["record_migration"], params)
    return target


async def distribute(connection: AsyncConnection[DictRow], *, dry_run: bool) -> Distribution | None:
    """Distribute what has tenants over the servers of a cluster, as far as it is not; safe for any number of processes.

    Args:
        connection: The owner's, in autocommit mode, not in a pipeline.
        dry_run: Whether to do no more than look.

    Returns:
        How the database was distributed before; None without Citus.

    Raises:
        ConfigurationError: It cannot be distributed, or this is no coordinator.
    """
    async with connection.transaction():
        await wait_for_turn(connection)
        found = await distribution.state(connection, (await server_of(connection))["citus"])
        if found is not None:
            distribution.demand_distributable(found)
            if not dry_run:
                await distribution.distribute(connection, found)
        return found


async def distribute_new(connection: AsyncConnection[DictRow], server: DictRow) -> None:
    """Distribute the tables that a migration has made, or LangGraph, where others are distributed.

    Args:
        connection: The owner's, in a transaction.
        server: What the server is.
    """
    found = await distribution.state(connection, server["citus"])
    if found is not None and found.distributed:
        await distribution.distribute(connection, found)


async def server_of(connection: AsyncConnection[DictRow]) -> DictRow:
    """What the server and the database are, as the block `server` says."""
    row = await (await connection.execute(_SQL["server"])).fetchone()
    assert row is not None
    return row


async def version_of(connection: AsyncConnection[DictRow], server: DictRow) -> int | None:
    """The schema's version; None where there is no schema.

    Raises:
        SchemaTooNewError: The database is newer than this code.
        SchemaMismatchError: A migration that was applied is not the one that this code has.
    """
    return await _version(connection) if server["migrated"] else None


async def _version(connection: AsyncConnection[DictRow]) -> int:
    """The newest migration that was applied, once all of them are found to be this package's."""
    applied = await (await connection.execute(_SQL["applied_migrations"])).fetchall()
    version = max((row["version"] for row in applied), default=0)
    newest = migrations()[-1][0]
    if version > newest:
        raise SchemaTooNewError(
            f"the database's schema is at version {version}, but this langgraph-agentmem knows only versions up to "
            f"{newest}; upgrade the package"
        )
    known = {number: text_hash(script) for number, _, script in migrations()}
    for row in applied:
        if row["text_hash"] != known[row["version"]]:
            raise SchemaMismatchError(
                f"migration {row['version']} ({row['name']}), which has made these tables, is not the one that "
                "this langgraph-agentmem has: they come from an unreleased version, or from a changed copy; use "
                "the version that made them, another database, or, if what this one holds may go, run DROP SCHEMA "
                "agentmem CASCADE"
            )
    return version


def check_server(server: DictRow) -> None:
    """Refuse a server that is too old."""
    if server["server_version"] < _OLDEST_SERVER:
        raise ServerTooOldError(f"PostgreSQL {server['server_version_name']} is too old; version 15 or newer is needed")


def check_pgvector(server: DictRow) -> None:
    """Refuse a server without pgvector, or with one that is too old."""
    found = server["installed"] or server["available"]
    if found is None:
        raise PgvectorError(
            "this server has no pgvector; install it (package postgresql-NN-pgvector, or the image pgvector/pgvector), "
            "then run CREATE EXTENSION vector"
        )
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST_PGVECTOR:
        raise PgvectorError(
            f"pgvector {found} is too old; version 0.8 or newer is needed: install it, then run "
            "ALTER EXTENSION vector UPDATE"
        )


async def _make_schema(connection: AsyncConnection[DictRow]) -> None:
    rights = await (await connection.execute(_SQL["schema_rights"])).fetchone()
    assert rights is not None
    role, database = rights["role"], rights["database"]
    if rights["made"] and not rights["fills"]:
        raise ConfigurationError(
            f"{role} may not make tables in the schema agentmem; let an administrator run "
            f"GRANT USAGE, CREATE ON SCHEMA agentmem TO {role}"
        )
    if not rights["made"] and not rights["makes"]:
        raise ConfigurationError(
            f"{role} may not make the schema agentmem; let an administrator run GRANT CREATE ON DATABASE {database} TO "
            f"{role}, or CREATE SCHEMA agentmem AUTHORIZATION {role}"
        )
    if not rights["made"]:
        await connection.execute(_SQL["create_schema"])


async def _install_pgvector(connection: AsyncConnection[DictRow]) -> None:
    try:
        async with connection.transaction():
            await connection.execute(_SQL["create_extension"])
    except psycopg.errors.InsufficientPrivilege as error:
        raise PgvectorError(
            "this user may not install pgvector; let an administrator run CREATE EXTENSION vector in this database once"
        ) from error
