"""Whose memories come next."""

from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.taking_turns import in_turn, next_tenants, share

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


@given(st.integers(1, 500), st.integers(0, 500))
def test_enough_of_each_is_asked_for(limit, tenants):
    assert share(limit, tenants) * max(1, tenants) >= limit
    assert share(limit, tenants) == 1 or (share(limit, tenants) - 1) * tenants < limit


@given(st.sets(st.text(min_size=1, max_size=2), min_size=1), st.data())
def test_who_had_the_last_turn_comes_after_all_others(names, data):
    known = sorted(names)
    last = data.draw(st.sampled_from(known))
    order = next_tenants([name for name in known if name > last], known, last)
    assert sorted(order) == known
    assert order[-1] == last
