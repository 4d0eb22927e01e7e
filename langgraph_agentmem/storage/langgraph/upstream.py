"""LangGraph's own checkpointer, which says what to send to the server; others send it.

Its tables and the format of its rows stay its own, whatever the connections and transactions are.
"""

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar, cast

import anyio.to_thread
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg.rows import DictRow

T = TypeVar("T")
CheckpointStatement: TypeAlias = tuple[str, Sequence[Sequence[Any]]]
"""A statement, and the parameters of each time that it is run."""

_LARGE_BYTES = 1 << 16
_MANY = 256


class _Unanswered(BaseException):
    """A checkpointer asks for the rows of a statement that was not run yet; no handler of errors is to stop it."""


class _Cursor:
    """Notes statements instead of running them, and answers the first ones with rows that are known."""

    def __init__(self, answers: Sequence[list[DictRow]] = ()) -> None:
        self.statements: list[CheckpointStatement] = []
        self._answers = answers

    def execute(self, query: str, params: Sequence[Any] = ()) -> "_Cursor":
        self.statements.append((query, [params]))
        return self

    def executemany(self, query: str, params: Sequence[Sequence[Any]]) -> None:
        self.statements.append((query, params))

    def fetchall(self) -> list[DictRow]:
        if len(self.statements) > len(self._answers):
            raise _Unanswered
        return self._answers[len(self.statements) - 1]

    def fetchone(self) -> DictRow | None:
        return next(iter(self.fetchall()), None)

    def __iter__(self) -> Iterator[DictRow]:
        return iter(self.fetchall())


class _Saver(PostgresSaver):
    """LangGraph's checkpointer on no connection."""

    def __init__(self, serde: SerializerProtocol, cursor: _Cursor) -> None:
        # it uses its connection for nothing but cursors, and those are ours
        super().__init__(cast("Any", None), serde=serde)
        self._noting = cursor

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Generator[Any]:
        yield self._noting


async def statements(
    serde: SerializerProtocol, write: Callable[[PostgresSaver], T], *, large: bool
) -> tuple[T, list[CheckpointStatement]]:
    """What a checkpointer returns of a call that writes, and the statements with which it does so.

    Args:
        serde: Serializer of what it stores.
        write: Calls a method of it.
        large: Whether serializing is so much work that it should not hold up the event loop.
    """
    cursor = _Cursor()
    result = await _run(serde, cursor, write, large=large)
    return result, cursor.statements


async def reading(
    serde: SerializerProtocol,
    read: Callable[[PostgresSaver], T],
    fetch: Callable[[str, Sequence[Any]], Awaitable[list[DictRow]]],
) -> T:
    """What a checkpointer returns of a call that reads.

    The call is begun anew with every answer, since it cannot wait for one; that is cheap, as what it read is
    deserialized at its end.

    Args:
        serde: Serializer of what is stored.
        read: Calls a method of it.
        fetch: Runs its statements, one at a time.
    """
    answers = list[list[DictRow]]()
    while True:
        cursor = _Cursor(answers)
        try:
            return await _run(serde, cursor, read, large=_large(answers))
        except _Unanswered:
            query, (params,) = cursor.statements[-1]
        answers.append(await fetch(query, params))


async def _run(serde: SerializerProtocol, cursor: _Cursor, call: Callable[[PostgresSaver], T], *, large: bool) -> T:
    """Make a call here, or in a thread if that may take long: nobody knows what a serializer of one's own does."""
    saver = _Saver(serde, cursor)
    if large or type(serde) is not JsonPlusSerializer:
        return await anyio.to_thread.run_sync(call, saver)
    return call(saver)


def _large(answers: Iterable[list[DictRow]]) -> bool:
    return sum(_bytes(value) for rows in answers for row in rows for value in row.values()) >= _LARGE_BYTES


def _bytes(value: object) -> int:
    """The bytes of the blobs in a column's value, or just many if it is a long array of them."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        parts = cast("list[object]", value)
        return sum(map(_bytes, parts)) if len(parts) <= _MANY else _LARGE_BYTES
    return 0
