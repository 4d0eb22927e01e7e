"""What goes over a memory's connection: its statements and round trips, as libpq writes them down."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import pq

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.storage.driver.tenants import NOBODY

_MESSAGE = re.compile(r"^(F|B)\t\d+\t(\w+)(?:\t (.*?))?\n(?=[FB]\t\d+\t\w|\Z)", re.M | re.S)
_PARSE = re.compile(r'"(?P<name>\w*)" "(?P<text>.*)" \d+', re.S)
_WAITS = {("F", kind) for kind in ("Sync", "Flush", "Query")}
_BIND = re.compile(r'"\w*" "(?P<name>\w*)"')


@dataclass(frozen=True)
class Sent:
    """A statement that was run."""

    text: str
    refused: bool


class Wire:
    """What has gone over a connection since it is looked at.

    Args:
        connection: Of libpq.
        path: Where libpq writes it down.
    """

    def __init__(self, connection: pq.abc.PGconn, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._messages: list[tuple[str, str, str]] = []
        self._read = self._from = 0
        self.begin()

    def begin(self) -> None:
        """Have libpq write down what goes over the connection."""
        self._file = self._path.open("a")
        self._connection.trace(self._file.fileno())
        self._connection.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)

    def end(self) -> None:
        """Have it write no more; what it has buffered is in the file then."""
        self._connection.untrace()
        self._file.close()

    def clear(self) -> None:
        """Forget what was sent so far, but not which statements are prepared."""
        self._from = len(self._said())

    @property
    def round_trips(self) -> int:
        """How often the client has waited for answers: a large one may begin to arrive while it still sends."""
        messages = [(sender, kind) for sender, kind, _ in self._said()[self._from :]]
        return sum(sent in _WAITS and sender == "B" for sent, (sender, _) in pairwise(messages))

    @property
    def rows(self) -> int:
        """How many rows were received."""
        return sum((sender, kind) == ("B", "DataRow") for sender, kind, _ in self._said()[self._from :])

    @property
    def statements(self) -> list[Sent]:
        """The statements that were run, in their order."""
        texts, found = dict[str, str](), list[Sent]()
        for number, (sender, kind, rest) in enumerate(self._said()):
            if kind == "Parse" and (parsed := _PARSE.match(rest)):
                texts[parsed["name"]] = parsed["text"]
            elif kind == "Bind" and (bound := _BIND.match(rest)):
                found.append((number, Sent(texts.get(bound["name"], ""), refused=False)))
            elif sender == "B" and kind == "ErrorResponse" and found:
                found[-1] = (found[-1][0], Sent(found[-1][1].text, refused=True))
        return [sent for number, sent in found if number >= self._from]

    def _said(self) -> list[tuple[str, str, str]]:
        """All messages; read once each, as a test looks often."""
        self.end()
        with self._path.open("rb") as written:
            written.seek(self._read)
            new = written.read()
        self._read += len(new)
        self._messages += _MESSAGE.findall(new.decode(errors="replace"))
        self.begin()
        return self._messages


@asynccontextmanager
async def wire(memory: AgentMemory) -> AsyncGenerator[Wire]:
    """Look at a memory's only connection: it is to be opened with `pool_size` 1, and used on one event loop."""
    assert memory.settings.pool_size == 1, "a second connection would not be looked at"
    async with memory.resources.database.connection(NOBODY) as connection:
        pgconn = connection.pgconn
    with TemporaryDirectory() as folder:
        traffic = Wire(pgconn, Path(folder) / "trace")
        try:
            yield traffic
        finally:
            traffic.end()
