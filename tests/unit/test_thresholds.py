"""When a memory is due for consolidation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.thresholds import consolidation_threshold, is_due


@pytest.mark.parametrize(
    ("average", "sections", "cap", "threshold"),
    [(5.0, 1, 100, 5.0), (5.0, 4, 100, 20.0), (2.5, 3, 100, 7.5), (5.0, 20, 100, 100.0), (5.0, 10_000, 100, 100.0), (0.1, 2, 1, 0.2)],
)  # fmt: skip
def test_the_threshold_is_the_average_times_the_sections_up_to_the_cap(average, sections, cap, threshold):
    assert consolidation_threshold(average, sections, cap) == pytest.approx(threshold)


def test_a_memory_without_sections_counts_as_one_section():
    assert consolidation_threshold(5.0, 0, 100) == 5.0


@given(average=st.floats(0.01, 1e6), sections=st.integers(0, 10**6), cap=st.integers(1, 10**6))
def test_the_threshold_never_passes_the_cap_and_never_falls_with_more_sections(average, sections, cap):
    threshold = consolidation_threshold(average, sections, cap)

    assert 0 < threshold <= cap
    assert consolidation_threshold(average, sections + 1, cap) >= threshold


@pytest.mark.parametrize(("pending", "due"), [(0, False), (14, False), (15, True), (16, True)])
def test_a_memory_is_due_from_the_threshold_on(pending, due):
    assert is_due(pending, 15.0) is due


def test_a_fractional_threshold_needs_the_next_whole_update():
    assert not is_due(7, 7.5)
    assert is_due(8, 7.5)


def test_nothing_pending_is_never_due_however_low_the_threshold():
    assert not is_due(0, 0.0)
