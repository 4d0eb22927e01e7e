"""How commands write what they say."""

import pytest

from langgraph_agentmem.cli.terminal import ago


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59.4, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (200_000, "2 d")],
)
def test_a_time_that_has_passed_is_said_in_its_largest_unit(seconds, said):
    assert ago(seconds) == said
