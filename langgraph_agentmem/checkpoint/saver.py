"""LangGraph's checkpointer on active memory: channels of the state are sections."""

import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
)
from langgraph.checkpoint.postgres.base import BasePostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol

from langgraph_agentmem import bridge
from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.checkpoint.binding import ThreadBinding
from langgraph_agentmem.checkpoint.channels import MemorySection, state_sections, unread_marks
from langgraph_agentmem.checkpoint.mapping import ThreadMapping, demand_thread
from langgraph_agentmem.checkpoint.putting import OnConflict, Putting, StatePut
from langgraph_agentmem.embedding import Index
from langgraph_agentmem.errors import (
    CheckpointInUseError,
    ConfigurationError,
    InvalidInputError,
)
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.thread import ThreadMemory
from langgraph_agentmem.operations.sections import threads
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.redaction import Redact
from langgraph_agentmem.resources import given_memory
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import threads as thread_storage
from langgraph_agentmem.storage.driver.conninfo import with_pool_config
from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.storage.langgraph import checkpoints, upstream
from langgraph_agentmem.storage.langgraph.checkpoints import CheckpointTables

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_VERSIONS = BasePostgresSaver()
_logger = logging.getLogger(__name__)
_MAX_PARTS = 256
_twin = cast("Any", blocking)
"""Sync twins are typed as in the base class."""


