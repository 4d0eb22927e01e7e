"""Brings a database's schema up to date, safely for any number of processes at once."""

import zlib
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from langgraph_agentmem.errors import (
    PgvectorError,
    SchemaTooNewError,
    ServerTooOldError,
)
from langgraph_agentmem.storage.driver.statements import migrations, statements

_SQL = statements("migrating")
_OLDEST_SERVER = 150000
_OLDEST_PGVECTOR = (0, 8)
MIGRATION_LOCK = zlib.crc32(b"agentmem.migrations")
"""Key of the advisory lock of whoever changes tables or indexes."""


async def migrate(connection: AsyncConnection[DictRow], *, to: int | None = None) -> int:
    """Apply the migrations that are missing and return the schema's version.

    Args:
        connection: In autocommit mode, not in a pipeline.
        to: Stop at this version; the newest by default.

    Raises:
        ServerTooOldError: Older than PostgreSQL 15.
        PgvectorError: pgvector is missing, too old, or may not be installed by this user.
        SchemaTooNewError: The database is newer than this code.
    """
    target = migrations()[-1][0] if to is None else to
    server = await _row(connection, "server")
    _check_server(server)
    if server["migrated"] and (version := await _version(connection)) >= target:
        return _refuse_newer(version)
    async with connection.transaction():
        await connection.execute(_SQL["lock_migrations"], {"key": MIGRATION_LOCK})
        await _install_pgvector(connection)
        await connection.execute(_SQL["create_schema"])
        await connection.execute(_SQL["create_migration_table"])
        version = _refuse_newer(await _version(connection))
        for number, name, script in migrations():
            if version < number <= target:
                await connection.execute(script)
                await connection.execute(_SQL["record_migration"], {"version": number, "name": name})
    return target


async def _row(connection: AsyncConnection[DictRow], name: str, params: dict[str, Any] | None = None) -> DictRow:
    row = await (await connection.execute(_SQL[name], params)).fetchone()
    assert row is not None
    return row


async def _version(connection: AsyncConnection[DictRow]) -> int:
    return (await _row(connection, "version"))["version"]


def _refuse_newer(version: int) -> int:
    newest = migrations()[-1][0]
    if version > newest:
        raise SchemaTooNewError(
            f"the database's schema is at version {version}, but this langgraph-agentmem knows only versions up to "
            f"{newest}; upgrade the package"
        )
    return version


def _check_server(server: DictRow) -> None:
    if server["server_version"] < _OLDEST_SERVER:
        raise ServerTooOldError(f"PostgreSQL {server['server_version_name']} is too old; version 15 or newer is needed")
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


async def _install_pgvector(connection: AsyncConnection[DictRow]) -> None:
    try:
        async with connection.transaction():
            await connection.execute(_SQL["create_extension"])
    except psycopg.errors.InsufficientPrivilege as error:
        raise PgvectorError(
            "this user may not install pgvector; let an administrator run CREATE EXTENSION vector in this database once"
        ) from error
