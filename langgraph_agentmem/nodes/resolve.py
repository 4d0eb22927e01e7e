"""The node that asks a chat model to resolve conflicts."""

from typing import Any

from langchain_core.language_models import BaseChatModel

from langgraph_agentmem import chat
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan, Decision
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.nodes.state import ConsolidationState, Node, node
from langgraph_agentmem.operations.answering import answered
from langgraph_agentmem.policies import controls, planning, proposals
from langgraph_agentmem.policies.planning import DecidedPlan
from langgraph_agentmem.resources import HasResources

INSTRUCTIONS = """\
You keep an agent's memory consistent. Resolve the conflicts between what is new and what is remembered.

Sections: for each of a section's `replacements`, decide about the existing chunk `chunk_id`, which the section does not
hold any more. `supersede` it by `replaced_by` (the id of one of the section's new chunks) if a new chunk says the same
thing anew or makes it untrue; `keep` it if it may still be true. Most are still true: that something is no longer
written there does not make it untrue. A chunk belongs to its `place`: the headings, keys and list items above it.
`before` and `after` are the lines between which it stood; it may answer, or go on with, the one before.
Alternatively put a text of your own in the place of several chunks with
`merged`; it must keep every fact, name and number of its sources that is still true.
Entities and relationships: `conflict` is the position in the list, from 0. An entity is to `merge` into `entity_id`,
one of its `possible` ones, if both are the same thing in the world, else `create` it. A relationship is to `merge` into
`relationship_id` if both say the same, to `create` if both hold side by side, and to `supersede` `relationship_id` if
it no longer holds now.
Use only ids that the data contains. Give a short reason for every decision."""


_TEXTS = frozenset({"text", "leftover", "reason"})
"""What of a plan is text."""
_UNTRUSTED = (
    "the model ended a statement that nothing contradicts, which was put among the conflicts to see whether it reads "
    "them; its decisions on chunks were not taken, the rules decided"
)


async def resolve_conflicts(
    model: BaseChatModel, conflicts: ConsolidationConflicts, structured_output: chat.Asking = "auto"
) -> tuple[ConsolidationPlan, ModelUsage]:
    """A chat model's plan for conflicts, not yet validated, and what it cost.

    Args:
        model: A model with structured output.
        conflicts: What to resolve; positions in the plan count within these.
        structured_output: How the answer is asked for, as in the setting of this name.

    Raises:
        ModelError: The model fails, or answers with something else than a plan.
    """
    data = conflicts.model_dump(mode="json", exclude={"external_id", "active_memory_id", "shortterm_memory_id"})
    for section in data["sections"]:
        for chunk in (*section["existing_chunks"], *section["new_chunks"]):
            # most chunks belong to nothing and name no source: what says nothing costs tokens
            chunk["place"] = {name: value for name, value in chunk["place"].items() if value}
            for name in [name for name, value in chunk.items() if not value]:
                del chunk[name]
    return await chat.ask(model, ConsolidationPlan, INSTRUCTIONS, data, structured_output)


def resolve_node(memory: HasResources) -> Node:
    """Asks the model about those conflicts that the rules are not sure about, and validates its answer part by part.

    Reads `conflicts`, `plan`, `decisions`, `usage`; writes `plan`, `decisions`, `usage`, `failures`. Asks up to
    `model_attempts` times. Raises `ModelError` when the last attempt fails: give it an error handler that goes on with
    the plan of the rules.

    Examples:
        >>> resolve = resolve_node(memory)
        >>> needs_model(memory, state)  # this memory has no model: a graph leads on to `apply` instead
        False
    """

    async def resolve(state: ConsolidationState) -> dict[str, Any]:
        resources = memory.resources
        conflicts = ConsolidationConflicts.model_validate(state["conflicts"])
        unclear = planning.unclear(conflicts)
        if unclear is None:
            return {}
        model = resources.model
        if model is None:
            raise ConfigurationError("resolve needs a chat model; open the memory with model=")
        shown, ids = controls.with_controls(unclear)
        settings = resources.settings
        proposed, usage = await answered(
            lambda: resolve_conflicts(model, shown, settings.structured_output), settings.model_attempts
        )
        proposed = ConsolidationPlan.model_validate(resources.redactor.written(proposed.model_dump(), _TEXTS))
        untrusted = controls.broken(proposed, ids)
        by_rules = DecidedPlan(
            plan=ConsolidationPlan.model_validate(state["plan"]),
            decisions=[Decision.model_validate(decision) for decision in state["decisions"]],
        )
        share = settings.merge_survival_share
        proposed = controls.without_controls(proposed, ids)
        decided = proposals.validated(conflicts, by_rules, proposed, share, trusted=not untrusted)
        failures = state.get("failures", [])
        return {
            "plan": decided.plan.model_dump(mode="json"),
            "decisions": [decision.model_dump(mode="json") for decision in decided.decisions],
            "failures": [*failures, _UNTRUSTED] if untrusted else failures,
            "usage": (ModelUsage.model_validate(state.get("usage", {})) + usage).model_dump(),
        }

    return node(memory, resolve, "resolve", timed=True)


def with_rules(state: ConsolidationState, error: BaseException) -> dict[str, Any]:
    """The state's update after the last attempt to ask the model has failed: the plan of the rules stands."""
    spent = ModelUsage.model_validate(state.get("usage", {})) + ModelUsage.of_failure(error)
    return {
        "failures": [*state.get("failures", []), f"the model failed, the rules decided: {error}"],
        "model_failed": True,
        "usage": spent.model_dump(),
    }
