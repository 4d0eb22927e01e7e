"""What a person's decision does to chunks."""

import pytest

from langgraph_agentmem.models.review import Dispute, DisputedValue, ReviewDecision, Verdict
from langgraph_agentmem.policies import rejecting
from langgraph_agentmem.policies.deciding import outcome


def value(id: int | None, content: str) -> DisputedValue:
    return DisputedValue(id=id, content=content, section_id="notes", valid=True)


def dispute(new: DisputedValue, *existing: DisputedValue, **fields: object) -> Dispute:
    return Dispute.model_validate(
        {
            "id": 1, "external_id": "alice", "run_id": "r", "memory_id": 1, "kind": "chunk", "section_id": "notes",
            "existing": existing, "existing_now": existing, "new": new, "new_now": new, "status": "pending",
            "verdict": Verdict(action="supersede"), "created_at": "2026-01-01T00:00:00Z", **fields,
        }
    )  # fmt: skip


def decision(action: str, **fields: object) -> ReviewDecision:
    return ReviewDecision.model_validate({"dispute": 1, "action": action, **fields})


def test_what_is_rejected_keeps_what_has_nothing_to_do_with_the_other_value():
    asked = dispute(value(2, "Deadline: June 1\nA heron fishes"), value(1, "Deadline: May 1"))

    decided = outcome(asked, decision("reject"))

    assert decided.superseded == [(2, 1)]
    assert [text.text for text in decided.texts] == ["A heron fishes"]
    assert decided.rejected == [("statement", key) for key in rejecting.statement_keys("Deadline: June 1")]


def test_of_two_values_with_nothing_in_common_the_rejected_one_ends_as_a_whole():
    rejected = "A heron fishes\nAn owl hoots"
    decided = outcome(dispute(value(2, rejected), value(1, "Deadline: May 1")), decision("reject"))

    assert (decided.superseded, decided.texts) == ([(2, 1)], [])
    assert decided.rejected == [("statement", key) for key in rejecting.statement_keys(rejected)]


@pytest.mark.parametrize(("leftover", "texts"), [("", ["both"]), ("The falcon nests", ["both", "The falcon nests"])])
def test_with_a_merged_text_comes_what_its_sources_say_besides(leftover, texts):
    verdict = Verdict(action="merge", text="both", leftover=leftover)
    merged = dispute(value(None, "both"), value(1, "one"), value(2, "other"), kind="merge", verdict=verdict)

    decided = outcome(merged, decision("accept"))

    assert [text.text for text in decided.texts] == texts
    assert decided.texts[0].replaces == [1, 2]
    assert [(text.origin, text.sources, text.replaces) for text in decided.texts[1:]] == [("leftover", [1, 2], [])] * (
        len(texts) - 1
    )
