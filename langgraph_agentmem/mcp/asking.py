"""Asks a person about conflicts by elicitation, in the way of the client's protocol revision."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from mcp.server.elicitation import AcceptedElicitation, render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, ValidationError

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.review import Dispute
from langgraph_agentmem.policies import recounting

_ASKS_BY_RESULT = "2026-07-28"
"""From this revision on, a question is the result of the call, which is sent again with the answer."""
Choice = Literal["accept", "keep_both", "reject_new", "reject_existing", "override"]


class ConflictForm(BaseModel):
    """What a person is asked to fill in; only what forms of MCP can show."""

    decision: Literal["accept", "keep_both", "reject_new", "reject_existing", "override", "later"] = Field(
        title="Decision",
        description="accept: as proposed. keep_both: both are valid. reject_new, reject_existing: this one is wrong. "
        "override: the text below takes the place of both. later: leave it open.",
    )
    text: str = Field("", title="Text", description="Only for override.")


_FORM = render_elicitation_schema(ConflictForm)


class Answer(Value):
    """What a person has said about a dispute.

    Attributes:
        shown: A digest of what they were shown.
        choice: None where they have left it open.
        text: For `override`.
    """

    dispute: int
    shown: str
    choice: Choice | None = None
    text: str = ""


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the client shows forms, and a question reaches it: older clients over stateless HTTP have no way back."""
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    # before there were modes, an empty declaration meant forms
    forms = declared is not None and (declared.form is not None or declared.url is None)
    return forms and (_by_result(ctx) or ctx.session.can_send_request)


async def asked(ctx: Context[Any, Any], disputes: Sequence[Dispute]) -> list[Answer] | InputRequiredResult:
    """What a person says about disputes; or the questions, which the client answers by calling again.

    Raises:
        ToolError: An answer does not fit its form.
    """
    if not _by_result(ctx):
        return await _asked_one_by_one(ctx, disputes)
    answers = _given(ctx)
    # Once something of a round counts, what is left open is shown as such, not asked again and again.
    if not disputes or any(holds(answer, disputes) for answer in answers):
        return answers
    return InputRequiredResult(
        input_requests={_key(dispute.id): _request(dispute) for dispute in disputes},
        request_state=json.dumps({str(dispute.id): _digest(dispute) for dispute in disputes}),
    )


def holds(answer: Answer, disputes: Sequence[Dispute]) -> bool:
    """Whether an answer is about what there is now: somebody may have written, or decided, since it was shown."""
    return any(dispute.id == answer.dispute and _digest(dispute) == answer.shown for dispute in disputes)


async def _asked_one_by_one(ctx: Context[Any, Any], disputes: Sequence[Dispute]) -> list[Answer]:
    answers: list[Answer] = []
    for dispute in disputes:
        try:
            outcome = await ctx.elicit(recounting.question(dispute), ConflictForm)
        except ValueError as error:
            raise _misfit(dispute.id) from error
        if outcome.action == "cancel":
            break
        form = outcome.data if isinstance(outcome, AcceptedElicitation) else None
        answers.append(_answer(dispute.id, _digest(dispute), form))
    return answers


def _given(ctx: Context[Any, Any]) -> list[Answer]:
    """What came back with the call. The state is what this server has sent, sealed by the SDK."""
    shown: dict[str, str] = json.loads(ctx.request_state) if ctx.request_state else {}
    given = ctx.input_responses or {}
    return [
        _answer(int(id), digest, _filled_in(int(id), given[_key(int(id))]))
        for id, digest in shown.items()
        if _key(int(id)) in given
    ]


def _filled_in(dispute: int, answer: object) -> ConflictForm | None:
    if not isinstance(answer, ElicitResult) or answer.action != "accept":
        return None
    try:
        return ConflictForm.model_validate(answer.content)
    except ValidationError as error:
        raise _misfit(dispute) from error


def _answer(dispute: int, shown: str, form: ConflictForm | None) -> Answer:
    if form is None or form.decision == "later":
        return Answer(dispute=dispute, shown=shown)
    return Answer(dispute=dispute, shown=shown, choice=form.decision, text=form.text)


def _misfit(dispute: int) -> ToolError:
    return ToolError(f"the answer about dispute {dispute} does not fit its form; nothing was decided")


def _by_result(ctx: Context[Any, Any]) -> bool:
    return ctx.protocol_version is not None and is_version_at_least(ctx.protocol_version, _ASKS_BY_RESULT)


def _key(dispute: int) -> str:
    return f"dispute-{dispute}"


def _request(dispute: Dispute) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=recounting.question(dispute), requested_schema=_FORM))


def _digest(dispute: Dispute) -> str:
    return hashlib.sha256(recounting.question(dispute).encode()).hexdigest()
