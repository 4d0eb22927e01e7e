"""What of a model's proposals is noted as facts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.models.conversation import ProposedFact, ProposedFacts, Said
from langgraph_agentmem.policies import noting

TEXTS = {"profile": "- Lives in Rome.\n- Is 40.", "plans": ""}
MESSAGES = [
    Said(id="u", role="user", speaker="User", text="I moved to Oslo."),
    Said(id="a", role="assistant", speaker="Assistant", text="You like skiing."),
]


def noted(*proposals: dict[str, Any], limit: int = 1000) -> noting.Noted:
    facts = [ProposedFact(**{"section_id": "profile", "messages": [1], **each}) for each in proposals]
    return noting.noted(TEXTS, ProposedFacts(facts=facts), MESSAGES, limit=limit)


def test_a_new_fact_becomes_a_line():
    done = noted({"fact": "Has a\n dog."}, {"section_id": "plans", "fact": "- Goes to Oslo."})
    assert done.texts == {"profile": "- Lives in Rome.\n- Is 40.\n- Has a dog.", "plans": "- Goes to Oslo."}
    assert [fact.message_ids for fact in done.facts] == [("u",), ("u",)]
    assert done.refused == []


def test_a_correction_takes_the_place_of_the_line_that_stands_there():
    done = noted({"fact": "Lives in Oslo.", "corrects": "Lives in Rome."}, {"fact": "Is 41.", "corrects": "- Is 40."})
    assert done.texts == {"profile": "- Lives in Oslo.\n- Is 41."}
    assert [fact.corrected for fact in done.facts] == ["Lives in Rome.", "Is 40."]


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        ({"fact": "x", "corrects": "Lives in Bonn."}, "does not stand there exactly once"),
        ({"fact": "x", "corrects": "- Lives in Rome.\n- Is 40."}, "does not stand there exactly once"),
        ({"fact": "x", "corrects": ""}, "does not stand there exactly once"),
        ({"fact": "x", "section_id": "secrets"}, "no section 'secrets'"),
        ({"fact": "Likes skiing.", "messages": [2]}, "no message of the user"),
        ({"fact": "Likes skiing.", "messages": [0, 9, -1]}, "no message of the user"),
        ({"fact": "Likes skiing.", "messages": []}, "no message of the user"),
        ({"fact": " - \n"}, "says nothing"),
        ({"fact": "", "corrects": "Is 40."}, "says nothing"),
        ({"fact": "Is 40."}, "stands there already"),
        ({"fact": "x" * 1001}, "characters"),
        ({"fact": "x" * 990}, "the section would have"),
    ],
)
def test_what_does_not_hold_is_refused_and_changes_nothing(proposal, reason):
    done = noted(proposal)
    assert (done.texts, done.facts) == ({}, [])
    assert reason in done.refused[0].reason


_ANY = st.text("ab-\n ", max_size=6)


@given(
    st.lists(
        st.tuples(st.sampled_from(["profile", "plans", "x"]), _ANY, st.none() | _ANY, st.lists(st.integers(-1, 3)))
    )
)
def test_whatever_is_proposed_no_line_goes_without_another_in_its_place(proposals):
    facts = [ProposedFact(section_id=s, fact=f, corrects=c, messages=m) for s, f, c, m in proposals]
    done = noting.noted(TEXTS, ProposedFacts(facts=facts), MESSAGES, limit=1000)

    for id, text in done.texts.items():
        new = [fact for fact in done.facts if fact.section_id == id]
        lines = [line for line in text.splitlines() if line.strip()]
        added = sum(fact.corrected is None for fact in new)
        assert len(lines) == len(TEXTS[id].splitlines()) + added
    assert len(done.facts) + len(done.refused) == len(proposals)


FACT = {"section_id": "profile", "fact": "x"}


@pytest.mark.parametrize(
    "answer",
    [
        {"facts": [FACT]},
        {"facts": [FACT, 7, "x", {"fact": "without a section"}]},
        {"facts": json.dumps([FACT])},
        [FACT],
        FACT,
        json.dumps({"facts": [FACT]}),
        f"```json\n{json.dumps({'facts': [FACT]})}\n```",
    ],
)
def test_what_can_be_read_of_an_answer_is_read(answer):
    assert [fact.fact for fact in noting.read(answer).facts] == ["x"]


@pytest.mark.parametrize("answer", [{}, {"facts": []}, []])
def test_an_answer_may_be_empty(answer):
    assert noting.read(answer).facts == []


@pytest.mark.parametrize("answer", ["Sure! Here you go.", 7, None, {"facts": [7]}, {"facts": "none"}, {"a": 1}])
def test_what_cannot_be_read_is_no_answer(answer):
    with pytest.raises(ValueError, match=r"holds no list|can be read"):
        noting.read(answer)
