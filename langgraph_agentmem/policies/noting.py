"""Decides what of a model's proposals is noted as facts about the user: a line each, in sections that are named.

A model may add a line and put one in the place of another; it cannot take away any. What does not hold is refused on
record, proposal by proposal.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.conversation import NotedFact, ProposedFact, ProposedFacts, RefusedFact, Said

DEFAULT_SECTIONS = {
    "profile": "Who the user is: name, home, work, family, health",
    "preferences": "What the user likes, dislikes and how they want things done",
    "people": "People and organisations in the user's life, and who they are to them",
    "plans": "What the user intends, awaits or has to do, with dates",
    "facts": "Anything else that the user has told and that stays true",
}
"""Sections of a conversation's facts where none are given, with what belongs into them."""
LONGEST_FACT = 1_000
"""Characters."""
_BULLET = "- "
_HEAD = re.compile(r"\s*(?:-\s*)?")


class Noted(NamedTuple):
    """What proposals have come to.

    Attributes:
        texts: The new text of each section that changes.
        facts: What was written.
        refused: What was not, and why.
    """

    texts: dict[str, str]
    facts: list[NotedFact]
    refused: list[RefusedFact]


def asked(sections: Mapping[str, tuple[str, str]], messages: Sequence[Said]) -> Json:
    """What a model is shown: messages by number, from 1, and sections with (description, text)."""
    return {
        "sections": [{"section_id": id, "description": d, "content": text} for id, (d, text) in sections.items()],
        "messages": [
            {"number": number, **said.model_dump(include={"role", "speaker", "time", "text"})}
            for number, said in enumerate(messages, 1)
        ],
    }


def read(answer: object) -> ProposedFacts:
    """The proposals in a model's answer that can be read: JSON within a string, too, and one fact for a list.

    Raises:
        ValueError: It holds nothing that can be read as an answer.
    """
    answer = _from_json(answer)
    if isinstance(answer, Mapping):
        fields = cast("Mapping[str, Any]", answer)
        answer = _from_json(fields.get("facts", [] if not fields else [fields]))
    if not isinstance(answer, list):
        raise ValueError(f"{str(answer)[:100]!r} holds no list of facts")
    listed = cast("list[object]", answer)
    facts = [fact for item in listed if (fact := _fact(_from_json(item))) is not None]
    if listed and not facts:
        raise ValueError(f"none of {len(listed)} facts can be read")
    return ProposedFacts(facts=facts)


def noted(texts: Mapping[str, str], proposed: ProposedFacts, messages: Sequence[Said], *, limit: int) -> Noted:
    """What is written of proposals, one after the other.

    Args:
        texts: The present text of each section that a fact may be written into.
        proposed: By the model.
        messages: Which it was shown.
        limit: Longest content of a section, in characters.
    """
    present, changed = dict(texts), dict[str, str]()
    facts, refused = list[NotedFact](), list[RefusedFact]()
    for proposal in proposed.facts:
        line = _line(proposal.fact)
        sources = [messages[n - 1] for n in proposal.messages if 0 < n <= len(messages)]
        told = [said for said in sources if said.role == "user"]
        text = present.get(proposal.section_id)
        reason = _against(proposal, line, text, told, present) or _too_long(text or "", line, limit)
        if reason or text is None:
            refused.append(RefusedFact(section_id=proposal.section_id, fact=proposal.fact, reason=reason))
            continue
        present[proposal.section_id] = changed[proposal.section_id] = _written(text, line, proposal.corrects)
        facts.append(
            NotedFact(
                section_id=proposal.section_id,
                fact=line,
                corrected=proposal.corrects and _line(proposal.corrects),
                message_ids=tuple(said.id for said in told),
            )
        )
    return Noted(changed, facts, refused)


def _against(
    proposal: ProposedFact, line: str, text: str | None, told: Sequence[Said], known: Mapping[str, str]
) -> str:
    """Why a proposal is refused; empty where it holds."""
    if text is None:
        return f"there is no section {proposal.section_id!r}, only {', '.join(map(repr, known))}"
    if not line:
        return "it says nothing"
    if len(line) > LONGEST_FACT:
        return f"it has {len(line):,} characters; the limit is {LONGEST_FACT:,}"
    if not told:
        return "it names no message of the user that says so"
    # a blank line is no fact
    old = None if proposal.corrects is None else _line(proposal.corrects)
    if proposal.corrects is not None and (not old or _lines(text).count(old) != 1):
        return f"the line that it corrects does not stand there exactly once: {proposal.corrects[:200]!r}"
    if line in _lines(text):
        return "that stands there already"
    return ""


def _too_long(text: str, line: str, limit: int) -> str:
    length = len(text) + len(line) + len(_BULLET) + 1
    return f"the section would have {length:,} characters; the limit is {limit:,}" if length > limit else ""


def _written(text: str, line: str, corrects: str | None) -> str:
    if corrects is None:
        return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{_BULLET}{line}"
    each_line = text.splitlines(keepends=True)
    return "".join(_around(each, line) if _line(each) == _line(corrects) else each for each in each_line)


def _around(old: str, line: str) -> str:
    """A line in the place of another, whose indentation, bullet and line break stay."""
    head = _HEAD.match(old)
    return f"{head[0] if head else ''}{line}{old[len(old.rstrip()) :]}"


def _lines(text: str) -> list[str]:
    return [_line(line) for line in text.splitlines()]


def _line(text: str) -> str:
    """A fact as a line: without line breaks, and without the bullet before it."""
    return " ".join(text.split()).removeprefix("-").strip()


def _fact(item: object) -> ProposedFact | None:
    try:
        return ProposedFact.model_validate(item)
    except ValidationError:
        return None


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        return json.loads(text)
    except ValueError:
        return value
