"""The log of consolidation runs."""

import builtins
from typing import Final

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.models.run import ConsolidationRun, RunStatus
from langgraph_agentmem.operations.retrieval import reading
from langgraph_agentmem.operations.runs import undoing
from langgraph_agentmem.resources import Resources


class Runs:
    """The consolidation runs of an open memory, as `memory.runs`.

    Every method comes twice, as `await memory.runs.alist(...)` and as `memory.runs.list(...)`.

    Examples:
        >>> [run.status for run in memory.runs.list("alice")]
        ['applied']
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def alist(
        self, external_id: str, memory_id: int | None = None, *, status: RunStatus | None = None, limit: int = 50
    ) -> builtins.list[ConsolidationRun]:
        """The log of consolidation runs, newest first.

        Examples:
            >>> [run] = await memory.runs.alist("alice", apollo.id, status="applied")
            >>> run.id == report.run_id, run.resolver
            (True, 'rules')
        """
        return await reading.runs(self._resources, external_id, memory_id, status, limit)

    async def aundo(self, external_id: str, run_id: str) -> ConsolidationRun:
        """Restore what a run superseded or merged, in long-term memory, too; what it added stays.

        Undoing twice is undoing once. A promotion that made entities one has a run as well (`PromotionReport.run_id`);
        undoing it parts them.

        Raises:
            RunNotFoundError: The tenant has no such run.
            InvalidInputError: The run was not applied.
            UndoConflictError: Later runs changed the same things; it names them.

        Examples:
            >>> run = await memory.runs.aundo("alice", report.run_id)
            >>> run.status
            'undone'
        """
        return await undoing.undo(self._resources, external_id, run_id)

    list: Final = blocking(alist)
    undo: Final = blocking(aundo)
