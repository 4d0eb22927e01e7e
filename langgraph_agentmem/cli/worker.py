"""`agentmem worker`: consolidates memories as they become due."""

import asyncio
import logging
import signal
from functools import partial
from typing import Annotated

import typer

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.options import Dsn, Tenant
from langgraph_agentmem.cli.terminal import log_warnings, out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.worker import MemoryWorker


@report_errors
def worker(
    dsn: Dsn = None,
    tenant: Tenant = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Memories at once; by default AGENTMEM_WORKER_CONCURRENCY.")
    ] = None,
    poll_seconds: Annotated[
        float | None,
        typer.Option(min=0.05, help="How often to look; by default AGENTMEM_WORKER_POLL_SECONDS."),
    ] = None,
    grace_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="How long to go on when told to stop; by default AGENTMEM_WORKER_GRACE_SECONDS."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end; for cron.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what goes wrong.")] = False,
) -> None:
    """Consolidate memories as they become due, until told to stop (SIGTERM, or Ctrl+C; twice, to stop at once).

    Model, embedder and lease come from the environment: AGENTMEM_MODEL, AGENTMEM_EMBEDDINGS, AGENTMEM_LEASE_SECONDS.
    """
    log_warnings()
    logging.getLogger("langgraph_agentmem").setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        bridge.run_here(partial(_work, dsn, tenant, concurrency, poll_seconds, grace_seconds, once=once))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None


async def _work(
    dsn: str | None,
    tenant: str | None,
    concurrency: int | None,
    poll_seconds: float | None,
    grace_seconds: float | None,
    *,
    once: bool,
) -> None:
    async with AgentMemory.open(dsn, background=False) as memory:
        this = MemoryWorker(
            memory,
            external_id=tenant,
            concurrency=concurrency,
            poll_seconds=poll_seconds,
            grace_seconds=grace_seconds,
        )
        _stop_when_told(this)
        report = await (this.arun_until_idle() if once else this.arun())
    if report is not None:
        out.print(f"{report.applied:,} memories consolidated, {report.failed:,} failed, {report.dead:,} set aside")
        if report.failed or report.dead:
            raise typer.Exit(1)


def _stop_when_told(worker: MemoryWorker) -> None:
    """Let SIGTERM and SIGINT stop the worker, and the second of them stop it at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def told() -> None:
        if worker.stopping:
            task.cancel()
        worker.stop()

    def heard(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(told)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, told)
        except NotImplementedError:  # on Windows, where it is heard when the loop wakes, as it does to look for work
            signal.signal(number, heard)
