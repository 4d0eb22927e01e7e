"""When a memory whose run failed is tried again, and when a model that failed is asked again."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT, LONGEST_WAIT = 2.0, 3600.0
"""Seconds."""

_FIRST_MODEL_WAIT, LONGEST_ASKED_WAIT = 0.2, 60.0
"""Seconds; a provider that wants to be left alone for longer than the second is not waited for within a run."""


def retry_wait(attempts: int, chance: float) -> float:
    """Seconds until the next attempt: doubled with each one, up to an hour, and spread over its upper half.

    Args:
        attempts: How many have failed, one after the other.
        chance: From 0 to 1; drawn by chance, it keeps memories that failed together from coming back together.
    """
    # the exponent has a limit of its own, as a power of thousands is no float any more
    longest = min(FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 20), LONGEST_WAIT)
    return longest * (1 + chance) / 2


def model_wait(attempts: int, chance: float, asked: float | None) -> float | None:
    """Seconds until a model is asked again within a run: doubled with each attempt, and as long as its provider asks.

    Args:
        attempts: How many have failed.
        chance: As for `retry_wait`.
        asked: Seconds that the provider asks to wait, if it does.

    Returns:
        None where that is too long to hold a run for: the rules take over at once.
    """
    if asked is not None and asked > LONGEST_ASKED_WAIT:
        return None
    return max(_FIRST_MODEL_WAIT * 2 ** min(attempts - 1, 20) * (1 + chance) / 2, asked or 0.0)


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that an answer's `Retry-After` asks to wait, told in seconds or as a date; None where it tells neither.

    Args:
        headers: By names in lower case.
        now: With a time zone.
    """
    told = headers.get("retry-after", "")
    try:
        seconds = float(told)
    except ValueError:
        seconds = _until(told, now)
    # NaN is no number of seconds either
    return seconds if seconds is not None and seconds >= 0 else None


def _until(date: str, now: datetime) -> float | None:
    try:
        return max((parsedate_to_datetime(date) - now).total_seconds(), 0.0)
    except (TypeError, ValueError):  # no date, or one without a zone
        return None
