"""Whose memories come next."""

from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.taking_turns import in_turn, rotated

WAITING = st.dictionaries(st.text(min_size=1, max_size=3), st.lists(st.integers(), unique=True, max_size=5))


def test_each_tenant_has_its_turn_before_anybody_has_another_one():
    assert in_turn({"large": [1, 2, 3], "none": [], "small": [9], "middle": [5, 4]}) == [
        ("large", 1), ("small", 9), ("middle", 5), ("large", 2), ("middle", 4), ("large", 3),
    ]  # fmt: skip
    assert in_turn({}) == []


@given(WAITING)
def test_nothing_is_lost_and_each_tenants_order_stays(waiting):
    taken = in_turn(waiting)
    assert {tenant: [id for t, id in taken if t == tenant] for tenant in waiting} == waiting
    assert len(taken) == sum(map(len, waiting.values()))


@given(WAITING, st.data())
def test_wherever_the_turns_begin_their_order_stays(waiting, data):
    first = data.draw(st.integers(0, max(0, len(waiting) - 1)))
    turned = rotated(waiting, first)
    assert turned == waiting
    assert [*turned, *turned][len(waiting) - first :][: len(waiting)] == list(waiting)
