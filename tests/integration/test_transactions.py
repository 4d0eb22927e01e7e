"""A transaction is what one pipeline sends: all of it happens, or nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import psycopg
import pytest
from waiting import until_idle

from langgraph_agentmem.errors import InvalidTextError, StorageError
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.tenants import EVERYONE

Rows = Callable[..., list[tuple[object, ...]]]
INSERT = "INSERT INTO note VALUES (%s)"


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE note (text text PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
    database = Database(dsn, pool_size=1)
    yield database
    await database.close()


async def started(connection: Connection, *, fetched: bool) -> None:
    """Two statements, the first of which the server has surely run if its rows were fetched."""
    cursor = await connection.execute(f"{INSERT} RETURNING text", ["first"])
    if fetched:
        assert await cursor.fetchall() == [{"text": "first"}]
    await connection.execute(INSERT, ["second"])


async def raises(database: Database, fetched: bool) -> None:
    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
        raise LookupError


async def is_refused(database: Database, fetched: bool) -> None:
    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
        await connection.execute("SELECT 1 / %s", [0])
        await connection.execute(INSERT, ["third"])


async def is_refused_and_raises(database: Database, fetched: bool) -> None:
    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
        await connection.execute("SELECT 1 / %s", [0])
        raise LookupError


async def cannot_send(database: Database, fetched: bool) -> None:
    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
        await connection.execute(INSERT, ["with \0"])


async def is_not_committed(database: Database, fetched: bool) -> None:
    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
        await connection.execute(INSERT, ["first"])


async def is_cancelled(database: Database, fetched: bool) -> None:
    async def work() -> None:
        async with database.transaction(EVERYONE) as connection:
            await started(connection, fetched=fetched)
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    task.cancel()
    await task


async def times_out(database: Database, fetched: bool) -> None:
    with anyio.fail_after(0.2):
        async with database.transaction(EVERYONE) as connection:
            await started(connection, fetched=fetched)
            await anyio.sleep(60)


async def times_out_in_a_statement(database: Database, fetched: bool) -> None:
    async with asyncio.timeout(0.2), database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
        await (await connection.execute("SELECT pg_sleep(60)")).fetchall()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the driver's, where undoing takes too long
@pytest.mark.parametrize("fetched", [True, False], ids=["fetched", "sent"])
@pytest.mark.parametrize(
    ("ends", "error"),
    [
        (raises, LookupError),
        (is_refused, StorageError),
        (is_refused_and_raises, (LookupError, StorageError)),
        (cannot_send, InvalidTextError),
        (is_not_committed, Exception),  # which of them the driver does not tell, but no table here has such constraints
        (is_cancelled, asyncio.CancelledError),
        (times_out, TimeoutError),
        (times_out_in_a_statement, TimeoutError),
    ],
)
async def test_a_block_that_fails_has_changed_nothing(
    database: Database,
    rows: Rows,
    ends: Callable[[Database, bool], Awaitable[None]],
    error: type[BaseException],
    fetched: bool,
) -> None:
    with pytest.raises(error):
        await ends(database, fetched)
    assert rows("SELECT text FROM note") == []

    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=fetched)
    assert rows("SELECT text FROM note ORDER BY text") == [("first",), ("second",)]


async def test_what_waits_for_a_lock_when_it_is_given_up_changes_nothing_later(
    database: Database, rows: Rows, dsn: str
) -> None:
    async def waits() -> None:
        async with asyncio.timeout(0.3), database.transaction(EVERYONE) as connection:
            await connection.execute(INSERT, ["first"])
            await (await connection.execute("SELECT 1")).fetchall()

    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE note")
        with pytest.raises(TimeoutError):
            await waits()
    await until_idle(rows)
    assert rows("SELECT text FROM note") == []


async def test_others_see_nothing_before_the_end(database: Database, rows: Rows) -> None:
    async with database.transaction(EVERYONE) as connection:
        await started(connection, fetched=True)
        assert rows("SELECT text FROM note") == []
    assert len(rows("SELECT text FROM note")) == 2


async def test_a_failure_leaves_no_warning(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    heard = list[str]()
    async with database.connection(EVERYONE) as connection:
        connection.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
    for ends in (raises, is_refused, is_refused_and_raises):
        for fetched in (True, False):
            with pytest.raises((LookupError, StorageError)):
                await ends(database, fetched)
    assert heard == caplog.messages == []
