"""LangGraph's own checkpointer, which says what to send to the server; others send it.

Its tables and the format of its rows stay its own, whatever the connections and transactions are.
"""

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import anyio.to_thread
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg.rows import DictRow

T = TypeVar("T")
CheckpointStatement: TypeAlias = tuple[str, Sequence[Sequence[Any]]]
"""A statement, and the parameters of each time that it is run."""

_LARGE_BYTES = 1 << 16
_MANY = 256
_MOST_SAVERS = 16


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


@dataclass(frozen=True)
class _Sealed:
    """A text or number that is not to stand in a checkpoint's row, where LangGraph keeps such values as they are."""

    value: object


class _Unsealing(SerializerProtocol):
    """A serializer that encrypts, to which sealed values are what they hold."""

    def __init__(self, serde: EncryptedSerializer) -> None:
        self._serde = serde

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return self._serde.dumps_typed(obj.value if isinstance(obj, _Sealed) else obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return self._serde.loads_typed(data)


class _Saver(PostgresSaver):
    """LangGraph's checkpointer on no connection; where it is to encrypt, it encrypts all values of channels."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._encrypts = isinstance(serde, EncryptedSerializer)
        # it uses its connection for nothing but cursors, and those are ours
        unsealing = _Unsealing(serde) if isinstance(serde, EncryptedSerializer) else serde
        super().__init__(cast("Any", None), serde=unsealing)
        self._noting = _Cursor()

    def noting(self, cursor: _Cursor) -> "_Saver":
        """The same one, whose statements a cursor notes."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _noting=cursor)
        return twin

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if self._encrypts:
            values = {name: _sealed(value) for name, value in checkpoint["channel_values"].items()}
            # also those that did not change, as a checkpoint before this one may have been written without encryption
            sealed = {name for name, value in values.items() if isinstance(value, _Sealed)}
            kept = {name: version for name, version in checkpoint["channel_versions"].items() if name in sealed}
            checkpoint = {**checkpoint, "channel_values": values}
            new_versions = {**kept, **new_versions}
        return super().put(config, checkpoint, metadata, new_versions)

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Generator[Any]:
        yield self._noting


def _sealed(value: object) -> object:
    return _Sealed(value) if isinstance(value, str | int | float | bool) else value


_savers: dict[int, tuple[SerializerProtocol, _Saver]] = {}
"""By the identity of the serializer, which need not be hashable; it is kept, so that no other one can have that."""


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
    saver = _saver(serde).noting(cursor)
    if large or type(serde) is not JsonPlusSerializer:
        return await anyio.to_thread.run_sync(call, saver)
    return call(saver)


def _saver(serde: SerializerProtocol) -> _Saver:
    """The checkpointer of a serializer; making one takes longer than many a call of it."""
    known = _savers.get(id(serde))
    if known is None:
        if len(_savers) >= _MOST_SAVERS:
            _savers.clear()
        _savers[id(serde)] = known = (serde, _Saver(serde))
    return known[1]


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
