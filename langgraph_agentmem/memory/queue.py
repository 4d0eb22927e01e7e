"""What waits for a consolidation, or for an embedder."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from langgraph_agentmem import telemetry
from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.errors import AgentMemoryError, RunsFailedError
from langgraph_agentmem.models.queue import DeadMemory, QueueStatus
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.operations.queue import queueing
from langgraph_agentmem.operations.queue.offering import Offers
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.policies import validation
from langgraph_agentmem.projection.projector import GraphProjector
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.worker.running import Consolidation

_logger = logging.getLogger(__name__)


class Queue:
    """The work that waits in an open memory, as `memory.queue`.

    A `MemoryWorker` works it off as it comes; these methods do so when they are called. Every method comes twice, as
    `await memory.queue.arun_due(...)` and as `memory.queue.run_due(...)`.

    Examples:
        >>> status = memory.queue.status()
        >>> status.due, status.running, status.dead
        (0, 0, 0)
    """

    def __init__(self, resources: Resources, consolidation: Consolidation) -> None:
        self._resources = resources
        self._consolidation = consolidation

    async def arun_due(self, external_id: str | None = None, *, limit: int = 100) -> list[ConsolidationReport]:
        """Consolidate the memories that are due, and embed chunks that wait for it; for cron and serverless.

        Of all tenants' memories, each tenant's come in turn, the longest waiting first.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            limit: The most memories.

        Raises:
            EmbeddingError: Chunks that wait for a vector cannot be embedded; the runs were carried out.
            RunsFailedError: Some runs failed; the others were carried out.

        Examples:
            >>> written = await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
            >>> await memory.queue.arun_due("alice")  # one update does not make it due
            []
        """
        tenant = None if external_id is None else validation.tenant(external_id)
        due = await Offers(self._resources, tenant).next(validation.positive(limit, "limit"))
        reports = await self._consolidate_all(due, tenant, if_due=True)
        await self.aembed_pending(tenant)
        return reports

    async def aflush(self, external_id: str, memory_id: int | None = None) -> list[ConsolidationReport]:
        """Consolidate all that is pending, below the threshold too, of one memory or of all of a tenant's.

        Returns:
            A report for each memory with pending updates; `busy` for one that another run holds, which stays due.

        Raises:
            MemoryNotFoundError: The tenant has no such memory.
            EmbeddingError: Chunks that wait for a vector cannot be embedded.
            RunsFailedError: Some runs failed; the others were carried out, and those memories stay due.

        Examples:
            >>> written = await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
            >>> [report.updates_consumed for report in await memory.queue.aflush("alice")]
            [1]
        """
        tenant = validation.tenant(external_id)
        pending = await queueing.mark_pending_due(self._resources, tenant, memory_id)
        reports = await self._consolidate_all(pending, tenant, if_due=False)
        await self.aembed_pending(tenant)
        return reports

    async def astatus(self, external_id: str | None = None) -> QueueStatus:
        """How many memories are due, being consolidated, set aside and so on, and for how long the oldest has waited.

        Args:
            external_id: Only this tenant's; all tenants' by default.

        Examples:
            >>> status = await memory.queue.astatus("alice")
            >>> status.due, status.dead, status.lag_seconds
            (0, 0, 0.0)
        """
        return await queueing.status(self._resources, external_id)

    async def adead_letters(self, external_id: str | None = None, *, limit: int = 100) -> list[DeadMemory]:
        """Memories that were set aside after `max_attempts` runs that failed, or whose processes died.

        Nothing of them is lost, and they go on taking updates; `aretry` puts them back into the queue.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            limit: The most memories.

        Examples:
            >>> [(letter.memory_id, letter.error) for letter in await memory.queue.adead_letters("alice")]
            []
        """
        return await queueing.dead_letters(self._resources, external_id, limit)

    async def aretry(self, external_id: str | None = None, memory_id: int | None = None) -> int:
        """Put memories that were set aside back into the queue; returns how many those are.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            memory_id: Only this one.

        Raises:
            MemoryNotFoundError: The tenant has no such memory.

        Examples:
            >>> await memory.queue.aretry("alice", apollo.id)  # it was not set aside
            0
        """
        return await queueing.retry_dead_letters(self._resources, external_id, memory_id)

    async def aembed_pending(
        self, external_id: str | None = None, *, on_progress: Callable[[int], object] = lambda _: None
    ) -> int:
        """Embed the chunks that have no vector of this embedder yet, and return how many those were.

        What was written without its chunks (by puts and checkpoints) is chunked first, also where there is no embedder.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            on_progress: Called after every batch, with how many were embedded so far.

        Raises:
            EmbeddingError: The embedder fails; what was embedded before stays.

        Examples:
            >>> await memory.queue.aembed_pending("alice")  # there is no embedder
            0
        """
        return await embeddings.embed_pending(self._resources, external_id, on_progress=on_progress)

    async def _consolidate_all(
        self, memories: Sequence[tuple[str, int]], external_id: str | None, *, if_due: bool
    ) -> list[ConsolidationReport]:
        reports: list[ConsolidationReport] = []
        errors: dict[tuple[str, int], Exception] = {}
        for tenant, memory_id in memories:
            try:
                reports.append(await self._consolidation.run(tenant, memory_id, if_due=if_due))
            # one memory that fails keeps no other from its turn; all errors are raised together
            except Exception as error:
                errors[tenant, memory_id] = error
        await self._project(external_id)
        if errors:
            raise RunsFailedError(errors)
        return reports

    async def _project(self, external_id: str | None) -> None:
        """Project what waits, where that is no condition for anything: what cannot be projected stays in the outbox."""
        neo4j = self._resources.neo4j
        if neo4j is None:
            return
        try:
            report = await GraphProjector(self._resources.database, neo4j).arun_once(external_id)
        except AgentMemoryError as error:
            _logger.warning("the graph is not projected into Neo4j for now: %s", telemetry.described(error))
        else:
            for problem in report.problems.values():
                _logger.warning("a graph is not projected into Neo4j: %s", problem)

    run_due: Final = blocking(arun_due)
    flush: Final = blocking(aflush)
    status: Final = blocking(astatus)
    dead_letters: Final = blocking(adead_letters)
    retry: Final = blocking(aretry)
    embed_pending: Final = blocking(aembed_pending)
