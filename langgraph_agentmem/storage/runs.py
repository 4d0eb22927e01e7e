"""The log of consolidation runs."""

from datetime import datetime
from typing import Any

from psycopg.rows import DictRow

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.graph_change import RunRecord
from langgraph_agentmem.models.run import (
    ConsolidationReport,
    ConsolidationRun,
    ModelUsage,
    RunChanges,
    SectionSnapshot,
)
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, as_json, one_row
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("runs")


class RunRow(ConsolidationRun):
    """A run with what it needs to be undone."""

    changes: RunRecord | None = None


async def begin(
    connection: Connection,
    external_id: str,
    memory_id: int,
    run_id: str,
    snapshot: list[SectionSnapshot],
    *,
    worker: str,
    due_at: datetime | None,
) -> None:
    """Log a run that has just claimed its memory; runs that held it before are abandoned.

    Raises:
        InvalidInputError: A run of that id is over, or belongs to another memory.
    """
    params: Json = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "worker": worker}
    params["due_at"] = due_at
    params["snapshot"] = as_json([section.model_dump(mode="json") for section in snapshot])
    # this run has the lease, so whoever had it before has lost it
    await connection.execute(_SQL["abandon_runs"], params)
    if await one_row(connection, _SQL["insert_run"], params) is None:
        raise InvalidInputError(
            f"run {run_id} is over, or belongs to another memory; leave run_id out to get a new one"
        )


async def get(connection: Connection, external_id: str, run_id: str, *, lock: bool = False) -> RunRow | None:
    """A run, locked if `lock` is set."""
    row = await one_row(connection, _SQL["lock_run" if lock else "run"], {"external_id": external_id, "run_id": run_id})
    return _run(row) if row else None


async def list_all(
    connection: Connection, external_id: str, *, memory_id: int | None, status: str | None, limit: int
) -> list[ConsolidationRun]:
    """A tenant's runs, newest first."""
    params = {"external_id": external_id, "memory_id": memory_id, "status": status, "limit": limit}
    return [_logged(_run(row)) for row in await all_rows(connection, _SQL["runs"], params)]


async def get_logged(connection: Connection, external_id: str, run_id: str) -> ConsolidationRun | None:
    """A run, as the log shows it."""
    row = await get(connection, external_id, run_id)
    return row and _logged(row)


async def finish(
    connection: Connection,
    external_id: str,
    run_id: str,
    *,
    report: ConsolidationReport,
    resolver: str,
    conflicts: Json | None,
    plan: Json | None,
    changes: RunRecord,
) -> None:
    """Log a run as applied."""
    params: dict[str, Any] = {"external_id": external_id, "run_id": run_id, "resolver": resolver}
    params |= {"conflicts": conflicts and as_json(conflicts), "plan": plan and as_json(plan)}
    params |= {"changes": changes.model_dump_json()}
    params |= {"report": report.model_dump_json(), "usage": report.usage.model_dump_json()}
    await connection.execute(_SQL["finish_run"], params)


async def log_review(
    connection: Connection,
    run: RunRow,
    review_run_id: str,
    *,
    report: ConsolidationReport,
    changes: RunRecord,
    worker: str | None,
) -> None:
    """Log what a person has decided about a run as a run of its own, which knows the same sections."""
    sections = [section.model_copy(update={"update_count": 0}).model_dump(mode="json") for section in run.snapshot]
    params: dict[str, Any] = {"external_id": run.external_id, "memory_id": run.memory_id, "run_id": review_run_id}
    params |= {"snapshot": as_json(sections), "changes": changes.model_dump_json(), "worker": worker}
    params |= {"report": report.model_dump_json(), "resolver": "review"}
    await connection.execute(_SQL["insert_review"], params)


async def log_promotion(
    connection: Connection, external_id: str, memory_id: int, report: ConsolidationReport, changes: RunRecord
) -> None:
    """Log what a promotion made one as a run of its own, so that it can be undone."""
    params: dict[str, Any] = {"external_id": external_id, "run_id": report.run_id, "memory_id": memory_id}
    params |= {"snapshot": as_json([]), "changes": changes.model_dump_json(), "worker": None}
    params |= {"report": report.model_dump_json(), "resolver": "promotion"}
    await connection.execute(_SQL["insert_review"], params)


async def fail(connection: Connection, external_id: str, run_id: str, error: str) -> None:
    """Log a run as failed, unless it was applied."""
    await connection.execute(_SQL["fail_run"], {"external_id": external_id, "run_id": run_id, "error": error})


async def undone(connection: Connection, external_id: str, run_id: str) -> None:
    """Log a run as undone."""
    await connection.execute(_SQL["undo_run"], {"external_id": external_id, "run_id": run_id})


async def report_promotion(connection: Connection, external_id: str, run_id: str, report: ConsolidationReport) -> None:
    """Log what the promotion at a run's end did."""
    params = {"external_id": external_id, "run_id": run_id, "report": report.model_dump_json()}
    await connection.execute(_SQL["report_promotion"], params)


def _logged(row: RunRow) -> ConsolidationRun:
    return ConsolidationRun.model_validate(row.model_dump(exclude={"changes"}))


def _run(row: DictRow) -> RunRow:
    record = None if row["changes"] is None else RunRecord.model_validate(row["changes"])
    changed = record and RunChanges.of(record)
    return RunRow.model_validate({**row, "changes": record, "changed": changed, "usage": row["usage"] or ModelUsage()})
