"""OpenTelemetry's spans and metrics, where it is installed, and what may be said in logs. Never memory content."""

import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from langgraph_agentmem.errors import (
    AgentMemoryError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    OutageError,
    StaleGraphError,
)

_NAME = "langgraph_agentmem"
_OLD = 120.0
"""Seconds after which what was counted last is not reported any more."""
_SAFE_TO_LOG = (OutageError, StaleGraphError, ConfigurationError, ConflictError, NotFoundError)
"""Errors of this package whose messages quote no memory."""


class Span:
    """A span under way, or nothing where OpenTelemetry is not installed."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def set(self, **attributes: str | int | float | None) -> None:
        """Add attributes, as `agentmem.<name>`; None is left out."""
        if self._span is not None:
            known = {f"agentmem.{name}": value for name, value in attributes.items() if value is not None}
            self._span.set_attributes(known)


class _Metrics:
    """The package's instruments, and what was counted last of the queue."""

    def __init__(self, meter: Any) -> None:
        self.duration = meter.create_histogram("agentmem.run.duration", "s", "From claim to applied.")
        self.lag = meter.create_histogram("agentmem.run.lag", "s", "From due to applied.")
        self.failures = meter.create_counter("agentmem.run.failures", "{run}", "Runs that failed.")
        self.dead = meter.create_counter("agentmem.memory.set_aside", "{memory}", "Memories that became dead letters.")
        self.tokens = meter.create_counter("agentmem.model.tokens", "{token}", "Tokens of model calls.")
        self.parked = meter.create_counter("agentmem.dispute.parked", "{dispute}", "Conflicts left to a person.")
        self.reviewed = meter.create_counter("agentmem.dispute.decided", "{dispute}", "Conflicts that one has decided.")
        self.refused = meter.create_counter(
            "agentmem.write.refused",
            "{write}",
            "Writes that others came in between; they were made again, behind a lock.",
        )
        self.unrecalled = meter.create_counter(
            "agentmem.recall.failed", "{turn}", "Turns of agents that went on without memory, as it did not answer."
        )
        self.callbacks = meter.create_counter(
            "agentmem.callback.failures", "{call}", "Calls of the application's callbacks that failed."
        )
        self.redactions = meter.create_counter(
            "agentmem.redactions", "{text}", "Texts that redaction has changed, or refused."
        )
        self.counted: dict[str, tuple[float, Mapping[str, float]]] = {}
        """By database: when it was counted, and what."""
        for name, unit, what in _GAUGES:
            meter.create_observable_gauge(f"agentmem.{name}", [self._observer(name)], unit, what)

    def _observer(self, name: str) -> Any:
        from opentelemetry.metrics import Observation  # noqa: PLC0415

        def observe(_options: Any) -> Iterable[Any]:
            oldest = time.monotonic() - _OLD
            # of a copy: the exporter reads in a thread of its own while workers count
            fresh = [(database, values) for database, (at, values) in list(self.counted.items()) if at > oldest]
            return [Observation(values[name], {"db.namespace": database}) for database, values in fresh]

        return observe


_GAUGES = (
    ("memories.due", "{memory}", "Memories that wait for a worker."),
    ("memories.running", "{memory}", "Memories that a run holds."),
    ("memories.waiting", "{memory}", "Memories whose last run failed."),
    ("memories.dead", "{memory}", "Memories that were set aside."),
    ("memories.oldest_due", "s", "How long the memory waits that is due longest."),
    ("disputes.pending", "{dispute}", "Conflicts that wait for a person."),
)


@cache
def _metrics() -> _Metrics | None:
    try:
        from opentelemetry import metrics  # noqa: PLC0415
    except ImportError:
        return None
    return _Metrics(metrics.get_meter(_NAME))


def installed() -> bool:
    """Whether there is an OpenTelemetry to report to."""
    return _metrics() is not None


@contextmanager
def span(
    name: str, *, quiet: tuple[type[BaseException], ...] = (), **attributes: str | int | float | None
) -> Generator[Span]:
    """A span around a block, as `agentmem.<name>`; an error is noted by its type only, since its text may quote memory.

    Args:
        name: What is done.
        quiet: Exceptions that are no errors.
        attributes: As `Span.set` takes them.
    """
    try:
        from opentelemetry import trace  # noqa: PLC0415
    except ImportError:
        yield Span()
        return
    tracer = trace.get_tracer(_NAME)
    with tracer.start_as_current_span(
        f"agentmem.{name}", record_exception=False, set_status_on_exception=False
    ) as started:
        current = Span(started)
        current.set(**attributes)
        try:
            yield current
        except BaseException as error:
            if not isinstance(error, quiet):
                started.set_status(trace.StatusCode.ERROR, type(error).__name__)
                started.set_attribute("error.type", type(error).__name__)
            raise


def applied(*, seconds: float, lag: float | None, resolver: str, tokens: tuple[int, int], parked: int) -> None:
    """Count a run that was applied."""
    if metrics := _metrics():
        attributes = {"agentmem.resolver": resolver}
        metrics.duration.record(seconds, attributes)
        if lag is not None:
            metrics.lag.record(lag, attributes)
        for kind, count in zip(("input", "output"), tokens, strict=True):
            if count:
                metrics.tokens.add(count, {"agentmem.token.type": kind})
        if parked:
            metrics.parked.add(parked)


def failed(error: BaseException) -> None:
    """Count a run that failed."""
    if metrics := _metrics():
        metrics.failures.add(1, {"error.type": type(error).__name__})


def set_aside() -> None:
    """Count a memory that became a dead letter."""
    if metrics := _metrics():
        metrics.dead.add(1)


def decided(action: str) -> None:
    """Count a dispute that a person has decided."""
    if metrics := _metrics():
        metrics.reviewed.add(1, {"agentmem.action": action})


def write_refused(writer: str) -> None:
    """Count a write without a lock that was refused, as others came in between: `store`, `edit` or `checkpoint`."""
    if metrics := _metrics():
        metrics.refused.add(1, {"agentmem.writer": writer})


def recall_failed(error: BaseException) -> None:
    """Count a turn of an agent that went on without memory."""
    if metrics := _metrics():
        metrics.unrecalled.add(1, {"error.type": type(error).__name__})


def redacted(door: str, outcome: str) -> None:
    """Count a text that was redacted where it came in: `changed`, `refused`, or `failed` where the function has."""
    if metrics := _metrics():
        metrics.redactions.add(1, {"agentmem.door": door, "agentmem.outcome": outcome})


def callback_failed(name: str, error: BaseException) -> None:
    """Count a callback of the application's, `on_run` or `on_dispute`, that failed."""
    if metrics := _metrics():
        metrics.callbacks.add(1, {"agentmem.callback": name, "error.type": type(error).__name__})


def counted(database: str, values: Mapping[str, float], *, at: float | None = None) -> None:
    """Set the values of all gauges, counted in a database; they are reported for two minutes.

    Args:
        database: Its name.
        values: By the names of all gauges.
        at: When it was counted, by `time.monotonic`; now by default.
    """
    if metrics := _metrics():
        metrics.counted[database] = (time.monotonic() if at is None else at, values)


def described(error: BaseException) -> str:
    """An error as logs may have it: without its text where that may quote memory."""
    if isinstance(error, _SAFE_TO_LOG):
        return f"{type(error).__name__}: {error}"
    cause = error.__cause__ if isinstance(error, AgentMemoryError) else None
    state = getattr(cause, "sqlstate", None)
    because = f" ({type(cause).__name__}{f' {state}' if state else ''})" if cause is not None else ""
    return f"{type(error).__name__}{because}"