class AgentMemorySaver(bridge.Opened, BaseCheckpointSaver[str]):
    """A LangGraph checkpointer whose threads' state is mapped to the sections of their tenant's memory.

    Channels of the state that are marked with `MemorySection` are written into active memory in the same transaction as
    the checkpoint: both are there, or neither. They count towards consolidation like any other update, and a new thread
    can start with what an earlier one knew (`hydrate_node`). Everything else is as with LangGraph's
    `AsyncPostgresSaver`, whose tables it uses. One object serves sync and async callers, in any thread and on any event
    loop: use it as `async with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver`, with a plain
    `with`, or just call its methods.

    The tenant is named by a run's config: `{"configurable": {"thread_id": "1", "user_id": "alice"}}`.

    Args:
        memory: An open memory. Who opened it closes it.
        state_schema: The graph's state, whose channels are marked: `Annotated[str, MemorySection("What is done")]`.
        sections: Sections by channel, as ids or as `MemorySection`; instead of the marks of the schema.
        tenant: Key of `configurable`, or several, of which the first that is there names the tenant.
        bind_threads: Whether a thread belongs to the tenant that its checkpoints name: another one, or a config that
            names none, can neither read nor write it. What takes no config (`delete_thread`, `copy_thread`, `prune`) is
            not held by it. By default as the settings say.
        title: Of the memory, which is made when it is first written to; `{name}` stands for what `configurable` holds,
            so that `"Thread {thread_id}"` gives every thread a memory of its own.
        on_conflict: What happens when a thread changes a section that others have changed since it has seen it:
            `last_write` takes the thread's text, `refuse` fails the checkpoint with a `StateConflictError`, and a
            function (sync or async) merges: it takes a `SectionConflict` and returns the section's new text.
        serde: Serializer of checkpoints; LangGraph's by default. It does not touch sections, which are kept as text.

    Raises:
        ConfigurationError: An argument does not fit.

    Examples:
        >>> saver = AgentMemorySaver(memory, state_schema=State)
        >>> agent = StateGraph(State).add_node("work", work).add_edge(START, "work").compile(checkpointer=saver)
        >>> state = agent.invoke({"request": "Oslo"}, {"configurable": {"thread_id": "2", "user_id": "bob"}})
        >>> memory.get_active_memories("bob")[0].sections["progress"].content
        'Began with Oslo.'
    """

    def __init__(
        self,
        memory: AgentMemory,
        *,
        state_schema: type | None = None,
        sections: Mapping[str, str | MemorySection] | None = None,
        tenant: str | Sequence[str] | None = None,
        bind_threads: bool | None = None,
        title: str | None = None,
        on_conflict: OnConflict = "last_write",
        serde: SerializerProtocol | None = None,
    ) -> None:
        validation.instance(serde, "serde")
        if serde is not None and not any(callable(getattr(serde, name, None)) for name in ("dumps_typed", "dumps")):
            raise ConfigurationError(f"serde must be a serializer such as JsonPlusSerializer(), not {serde!r}")
        super().__init__(serde=serde)
        given_memory(memory, AgentMemory, by_dsn="AgentMemorySaver.from_conn_string")
        if not callable(on_conflict) and on_conflict not in ("last_write", "refuse"):
            raise ConfigurationError(
                f"on_conflict must be 'last_write', 'refuse' or a function that merges, not {on_conflict!r}"
            )
        settings = memory.settings
        keys = settings.checkpoint_tenant_keys if tenant is None else tenant
        self.memory = memory
        redactor = memory.resources.redactor
        mapped = state_sections(state_schema, sections)
        self._mapping = ThreadMapping(
            {channel: replace(section, redactor=redactor) for channel, section in mapped.items()},
            (keys,) if isinstance(keys, str) else keys,
            settings.checkpoint_title if title is None else title,
            Ownership(owner=settings.store_owner),
            settings.max_content_chars,
        )
        self._told = False
        self._on_conflict = on_conflict
        self._owns_memory = False
        self._tables = CheckpointTables(memory.resources.database)
        bound = settings.checkpoint_bind_threads
        if bind_threads is not None:
            bound = validation.flag(bind_threads, "bind_threads")
        self._binding = ThreadBinding(self._tables, self._mapping) if bound else None
        self._putting = Putting(memory.resources, self._tables, self._mapping, self.serde, on_conflict)

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str | None = None,
        *,
        state_schema: type | None = None,
        sections: Mapping[str, str | MemorySection] | None = None,
        tenant: str | Sequence[str] | None = None,
        bind_threads: bool | None = None,
        title: str | None = None,
        on_conflict: OnConflict = "last_write",
        serde: SerializerProtocol | None = None,
        pool_config: Mapping[str, Any] | None = None,
        data_dir: Path | str | None = None,
        model: "BaseChatModel | str | None" = None,
        index: Index | None = None,
        settings: AgentMemorySettings | None = None,
        redact: Redact | Literal["secrets", "off"] | None = None,
    ) -> "AgentMemorySaver":
        """A checkpointer on a PostgreSQL server, or on an embedded one; leaving its `with` block closes it.

        Args:
            conn_string: Connection string; by default `AGENTMEM_DSN`, else the embedded server.
            state_schema: See the class.
            sections: See the class.
            tenant: See the class.
            bind_threads: See the class.
            title: See the class.
            on_conflict: See the class.
            serde: See the class.
            pool_config: `max_size` of the connection pool, and `kwargs` for its connections.
            data_dir: See `AgentMemory.open`.
            model: See `AgentMemory.open`.
            index: See `AgentMemory.open`.
            settings: See `AgentMemory.open`.
            redact: See `AgentMemory.open`. It sees sections; checkpoints hold the state as it is.

        Raises:
            ConfigurationError: An argument does not fit.

        Examples:
            >>> with AgentMemorySaver.from_conn_string(state_schema=State) as saver:
            ...     saver.get_tuple(config).checkpoint["channel_values"]["progress"]
            'Began with Rome.'
        """
        dsn, settings = with_pool_config(
            conn_string, AgentMemorySettings() if settings is None else settings, pool_config
        )
        memory = AgentMemory.open(dsn, data_dir=data_dir, model=model, index=index, settings=settings, redact=redact)
        saver = cls(
            memory,
            state_schema=state_schema,
            sections=sections,
            tenant=tenant,
            bind_threads=bind_threads,
            title=title,
            on_conflict=on_conflict,
            serde=serde,
        )
        saver._owns_memory = True
        return saver

    # Life

    async def asetup(self) -> None:
        """Make the tables of memory and of LangGraph's checkpointers, or bring them up to date; any call does so.

        Any number of processes may do so at once.

        Raises:
            ConfigurationError: The server, its extensions or its schema do not fit.
            OutageError: The server cannot be reached.

        Examples:
            >>> await saver.asetup()  # as `async with` does, and otherwise the first call
        """
        await self.memory.asetup()
        await self._tables.setup()

    async def aclose(self) -> None:
        """Close the memory if the checkpointer has opened it; it may be used again.

        Examples:
            >>> await saver.aclose()  # as leaving `async with` does
        """
        if self._owns_memory:
            await self.memory.aclose()

    # Checkpoints

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that a config names, or else the latest of its thread and namespace; None if there is none.

        Raises:
            ForeignThreadError: Threads are bound to tenants, and this one is another's; so in all methods with a
                config.
            InvalidInputError: The config names no thread; likewise.

        Examples:
            >>> latest = await saver.aget_tuple(config)
            >>> latest.checkpoint["channel_values"]["progress"]
            'Began with Rome.'
        """
        demand_thread(config)
        found = await self._tables.read(self.serde, lambda saver: saver.get_tuple(config))
        if self._binding is not None:
            self._binding.check(config, [] if found is None else [found])
        return found

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, the newest first.

        Args:
            config: Of the thread, and the namespace if it names one; None for all threads.
            filter: Only those whose metadata holds this.
            before: Only those before this one.
            limit: The most checkpoints.

        Examples:
            >>> [each.metadata["step"] async for each in saver.alist(config, limit=2)]
            [1, 0]
        """
        for checkpoint in await self._alist_all(config, filter, before, limit):
            yield checkpoint

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, and in the same transaction what it changes of the channels that are sections.

        Sections are those of the graph itself; what a subgraph changes is written when it comes back to its state.

        Returns:
            The config of the checkpoint.

        Raises:
            StateConflictError: Others have changed a section since the thread has seen it, and `on_conflict` is
                `refuse`; nothing was stored.
            InvalidInputError: A value cannot be made a section's text.

        Examples:
            >>> from langgraph.checkpoint.base import empty_checkpoint
            >>> thread = {"configurable": {"thread_id": "2", "checkpoint_ns": "", "user_id": "alice"}}
            >>> stored = await saver.aput(thread, empty_checkpoint(), {"source": "input", "step": -1}, {})
            >>> (await saver.aget_tuple(stored)).metadata["step"]
            -1
        """
        if not self._mapping.sections and unread_marks() and not self._told:
            self._told = True
            _logger.warning(
                "there are MemorySection marks, but a checkpointer that was given no state_schema writes checkpoints: "
                "they do not reach memory; give it AgentMemorySaver(..., state_schema=State)"
            )
        await self._admit(config)
        config = await self._with_tenant(config)
        thread = self._thread(config, new_versions)
        stored, statements = await upstream.statements(
            self.serde,
            lambda saver: saver.put(config, checkpoint, metadata, new_versions),
            large=_large(map(checkpoint["channel_values"].get, new_versions)),
        )
        if thread is None:
            await self._tables.write(statements)
            return stored
        await self._putting.put(thread, StatePut(config, checkpoint, metadata, new_versions, stored, statements))
        return stored

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task has written after a checkpoint.

        Examples:
            >>> latest = await saver.aget_tuple(config)
            >>> await saver.aput_writes(latest.config, [("request", "Oslo")], task_id="task-1")
            >>> (await saver.aget_tuple(config)).pending_writes
            [('task-1', 'request', 'Oslo')]
        """
        await self._admit(config)
        _, statements = await upstream.statements(
            self.serde,
            lambda saver: saver.put_writes(config, writes, task_id, task_path),
            large=_large(value for _, value in writes),
        )
        await self._tables.write(statements)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The writes that delta channels are rebuilt from, up to a checkpoint.

        Examples:
            >>> latest = await saver.aget_tuple(config)
            >>> await saver.aget_delta_channel_history(config=latest.config, channels=[])
            {}
        """
        await self._admit(config)
        return await self._tables.read(
            self.serde, lambda saver: saver.get_delta_channel_history(config=config, channels=channels)
        )

    # Threads

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints; its memory stays.

        Examples:
            >>> await saver.adelete_thread("1")
            >>> await saver.aget_tuple(config) is None, len(await memory.aget_active_memories("alice"))
            (True, 1)
        """
        await self._delete_threads([validation.text_id(thread_id, "thread_id")])

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs; what they gave to memory stays.

        Without an index on `(metadata ->> 'run_id')` this reads all checkpoints.

        Raises:
            CheckpointInUseError: A later checkpoint's delta channels are rebuilt from these; nothing was deleted.

        Examples:
            >>> await saver.adelete_for_runs(["1f0b9f5e-6f1c-6f0a-8000-3c1e5b7a9d21"])
        """
        runs = validation.text_ids(run_ids, "run_ids")
        async with self._tables.transaction(NOBODY) as connection:
            if needed := await checkpoints.needing_runs(connection, runs):
                raise CheckpointInUseError(needed)
            await checkpoints.delete_runs(connection, runs)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with all its checkpoints to a new one, which belongs to the same memory.

        Raises:
            InvalidInputError: There is a thread of that id already.

        Examples:
            >>> await saver.acopy_thread("1", "2")
            >>> (await saver.aget_tuple({"configurable": {"thread_id": "2"}})).checkpoint["channel_values"]["progress"]
            'Began with Rome.'
        """
        source = validation.text_id(source_thread_id, "source_thread_id")
        target = validation.name(validation.text_id(target_thread_id, "target_thread_id"), "target_thread_id")
        async with self._tables.transaction(NOBODY) as connection:
            if await checkpoints.thread_exists(connection, target):
                raise InvalidInputError(
                    f"thread {target!r} has checkpoints already; copy to another id, or delete it first"
                )
            # first: the copy may have seen less than its checkpoints hold, never more
            await thread_storage.copy(connection, source, target)
            await checkpoints.copy(connection, source, target)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete checkpoints of threads.

        Args:
            thread_ids: The threads.
            strategy: `keep_latest` leaves the latest checkpoint of each namespace and, where it has delta channels,
                those that they are rebuilt from; `delete` (or `delete_all`) leaves none.

        Raises:
            InvalidInputError: There is no such strategy.

        Examples:
            >>> await saver.aprune(["1"], strategy="keep_latest")
            >>> [each.metadata["step"] async for each in saver.alist(config)]
            [1]
        """
        ids = validation.text_ids(thread_ids, "thread_ids")
        if strategy in ("delete", "delete_all"):
            await self._delete_threads(ids)
        elif strategy == "keep_latest":
            async with self._tables.transaction(NOBODY) as connection:
                await checkpoints.keep_latest(connection, ids)
        else:
            raise InvalidInputError(
                f"strategy must be 'keep_latest', 'delete' or 'delete_all', not {validation.shown(strategy)}"
            )

    # Memory

    async def ahydrate(self, config: RunnableConfig, state: Any = None) -> dict[str, Any]:
        """What a thread's state is to take from its memory's sections, as a node returns it.

        That is what the sections hold where the state holds nothing, or nothing that the thread has changed itself. The
        thread has seen these sections from then on, so that its next changes are no conflicts.

        Args:
            config: Of the run, with the thread and the tenant.
            state: The state as a node gets it; None for that of a new thread.

        Returns:
            Values by channel; empty where there is no tenant or nothing new.

        Raises:
            InvalidInputError: A section's text is not that of a value of its channel, or the config names no thread.
            ConfigurationError: There are sections, but none that can be read back.

        Examples:
            >>> await saver.ahydrate({"configurable": {"thread_id": "2", "user_id": "alice"}})
            {'progress': 'Began with Rome.'}
        """
        thread = self._mapping.thread(config) if self._mapping.sections else None
        if thread is None:
            return {}
        mapped = {m.id: m for m in self._mapping.sections.values() if m.hydrates}
        if not mapped:
            raise ConfigurationError(
                "no section can be read back as a value of its channel; give state_schema, or functions to parse them"
            )
        await self._tables.setup()
        texts = {m.id: m.text(_value_of(state, m.channel)) for m in mapped.values()}
        update = dict[str, Any]()

        def read(id: str, content: str) -> str:
            value = mapped[id].value(content)
            update[mapped[id].channel] = mapped[id].update(value)
            return mapped[id].text(value)

        configurable = config.get("configurable", {})
        # within a run, the graph's own checkpoint stands in this map under the empty namespace
        at = configurable.get("checkpoint_map", {}).get("") or get_checkpoint_id(config) or ""
        await threads.load(self.memory.resources, thread, at, texts, read)
        return update

    # Sync twins

    setup: Final = bridge.either(asetup)
    close: Final = bridge.either(aclose)
    get_tuple: Final = _twin(aget_tuple)
    put: Final = _twin(aput)
    put_writes: Final = _twin(aput_writes)
    get_delta_channel_history: Final = _twin(aget_delta_channel_history)
    delete_thread: Final = _twin(adelete_thread)
    delete_for_runs: Final = _twin(adelete_for_runs)
    copy_thread: Final = _twin(acopy_thread)
    prune: Final = _twin(aprune)
    hydrate: Final = blocking(ahydrate)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """As `alist`, for sync code.

        Examples:
            >>> [each.metadata["step"] for each in saver.list(config, limit=2)]
            [1, 0]
        """
        yield from self._list_all(config, filter, before, limit)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """The version of a channel after this one.

        Examples:
            >>> saver.get_next_version(None, None) < saver.get_next_version(saver.get_next_version(None, None), None)
            True
        """
        return _VERSIONS.get_next_version(current, channel)

    # How it is done

    async def _admit(self, config: RunnableConfig) -> None:
        """Refuse a config that names no thread, or another tenant's."""
        demand_thread(config)
        if self._binding is not None:
            await self._binding.admit(config)

    async def _with_tenant(self, config: RunnableConfig) -> RunnableConfig:
        """The config, with the tenant of the checkpoint that it goes on from where it names none itself."""
        configurable = config.get("configurable", {})
        parent = configurable.get("checkpoint_id")
        of_graph_itself = self._mapping.sections and not configurable.get("checkpoint_ns")
        if not of_graph_itself or not parent or self._mapping.names_tenant(config):
            return config
        await self._tables.setup()
        async with self.memory.resources.database.connection(NOBODY) as connection:
            return self._mapping.inherited(
                config, await checkpoints.metadata(connection, configurable["thread_id"], parent)
            )

    def _thread(self, config: RunnableConfig, new_versions: ChannelVersions) -> ThreadMemory | None:
        """The memory that a checkpoint is to be written into; None if it changes nothing there."""
        if config.get("configurable", {}).get("checkpoint_ns"):
            # a subgraph's checkpoint, whose channels are not the graph's
            return None
        thread = self._mapping.thread(config) if self._mapping.sections.keys() & new_versions.keys() else None
        if thread is not None:
            self.memory.resources.redactor.name(thread.title, "the memory's title")
        return thread

    async def _delete_threads(self, thread_ids: Sequence[str]) -> None:
        _, statements = await upstream.statements(
            self.serde, lambda saver: [saver.delete_thread(id) for id in thread_ids], large=False
        )
        async with self._tables.transaction(NOBODY) as connection:
            await checkpoints.send(connection, statements)
            await thread_storage.forget(connection, thread_ids)

    async def _alist_all(
        self,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Sequence[CheckpointTuple]:
        """All at once: whoever reads slowly, or uses the checkpointer in between, keeps no connection."""
        found = await self._tables.read(
            self.serde, lambda saver: [*saver.list(config, filter=filter, before=before, limit=limit)]
        )
        if self._binding is not None:
            self._binding.check(config or {}, found)
        return found

    _list_all = blocking(_alist_all)


def _large(values: Iterable[Any]) -> bool:
    """Whether values, by the number of their parts, may take so long to serialize that others should not wait."""
    return (
        sum(len(value) for value in values if isinstance(value, Sized) and not isinstance(value, str | bytes))
        > _MAX_PARTS
    )


def _value_of(state: Any, channel: str) -> Any:
    if isinstance(state, Mapping):
        return cast("Mapping[str, Any]", state).get(channel)
    return getattr(state, channel, None)
