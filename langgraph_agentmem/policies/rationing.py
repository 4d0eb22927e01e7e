"""How many requests a caller may send: a bucket that each of them takes one out of, and that fills up again."""

from langgraph_agentmem.models.base import Value


class Bucket(Value):
    """What a caller has left.

    Attributes:
        left: Requests, of which there are fractions as time goes on.
        at: When that was so, in seconds of any clock that never goes back.
    """

    left: float
    at: float


def taken(bucket: Bucket | None, now: float, per_minute: int) -> tuple[Bucket, float]:
    """One request from a bucket that holds what may be sent in a minute, full at first.

    Args:
        bucket: The caller's, or None for one who has sent nothing yet.
        now: Seconds, by the bucket's clock.
        per_minute: Requests that may be sent in a minute, one after the other or at once.

    Returns:
        What is left, and 0; or what there is, and how many seconds to wait for the next request.
    """
    rate = per_minute / 60
    left = per_minute if bucket is None else min(per_minute, bucket.left + (now - bucket.at) * rate)
    return (Bucket(left=left - 1, at=now), 0.0) if left >= 1 else (Bucket(left=left, at=now), (1 - left) / rate)
