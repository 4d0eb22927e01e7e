"""Scripted chat models of three qualities, in the resolver's seat."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from judging import Case, holds, words

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from fakes import ScriptedModel

Decide = Callable[[Case, dict[str, Any], dict[int, str]], list[dict[str, Any]]]
"""Decisions about a section's replacement; the dict holds the texts of the chunks by id."""

MADE_UP = 10_000_000
"""What a liar adds to an id."""


def model(quality: str, cases: Mapping[str, Case]) -> ScriptedModel:
    """A model that is asked about unclear pairs, and knows what is right by the section's id.

    Args:
        quality: `right` answers as the pair says, `careless` ends all that it is asked about, `lying` answers the
            opposite, and makes up ids and texts.
        cases: By section.
    """
    decide = {"right": _right, "careless": _careless, "lying": _lying}[quality]

    def answer(schema: str, data: dict[str, Any]) -> dict[str, Any]:
        if schema == "Extraction":
            return {"entities": [], "relationships": []}
        return {"sections": [_section(section, cases[section["section_id"]], decide) for section in data["sections"]]}

    return ScriptedModel(answer=answer)


def _section(section: dict[str, Any], case: Case, decide: Decide) -> dict[str, Any]:
    contents = {chunk["id"]: chunk["content"] for chunk in section["existing_chunks"]}
    decisions = [decision for asked in section["replacements"] for decision in decide(case, asked, contents)]
    answer = {"section_id": section["section_id"], "decisions": decisions}
    if decide is _lying:
        merged = {"text": "None of this was ever true.", "chunk_ids": list(contents), "reason": "I know it"}
        answer["merged"] = [merged]
    return answer


def _right(case: Case, asked: dict[str, Any], contents: dict[int, str]) -> list[dict[str, Any]]:
    return [_decision(asked, supersede=_untrue(case, contents[asked["chunk_id"]]))]


def _careless(case: Case, asked: dict[str, Any], contents: dict[int, str]) -> list[dict[str, Any]]:
    return [_decision(asked, supersede=True)]


def _lying(case: Case, asked: dict[str, Any], contents: dict[int, str]) -> list[dict[str, Any]]:
    made_up = {"chunk_id": asked["chunk_id"] + MADE_UP, "replaced_by": asked["replaced_by"] + MADE_UP}
    return [
        _decision(asked, supersede=not _untrue(case, contents[asked["chunk_id"]])),
        {"action": "supersede", "reason": "it is so", **made_up},
    ]


def _decision(asked: dict[str, Any], *, supersede: bool) -> dict[str, Any]:
    if supersede:
        return {"chunk_id": asked["chunk_id"], "action": "supersede", "replaced_by": asked["replaced_by"], "reason": ""}
    return {"chunk_id": asked["chunk_id"], "action": "keep", "reason": ""}


def _untrue(case: Case, content: str) -> bool:
    """Whether an existing chunk says, or holds the value of, something that the new text makes untrue."""
    said = words(content)
    ends = [words(statement) for statement in case.pair.ends]
    stays = [words(statement) for statement in case.pair.stays]
    if any(holds(said, statement) for statement in ends):
        return True
    parted = any(statement[-1] in said for statement in ends)
    return parted and not any(holds(said, statement) for statement in stays)
