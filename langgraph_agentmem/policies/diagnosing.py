"""What counts as wrong in what is found of a database, and what to do about it."""

import shlex
from collections.abc import Sequence
from datetime import datetime

from langgraph_agentmem.models.health import (
    Counts,
    Distribution,
    FailingModel,
    Finding,
    Indexes,
    Permissions,
    ProjectionHealth,
    RowSecurity,
    Severity,
    TenantShare,
)
from langgraph_agentmem.models.queue import QueueStatus
from langgraph_agentmem.policies import distributing, guarding

LARGE, ALONE = 0.1, 0.9
"""From which share of all chunks on a tenant is large, and up to which there are others that its searches pass."""
LONG_WAIT = 300.0
"""Seconds after which somebody should have come for what waits: many times what a worker rests between two looks."""
ALWAYS_FAILS = 3
"""Runs in a row after which a model does not fail by chance."""
_LONGEST = 300
"""Characters of a model's errors that are shown; some quote their whole request."""


def schema(version: int | None, newest: int) -> Finding:
    """Whether the tables are there and those of this package."""
    if version is None:
        return _warning("schema", "there are no tables yet", "the first use of the memory makes them")
    if version < newest:
        return _warning("schema", f"version {version} of {newest}", "the next use of the memory brings it up to date")
    return _ok("schema", f"version {version}, the newest")


def permissions(found: Permissions) -> Finding:
    """Whether the role may do what the memory does."""
    check, role = "permissions", repr(found.role)
    lacking = [
        f"{what} {', '.join(names)}"
        for what, names in (("read", found.unread), ("write", found.unwritten), ("draw numbers of", found.undrawn))
        if names
    ]
    only_reads = "searches and reads answer, and every write is refused"
    if lacking and (found.unread or len(found.unwritten) < found.writable):
        advice = f"run `agentmem db roles --app {shlex.quote(found.role)} --run` as the owner"
        return Finding(severity="error", check=check, found=f"{role} cannot {'; cannot '.join(lacking)}", advice=advice)
    if found.standby:
        return _warning(check, f"this server only follows another: {only_reads}", "connect to the other one to write")
    if found.reads_only:
        advice = "it is as default_transaction_read_only of the role, the database or the DSN says"
        return _warning(check, f"transactions of {role} only read: {only_reads}", advice)
    if lacking:
        advice = f"if it is to write, run `agentmem db roles --app {shlex.quote(found.role)} --run` as the owner"
        return _warning(check, f"{role} may only read: {only_reads}", advice)
    return _ok(check, f"{role} may read all {found.relations} tables and views, and write what is to be written")


def indexes(found: Indexes) -> Finding:
    """Whether the indexes are there and in use."""
    unique = [name for name, statement in found.missing.items() if statement.startswith("CREATE UNIQUE")]
    problems = [
        f"{what} {', '.join(names)}"
        for what, names in (("missing are", list(found.missing)), ("not valid are", found.broken))
        if names
    ]
    if not problems:
        return _ok("indexes", f"all {found.wanted} are there and valid")
    mends = [statement.replace("INDEX", "INDEX CONCURRENTLY", 1) for statement in found.missing.values()]
    mends += [f"REINDEX INDEX CONCURRENTLY agentmem.{name}" for name in found.broken]
    return Finding(
        severity="error" if unique else "warning",  # without a unique one writes fail, without another they are slow
        check="indexes", found="; ".join(problems), advice=f"run as the owner: {'; '.join(mends)}",
    )  # fmt: skip


