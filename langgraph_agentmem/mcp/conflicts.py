"""The conflict inbox: a person is asked by elicitation where the client can, else the model passes on what they say."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from mcp.server.elicitation import AcceptedElicitation, render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from langgraph_agentmem.errors import AgentMemoryError, InvalidInputError
from langgraph_agentmem.mcp.answers import ConflictsAnswer, DisputeAnswer
from langgraph_agentmem.mcp.failures import told
from langgraph_agentmem.mcp.toolbox import answered
from langgraph_agentmem.mcp.who import Caller, NamesCaller
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.review import Dispute, ReviewDecision
from langgraph_agentmem.policies import recounting

_ASKS_BY_RESULT = "2026-07-28"
"""From this revision on, a question is the result of the call, which is sent again with the answer."""
_MOST_RUNS = 1_000
_Choice = Literal["accept", "keep_both", "reject_new", "reject_existing", "override"]


class ConflictDecision(Value):
    """What the person has decided about a dispute."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    dispute: int = Field(description="Its id, as resolve_conflicts lists it.")
    action: _Choice = Field(
        description="accept carries out what is proposed; keep_both leaves both valid; reject_new and reject_existing "
        "end one of them; override puts text in the place of both."
    )
    text: str = Field("", description="For override.")


class ConflictForm(BaseModel):
    """What a person is asked to fill in; only what forms of MCP can show."""

    decision: Literal["accept", "keep_both", "reject_new", "reject_existing", "override", "later"] = Field(
        title="Decision",
        description="accept: as proposed. keep_both: both are valid. reject_new, reject_existing: this one is wrong. "
        "override: the text below takes the place of both. later: leave it open.",
    )
    text: str = Field("", title="Text", description="Only for override.")


_FORM = render_elicitation_schema(ConflictForm)
_Answers = dict[int, ConflictForm | None]
"""What a person has said, by disputes; None where they have declined to decide."""


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
        if not _can_ask(ctx):
            if decisions:
                return await self._carried_out(caller, disputes, [_read(each) for each in decisions], limit)
            return _listed(disputes[:limit], len(disputes))
        if decisions:
            raise InvalidInputError(
                "this client can ask the user; call resolve_conflicts without decisions, and they decide themselves"
            )
        said = await _asked(ctx, disputes[:limit])
        if isinstance(said, InputRequiredResult):
            return said
        made = [_of_form(id, form) for id, form in said.items() if form is not None and form.decision != "later"]
        return await self._carried_out(caller, disputes, made, limit)

    async def _pending(self, caller: Caller, memory_id: int | None) -> list[Dispute]:
        if memory_id is not None:
            await self._memory.aget_active_memory(caller.tenant, memory_id)  # one that is not there has none
        reviews = await self._memory.reviews.apending(caller.tenant, memory_id, limit=_MOST_RUNS)
        return [dispute for review in reviews for dispute in review.disputes]

    async def _carried_out(
        self, caller: Caller, disputes: Sequence[Dispute], made: Sequence[ReviewDecision], limit: int
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
        return _listed(left[:limit], len(left), decided)


def _listed(shown: Sequence[Dispute], waiting: int, decided: Sequence[int] = ()) -> CallToolResult:
    done = f"Decided and carried out: {', '.join(map(str, decided))}. " if decided else ""
    more = f" ({len(shown)} of them shown)" if waiting > len(shown) else ""
    wait = "1 conflict waits" if waiting == 1 else f"{waiting} conflicts wait"
    message = f"{done}{wait} for a decision{more}." if waiting else f"{done}{recounting.NO_DISPUTES}"
    answer = ConflictsAnswer(
        decided=list(decided), pending=[DisputeAnswer.of(dispute) for dispute in shown], message=message
    )
    return answered("\n\n".join([message, recounting.disputes(shown)] if shown else [message]), answer)


def _read(decision: ConflictDecision) -> ReviewDecision:
    return _decision(decision.dispute, decision.action, decision.text)


def _of_form(dispute: int, form: ConflictForm) -> ReviewDecision:
    assert form.decision != "later"
    return _decision(dispute, form.decision, form.text)


def _decision(dispute: int, action: _Choice, text: str) -> ReviewDecision:
    if action == "override" and not text.strip():
        raise InvalidInputError(f"to override dispute {dispute}, give the text that takes the place of both values")
    if action == "reject_new" or action == "reject_existing":
        return ReviewDecision(dispute=dispute, action="reject", value="new" if action == "reject_new" else "existing")
    return ReviewDecision(dispute=dispute, action=action, text=text if action == "override" else None)


# Asking


def _can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the client shows forms, and a question reaches it: older clients over stateless HTTP have no way back."""
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    # before there were modes, an empty declaration meant forms
    forms = declared is not None and (declared.form is not None or declared.url is None)
    return forms and (_by_result(ctx) or ctx.session.can_send_request)


def _by_result(ctx: Context[Any, Any]) -> bool:
    return ctx.protocol_version is not None and is_version_at_least(ctx.protocol_version, _ASKS_BY_RESULT)


async def _asked(ctx: Context[Any, Any], disputes: Sequence[Dispute]) -> _Answers | InputRequiredResult:
    if not _by_result(ctx):
        return await _asked_one_by_one(ctx, disputes)
    answers = _answers(ctx, disputes)
    open_ = [dispute for dispute in disputes if dispute.id not in answers]
    # Once a round was answered, what is left open is shown as such, not asked again and again.
    if not open_ or answers:
        return answers
    return InputRequiredResult(
        input_requests={_key(dispute): _request(dispute) for dispute in open_},
        request_state=json.dumps({_key(dispute): _digest(dispute) for dispute in open_}),
    )


async def _asked_one_by_one(ctx: Context[Any, Any], disputes: Sequence[Dispute]) -> _Answers:
    answers: _Answers = {}
    for dispute in disputes:
        try:
            outcome = await ctx.elicit(recounting.question(dispute), ConflictForm)
        except ValueError as error:
            raise _misfit(dispute) from error
        if outcome.action == "cancel":
            break
        answers[dispute.id] = outcome.data if isinstance(outcome, AcceptedElicitation) else None
    return answers


def _answers(ctx: Context[Any, Any], disputes: Sequence[Dispute]) -> _Answers:
    """What came back with the call, of disputes that are still what the person was shown."""
    asked: Mapping[str, str] = json.loads(ctx.request_state) if ctx.request_state else {}
    given = ctx.input_responses or {}
    return {
        dispute.id: _filled_in(dispute, given[_key(dispute)])
        for dispute in disputes
        if _key(dispute) in given and asked.get(_key(dispute)) == _digest(dispute)
    }


def _filled_in(dispute: Dispute, answer: object) -> ConflictForm | None:
    if not isinstance(answer, ElicitResult) or answer.action != "accept":
        return None
    try:
        return ConflictForm.model_validate(answer.content)
    except ValidationError as error:
        raise _misfit(dispute) from error


def _misfit(dispute: Dispute) -> ToolError:
    return ToolError(f"the answer about dispute {dispute.id} does not fit its form; nothing was decided")


def _key(dispute: Dispute) -> str:
    return f"dispute-{dispute.id}"


def _request(dispute: Dispute) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=recounting.question(dispute), requested_schema=_FORM))


def _digest(dispute: Dispute) -> str:
    """Of what the person is shown: an answer about something else than what there is now does not count."""
    return hashlib.sha256(recounting.question(dispute).encode()).hexdigest()
