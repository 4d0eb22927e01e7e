"""A database that holds tenants apart by itself, and who connects to it."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from langgraph_agentmem import AgentMemorySettings
from langgraph_agentmem.storage.driver import row_security
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.langgraph.checkpoints import CheckpointTables

EVERYWHERE = bool(os.environ.get("AGENTMEM_TEST_ROW_SECURITY"))
"""Whether all databases of integration tests have row-level security, and memories open them as a worker's role."""
MODULES = frozenset(
    {
        "test_active_memory", "test_callbacks", "test_checkpoint_serializers_and_connections", "test_checkpointed_runs",
        "test_checkpoints_of_langgraph", "test_chunk_histories", "test_claude_memory", "test_consolidation",
        "test_contexts_for_prompts", "test_conversations", "test_deleted_items", "test_deleting_and_copying_threads",
        "test_dry_runs", "test_expired_items", "test_exports", "test_filtering", "test_grants", "test_imports_of_documents",
        "test_imports_of_histories", "test_items_are_sections", "test_memory_tools", "test_middleware", "test_namesakes",
        "test_parked_disputes", "test_promotion", "test_pruning_threads", "test_queue", "test_queue_of_many_tenants",
        "test_receipts", "test_redaction", "test_remembered_turns", "test_retention", "test_retrieval", "test_retriever",
        "test_review_decisions", "test_reviews_as_memory_goes_on", "test_reviews_in_graphs", "test_reviews_of_entities",
        "test_search_tenants", "test_stale_sections", "test_state_written_into_sections", "test_store_all_tiers",
        "test_store_tiers", "test_tenants_of_checkpoints", "test_threads_of_tenants", "test_threads_that_start_from_memory",
        "test_time_travel_and_delta_channels", "test_tool_standards", "test_transactions", "test_undo", "test_updates",
        "test_vectorstore", "test_worker",
    }
)  # fmt: skip
"""Half of the integration tests, which always run so: nothing that they do may need more than what a role is granted."""
APP, WORKER = "agentmem_test_app", "agentmem_test_worker"
"""Who reads and writes for a tenant, and who in addition looks over all tenants."""


def guard(dsn: str) -> None:
    """Give a migrated database its policies, and the roles what they need, as `agentmem db` does."""
    asyncio.run(_guard(dsn))


async def _guard(dsn: str) -> None:
    database = Database(dsn)
    await CheckpointTables(database).setup()
    async with database.as_it_is() as connection:
        await row_security.enable(connection)
        for statement in await row_security.grants(connection, APP, WORKER):
            await connection.execute(statement.encode())
        # views are made when they are asked for, and tests make sequences, which their triggers draw from, and what is
        # imported
        await connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO agentmem_test_worker")
        await connection.execute("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO agentmem_test_worker")
        await connection.execute("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO agentmem_test_worker")
    await database.close()


def as_role(dsn: str, role: str) -> str:
    """The same database, as a role."""
    return make_conninfo(dsn, user=role)


class Guarded(Database):
    """A test's database as a worker's role, with the policies on; what takes the owner's rights is left to the owner."""

    owner = ""

    @asynccontextmanager
    async def as_it_is(self, *, patient: bool = False) -> AsyncGenerator[Connection]:
        """A connection of its own; the owner's once it was opened, as what is made then takes the owner's rights."""
        if self._session is None and not patient:
            async with super().as_it_is() as connection:
                yield connection
            return
        async with self._alone(self.owner) as connection:
            connection.answer_seconds = None
            yield connection


def opens_as_worker(monkeypatch: Any, owner: str) -> None:
    """Let memories open a database as a worker's role, with the policies on, where a test gives the owner's DSN."""
    unguarded, known = Database.of, conninfo_to_dict(owner)

    def of(
        cls: type[Database], settings: AgentMemorySettings, dsn: str | None = None, data_dir: Path | str | None = None
    ) -> Database:
        plain = unguarded(settings, dsn, data_dir)
        given = conninfo_to_dict(plain.dsn or "")
        if any(given.get(part) != known.get(part) for part in ("host", "port", "dbname", "user")):
            return plain
        on = settings.model_copy(update={"row_security": "on"})
        database = unguarded.__func__(Guarded, on, as_role(plain.dsn, WORKER), data_dir)
        database.owner = owner
        return database

    monkeypatch.setattr(Database, "of", classmethod(of))
