"""Consolidates memories as they become due."""

import asyncio
import logging
import random
import time
from collections.abc import Generator
from contextlib import aclosing, contextmanager
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from langgraph_agentmem import telemetry
from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.errors import AgentMemoryError, MemoryNotFoundError, StorageError
from langgraph_agentmem.models.queue import WorkReport
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.operations.deletion import retention
from langgraph_agentmem.operations.queue import measuring
from langgraph_agentmem.operations.queue.offering import Offers
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.taking_turns import Memory
from langgraph_agentmem.projection.projector import GraphProjector
from langgraph_agentmem.resources import HasResources, Resources, given_memory
from langgraph_agentmem.storage.listening import due_notices
from langgraph_agentmem.worker.running import Consolidation

_MAX_OFFERED = 100
_OFFERED_SECONDS = 1.0
_LONGEST_REST = 60.0
_MEASURED_EVERY = 30.0
_SWEPT_EVERY = 3600.0
"""Seconds."""
_logger = logging.getLogger(__name__)


class MemoryWorker:
    """Takes memories that are due from the queue and consolidates them, several at once, of each tenant in turn.

    Any number of workers may share a database, on any host. A worker hears of work by `LISTEN`, and looks for it every
    so often in any case. It also embeds chunks that wait for a vector, and projects the graph where a Neo4j was chosen.

    What a run fails with is logged, and the memory is tried again later, up to `max_attempts` times. A database that
    cannot be reached is waited for.

    Args:
        memory: An open `AgentMemory`, with the model and the embedder to use. Who opened it closes it.
        external_id: Only this tenant's memories; all tenants' by default.
        concurrency: Memories at once; by default `worker_concurrency` of the memory's settings.
        poll_seconds: How often to look for work; by default `worker_poll_seconds`.
        grace_seconds: How long to go on after `stop`; by default `worker_grace_seconds`.

    Raises:
        ConfigurationError: `memory` is something else.
        InvalidInputError: An argument does not fit.

    Examples:
        >>> written = memory.update_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
        >>> MemoryWorker(memory, concurrency=8).run_until_idle().applied  # one update does not make it due
        0
    """

    def __init__(
        self,
        memory: HasResources,
        *,
        external_id: str | None = None,
        concurrency: int | None = None,
        poll_seconds: float | None = None,
        grace_seconds: float | None = None,
    ) -> None:
        settings = given_memory(memory).resources.settings
        self._memory = memory
        self._tenant = None if external_id is None else validation.tenant(external_id)
        self._concurrency = validation.positive(
            settings.worker_concurrency if concurrency is None else concurrency, "concurrency"
        )
        self._poll = validation.seconds(
            settings.worker_poll_seconds if poll_seconds is None else poll_seconds, "poll_seconds", least=0.001
        )
        self._grace = validation.seconds(
            settings.worker_grace_seconds if grace_seconds is None else grace_seconds, "grace_seconds"
        )
        self._consolidation = Consolidation(memory)
        self._running: set[Memory] = set()
        self._offers = Offers(memory.resources, self._tenant)
        self._offered: list[Memory] = []
        self._offered_until = 0.0
        self._report = WorkReport()
        self._stopping = False
        self._news: anyio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def _resources(self) -> Resources:
        return self._memory.resources

    async def arun(self) -> None:
        """Work until `stop` is called: then no memory is taken any more, and what runs is waited for.

        What still runs after `grace_seconds`, or when this is cancelled, is given back to the queue.

        Raises:
            ConfigurationError: The database refuses the user, or does not fit.

        Examples:
            >>> worker = MemoryWorker(memory)
            >>> worker.stop()  # what a signal handler does; as it comes first here, the worker ends when it starts
            >>> await worker.arun()
        """
        with _first_error():
            async with anyio.create_task_group() as helpers:
                helpers.start_soon(self._listen)
                helpers.start_soon(self._embed)
                helpers.start_soon(self._project)
                helpers.start_soon(self._measure)
                helpers.start_soon(self._sweep)
                await self._work(until_idle=False)
                helpers.cancel_scope.cancel()

    async def arun_until_idle(self) -> WorkReport:
        """Work until no memory is due and none runs here, or `stop` is called; for cron and serverless.

        Raises:
            OutageError: A database cannot be reached.
            EmbeddingError: Chunks that wait for a vector cannot be embedded; the runs were carried out.

        Examples:
            >>> report = await MemoryWorker(memory, external_id="alice").arun_until_idle()
            >>> report.applied, report.failed
            (0, 0)
        """
        self._report = WorkReport()
        with _first_error():
            await self._work(until_idle=True)
            if (projector := self._projector()) is not None:
                await projector.arun_once(self._tenant)
            await embeddings.embed_pending(self._resources, self._tenant)
            await measuring.measure(self._resources)
        return self._report

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def stop(self) -> None:
        """Let the worker come to an end, from any thread; one that does not run yet ends when it starts.

        Examples:
            >>> worker = MemoryWorker(memory)
            >>> worker.stop()
            >>> worker.stopping
            True
        """
        self._stopping = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def _work(self, *, until_idle: bool) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            async with anyio.create_task_group() as runs:
                await self._dispatch(runs, until_idle=until_idle)
                # leaving the block waits for the runs; those that take longer are cancelled, which gives their memories
                # back
                runs.cancel_scope.deadline = anyio.current_time() + self._grace
        finally:
            # so that the worker can be run again
            self._stopping = False

    async def _dispatch(self, runs: TaskGroup, *, until_idle: bool) -> None:
        """Start a run wherever there is room for one, until the worker is to stop, or has nothing left to do."""
        while not self._stopping:
            news = self._news = anyio.Event()  # before looking, so that nothing is missed that comes meanwhile
            room = self._concurrency - len(self._running)
            due = await self._due(room, patiently=not until_idle) if room else []
            for memory in due:
                self._running.add(memory)
                runs.start_soon(self._consolidate, memory)
            # a run may leave its memory due again, so a worker is idle only when it has none left
            if not due and until_idle and not self._running:
                return
            if not due:
                # spread, so that workers that were started together do not look together
                with anyio.move_on_after(self._poll * random.uniform(0.75, 1.25)):
                    await news.wait()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()

    async def _due(self, room: int, *, patiently: bool) -> list[Memory]:
        """So many memories that are offered and do not run here; none if there are none.

        What was offered is taken for a while, as looking takes the longer the more is due; and for no longer than that,
        so that a tenant whose memory has become due since has its turn.
        """
        if not self._offered or time.monotonic() > self._offered_until:
            try:
                # so many more, as those that run here may still be offered; they are taken out below
                self._offered = await self._offers.next(_MAX_OFFERED + self._concurrency)
            except StorageError as error:
                if not patiently:
                    raise
                _logger.warning("the worker waits for the database: %s", telemetry.described(error))
                return []
            self._offered_until = time.monotonic() + _OFFERED_SECONDS
        waiting = [memory for memory in self._offered if memory not in self._running]
        taken, self._offered = waiting[:room], waiting[room:]
        if taken:
            self._offers.go_on_behind(taken[-1][0])
        return taken

    async def _consolidate(self, memory: Memory) -> None:
        started = time.perf_counter()
        try:
            report = await self._consolidation.run(*memory, if_due=True)
            self._count("applied" if report.status == "applied" else "dead" if report.status == "dead" else None)
            _log_report(memory, report, time.perf_counter() - started)
        except MemoryNotFoundError:
            pass  # it was closed, or forgotten, since it was due
        except Exception as error:
            self._count("failed")
            # the error's text, which may quote the memory, stands in the run and in the memory's row
            fields = {"external_id": memory[0], "memory_id": memory[1], "error": type(error).__name__}
            _logger.warning("a run of memory %s of %r failed: %s", memory[1], memory[0], fields["error"], extra=fields)
        finally:
            self._running.discard(memory)
            self._wake()

    def _count(self, what: str | None) -> None:
        if what is not None:
            self._report = self._report.model_copy(update={what: getattr(self._report, what) + 1})

    async def _listen(self) -> None:
        """Wake up when memories become due; as long as nothing can be heard, looking every so often has to do."""
        while True:
            try:
                async with aclosing(due_notices(self._resources.database)) as notices:
                    async for _ in notices:
                        self._wake()
                return  # there is nothing to be heard, behind a pooler
            except StorageError as error:
                _logger.info(
                    "the worker does not hear of memories that are due for now: %s", telemetry.described(error)
                )
            # where the connection fails at once, this must not become a busy loop
            await anyio.sleep(self._poll)

    async def _embed(self) -> None:
        """Chunk and embed what waits for it: at first also all that another embedder has embedded, then new chunks."""
        others, rest = True, self._poll
        while True:
            try:
                await embeddings.embed_pending(self._resources, self._tenant, others=others)
                others, rest = False, self._poll
            except AgentMemoryError as error:
                rest = min(rest * 2, _LONGEST_REST)
                _logger.warning("chunks stay without vectors for now: %s", telemetry.described(error))
            await anyio.sleep(rest)

    async def _project(self) -> None:
        while (projector := self._projector()) is not None:
            try:
                await projector.arun(self._tenant, poll_seconds=self._poll)
            except AgentMemoryError as error:  # a wrong password, for instance, is no reason not to consolidate
                _logger.warning("the graph is not projected into Neo4j for now: %s", telemetry.described(error))
            await anyio.sleep(_LONGEST_REST)

    async def _sweep(self) -> None:
        """Remove what the settings keep no longer; a worker for one tenant leaves that to others."""
        while retention.wanted(self._resources) and self._tenant is None:
            try:
                await retention.sweep(self._resources)
            except AgentMemoryError as error:
                _logger.warning("what was kept for long enough stays for now: %s", telemetry.described(error))
            # spread, as workers that were started together would all read the same
            await anyio.sleep(_SWEPT_EVERY * random.uniform(0.75, 1.25))

    async def _measure(self) -> None:
        """Count what waits, for OpenTelemetry's gauges."""
        while telemetry.installed():
            try:
                with anyio.CancelScope(shield=True):  # a connection that is cancelled while it is made stays open
                    await measuring.measure(self._resources)
            except StorageError as error:
                _logger.info("the queue is not counted for now: %s", telemetry.described(error))
            await anyio.sleep(_MEASURED_EVERY)

    def _projector(self) -> GraphProjector | None:
        neo4j = self._resources.neo4j
        return None if neo4j is None else GraphProjector(self._resources.database, neo4j)

    run: Final = blocking(arun)
    run_until_idle: Final = blocking(arun_until_idle)


@contextmanager
def _first_error() -> Generator[None]:
    """Let the first error out of task groups as it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _leaf(group) from None


def _leaf(error: BaseException) -> BaseException:
    return _leaf(cast("Any", error).exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _log_report(memory: Memory, report: ConsolidationReport, seconds: float) -> None:
    fields = {"external_id": memory[0], "memory_id": memory[1], "run_id": report.run_id, "status": report.status}
    fields |= {"updates": report.updates_consumed, "seconds": round(seconds, 3)}
    level = {"busy": logging.DEBUG, "dead": logging.ERROR}.get(report.status, logging.INFO)
    promoted = ", promoted" if report.promotion is not None and report.promotion.status == "promoted" else ""
    text = "memory %s of %r: %s%s, %d updates in %.2f s"
    values = (memory[1], memory[0], report.status, promoted, report.updates_consumed, seconds)
    _logger.log(level, text, *values, extra=fields)
