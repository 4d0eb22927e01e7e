"""Which memory a thread belongs to, and what of a checkpoint is written into its sections."""

import logging
import string
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, DeltaChannelHistory
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]

from langgraph_agentmem.checkpoint.channels import StateSection, of_template
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.active import TemplateSection
from langgraph_agentmem.models.thread import ThreadMemory
from langgraph_agentmem.policies import tenancy, validation
from langgraph_agentmem.policies.ownership import Ownership

_logger = logging.getLogger(__name__)


def demand_thread(config: object) -> None:
    """Refuse a config that names no thread.

    Raises:
        InvalidInputError: This one does not.
    """
    configurable: object = (
        cast("Mapping[str, Any]", config).get("configurable") if isinstance(config, Mapping) else None
    )
    thread = cast("Mapping[str, Any]", configurable).get("thread_id") if isinstance(configurable, Mapping) else None
    if thread is None:
        raise InvalidInputError('the config names no thread; it looks like {"configurable": {"thread_id": "1"}}')
    # LangGraph makes texts of ids in a graph's config, but not in one that its checkpointer is asked with
    validation.text(thread, "thread_id")


@dataclass(frozen=True)
class ThreadMapping:
    """How threads are mapped to memories.

    Attributes:
        sections: By channel.
        tenant_keys: Names in a config's `configurable`; the first that is there names the tenant.
        title: Of a tenant's memory, with `{name}` for what `configurable` holds.
        limit: Longest content of a section, in characters.
    """

    sections: Mapping[str, StateSection]
    tenant_keys: Sequence[str]
    title: str
    ownership: Ownership
    limit: int
    _warned: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if (
            not isinstance(cast("object", self.tenant_keys), list | tuple)
            or not self.tenant_keys
            or not all(isinstance(cast("object", key), str) and key for key in self.tenant_keys)
        ):
            raise ConfigurationError(
                f'tenant must name keys of configurable, as in ("user_id",), not {self.tenant_keys!r}'
            )
        try:
            parts = list(string.Formatter().parse(self.title))
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"title {self.title!r} cannot be read: {error}") from error
        for text, name, form, conversion in parts:
            if "\0" in text or (name is not None and (not name.isidentifier() or form or conversion)):
                raise ConfigurationError(
                    f"title {self.title!r} may hold names of configurable in braces, as in 'Notes of {{thread_id}}', "
                    "and nothing else"
                )
        if not self.title.strip():
            raise ConfigurationError("title must not be empty")

    @cached_property
    def _of_template(self) -> tuple[TemplateSection, ...]:
        return of_template(self.sections)

    @cached_property
    def _names(self) -> list[str]:
        return [name for _, name, _, _ in string.Formatter().parse(self.title) if name]

    def names_tenant(self, config: RunnableConfig) -> bool:
        """Whether a config names a tenant."""
        return self._tenant(config.get("configurable", {})) is not None

    def tenant_of(self, config: RunnableConfig) -> str | None:
        """The tenant that a config names, if it names one.

        Raises:
            InvalidInputError: It cannot be one.
        """
        tenant = self._tenant(config.get("configurable", {}))
        return None if tenant is None else validation.tenant(tenant)

    def inherited(self, config: RunnableConfig, metadata: Mapping[str, Any]) -> RunnableConfig:
        """A config with the tenant of the checkpoint that it goes on from, as LangGraph has noted it there."""
        names = [key for key in (*self.tenant_keys, *self._names) if metadata.get(key) is not None]
        known = {key: metadata[key] for key in names}
        return {**config, "configurable": {**known, **config.get("configurable", {})}}

    def thread(self, config: RunnableConfig) -> ThreadMemory | None:
        """The memory of a config's thread; None where it names no tenant, which is logged as a warning the first time.

        Raises:
            InvalidInputError: The tenant cannot be one, the title names what is not there, or there is no thread.
        """
        configurable = config.get("configurable", {})
        tenant = self._tenant(configurable)
        if tenant is None:
            self._warn()
            return None
        demand_thread(config)
        external_id, title = validation.tenant(tenant), validation.name(self._title(configurable), "title")
        return ThreadMemory(
            external_id=external_id,
            namespace=validation.namespace(self.ownership.default(external_id, title)),
            title=title,
            sections=self._of_template,
            thread_id=str(configurable["thread_id"]),
        )

    def changed(
        self, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> tuple[dict[str, str], list[str]]:
        """The texts of the sections whose channels a checkpoint changes, and the delta channels still to be read.

        A channel that has lost its value empties its section.

        Raises:
            InvalidInputError: A value has no text, or one that cannot be stored.
        """
        return self._texts(checkpoint, metadata, self.sections.keys() & new_versions.keys())

    def unchanged(
        self, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> tuple[dict[str, str], list[str]]:
        """As `changed`, for the channels that have a value and that the checkpoint does not change."""
        return self._texts(
            checkpoint, metadata, (self.sections.keys() & checkpoint["channel_versions"].keys()) - new_versions.keys()
        )

    def snapshots(self, checkpoint: Checkpoint, new_versions: ChannelVersions) -> list[str]:
        """Delta channels whose new version may be a snapshot only, and no change.

        LangGraph snapshots channels that nobody has written, as where a thread forks.
        """
        written = checkpoint.get("updated_channels") or ()
        return [
            channel
            for channel in self.sections.keys() & new_versions.keys()
            if isinstance(checkpoint["channel_values"].get(channel), _DeltaSnapshot) and channel not in written
        ]

    def stored(self, checkpoint: Checkpoint, channels: Sequence[str]) -> dict[str, str]:
        """The texts of sections by the values that a checkpoint has of their channels."""
        values = checkpoint["channel_values"]
        return {self.sections[c].id: self.text(c, values[c]) for c in channels if c in values}

    def replayed(self, histories: Mapping[str, DeltaChannelHistory]) -> dict[str, str]:
        """The texts of sections whose channels are delta channels, rebuilt from these histories of writes.

        Raises:
            ConfigurationError: No schema tells how their values are made from their writes.
        """
        return {self.sections[c].id: self._replayed(c, history) for c, history in histories.items()}

    def text(self, channel: str, value: Any) -> str:
        """The text of what a checkpoint holds of a channel."""
        text = self.sections[channel].stored_text(value)
        validation.length(len(text), f"channel {channel!r}", limit=self.limit)
        return text

    def _texts(
        self, checkpoint: Checkpoint, metadata: CheckpointMetadata, channels: Iterable[str]
    ) -> tuple[dict[str, str], list[str]]:
        values = checkpoint["channel_values"]
        delta = metadata.get("counters_since_delta_snapshot") or {}
        texts, unread = dict[str, str](), list[str]()
        for channel in channels:
            spec = self.sections[channel].spec
            # without a schema, only the counters in the metadata show that it is a delta channel
            if channel not in values and (channel in delta or (spec is not None and spec.is_delta)):
                unread.append(channel)
            else:
                texts[self.sections[channel].id] = self.text(channel, values.get(channel))
        return texts, unread

    def _replayed(self, channel: str, history: DeltaChannelHistory) -> str:
        spec = self.sections[channel].spec
        if spec is None or not spec.is_delta:
            raise ConfigurationError(
                f"channel {channel!r} is a delta channel; give the checkpointer the graph's state_schema, which tells "
                "how its value is made from its writes"
            )
        return self.text(channel, spec.replayed(history))

    def _tenant(self, configurable: Mapping[str, Any]) -> Any:
        return tenancy.in_configurable(configurable, self.tenant_keys)

    def _title(self, configurable: Mapping[str, Any]) -> str:
        if missing := [name for name in self._names if configurable.get(name) is None]:
            raise InvalidInputError(
                f"the memory's title {self.title!r} needs {missing[0]!r}, which the config's configurable does not "
                f"have; it has {', '.join(sorted(key for key in configurable if not key.startswith('__')))}"
            )
        return self.title.format_map({name: str(configurable[name]) for name in self._names})

    def _warn(self) -> None:
        if not self._warned.is_set():
            self._warned.set()
            _logger.warning(
                "a checkpoint names no tenant (%s in config['configurable']); its state is not written into memory",
                " or ".join(self.tenant_keys),
            )