def large_tenants(shares: Sequence[TenantShare], exact_rows: int) -> Finding:
    """Whether large tenants have indexes for themselves.

    None is no fault, but slower: so there is advice, but no warning, which would keep programs from being started.

    Args:
        shares: Of the tenants that have the most.
        exact_rows: Up to so many chunks of a tenant are compared without an index.
    """
    large = [each for each in shares if LARGE <= each.share <= ALONE and each.chunks > exact_rows]
    without = [each for each in large if not each.indexed]
    check = "tenants"
    if not without:
        own = "each large one has indexes for itself" if large else "no tenant is large among others"
        return _ok(check, own)
    told = ", ".join(f"{each.external_id!r} ({each.share:.0%} of all chunks)" for each in without)
    advice = f"`agentmem db tenant-index --tenant {shlex.quote(without[0].external_id)}` makes them, as the owner"
    found = f"searches pass what others have, for lack of indexes of its own, of {told}"
    return Finding(severity="ok", check=check, found=found, advice=advice)


def row_security(found: RowSecurity, *, wanted: bool) -> Finding:
    """Whether the database holds tenants apart, if it is to.

    Args:
        found: What there is of it.
        wanted: Whether the settings want it.
    """
    check, problem = "row security", guarding.problem(found)
    if wanted and problem is not None:
        return Finding(severity="error", check=check, found=problem[0], advice=problem[1])
    if wanted:
        looks = "may" if found.looks else "may not"
        said = f"{len(found.tables)} tables hold tenants apart from {found.role!r}, which {looks} look over all of them"
        return _ok(check, said)
    if len(found.unguarded) == len(found.tables):
        return _ok(check, "off: the statements alone hold tenants apart")
    if found.held and found.tables:
        said = f"the tables have policies, which hold {found.role!r}, but no tenant is named to them"
        return Finding(severity="error", check=check, found=said, advice="set AGENTMEM_ROW_SECURITY=on")
    if found.unguarded or found.open_views:
        return _warning(check, *(problem or ("", "")))
    return _ok(check, f"{len(found.tables)} tables hold tenants apart, but not from {found.role!r}")


def distribution(found: Distribution) -> Finding:
    """Whether all tables that have tenants are distributed, if one is."""
    check, citus = "distribution", f"Citus {found.version}"
    if not found.distributed:
        return _ok(check, f"{citus}: every table is on this server alone")
    if found.local:
        said = f"{citus}: not distributed are {', '.join(found.local)}"
        return Finding(severity="error", check=check, found=said, advice=f"run `{distributing.COMMAND}` as the owner")
    if (problem := distributing.problem(found)) is not None:
        return Finding(severity="error", check=check, found=f"{citus}: {problem[0]}", advice=problem[1])
    if found.unmanaged:
        said = f"{citus}: it does not manage LangGraph's {', '.join(found.unmanaged)}"
        return _warning(check, said, f"run `{distributing.COMMAND}` as the owner")
    return _ok(check, f"{citus}: {len(found.tables)} tables are distributed by tenant over {found.nodes} servers")


def vectors(chunks: int, embedder: str | None) -> Finding:
    """Whether all chunks have a vector of the embedder's."""
    if embedder is None:
        return _ok("vectors", "none are needed, as there is no embedder")
    if not chunks:
        return _ok("vectors", "every chunk has one")
    advice = "a worker computes them, or memory.queue.embed_pending(); until then they are found by their words"
    return _warning("vectors", f"{chunks:,} chunks wait for one", advice)


def queue(status: QueueStatus) -> Finding:
    """Whether somebody takes the memories that are due."""
    found = f"{status.due:,} memories due, {status.running:,} running, {status.waiting:,} to be tried again"
    if status.due and status.lag_seconds > LONG_WAIT:
        advice = "let an `agentmem worker` run, or background=True, or `agentmem worker --once` now and then"
        return _warning("queue", f"{found}, the oldest for {status.lag_seconds / 60:,.0f} min", advice)
    return _ok("queue", found)


def workers(listening: int, status: QueueStatus) -> Finding:
    """Whether somebody waits for memories to become due.

    Args:
        listening: How many workers do on a connection of their own.
        status: What there is for them to do.
    """
    if listening:
        return _ok("workers", f"{listening:,} listen for memories that become due")
    found = "none listens for memories that become due (one behind a pooler looks now and then, unseen)"
    if not status.due:
        return _ok("workers", found)
    return _warning("workers", found, "let an `agentmem worker` run, or background=True")


