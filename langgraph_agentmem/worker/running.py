"""Runs the consolidation graph on one memory: holds the lease meanwhile, and gives the memory back where it fails."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

import anyio

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import InvalidInputError, StorageError
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.operations.runs import claiming
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import HasResources, Resources
from langgraph_agentmem.worker import callbacks

_RENEWALS = 3
"""How often a lease is renewed before it would expire."""
_logger = logging.getLogger(__name__)


class Consolidation:
    """Consolidates memories, one at each call, any number at once.

    Args:
        memory: The open memory.
    """

    def __init__(self, memory: HasResources) -> None:
        self._memory = memory

    @property
    def _resources(self) -> Resources:
        return self._memory.resources

    @cached_property
    def _graph(self) -> Any:
        from langgraph_agentmem.graphs import create_consolidation_graph  # noqa: PLC0415 - imports LangGraph's graphs

        graph: Any = create_consolidation_graph(self._memory, review=False)  # reviews wait in the database
        return graph.compile()

    async def run(
        self, external_id: str, memory_id: int, *, everything: bool = False, if_due: bool = False
    ) -> ConsolidationReport:
        """Consolidate what is pending in a memory.

        Args:
            external_id: The tenant.
            memory_id: The memory.
            everything: Also sections that were never updated.
            if_due: Only if the queue offers the memory; the run then counts as one of its attempts.
        """
        ids = _ids(external_id, memory_id)
        with telemetry.span("consolidation", **ids) as span:
            report = await self._run(ids, everything=everything, if_due=if_due)
            span.set(status=report.status, updates=report.updates_consumed, parked=len(report.parked))
        return report

    async def rehearse(self, external_id: str, memory_id: int) -> ConsolidationReport:
        """What consolidating a memory would come to; the memory is free meanwhile, and nothing is kept."""
        ids = _ids(external_id, memory_id)
        with telemetry.span("dry_run", **ids) as span:
            report = await self._reported({**ids, "dry_run": True}, ids, "agentmem dry run")
            span.set(status=report.status)
        return report

    async def _run(self, ids: dict[str, Any], *, everything: bool, if_due: bool) -> ConsolidationReport:
        external_id, memory_id, run_id = ids.values()
        try:
            async with self._lease_renewed(external_id, memory_id, run_id):
                given = {**ids, "everything": everything, "if_due": if_due}
                report = await self._reported(given, ids, "agentmem consolidation")
        except BaseException as error:
            # cancelled or not, the memory is given back before anybody hears of the error
            with anyio.CancelScope(shield=True):
                await claiming.release(self._resources, external_id, memory_id, run_id, error, if_due=if_due)
            # of a run that never began, and of one that was stopped, there is nothing to tell
            if isinstance(error, Exception) and not isinstance(error, InvalidInputError):
                await callbacks.told(self._resources, validation.tenant(external_id), run_id)
            raise
        if report.status == "applied":
            await callbacks.told(self._resources, validation.tenant(external_id), run_id, parked=bool(report.parked))
        # with `embed="background"`, a consolidation is one of the moments at which vectors are made up for
        await embeddings.embed_what_is_left(self._resources, validation.tenant(external_id))
        return report

    async def _reported(self, given: dict[str, Any], ids: dict[str, Any], name: str) -> ConsolidationReport:
        """The report of the graph, invoked with this input."""
        traced: dict[str, Any] = {"run_name": name, "tags": ["agentmem"]}
        traced["metadata"] = {f"agentmem_{name}": value for name, value in ids.items()}
        state: Any = await self._graph.ainvoke(given, traced)
        return ConsolidationReport.model_validate(state["report"])

    @asynccontextmanager
    async def _lease_renewed(self, external_id: str, memory_id: int, run_id: str) -> AsyncGenerator[None]:
        renewing = asyncio.create_task(self._renew(external_id, memory_id, run_id))
        try:
            yield
        finally:
            renewing.cancel()
            # unlike awaiting it, this does not raise its cancellation
            await asyncio.wait([renewing])

    async def _renew(self, external_id: str, memory_id: int, run_id: str) -> None:
        """Renew the lease until cancelled; where that fails, `apply` finds out whether another run has the memory."""
        while True:
            await anyio.sleep(self._resources.settings.lease_seconds / _RENEWALS)
            try:
                await claiming.renew(self._resources, external_id, memory_id, run_id)
            except StorageError as error:
                _logger.warning(
                    "the lease of run %s could not be renewed for now: %s", run_id, telemetry.described(error)
                )


def _ids(external_id: str, memory_id: int) -> dict[str, Any]:
    return {"external_id": external_id, "memory_id": memory_id, "run_id": claiming.new_run_id()}
