"""Projects the entity graph from PostgreSQL into Neo4j."""

import logging
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Final, Protocol

import anyio

from langgraph_agentmem import telemetry
from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.errors import AgentMemoryError, StaleGraphError, StorageError
from langgraph_agentmem.models.graph import ProjectionReport, ProjectionStatus, VerifyReport
from langgraph_agentmem.policies import validation
from langgraph_agentmem.projection import batches, rebuilding, verifying
from langgraph_agentmem.projection.draining import Step, drain, expected
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import projection as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.tenants import tenant_or_everyone

Progress = Callable[[int, int], None]
"""Told (done, total) as work goes on."""

_BATCH = 1_000
_TENANTS = 500
_LETTERS = 20
_logger = logging.getLogger(__name__)


class GraphProjector:
    """Keeps a Neo4j database's copy of the entity graph like PostgreSQL.

    It may be used by any number of processes at once: what one of them writes late is refused. Every method comes
    twice, as `await projector.arun_once()` and as `projector.run_once()`.

    Args:
        database: The PostgreSQL database.
        neo4j: The Neo4j database.
        batch_size: Most changes in one transaction.

    Examples:
        >>> with GraphProjector.open() as projector:
        ...     projector.run_once(tenant).problems
        {}
    """

    def __init__(self, database: Database, neo4j: Neo4jDatabase, *, batch_size: int = _BATCH) -> None:
        self.database = database
        self.neo4j = neo4j
        self._batch_size = validation.positive(batch_size, "batch_size")

    @classmethod
    def open(
        cls,
        dsn: str | None = None,
        *,
        neo4j: Neo4jDatabase | None = None,
        settings: AgentMemorySettings | None = None,
        batch_size: int = _BATCH,
    ) -> "GraphProjector":
        """A projector between two databases.

        Args:
            dsn: PostgreSQL's connection string; by default as `AgentMemory.open` has it.
            neo4j: By default from the settings (`NEO4J_URI` and so on).
            settings: By default, from the environment.
            batch_size: Most changes in one transaction.

        Raises:
            ConfigurationError: The settings name no Neo4j.

        Examples:
            >>> projector = GraphProjector.open(neo4j=Neo4jDatabase("bolt://localhost:7687", password="development"))
        """
        settings = settings or AgentMemorySettings()
        return cls(Database.of(settings, dsn), neo4j or Neo4jDatabase.of(settings), batch_size=batch_size)

    async def aclose(self) -> None:
        """Close the connections of both databases; the projector can be used again afterwards.

        Examples:
            >>> await projector.aclose()  # as leaving `async with` does
        """
        await self.database.close()
        await self.neo4j.close()

    async def __aenter__(self) -> "GraphProjector":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> "GraphProjector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def arun_once(self, external_id: str | None = None, *, progress: Progress | None = None) -> ProjectionReport:
        """Project what waits.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            progress: Told (done, total) as it goes on.

        Returns:
            What was projected and set aside. A tenant whose graph in Neo4j is stale is named in `problems`, and the
            others are projected.

        Raises:
            OutageError: A database cannot be reached; what was not projected waits.
            AuthenticationError: Neo4j refuses the user, the password or the database.

        Examples:
            >>> report = await projector.arun_once(tenant)
            >>> report.dead, report.problems
            (0, {})
        """
        tenant = None if external_id is None else validation.tenant(external_id)
        await self.neo4j.setup()
        report = ProjectionReport()
        counter = _Counter(progress)
        async for name in self._tenants(storage.waiting_tenants, tenant):
            counter.expect(await self._pending(name))
            report = await self._drain(name, report, counter.step)
        return report

    async def arun(self, external_id: str | None = None, *, poll_seconds: float = 1.0) -> None:
        """Project whatever comes, until cancelled; what goes wrong is logged, and tried again.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            poll_seconds: How long to rest when nothing waits; up to a minute after outages.

        Raises:
            InvalidInputError: `poll_seconds` is no number of seconds, or more than a day.
            AuthenticationError: A database refuses the user, the password or the database's name.

        Examples:
            >>> with anyio.move_on_after(0.2):
            ...     await projector.arun(tenant, poll_seconds=0.1)
        """
        poll_seconds = validation.seconds(poll_seconds, "poll_seconds")
        wait, problems = poll_seconds, dict[str, str]()
        while True:
            try:
                report = await self.arun_once(external_id)
                for tenant, problem in report.problems.items():
                    # once, not with every look
                    if problems.get(tenant) != problem:
                        _logger.warning("a graph is not projected into Neo4j: %s", problem)
                if report.dead:
                    _logger.warning("%d changes of the graph were set aside", report.dead)
                wait, problems = poll_seconds, report.problems
            except StorageError as error:
                wait = min(max(wait, 0.5) * 2, 60.0)
                _logger.warning("the projection waits for %.1f seconds: %s", wait, telemetry.described(error))
            await anyio.sleep(wait)

    async def astatus(self, external_id: str | None = None) -> list[ProjectionStatus]:
        """How far each tenant's graph is projected, and what stands in the way, such as an outage of Neo4j.

        Raises:
            OutageError: PostgreSQL cannot be reached.

        Examples:
            >>> [(status.pending, status.problem) for status in await projector.astatus(tenant)]
            [(0, None)]
        """
        tenant = None if external_id is None else validation.tenant(external_id)
        statuses: list[ProjectionStatus] = []
        outage: str | None = None
        async for name in self._tenants(storage.known_tenants, tenant):
            status, known = await self._status(name)
            try:
                if outage is None:
                    await batches.check(self.neo4j, name, expected(known))
                problem = outage
            except StaleGraphError as error:
                problem = str(error)
            except AgentMemoryError as error:  # it will be no better for the next tenant
                problem = outage = str(error)
            statuses.append(status.model_copy(update={"problem": problem}))
        return statuses

    async def arebuild(self, external_id: str | None = None, *, progress: Progress | None = None) -> ProjectionReport:
        """Write the whole graph again from PostgreSQL, into an empty or a stale database; it stays readable meanwhile.

        What Neo4j holds of these tenants and PostgreSQL does not is removed. A rebuild that was interrupted is begun
        again by the next one.

        Args:
            external_id: Only this tenant's; by default, that of all tenants that PostgreSQL knows.
            progress: Told (done, total) as it goes on.

        Examples:
            >>> report = await projector.arebuild(tenant)
            >>> report.projected > 0, report.problems
            (True, {})
        """
        tenant = None if external_id is None else validation.tenant(external_id)
        await self.neo4j.setup()
        names = await self._known(tenant)
        report, counter = ProjectionReport(), _Counter(progress)
        for name in names:
            async with self.database.transaction(name) as connection:
                counter.expect(await storage.size(connection, name))
        for name in names:
            written = await rebuilding.rebuild(self.database, self.neo4j, name, self._batch_size, counter.step)
            await self._revive(name)
            report = await self._drain(name, report.model_copy(update={"projected": report.projected + written}))
        return report

    async def averify(self, external_id: str | None = None) -> VerifyReport:
        """Compare both databases, thing by thing; writers need not stop meanwhile.

        Args:
            external_id: Only this tenant; by default, all tenants that PostgreSQL knows.

        Examples:
            >>> (await projector.averify(tenant)).differences
            []
        """
        tenant = None if external_id is None else validation.tenant(external_id)
        await self.neo4j.setup()
        report = VerifyReport()
        for name in await self._known(tenant):
            report = await verifying.verify(self.database, self.neo4j, name, report)
        return report

    async def aretry_dead(self, external_id: str | None = None) -> int:
        """Let what was set aside wait to be projected again; returns how many changes that is.

        Examples:
            >>> await projector.aretry_dead(tenant)
            0
        """
        tenant = None if external_id is None else validation.tenant(external_id)
        return sum([await self._revive(name) async for name in self._tenants(storage.known_tenants, tenant)])

    async def _known(self, external_id: str | None) -> list[str]:
        """The tenants that PostgreSQL knows, or the one that was asked for, even if only Neo4j knows it."""
        names = [name async for name in self._tenants(storage.known_tenants, external_id)]
        return names or ([] if external_id is None else [external_id])

    async def _tenants(self, read: "_ReadsTenants", external_id: str | None) -> AsyncGenerator[str]:
        after = ""
        while True:
            async with self.database.transaction(tenant_or_everyone(external_id)) as connection:
                page = await read(connection, external_id, after, _TENANTS)
            for name in page:
                yield name
            if len(page) < _TENANTS:
                return
            after = page[-1]

    async def _drain(self, external_id: str, report: ProjectionReport, step: Step = lambda _: None) -> ProjectionReport:
        try:
            projected, dead = await drain(self.database, self.neo4j, external_id, self._batch_size, step)
        except StaleGraphError as error:
            return report.model_copy(update={"problems": {**report.problems, external_id: str(error)}})
        return report.model_copy(update={"projected": report.projected + projected, "dead": report.dead + dead})

    async def _pending(self, external_id: str) -> int:
        async with self.database.transaction(external_id) as connection:
            return (await storage.lag(connection, external_id))[0]

    async def _status(self, external_id: str) -> tuple[ProjectionStatus, storage.Projection | None]:
        async with self.database.transaction(external_id) as connection:
            pending, oldest, dead = await storage.lag(connection, external_id)
            letters = await storage.dead_letters(connection, external_id, _LETTERS)
            known = await storage.projection(connection, external_id)
        status = ProjectionStatus(
            external_id=external_id,
            pending=pending,
            oldest=oldest,
            dead=dead,
            dead_letters=letters,
            projected_at=known and known.projected_at,
            rebuilding=known is not None and known.rebuild is not None,
        )
        return status, known

    async def _revive(self, external_id: str) -> int:
        async with self.database.transaction(external_id) as connection:
            return await storage.revive(connection, external_id, everything=True)

    close: Final = blocking(aclose)
    run_once: Final = blocking(arun_once)
    run: Final = blocking(arun)
    status: Final = blocking(astatus)
    rebuild: Final = blocking(arebuild)
    verify: Final = blocking(averify)
    retry_dead: Final = blocking(aretry_dead)


class _ReadsTenants(Protocol):
    async def __call__(
        self, connection: Connection, external_id: str | None, after: str, limit: int, /
    ) -> list[str]: ...


class _Counter:
    """Tells how far work is whose extent shows as it goes on."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = self._total = 0

    def expect(self, count: int) -> None:
        self._total += count

    def step(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, max(self._total, self._done))
