"""How long a memory waits after a run that failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.retrying import FIRST_WAIT, LONGEST_WAIT, retry_wait


@given(attempts=st.integers(0, 10**6), chance=st.floats(0, 1))
def test_a_wait_is_never_below_half_of_the_first_nor_above_the_longest(attempts, chance):
    assert FIRST_WAIT / 2 <= retry_wait(attempts, chance) <= LONGEST_WAIT


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (2, 4), (3, 8), (11, 2048), (12, 3600), (1000, 3600)])
def test_the_wait_doubles_with_every_attempt_up_to_an_hour(attempts, seconds):
    assert retry_wait(attempts, 1.0) == seconds


def test_memories_that_failed_together_are_spread_over_the_upper_half():
    assert [retry_wait(5, chance) for chance in (0.0, 0.5, 1.0)] == [16, 24, 32]
