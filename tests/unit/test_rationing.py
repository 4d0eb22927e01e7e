"""How many requests a caller may send: as many in a minute as were allowed, whatever they do with the minute."""

from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.rationing import Bucket, taken


def test_a_full_bucket_gives_a_minutes_requests_at_once_and_says_when_there_is_another():
    bucket = None
    for _ in range(120):
        bucket, wait = taken(bucket, 10.0, 120)
        assert wait == 0
    bucket, wait = taken(bucket, 10.0, 120)
    assert wait == 0.5
    assert taken(bucket, 10.4, 120)[1] > 0
    assert taken(bucket, 10.5, 120)[1] == 0


def test_a_bucket_is_never_more_than_full():
    assert taken(Bucket(left=3, at=0), 1e6, 5)[0] == Bucket(left=4, at=1e6)


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_in_no_minute_are_there_more_than_twice_as_many(pauses: list[float], per_minute: int):
    bucket, now, granted = None, 0.0, list[float]()
    for pause in pauses:
        now += pause
        bucket, wait = taken(bucket, now, per_minute)
        if not wait:
            granted.append(now)
    assert all(sum(at <= each < at + 60 for each in granted) <= 2 * per_minute for at in granted)
