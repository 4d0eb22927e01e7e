"""What may lie between a client and its server: something that falls silent, is away for a while, or speaks otherwise."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Proxy:
    """Passes on what is said between clients and the server of a DSN.

    Args:
        dsn: The server's.
    """

    def __init__(self, dsn: str) -> None:
        self._target = conninfo_to_dict(dsn)
        self._dsn = dsn
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: list[asyncio.Event] = []
        self.answers: Callable[[bytes], bytes] = lambda answer: answer
        """What becomes of the server's answers."""
        self.connections = 0
        """How many were made."""

    @property
    def dsn(self) -> str:
        """The way through it."""
        return make_conninfo(self._dsn, host="127.0.0.1", port=self._port, sslmode="disable", gssencmode="disable")

    async def up(self) -> None:
        """Listen, at the port of before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            with suppress(RuntimeError):
                writer.transport.abort()
        self._writers.clear()

    def fall_silent(self) -> None:
        """Swallow whatever comes over the present connections; new ones are passed on."""
        for passing in self._passing:
            passing.clear()
        self._passing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        host, port = str(self._target.get("host") or "127.0.0.1"), int(str(self._target.get("port") or 5432))
        if host.startswith("/"):
            theirs = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            theirs = await asyncio.open_connection(host, port)
        passing = asyncio.Event()
        passing.set()
        self._passing.append(passing)
        self._writers |= {writer, theirs[1]}
        await asyncio.gather(
            self._pass_on(reader, theirs[1], passing, lambda sent: sent),
            self._pass_on(theirs[0], writer, passing, lambda answer: self.answers(answer)),
            return_exceptions=True,
        )

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passing: asyncio.Event,
        change: Callable[[bytes], bytes],
    ) -> None:
        try:
            while said := await reader.read(65536):
                if passing.is_set():
                    writer.write(change(said))
                    await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def between(dsn: str) -> AsyncIterator[Proxy]:
    """A proxy that passes everything on, until it is told otherwise."""
    proxy = Proxy(dsn)
    await proxy.up()
    try:
        yield proxy
    finally:
        await proxy.down()
