"""How the arms of a search become one score and one order."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langgraph_agentmem.models.search import ArmScores, SearchHit
from langgraph_agentmem.policies.ranking import fused, ranked

SHARES = st.floats(0, 1)
ARMS = st.builds(ArmScores, vector=st.none() | SHARES, lexical=SHARES, graph=SHARES)


def hit(chunk_id: int, score: float) -> SearchHit:
    return SearchHit(
        chunk_id=chunk_id, content="…", score=score, arms=ArmScores(), tier="active", memory_id=1, memory_title="m",
        section_id="s", section_revision=1, chunk_order=0, current=True, origin="section",
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(arms=ARMS)
def test_a_score_lies_between_its_lowest_and_its_highest_arm(arms):
    scores = [score for score in arms.model_dump().values() if score is not None]

    assert min(scores) - 1e-12 <= fused(arms) <= max(scores) + 1e-12


@settings(max_examples=100, deadline=None)
@given(arms=ARMS, arm=st.sampled_from(["vector", "lexical", "graph"]), more=SHARES)
def test_a_better_arm_never_makes_a_worse_score(arms, arm, more):
    score = getattr(arms, arm)
    if score is None:
        return
    better = arms.model_copy(update={arm: max(score, more)})

    assert fused(better) >= fused(arms) - 1e-12


@pytest.mark.parametrize("arm", ["vector", "lexical", "graph"])
def test_every_arm_counts(arm):
    nothing = ArmScores(vector=0.0, lexical=0.0, graph=0.0)

    assert fused(nothing.model_copy(update={arm: 1.0})) > fused(nothing) == 0.0


def test_full_marks_in_all_arms_are_a_score_of_one_with_and_without_an_embedder():
    assert fused(ArmScores(vector=1.0, lexical=1.0, graph=1.0)) == pytest.approx(1.0)
    assert fused(ArmScores(vector=None, lexical=1.0, graph=1.0)) == pytest.approx(1.0)


def test_an_arm_that_took_no_part_is_not_an_arm_that_found_nothing():
    assert fused(ArmScores(vector=None, lexical=0.8)) > fused(ArmScores(vector=0.0, lexical=0.8))


def test_the_best_come_first_and_equal_scores_are_ordered_by_chunk_id():
    hits = [hit(7, 0.5), hit(3, 0.9), hit(2, 0.5), hit(9, 0.1)]

    assert [h.chunk_id for h in ranked(hits, 10)] == [3, 2, 7, 9]


@settings(max_examples=50, deadline=None)
@given(data=st.data(), limit=st.integers(1, 6))
def test_the_order_does_not_depend_on_the_order_found_and_keeps_to_the_limit(data, limit):
    hits = [hit(id, score) for id, score in enumerate([0.2, 0.2, 0.7, 0.7, 0.1])]
    shuffled = data.draw(st.permutations(hits))

    assert ranked(shuffled, limit) == ranked(hits, limit)
    assert len(ranked(shuffled, limit)) == min(limit, 5)
