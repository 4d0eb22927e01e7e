"""Rows as they are, out of tables and into them."""

from collections.abc import AsyncGenerator, Sequence

from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.policies.transfer import WITH_IDS
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, columns, send
from langgraph_agentmem.storage.driver.statements import migrations, statements, template, text_hash

_SQL = statements("transfer")
_SCHEMA = "agentmem"
_AT_ONCE = 500
_LARGEST_IDS = (
    SQL(" UNION ALL ")
    .join(
        template("transfer", "largest_id").format(name=Literal(f"{_SCHEMA}.{table}"), table=Identifier(_SCHEMA, table))
        for table in WITH_IDS
    )
    .as_bytes(None)
)


def schema_hashes() -> list[str]:
    """Of the migrations that make the tables, in order."""
    return [text_hash(script) for _, _, script in migrations()]


async def rows(connection: Connection, external_id: str, table: str, left_out: Sequence[str]) -> AsyncGenerator[str]:
    """A tenant's rows of a table as JSON, without some columns, some at a time; within an explicit transaction."""
    sql = template("transfer", "exported_rows").format(table=Identifier(_SCHEMA, table))
    async with connection.cursor(name="agentmem_export") as cursor:
        cursor.itersize = _AT_ONCE
        await cursor.execute(sql, {"external_id": external_id, "left_out": list(left_out)})
        async for row in cursor:
            yield row["row"]


async def send_lock(connection: Connection, external_id: str) -> Deferred[bool]:
    """Keep other imports of a tenant out, and ask whether it has memories already."""
    params = {"external_id": external_id}
    await connection.execute(_SQL["lock_import"], params)

    def known(found: list[DictRow]) -> bool:
        return bool(found[0]["known"])

    return await send(connection, _SQL["known_tenant"], params, known)


async def written_columns(connection: Connection) -> dict[str, list[str]]:
    """The columns of each table that are written; the database computes the others."""
    return {row["table"]: row["columns"] for row in await all_rows(connection, _SQL["written_columns"], {})}


async def insert(
    connection: Connection,
    external_id: str,
    table: str,
    columns: Sequence[str],
    given: Sequence[bytes],
    vectors: tuple[int, int] | None,
) -> None:
    """Insert rows, given as JSON; vectors only of one embedding model, given by its number in the rows, and here."""
    sql = template("transfer", "insert_rows").format(
        table=Identifier(_SCHEMA, table),
        columns=SQL(", ").join(Identifier(name) for name in columns),
        values=SQL(", ").join(Identifier("r", name) for name in columns),
    )
    theirs, ours = vectors or (None, None)
    params: Json = {"external_id": external_id, "rows": (b"[" + b",".join(given) + b"]").decode()}
    await connection.execute(sql, params | {"theirs": theirs, "ours": ours})


async def finish(connection: Connection, external_id: str) -> None:
    """See to what follows from a tenant's new rows."""
    await connection.execute(_SQL["abandon_runs"], {"external_id": external_id})
    largest = await all_rows(connection, _LARGEST_IDS, {"external_id": external_id})
    await connection.execute(_SQL["pass_ids"], columns([(row["name"], row["id"]) for row in largest], "names", "ids"))
    await connection.execute(_SQL["project_tenant"], {"external_id": external_id})
