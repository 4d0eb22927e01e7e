"""Binds each thread to the tenant that its checkpoints name, as LangGraph notes what a run's config has."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from langgraph_agentmem.checkpoint.mapping import ThreadMapping
from langgraph_agentmem.errors import ForeignThreadError, InvalidInputError
from langgraph_agentmem.policies import tenancy
from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.storage.langgraph import checkpoints
from langgraph_agentmem.storage.langgraph.checkpoints import CheckpointTables

_MOST_KNOWN = 10_000
"""Threads whose tenant is remembered; those that were not used for the longest are looked at again."""


class ThreadBinding:
    """Lets a tenant use no thread with a checkpoint that names another one.

    What is read says itself whose it is. Before the first write to a thread, this process looks at all that it has.

    Args:
        tables: LangGraph's.
        mapping: Of threads to memories, which knows where a config names the tenant.
    """

    def __init__(self, tables: CheckpointTables, mapping: ThreadMapping) -> None:
        self._tables = tables
        self._mapping = mapping
        self._known = OrderedDict[str, str]()
        self._changing = threading.Lock()

    async def admit(self, config: RunnableConfig) -> None:
        """Refuse a config whose thread is not its tenant's, before anything of it is read or written.

        Raises:
            ForeignThreadError: A checkpoint of the thread names another tenant.
            InvalidInputError: The config names no tenant, or no thread.
        """
        thread, tenant = self._named(config)
        with self._changing:
            if self._known.get(thread) == tenant:
                self._known.move_to_end(thread)
                return
        async with self._tables.connection(NOBODY) as connection:
            named = await checkpoints.tenants_of(connection, thread, self._mapping.tenant_keys)
        _refuse_others(thread, tenant, named)
        with self._changing:
            self._known[thread] = tenant
            self._known.move_to_end(thread)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def check(self, config: RunnableConfig, found: Iterable[CheckpointTuple]) -> None:
        """Refuse what was found by a config, unless all of it is its tenant's.

        Raises:
            ForeignThreadError: A checkpoint names another tenant.
            InvalidInputError: The config names no tenant, or no thread.
        """
        thread, tenant = self._named(config)
        named = (tenancy.in_configurable(each.metadata, self._mapping.tenant_keys) for each in found)
        _refuse_others(thread, tenant, {str(other) for other in named if other is not None})

    def _named(self, config: RunnableConfig) -> tuple[str, str]:
        configurable = config.get("configurable", {})
        thread, tenant = configurable.get("thread_id"), self._mapping.tenant_of(config)
        if thread is None or tenant is None:
            keys = " or ".join(map(repr, self._mapping.tenant_keys))
            missing = "thread, as 'thread_id'" if thread is None else f"tenant, as {keys}"
            raise InvalidInputError(
                f"threads are bound to tenants here, and the config's configurable names no {missing}; it looks like "
                '{"configurable": {"thread_id": "1", "user_id": "alice"}}'
            )
        return str(thread), tenant


def _refuse_others(thread: str, tenant: str, named: Collection[str]) -> None:
    if set(named) - {tenant}:
        raise ForeignThreadError(thread)
