"""Prepares a database for those who use it: tables, row-level security, and what roles may do."""

from langgraph_agentmem.models.health import Distribution, Finding
from langgraph_agentmem.operations.health import diagnosing
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage.driver import migrate as migration
from langgraph_agentmem.storage.driver import row_security
from langgraph_agentmem.storage.langgraph.checkpoints import CheckpointTables
from langgraph_agentmem.storage.vectors import has_vector_view, make_vector_view


async def migrate(resources: Resources, *, guarded: bool, checkpoints: bool) -> None:
    """Make the tables, or bring them up to date, with all that takes their owner's rights.

    Args:
        resources: Of a memory that the owner has opened.
        guarded: Whether the database is to hold tenants apart; what it does so already stays.
        checkpoints: Whether to make the tables of LangGraph's checkpointers as well.

    Raises:
        ConfigurationError: This user may not do so.
    """
    await resources.database.start()
    model = await resources.embedding_model()
    if checkpoints:
        await CheckpointTables(resources.database).setup()
    if not guarded:
        return
    async with resources.database.as_it_is(patient=True) as connection:
        if model is not None and not await has_vector_view(connection, model):
            await make_vector_view(connection, model)
        await row_security.enable(connection)


async def status(resources: Resources) -> list[Finding]:
    """What is found of the server, the tables and their row-level security; nothing is changed."""
    async with resources.database.as_it_is() as connection:
        found, _ = await diagnosing.of_database(resources, connection)
    return found


async def distribute(resources: Resources, *, dry_run: bool) -> Distribution | None:
    """Distribute what has tenants over the servers of a cluster, as far as it is not.

    Args:
        resources: Of a memory that the owner has opened.
        dry_run: Whether to do no more than look.

    Returns:
        How the database was distributed before; None without Citus.

    Raises:
        ConfigurationError: It cannot be distributed, or there are no tables yet.
    """
    async with resources.database.as_it_is(patient=True) as connection:
        return await migration.distribute(connection, dry_run=dry_run)


async def roles(resources: Resources, app: str | None, worker: str | None, *, run: bool) -> list[str]:
    """The statements that give roles what they need, after they were run if so asked: all of them, or none.

    Args:
        resources: Of a memory that the owner has opened.
        app: A role that reads and writes for one tenant at a time.
        worker: A role that in addition looks over all tenants.
        run: Whether to run them.
    """
    async with resources.database.as_it_is() as connection:
        statements = await row_security.grants(connection, app, worker)
        if run:
            await row_security.run(connection, statements)
    return statements
