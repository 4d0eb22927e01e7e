"""The node that asks a person about the conflicts that a run has parked."""

from typing import Any, Literal

from langgraph.config import get_config
from langgraph.types import interrupt

from langgraph_agentmem.errors import InvalidInputError, ReviewConflictError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.review import Dispute, ReviewReport
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.nodes.state import ConsolidationState, Node, node
from langgraph_agentmem.operations.reviews import disputes, reviewing
from langgraph_agentmem.resources import HasResources

# LangGraph's own key. Without a checkpointer there is nothing to resume from, and interrupt() would fail the run.
_CHECKPOINTER = "__pregel_checkpointer"


def review_node(memory: HasResources) -> Node:
    """Interrupts the graph until a person has decided what the run has parked; passes by without a checkpointer.

    Reads `external_id`, `memory_id`, `report`; writes `review`, a `ReviewReport` as a dict. It interrupts with
    `{"external_id", "memory_id", "run_id", "disputes", "problem"}` and is resumed with `Command(resume=decisions)`, as
    `memory.reviews.adecide` takes them. Decisions that cannot be carried out, or leave something open, lead to another
    interrupt, whose `problem` says why. What was decided elsewhere stands; `[]` resumes where nothing is left.

    Examples:
        >>> state |= apply_node(memory).invoke(state)
        >>> review_node(memory).invoke(state)  # nothing was parked
        {}
    """

    async def review(state: ConsolidationState) -> dict[str, Any]:
        report = ConsolidationReport.model_validate(state["report"])
        resources, tenant, run_id = memory.resources, str(state["external_id"]), report.run_id
        if not report.parked or run_id is None or get_config().get("configurable", {}).get(_CHECKPOINTER) is None:
            return {}
        problem: str | None = None
        while True:
            # only reads before interrupt(): the node starts anew when it is resumed, and would write again; what
            # earlier interrupts have brought is handed in again, too, and changes nothing, as it is carried out already
            parked = await disputes.of_run(resources, tenant, run_id)
            decisions = interrupt(_question(state, run_id, parked, problem))
            try:
                done = await reviewing.review(resources, tenant, run_id, decisions) if decisions else None
                problem = None
            except (InvalidInputError, ReviewConflictError) as error:
                done, problem = None, str(error)
            parked = done.disputes if done else await disputes.of_run(resources, tenant, run_id)
            if not any(dispute.status == "pending" for dispute in parked):
                return {"review": _outcome(run_id, done, parked, problem)}

    return node(memory, review, "review")


def _question(state: ConsolidationState, run_id: str, parked: list[Dispute], problem: str | None) -> Json:
    pending = [dispute.model_dump(mode="json") for dispute in parked if dispute.status == "pending"]
    asked = {"external_id": state["external_id"], "memory_id": state["memory_id"], "run_id": run_id}
    return {**asked, "disputes": pending, "problem": problem}


def _outcome(run_id: str, done: ReviewReport | None, parked: list[Dispute], problem: str | None) -> Json:
    report = done or ReviewReport(run_id=run_id, disputes=parked, pending=[])
    return {**report.model_dump(mode="json"), "problem": problem}


def after_promotion(state: ConsolidationState) -> Literal["parked", "done"]:
    """Whether a person has to be asked: the condition behind `promote`.

    Examples:
        >>> after_promotion({"report": {"status": "applied", "parked": [7]}})
        'parked'
    """
    return "parked" if state["report"].get("parked") else "done"
