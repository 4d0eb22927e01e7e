"""Looks at a database, check by check, without changing anything."""

from collections.abc import Callable

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.models.health import Finding
from langgraph_agentmem.policies import diagnosing, validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import health, queue, tenant_indexes
from langgraph_agentmem.storage.driver import distribution, migrate, row_security, structure
from langgraph_agentmem.storage.driver.statements import migrations
from langgraph_agentmem.storage.driver.tenants import NOBODY, tenant_or_everyone
from langgraph_agentmem.storage.vectors import EmbeddingModel, index_of, mismatch, model_in_use

Bare = AsyncConnection[DictRow]
_SHOWN = 10
"""Memories whose model fails that get a line of their own."""


async def diagnose(resources: Resources, external_id: object) -> list[Finding]:
    """See `AgentMemory.adiagnose`."""
    tenant = None if external_id is None else validation.tenant(external_id)
    try:
        async with resources.database.as_it_is() as connection:
            found, current = await of_database(resources, connection)
    except AgentMemoryError as error:
        return [Finding.of_error("connection", error)]
    found += await _neo4j(resources)
    if not current:  # other tables than ours, or none: there is nothing more to read
        return found
    try:
        return [*found, *await _contents(resources, tenant)]
    except AgentMemoryError as error:
        return [*found, Finding.of_error("tables", error)]


async def _neo4j(resources: Resources) -> list[Finding]:
    """Whether the Neo4j that was chosen answers; nothing where none was."""
    if resources.neo4j is None:
        return []
    try:
        version = await resources.neo4j.version()
    except AgentMemoryError as error:
        return [Finding.of_error("neo4j", error)]
    return [Finding(severity="ok", check="neo4j", found=f"Neo4j {version} at {resources.neo4j.uri}")]


async def of_database(resources: Resources, connection: Bare) -> tuple[list[Finding], bool]:
    """What is found of the server and the database, and whether the tables are those of this package."""
    server = await migrate.server_of(connection)
    name, vector = server["server_version_name"], server["installed"] or server["available"]
    uninstalled = "" if server["installed"] else ", not installed in this database yet"
    found = [
        _checked("server", f"PostgreSQL {name}", lambda: migrate.check_server(server)),
        _checked("pgvector", f"pgvector {vector}{uninstalled}", lambda: migrate.check_pgvector(server)),
    ]
    newest = migrations()[-1][0]
    try:
        version = await migrate.version_of(connection, server)
    except AgentMemoryError as error:
        return [*found, Finding.of_error("schema", error)], False
    found.append(diagnosing.schema(version, newest))
    current = version == newest and all(finding.severity != "error" for finding in found)
    if version is not None:
        wanted = resources.settings.row_security == "on"
        found.append(diagnosing.row_security(await row_security.state(connection), wanted=wanted))
    if (distributed := await distribution.state(connection, server["citus"])) is not None:
        found.append(diagnosing.distribution(distributed))
    if not current:
        return found, False
    permissions = await structure.permissions(connection)
    found.append(diagnosing.permissions(permissions))
    if not permissions.unread:
        model = await model_in_use(connection)
        made = {} if model is None else {name: statement.as_string(None) for name, statement in index_of(model).items()}
        found.append(diagnosing.indexes(await structure.indexes(connection, made)))
        shares = await tenant_indexes.shares(connection, model if made else None)
        found.append(diagnosing.large_tenants(shares, resources.settings.exact_search_rows))
    return found, True


def _checked(check: str, found: str, refuse: Callable[[], None]) -> Finding:
    try:
        refuse()
    except AgentMemoryError as error:
        return Finding.of_error(check, error)
    return Finding(severity="ok", check=check, found=found)


async def _contents(resources: Resources, tenant: str | None) -> list[Finding]:
    async with resources.database.connection(NOBODY) as connection:
        # an embedder that is to replace another is compared with itself: what it lacks is what still has to be computed
        model = (resources.registered if resources.reembed else None) or await model_in_use(connection)
    # before a transaction is begun: the embedder may take its time
    embedder = await _embedder(resources.embedder, model)
    async with resources.database.transaction(tenant_or_everyone(tenant)) as connection:
        status = await queue.status(connection, tenant)
        missing = await health.chunks_without_vectors(connection, tenant, model and model.id)
        graphs = await health.projection(connection, tenant)
        leases = await health.expired_leases(connection, tenant)
        waiting = await health.reviews(connection, tenant)
        listening = await health.listening(connection)
        # last, as it reads tenant by tenant
        failing = await health.failing_models(connection, tenant, _SHOWN)
        return [
            embedder,
            diagnosing.vectors(missing, resources.embedder and resources.embedder.name),
            diagnosing.queue(status),
            diagnosing.workers(listening, status),
            diagnosing.dead_letters(status.dead),
            diagnosing.leases(leases),
            *diagnosing.models(failing, status.model_failing),
            diagnosing.reviews(waiting),
            diagnosing.projection(graphs, configured=resources.neo4j is not None),
        ]


async def _embedder(embedder: Embedder | None, model: EmbeddingModel | None) -> Finding:
    """Whether the embedder answers, and is the one that the database's vectors come from."""
    if embedder is None:
        if model is None:
            return Finding(severity="ok", check="embedder", found="none: searches go by words")
        found = f"none, but the database has vectors of {model.name!r} with {model.dimensions} dimensions"
        advice = (
            "name it in AGENTMEM_EMBEDDINGS, or as index=; until then searches go by words, and nothing is embedded"
        )
        return Finding(severity="warning", check="embedder", found=found, advice=advice)
    try:
        dimensions = await embedder.asked()
    except AgentMemoryError as error:
        return Finding.of_error("embedder", error)
    if model is not None and (problem := mismatch(model, embedder.name, dimensions, embedder.index)) is not None:
        return Finding.of_error("embedder", problem)
    new = "" if model is not None else ", not used in this database yet"
    return Finding(severity="ok", check="embedder", found=f"{embedder.name!r} with {dimensions} dimensions{new}")
