"""The state that the nodes share, and how a node is made."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypedDict, cast

from langchain_core.runnables import RunnableLambda
from langgraph.errors import GraphBubbleUp

from langgraph_agentmem import bridge, telemetry
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.resources import HasResources, given_memory


class ConsolidationState(TypedDict):
    """The state of a consolidation; JSON throughout, so that any checkpointer can hold it.

    A channel is absent until it is given as input or a node has written it.

    Attributes:
        external_id: The tenant (input).
        memory_id: The active memory (input).
        run_id: The run's id (input; by default a new one for every run).
        everything: Also consolidate sections that were never updated (input, default False).
        if_due: Only if the queue offers the memory (input, default False).
        dry_run: Show what would be done, and keep nothing of it (input, default False).
        claim: A `Claim`.
        extraction: An `Extraction`.
        conflicts: `ConsolidationConflicts`.
        plan: A `ConsolidationPlan`.
        decisions: A list of `Decision`.
        failures: What failed and was made up for.
        usage: A `ModelUsage`.
        extraction_failed: Whether the extraction is to be made up for by a later run.
        model_failed: Whether the model or the extractor has failed.
        report: A `ConsolidationReport`, the output.
        timings: Seconds that each node took.
        review: A `ReviewReport`, where a person has decided something.
    """

    external_id: str
    memory_id: int
    run_id: str | None
    everything: bool
    if_due: bool
    dry_run: bool
    claim: Json | None
    extraction: Json
    conflicts: Json
    plan: Json
    decisions: list[Json]
    failures: list[str]
    usage: Json
    extraction_failed: bool
    model_failed: bool
    report: Json
    timings: dict[str, float]
    review: Json


class PromotionState(TypedDict):
    """The state of a promotion.

    Attributes:
        external_id: The tenant (input).
        memory_id: The active memory (input).
        force: Promote even if it was not consolidated often enough yet (input, default False).
        report: A `PromotionReport`, the output.
    """

    external_id: str
    memory_id: int
    force: bool
    report: Json


def given(state: Any, key: str) -> Any:
    """What a graph's state, whatever its kind, has under a key that a node cannot do without.

    Raises:
        InvalidInputError: It has nothing there.
    """
    known = channels(state)
    if key in known:
        return known[key]
    raise InvalidInputError(
        f"a node of memory reads {key!r}, which the graph's state does not have; have it in the state's schema, "
        "and give it as input or let a node write it"
    )


def channels(state: Any) -> Mapping[str, Any]:
    """What a graph's state holds, whatever its kind: a dict, a pydantic model, a dataclass."""
    if isinstance(state, Mapping):
        return cast("Mapping[str, Any]", state)
    if is_dataclass(state):  # one with slots has no dict
        return {field.name: getattr(state, field.name) for field in fields(state)}
    return cast("dict[str, Any]", vars(state)) if hasattr(state, "__dict__") else {}


Update = Callable[[Any], Awaitable[dict[str, Any]]]
"""What a node does: gives what it writes to the channels."""
Node = RunnableLambda[Any, Any]
"""A node, which runs in sync and in async graphs."""


def node(memory: HasResources, function: Update, name: str, *, timed: bool = False) -> Node:
    """A node from an async function of the state's channels, as `state_node` makes one of a state as it is."""
    return state_node(memory, lambda state: function(channels(state)), name, timed=timed)


def state_node(memory: HasResources, function: Update, name: str, *, timed: bool = False) -> Node:
    """A node from an async function of the state; in a sync graph it runs on the background loop.

    Args:
        memory: What it works on.
        function: What it does.
        name: How traces name it.
        timed: Whether it adds how long it took to the channel `timings`.

    Raises:
        ConfigurationError: `memory` is something else.
    """
    given_memory(memory)

    async def traced(state: Any) -> dict[str, Any]:
        started = time.perf_counter()
        # an interrupt is no error
        with telemetry.span(name, quiet=(GraphBubbleUp,), **_ids(state)):
            update = await function(state)
        if not timed:
            return update
        # `claim` empties the channel: what it returns counts, not what an earlier run of the thread has left
        known: dict[str, float] = update.get("timings", channels(state).get("timings")) or {}
        return {**update, "timings": {**known, name: round(time.perf_counter() - started, 6)}}

    def run(state: Any) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            return await traced(state)

        return bridge.run(call)

    return RunnableLambda(run, afunc=traced, name=name)


def _ids(state: Any) -> dict[str, Any]:
    """What a span says of a state: ids only, never content."""
    known = channels(state)
    claim: Json = known.get("claim") or {}
    run_id = known.get("run_id") or claim.get("run_id")
    return {"external_id": known.get("external_id"), "memory_id": known.get("memory_id"), "run_id": run_id}
