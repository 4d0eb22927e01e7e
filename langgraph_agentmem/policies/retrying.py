"""When a memory whose run failed is tried again."""

FIRST_WAIT, LONGEST_WAIT = 2.0, 3600.0
"""Seconds."""


def retry_wait(attempts: int, chance: float) -> float:
    """Seconds until the next attempt: doubled with each one, up to an hour, and spread over its upper half.

    Args:
        attempts: How many have failed, one after the other.
        chance: From 0 to 1; drawn by chance, it keeps memories that failed together from coming back together.
    """
    # the exponent has a limit of its own, as a power of thousands is no float any more
    longest = min(FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 20), LONGEST_WAIT)
    return longest * (1 + chance) / 2
