"""Reads what a chat model has written, and says how to ask it."""

import json
from collections.abc import Mapping
from typing import cast

from langgraph_agentmem.models.run import StructuredOutput

_CUT_OFF, _HELD_BACK = {"length", "max_tokens"}, {"content_filter", "refusal"}
"""Why an answer ended, in the providers' words."""

_REFUSED_AS_SUCH = {400, 422, 501}
"""HTTP's statuses of a request that is not understood, as of tools or schemas by a server that knows none."""


def first_way(profile: Mapping[str, object] | None) -> StructuredOutput:
    """How to ask a model first: by a schema where its profile says that it keeps to one, else by a tool."""
    return "json_schema" if (profile or {}).get("structured_output") is True else "function_calling"


def other_way(way: StructuredOutput) -> StructuredOutput:
    """The way that is not this one."""
    return "function_calling" if way == "json_schema" else "json_schema"


def from_json(text: str) -> object:
    """What a text holds that is JSON, in a code fence or not; any other text, even if it was only cut off, as it is."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        return json.loads(bare) if bare[:1] in {"{", "["} else text
    except (ValueError, RecursionError):  # brackets without end are no JSON either
        return text


def is_prose(text: str, ended: object) -> bool:
    """Whether an answer without tool calls is something else than data, so that asking in the other way may help.

    Args:
        text: What the model has written.
        ended: Why it has ended, as the provider says.
    """
    if ended in _HELD_BACK or (ended in _CUT_OFF and not text.strip()):
        return False
    return not text.lstrip().startswith(("{", "[", "```"))


def is_refused_as_such(status: object) -> bool:
    """Whether a server's status says that it does not take requests of this kind."""
    return status in _REFUSED_AS_SUCH


def why_unreadable(ended: object, refusal: object) -> str:
    """What the provider says about an answer that cannot be read; "" where it says nothing."""
    if refusal:
        return f"; the model refuses: {refusal}"
    if ended in _CUT_OFF:
        return f"; it was cut off ({ended})"
    return f"; it was held back ({ended})" if ended in _HELD_BACK else ""


def tokens(usage: object) -> tuple[int, int]:
    """Input and output tokens of a provider's account of a call; zeros where it does not tell them."""
    told: dict[str, object] = {**cast("Mapping[str, object]", usage)} if isinstance(usage, Mapping) else {}
    counts = [told.get(f"{first}_tokens", told.get(f"{second}_tokens")) for first, second in _NAMES]
    found = [count if isinstance(count, int) else 0 for count in counts]
    return found[0], found[1]


_NAMES = (("input", "prompt"), ("output", "completion"))
