"""One checkpoint, stored with the sections that it changes: both are there, or neither."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, get_checkpoint_id
from langgraph.checkpoint.serde.base import SerializerProtocol

from langgraph_agentmem import telemetry
from langgraph_agentmem.checkpoint.mapping import ThreadMapping
from langgraph_agentmem.errors import StateConflictError
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.thread import PutCheckpoint, SectionConflict, SeenSection, ThreadMemory
from langgraph_agentmem.operations.sections import threads, values
from langgraph_agentmem.operations.sections.threads import Merged, ThreadWrite
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.thread_writes import text_hash
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.translation import RefusedError
from langgraph_agentmem.storage.langgraph import checkpoints, inserts
from langgraph_agentmem.storage.langgraph.checkpoints import CheckpointTables
from langgraph_agentmem.storage.langgraph.upstream import CheckpointStatement
from langgraph_agentmem.storage.values import CheckpointAlong

Merge = Callable[[SectionConflict], str | Awaitable[str]]
OnConflict = Literal["last_write", "refuse"] | Merge
Texts = Mapping[str, str]
"""By section."""
_MAX_THREADS = 10_000


@dataclass(frozen=True)
class StatePut:
    """A checkpoint that changes sections.

    Attributes:
        config: Of the checkpoint that it goes on from.
        stored: Its own.
        statements: With which LangGraph's checkpointer stores it.
    """

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    new_versions: ChannelVersions
    stored: RunnableConfig
    statements: Sequence[CheckpointStatement]

    @property
    def parent_id(self) -> str:
        """Of the checkpoint that it goes on from; empty for the first."""
        return get_checkpoint_id(self.config) or ""

    @property
    def put(self) -> PutCheckpoint:
        """What decides what its thread has seen."""
        of_step = self.metadata.get("source") == "loop"
        return PutCheckpoint(id=self.checkpoint["id"], parent_id=self.parent_id, of_step=of_step)


class Putting:
    """Stores checkpoints with the sections that they change.

    A thread that is its sections' only writer, as it mostly is, needs not look at them: what it has left there is
    remembered, and one statement writes what differs if that is still so.

    Args:
        resources: The open memory's.
        tables: LangGraph's.
        mapping: Of threads to memories.
        serde: Of what LangGraph stores.
        on_conflict: See `AgentMemorySaver`.
    """

    def __init__(
        self,
        resources: Resources,
        tables: CheckpointTables,
        mapping: ThreadMapping,
        serde: SerializerProtocol,
        on_conflict: OnConflict,
    ) -> None:
        self._resources = resources
        self._tables = tables
        self._mapping = mapping
        self._serde = serde
        self._on_conflict = on_conflict
        self._left = _LeftSections()

    async def put(self, thread: ThreadMemory, state: StatePut) -> None:
        """Store a checkpoint, and what it changes of its thread's sections.

        Raises:
            StateConflictError: Others have changed a section since the thread has seen it, and `on_conflict` is
                `refuse`; nothing was stored.
        """
        texts, unread = self._mapping.changed(state.checkpoint, state.metadata, state.new_versions)
        snapshots = self._mapping.snapshots(state.checkpoint, state.new_versions)
        # a delta channel is rebuilt from stored checkpoints, so that its text is known only in the transaction
        known = not unread and not snapshots
        if known and await self._put_alone(thread, texts, state.statements):
            return
        done = await self._settled(partial(self._attempt, thread, state, texts, unread, snapshots))
        self._left.note(thread, _Left(done.memory_id, done.left))
        if done.written is not None:
            await values.tell(self._resources, thread.external_id, await done.written())

    async def _put_alone(self, thread: ThreadMemory, texts: Texts, statements: Sequence[CheckpointStatement]) -> bool:
        """Store it by one statement, if what the thread has left in these sections is known; returns whether it was."""
        left, rows = self._left.of(thread), inserts.as_one(statements)
        if left is None or rows is None or not texts.keys() <= left.sections.keys():
            return False
        hashes = {id: text_hash(text) for id, text in texts.items()}
        new = {id: text for id, text in texts.items() if hashes[id] != left.sections[id].text_hash}
        batch = threads.batch(thread, left.memory_id, new, {id: left.sections[id].revision for id in new})
        seen = {id: left.sections[id] for id in texts}
        along = CheckpointAlong(rows, thread.thread_id, seen, [hashes[id] for id in new])
        await self._tables.setup()
        try:
            written = await values.write_alone(self._resources, batch, along)
        except RefusedError:  # others have written, or the thread has loaded something: it is looked at
            telemetry.write_refused("checkpoint")
            self._left.forget(thread)
            return False
        now = {id: SeenSection(revision=left.sections[id].revision + 1, text_hash=hashes[id]) for id in new}
        self._left.note(thread, _Left(left.memory_id, {**left.sections, **now}))
        await values.tell(self._resources, thread.external_id, written)
        return True

    async def _attempt(
        self,
        thread: ThreadMemory,
        state: StatePut,
        texts: Texts,
        unread: Sequence[str],
        snapshots: Sequence[str],
        merged: Merged | None,
    ) -> ThreadWrite:
        """Store it in a transaction that looks at the sections behind their memory's lock."""
        async with self._tables.transaction(thread.external_id) as connection:
            await checkpoints.send(connection, state.statements)
            texts = await self._complete(connection, state.stored, texts, unread)
            if state.parent_id and snapshots:
                before = await self._texts_at(connection, state.config, snapshots)
                texts = {id: text for id, text in texts.items() if before.get(id) != text}

            async def rest() -> Texts:
                others = self._mapping.unchanged(state.checkpoint, state.metadata, state.new_versions)
                return await self._complete(connection, state.stored, *others)

            return await threads.write(connection, self._resources, thread, state.put, texts, rest, merged)

    async def _complete(
        self, connection: Connection, stored: RunnableConfig, texts: Texts, unread: Sequence[str]
    ) -> Texts:
        """Texts with those of the delta channels that are still to be read from a stored checkpoint's history."""
        if not unread:
            return texts
        histories = await checkpoints.read(
            connection, self._serde, lambda saver: saver.get_delta_channel_history(config=stored, channels=unread)
        )
        return {**texts, **self._mapping.replayed(histories)}

    async def _texts_at(self, connection: Connection, config: RunnableConfig, channels: Sequence[str]) -> Texts:
        """The texts of delta channels at a checkpoint."""
        found = await checkpoints.read(connection, self._serde, lambda saver: saver.get_tuple(config))
        if found is None:
            return {}
        unread = [channel for channel in channels if channel not in found.checkpoint["channel_values"]]
        return await self._complete(connection, config, self._mapping.stored(found.checkpoint, channels), unread)

    async def _settled(self, attempt: Callable[[Merged | None], Awaitable[ThreadWrite]]) -> ThreadWrite:
        """Make an attempt, and again with merged texts as often as there are conflicts that can be merged."""
        merged: Merged | None = None if self._on_conflict == "last_write" else {}
        while True:
            try:
                return await retrying_deadlocks(partial(attempt, merged))
            except StateConflictError as error:  # it is merged outside the transaction, which may take a while
                if not callable(self._on_conflict):
                    raise
                merged = await self._merged(self._on_conflict, error.conflicts)

    async def _merged(self, merge: Merge, conflicts: Sequence[SectionConflict]) -> Merged:
        merged = dict[tuple[str, int], str]()
        for conflict in conflicts:
            found = merge(conflict)
            text = await found if inspect.isawaitable(found) else found
            what = f"the merged text of section {conflict.section_id!r}"
            limit = self._resources.settings.max_content_chars
            checked = validation.text(text, what, limit=limit)
            redacted = self._resources.redactor.text(checked, "checkpoint")
            merged[conflict.section_id, conflict.revision] = redacted
        return merged


class _Left(NamedTuple):
    """What a thread has left in its sections, as it has noted it.

    Attributes:
        memory_id: Of the memory.
        sections: Those that held just the thread's text, with their revision then.
    """

    memory_id: int
    sections: Mapping[str, SeenSection]


class _LeftSections:
    """What threads have left in their sections, of the latest that have written here.

    It may be out of date, as others write as well: whoever relies on it is refused then.
    """

    def __init__(self) -> None:
        self._threads: dict[tuple[str, Namespace, str], _Left] = {}

    def of(self, thread: ThreadMemory) -> _Left | None:
        return self._threads.get(_key(thread))

    def note(self, thread: ThreadMemory, left: _Left) -> None:
        key = _key(thread)
        while len(self._threads) >= _MAX_THREADS and key not in self._threads:
            self._threads.pop(next(iter(self._threads)), None)
        self._threads[key] = left

    def forget(self, thread: ThreadMemory) -> None:
        self._threads.pop(_key(thread), None)


def _key(thread: ThreadMemory) -> tuple[str, Namespace, str]:
    return thread.external_id, thread.namespace, thread.thread_id
