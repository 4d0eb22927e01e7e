"""Which memory a thread belongs to, and what of a checkpoint is written into its sections."""

import logging
import string
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, DeltaChannelHistory
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.active import MemoryTemplate
from langgraph_agentmem.models.thread import ThreadMemory
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.state_sections import StateSection, template

_logger = logging.getLogger(__name__)


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
        if not self.tenant_keys or not all(isinstance(cast("object", key), str) and key for key in self.tenant_keys):
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

    def thread(self, config: RunnableConfig) -> ThreadMemory | None:
        """The memory of a config's thread; None where it names no tenant, of which the first time warns.

        Raises:
            InvalidInputError: The tenant cannot be one, or the title names what is not there.
        """
        given = config.get("configurable", {})
        tenant = next((given[key] for key in self.tenant_keys if given.get(key) is not None), None)
        if tenant is None:
            self._warn()
            return None
        external_id, title = validation.tenant(tenant), validation.name(self._title(given), "title")
        return ThreadMemory(
            external_id=external_id,
            namespace=validation.namespace(self.ownership.default(external_id, title)),
            title=title,
            template=self.template(title),
            thread_id=str(given["thread_id"]),
        )

    def template(self, title: str) -> MemoryTemplate:
        """The template of a memory."""
        return template(title, self.sections)

    def changed(
        self, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> tuple[dict[str, str], list[str]]:
        """The texts of the sections whose channels a checkpoint changes, and the delta channels still to be read.

        A channel that has lost its value empties its section.

        Raises:
            InvalidInputError: A value has no text, or one that cannot be stored.
        """
        values = checkpoint["channel_values"]
        delta = metadata.get("counters_since_delta_snapshot") or {}
        texts, unread = dict[str, str](), list[str]()
        for channel in self.sections.keys() & new_versions.keys():
            if channel not in values and (channel in delta or self._is_delta(channel)):
                unread.append(channel)
            else:
                texts[self.sections[channel].id] = self.text(channel, values.get(channel))
        return texts, unread

    def replayed(self, histories: Mapping[str, DeltaChannelHistory]) -> dict[str, str]:
        """The texts of the sections whose delta channels' values come of these histories.

        Raises:
            ConfigurationError: No schema tells how their values are made from their writes.
        """
        return {
            self.sections[channel].id: self.text(channel, self._value(channel, history))
            for channel, history in histories.items()
        }

    def _value(self, channel: str, history: DeltaChannelHistory) -> Any:
        spec = self.sections[channel].spec
        if not isinstance(spec, DeltaChannel):
            raise ConfigurationError(
                f"channel {channel!r} is a delta channel; give the checkpointer the graph's state_schema, which tells "
                "how its value is made from its writes"
            )
        rebuilt = cast("DeltaChannel[Any]", spec.from_checkpoint(history.get("seed", spec.checkpoint())))
        rebuilt.replay_writes(history["writes"])
        return rebuilt.get()

    def text(self, channel: str, value: Any) -> str:
        """The text of a channel's value."""
        text = self.sections[channel].text(value.value if isinstance(value, _DeltaSnapshot) else value)
        validation.length(len(text), f"channel {channel!r}", limit=self.limit)
        return text

    def _is_delta(self, channel: str) -> bool:
        return isinstance(self.sections[channel].spec, DeltaChannel)

    def _title(self, given: Mapping[str, Any]) -> str:
        names = [name for _, name, _, _ in string.Formatter().parse(self.title) if name]
        if missing := [name for name in names if given.get(name) is None]:
            raise InvalidInputError(
                f"the memory's title {self.title!r} needs {missing[0]!r}, which the config's configurable does not "
                f"have; it has {', '.join(sorted(key for key in given if not key.startswith('__')))}"
            )
        return self.title.format_map({name: str(given[name]) for name in names})

    def _warn(self) -> None:
        if not self._warned.is_set():
            self._warned.set()
            _logger.warning(
                "a checkpoint names no tenant (%s in config['configurable']); its state is not written into memory",
                " or ".join(self.tenant_keys),
            )
