"""A connection, and what makes it fit for use and for reuse."""

import asyncio
import json
import os
import select
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import anyio
import psycopg
from psycopg import AsyncConnection, AsyncPipeline
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.sql import Identifier, Literal
from psycopg.types.json import set_json_loads
from psycopg.waiting import Ready

from langgraph_agentmem.errors import AgentMemoryError, ConfigurationError
from langgraph_agentmem.storage.driver import conninfo
from langgraph_agentmem.storage.driver.loop_clock import call_later
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.driver.tenants import EVERYONE, NOBODY, ForWhom
from langgraph_agentmem.storage.driver.translation import LOOKUPS, translation

T = TypeVar("T")

_SQL = statements("row_security")
_SET_LOCAL = template("session", "set_local")
_CLEAN_SECONDS = 2.0
_JSON = json.JSONDecoder()
_TELLS_OF_SHUTDOWNS = os.name != "nt"
"""Whether who waits for a socket hears that it was shut down on this side."""


class Connection(AsyncConnection[DictRow]):
    """A connection whose server has only so long for an answer.

    A server, or what lies on the way to it, may fall silent without closing anything; no error would ever come.
    """

    answer_seconds: float | None = None
    """How long to wait for each answer; None for as long as it takes."""
    silent: bool = False
    """Whether an answer did not come in time; the connection is lost then."""
    may_write: bool = True
    """Whether its user has the rights to write."""
    guarded: bool = False
    """Whether the server is told for whom it is used, as row-level security wants."""
    distributes: bool = False
    """Whether the server may have its rows on others: what holds there it has to be told in so many words."""
    served: ForWhom = NOBODY
    """For whom it is used, as the server was told last."""
    _kept: Mapping[bytes, bytes] = MappingProxyType({})
    """What says for whom, as far as the server keeps it prepared, and by which names."""
    _asked: float | None = None
    """Since when an answer is waited for, by the clock of its event loop."""
    _watched: bool = False

    def __del__(self, *_: object) -> None:
        """Go quietly: that one lies idle when the program ends is what it is kept for, and no mistake to warn of."""
        if hasattr(self, "pgconn"):
            self.pgconn.finish()

    @property
    def writable(self) -> bool:
        """Whether the server takes writes on it, as far as it has told."""
        told = self.pgconn.parameter_status
        return self.may_write and b"on" not in (told(b"in_hot_standby"), told(b"default_transaction_read_only"))

    def open_block(self) -> None:
        """Begin a transaction block for what follows in the pipeline, where the server may have its rows on others.

        That a pipeline is one transaction is between this connection and its server: the others would commit what each
        statement does there.
        """
        if self.distributes:
            self._send_unread(partial(self.pgconn.send_query_params, b"BEGIN", None))

    def close_block(self) -> None:
        """Commit what `open_block` has begun, by the pipeline's end."""
        if self.distributes:
            self._send_unread(partial(self.pgconn.send_query_params, b"COMMIT", None))

    def set_local(self, settings: Mapping[str, str]) -> None:
        """Let settings hold for the rest of an opened block, wherever its rows are."""
        for statement in local_settings(settings):
            self._send_unread(partial(self.pgconn.send_query_params, statement.encode(), None))

    def serve(self, tenant: ForWhom) -> None:
        """Say for whom that is which follows in the pipeline, where the server holds tenants apart.

        Nothing is sent by itself: it goes before the next statement, and lasts as long as the pipeline, which is one
        transaction.
        """
        if not self.guarded or tenant == self.served:
            return
        if isinstance(tenant, str) and self.served is not EVERYONE:
            self._send_first(_SQL["serve_tenant"], tenant)
        else:
            role = LOOKUPS if tenant is EVERYONE else "none"
            self._send_first(_SQL["serve"], role, tenant if isinstance(tenant, str) else "")
        self.served = tenant

    def _send_first(self, statement: bytes, *params: str) -> None:
        # no cursor: it would take a good part of what a short statement does, and there is nothing to read
        values = [value.encode() for value in params]
        if self.prepare_threshold is None:
            self._send_unread(partial(self.pgconn.send_query_params, statement, values))
            return
        if statement not in self._kept:  # reading and planning it takes the server twice as long as running it
            name = f"agentmem_{len(self._kept)}".encode()
            self._send_unread(partial(self.pgconn.send_prepare, name, statement))
            self._kept = {**self._kept, statement: name}
        self._send_unread(partial(self.pgconn.send_query_prepared, self._kept[statement], values))

    def _send_unread(self, send: Callable[[], None]) -> None:
        pipeline = self._pipeline
        assert pipeline is not None, "what is said outlasts no statement without a pipeline"
        if pipeline.command_queue:
            pipeline.command_queue.append(send)
        else:
            send()  # into the buffer, from where it leaves together with the next statement
        pipeline.result_queue.append(None)

    async def forget_prepared(self) -> None:
        """Let the server, the driver and this connection all know of no prepared statement."""
        if self.prepare_threshold is not None:
            # the driver hears of it from the server's answer
            await self.execute(b"DEALLOCATE ALL")
            self._kept = {}

    def translation(self, error: psycopg.Error | UnicodeEncodeError) -> AgentMemoryError:
        """This package's error for one that the driver has raised on it."""
        waited = self.answer_seconds if self.silent else None
        return translation(error, waited, lost=self.closed, user="" if self.closed else self.info.user)

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for the server, as the driver does wherever it waits for one, but not for ever."""
        if self.answer_seconds is None:
            return await super().wait(gen, *args, **kwargs)
        if not _TELLS_OF_SHUTDOWNS:
            gen = self._woken(gen)
        self._asked = asyncio.get_running_loop().time()
        if not self._watched:
            self._watch(self.answer_seconds)
        try:
            return await super().wait(gen, *args, **kwargs)
        finally:
            self._asked = None

    def _woken(self, gen: Generator[int, int, Any]) -> Generator[int, int, Any]:
        """What the driver waits for, with news of the end where it was hung up, as the socket does not tell."""
        try:
            wanted = next(gen)
            while True:
                # the driver looks up ten times a second, with nothing to tell
                found = yield wanted
                wanted = gen.send(found or (Ready.R if self.silent else found))
        except StopIteration as end:
            return end.value

    async def heard(self, seconds: float) -> AsyncGenerator[None]:
        """What the server tells by itself for so long; nothing is waited for in vain meanwhile."""
        limit, self.answer_seconds = self.answer_seconds, None
        try:
            async for _ in self.notifies(timeout=seconds):
                yield
        finally:
            self.answer_seconds = limit

    def _watch(self, seconds: float) -> None:
        # a connection waits many times a second: one timer looks when it may be over, where one each would cost more
        # than all else that waiting takes
        self._watched = True
        call_later(seconds, self._look)

    def _look(self) -> None:
        """End the waiting if it is too long, unless the answer is there and it is this event loop that is late."""
        self._watched = False
        if self._asked is None or self.answer_seconds is None or self.closed:
            return
        left = self._asked + self.answer_seconds - asyncio.get_running_loop().time()
        if left > 0 or _has_news(self.fileno()):
            self._watch(left if left > 0 else self.answer_seconds)
            return
        self.silent = True
        # whoever waits reads the end of the stream; cancelling would wait for the server once more
        hung_up = socket.socket(fileno=self.fileno())
        with suppress(OSError):
            hung_up.shutdown(socket.SHUT_RDWR)
        hung_up.detach()


def check_loop() -> None:
    """Refuse an event loop of a kind that cannot tell when a socket has news, as the driver wants to hear.

    Raises:
        ConfigurationError: The running one is of such a kind, as Windows' is by default.
    """
    kind = type(asyncio.get_running_loop())
    if kind.add_reader is asyncio.AbstractEventLoop.add_reader:
        raise ConfigurationError(
            f"psycopg cannot use the event loop that runs here ({kind.__name__}, by default that of Windows); run the "
            "program on another, as asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) does, or call the sync "
            "methods in a thread, as in asyncio.to_thread(memory.search, ...)"
        )


async def connect(dsn: str, *, prepares: bool, answer_seconds: float | None, connect_seconds: float) -> Connection:
    """A new connection.

    Args:
        dsn: Connection string.
        prepares: Whether statements are prepared, which asks for a session of its own on the server.
        answer_seconds: How long to wait for each answer.
        connect_seconds: How long to wait for each of the servers that the DSN names, if that does not say it.

    Raises:
        ConfigurationError: The driver cannot use the event loop.
    """
    check_loop()
    connection = await Connection.connect(
        conninfo.complete(dsn, connect_seconds),
        autocommit=True,
        row_factory=dict_row,
        prepare_threshold=0 if prepares else None,
    )
    connection.answer_seconds = answer_seconds
    set_json_loads(_read_json, connection)
    return connection


def local_settings(settings: Mapping[str, str]) -> list[str]:
    """The statements by which settings hold for the rest of a transaction, on this server and wherever its rows are."""
    return [
        _SET_LOCAL.format(name=Identifier(*name.split(".")), value=Literal(value)).as_string(None)
        for name, value in {"citus.propagate_set_commands": "local", **settings}.items()
    ]


def _read_json(text: bytes | str) -> Any:
    """A `jsonb`, which needs none of the guesses at encoding and white space of what the driver calls by itself."""
    return _JSON.raw_decode(text if isinstance(text, str) else text.decode())[0]


async def retrying_deadlocks(attempt: Callable[[], Awaitable[T]]) -> T:
    """Do a transaction again that lost a deadlock: such a one has done nothing."""
    for _ in range(4):
        try:
            return await attempt()
        except AgentMemoryError as error:
            if getattr(error.__cause__, "sqlstate", None) not in ("40P01", "40001"):
                raise
    return await attempt()


async def undo(connection: Connection, pipeline: AsyncPipeline) -> None:
    """Undo what a pipeline has sent, which its end would commit.

    `BEGIN` makes a transaction block of all that was sent before, without which the server would warn of the
    `ROLLBACK`. Where a statement has failed, that fails as well, and nothing is left to undo; only the first error
    counts, so that all others are collected here.
    """
    statements = (b"ROLLBACK",) if connection.distributes else (b"BEGIN", b"ROLLBACK")
    undone = False
    try:
        # shielded: what was cancelled would otherwise be committed by the pipeline's end, instead of undone
        with anyio.move_on_after(_CLEAN_SECONDS, shield=True):
            for statement in statements:
                with suppress(psycopg.Error):
                    await connection.execute(statement)
            with suppress(psycopg.Error):
                await pipeline.sync()
            undone = True
    finally:
        if not undone:
            # the socket is closed under the pipeline: without its synchronization, the server commits nothing
            connection.pgconn.finish()


async def clean(connection: Connection) -> None:
    """Make a connection fit for others after an error or a cancellation, or else close it.

    What was open is rolled back. The driver forgets which statements are prepared, as it does after a rollback: one
    that was never sent, or that failed, it may take for prepared, or not, against the truth.
    """
    cleaned = False
    try:
        # cancelled as it began or ended, a pipeline stays on: what others do would be committed when somebody ends one
        if connection.pgconn.pipeline_status != PipelineStatus.OFF:
            return
        with suppress(psycopg.Error), anyio.move_on_after(_CLEAN_SECONDS, shield=True):
            if connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.rollback()
            await connection.forget_prepared()
            cleaned = True
    finally:
        if not cleaned:
            await connection.close()


async def alive(connection: Connection) -> bool:
    """Whether a pooled connection can be used; a round trip only where its idle socket has news."""
    if connection.closed:
        return False
    # a server that has gone leaves its farewell, or the end of the stream, to be read; asking each time costs as much
    # as a short statement
    if not _has_news(connection.fileno()):
        return True
    try:
        await connection.execute(b"")
    except psycopg.Error:
        return False
    return True


def _has_news(fileno: int) -> bool:
    if hasattr(select, "poll"):  # one system call, where a selector takes four
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([fileno], [], [], 0)[0])