def dead_letters(dead: int) -> Finding:
    """Whether memories were set aside."""
    if not dead:
        return _ok("dead letters", "no memory is set aside")
    advice = "`agentmem queue status` says why; mend that, then `agentmem queue retry`"
    return Finding(
        severity="error", check="dead letters", found=f"{dead:,} memories are set aside: nobody consolidates them",
        advice=advice,
    )  # fmt: skip


def leases(expired: Counts) -> Finding:
    """Whether runs have stopped without a word."""
    if not expired.count:
        return _ok("leases", "no run has let its lease run out")
    found = (
        f"{expired.count:,} runs have let their lease run out, {_since(expired.since)}: their processes died or hang"
    )
    return _warning("leases", found, "nothing is lost; the next worker takes these memories")


def models(failing: Sequence[FailingModel], count: int) -> list[Finding]:
    """Whether models fail, memory by memory.

    Args:
        failing: The worst of them.
        count: How many there are.
    """
    if not failing:
        return [_ok("model", "none has failed in a memory's last run")]
    found = [_failing(memory) for memory in failing]
    if (more := count - len(failing)) > 0:
        found.append(_warning("model", f"it fails for {more:,} more memories", "`agentmem queue status` counts them"))
    return found


def _failing(memory: FailingModel) -> Finding:
    severity: Severity = "error" if memory.failures >= ALWAYS_FAILS else "warning"
    said = f": {'; '.join(memory.errors)}"[:_LONGEST] if memory.errors else ""
    found = (
        f"it has failed in {memory.failures:,} runs in a row of memory {memory.memory_id} ({memory.title}) of "
        f"{memory.external_id!r}, {_since(memory.since)}{said}"
    )
    again = (
        f"the queue asks it again at {memory.retry_at:%Y-%m-%d %H:%M %Z}" if memory.resting else "the next run asks it"
    )
    advice = f"mend the model, its key or its limits (AGENTMEM_MODEL); {again}, memory.consolidate(...) at once"
    return Finding(severity=severity, check="model", found=found, advice=advice)


def reviews(waiting: Counts) -> Finding:
    """Whether runs wait for a person."""
    if not waiting.count:
        return _ok("reviews", "no run waits for a person")
    found = f"{waiting.count:,} runs wait for a person, {_since(waiting.since)}"
    return _warning("reviews", found, "`agentmem reviews list`, then `agentmem reviews decide`")


def projection(health: ProjectionHealth, *, configured: bool) -> Finding:
    """Whether the graph's copy in Neo4j follows.

    Args:
        health: How far it is.
        configured: Whether the settings name a Neo4j as the graph.
    """
    if not health.tenants and not configured:
        return _ok("projection", "the graph has no copy in Neo4j")
    found = f"{health.pending:,} changes wait, {health.dead:,} are set aside"
    if health.dead:
        advice = "`agentmem graph status` says why; mend that, then `agentmem graph project --retry-dead`"
        return Finding(severity="error", check="projection", found=found, advice=advice)
    if health.rebuilding:
        found = f"{health.rebuilding:,} rebuilds are not complete"
        return Finding(severity="error", check="projection", found=found, advice="run `agentmem graph rebuild` again")
    if health.lag_seconds > LONG_WAIT:
        advice = "let `agentmem graph project --follow` run, or a worker with AGENTMEM_GRAPH=neo4j"
        return _warning("projection", f"{found}, the oldest for {health.lag_seconds / 60:,.0f} min", advice)
    return _ok("projection", found)


def _ok(check: str, found: str) -> Finding:
    return Finding(severity="ok", check=check, found=found)


def _warning(check: str, found: str, advice: str) -> Finding:
    return Finding(severity="warning", check=check, found=found, advice=advice)


def _since(then: datetime | None) -> str:
    return "for an unknown time" if then is None else f"since {then:%Y-%m-%d %H:%M %Z}"
