"""The conflict inbox: a person is asked by elicitation where the client can, else the model passes on what they say."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult
from pydantic import ConfigDict, Field

from langgraph_agentmem.errors import AgentMemoryError, InvalidInputError
from langgraph_agentmem.mcp import asking
from langgraph_agentmem.mcp.answers import ConflictsAnswer, DisputeAnswer
from langgraph_agentmem.mcp.asking import Choice
from langgraph_agentmem.mcp.failures import told
from langgraph_agentmem.mcp.toolbox import answered
from langgraph_agentmem.mcp.who import Caller, NamesCaller
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.review import Dispute, ReviewDecision
from langgraph_agentmem.policies import recounting

_MOST_RUNS = 1_000


class ConflictDecision(Value):
    """What the person has decided about a dispute."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    dispute: int = Field(description="Its id, as resolve_conflicts lists it.")
    action: Choice = Field(
        description="accept carries out what is proposed; keep_both leaves both valid; reject_new and reject_existing "
        "end one of them; override puts text in the place of both."
    )
    text: str = Field("", description="For override.")


class Conflicts:
    """What waits for a person, asked, decided and carried out."""

    def __init__(self, memory: AgentMemory, caller: NamesCaller) -> None:
        self._memory = memory
        self._caller = caller

    async def resolve_conflicts(
        self,
        ctx: Context[Any, Any],
        decisions: Annotated[
            list[ConflictDecision],
            Field(description="What the user has told you, dispute by dispute; leave it out to ask, or to see them."),
        ] = [],  # noqa: B006 - the schema's default; it is never changed
        memory_id: Annotated[int | None, Field(description="Only this memory's conflicts.")] = None,
        limit: Annotated[int, Field(ge=1, le=20, description="The most conflicts at once.")] = 5,
    ) -> Annotated[CallToolResult, ConflictsAnswer] | InputRequiredResult:
        """Let the user decide between values that cannot both hold, and carry out what they decide.

        Call it when the user wants to settle conflicts, or when what you have found is marked as disputed. Where the
        client can ask the user, they are asked at once, and decisions are not yours to give. Else you get the list:
        show it to the user, and call again with what they decide. Do not decide for them.
        """
        caller = self._caller()
        disputes = await self._pending(caller, memory_id)
        if not asking.can_ask(ctx):
            if decisions:
                return await self._carried_out(
                    caller, disputes, [_decision(each.dispute, each.action, each.text) for each in decisions], limit
                )
            return _listed(disputes[:limit], len(disputes))
        if decisions:
            raise InvalidInputError(
                "this client can ask the user; call resolve_conflicts without decisions, and they decide themselves"
            )
        answers = await asking.asked(ctx, disputes[:limit])
        if isinstance(answers, InputRequiredResult):
            return answers
        now = await self._pending(caller, memory_id)  # a person takes their time
        stale = [each.dispute for each in answers if each.choice and not asking.holds(each, now)]
        made = [
            _decision(each.dispute, each.choice, each.text)
            for each in answers
            if each.choice and each.dispute not in stale
        ]
        return await self._carried_out(caller, now, made, limit, stale)

    async def _pending(self, caller: Caller, memory_id: int | None) -> list[Dispute]:
        if memory_id is not None:
            await self._memory.aget_active_memory(caller.tenant, memory_id)  # one that is not there has none
        reviews = await self._memory.reviews.apending(caller.tenant, memory_id, limit=_MOST_RUNS)
        return [dispute for review in reviews for dispute in review.disputes]

    async def _carried_out(
        self,
        caller: Caller,
        disputes: Sequence[Dispute],
        made: Sequence[ReviewDecision],
        limit: int,
        stale: Sequence[int] = (),
    ) -> CallToolResult:
        runs = {dispute.id: dispute.run_id for dispute in disputes}
        if unknown := [each.dispute for each in made if each.dispute not in runs]:
            raise InvalidInputError(
                f"no dispute {', '.join(map(str, unknown))} waits for a decision; those that do are "
                f"{', '.join(map(str, runs)) or 'none'}"
            )
        decided: list[int] = []
        for run_id in dict.fromkeys(runs[each.dispute] for each in made):
            batch = [each for each in made if runs[each.dispute] == run_id]
            try:
                await self._memory.reviews.adecide(caller.tenant, run_id, batch, reviewer=caller.name)
            except AgentMemoryError as error:
                if not decided:
                    raise
                # what other runs have left is decided for good; to ask again must not mean to decide it again
                done = ", ".join(map(str, decided))
                raise ToolError(f"{told(error)}. Carried out before that: {done}.") from error
            decided += [each.dispute for each in batch]
        left = [dispute for dispute in disputes if dispute.id not in decided]
        return _listed(left[:limit], len(left), decided, stale)


def _listed(
    shown: Sequence[Dispute], waiting: int, decided: Sequence[int] = (), stale: Sequence[int] = ()
) -> CallToolResult:
    done = f"Decided and carried out: {', '.join(map(str, decided))}. " if decided else ""
    done += f"Changed or decided by others meanwhile: {', '.join(map(str, stale))}. " if stale else ""
    more = f" ({len(shown)} of them shown)" if waiting > len(shown) else ""
    wait = "1 conflict waits" if waiting == 1 else f"{waiting} conflicts wait"
    message = f"{done}{wait} for a decision{more}." if waiting else f"{done}{recounting.NO_DISPUTES}"
    answer = ConflictsAnswer(
        decided=list(decided), pending=[DisputeAnswer.of(dispute) for dispute in shown], message=message
    )
    return answered("\n\n".join([message, recounting.disputes(shown)] if shown else [message]), answer)


def _decision(dispute: int, action: Choice, text: str) -> ReviewDecision:
    if action == "override" and not text.strip():
        raise InvalidInputError(f"to override dispute {dispute}, give the text that takes the place of both values")
    if action == "reject_new" or action == "reject_existing":
        return ReviewDecision(dispute=dispute, action="reject", value="new" if action == "reject_new" else "existing")
    return ReviewDecision(dispute=dispute, action=action, text=text if action == "override" else None)
