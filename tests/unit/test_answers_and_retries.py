"""What is read in a model's answer, in which way it is asked, and when it is asked again."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies import answers
from langgraph_agentmem.policies.retrying import LONGEST_ASKED_WAIT, asked_wait, model_wait

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"a": 1}', {"a": 1}),
        (' ```json\n{"a": [1, 2]}\n```\n', {"a": [1, 2]}),
        ("[1]", [1]),
        ("seven", "seven"),
        ("7", "7"),
        ("", ""),
        ('{"a": "cut o', '{"a": "cut o'),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_json_is_read_whole_or_not_at_all(text: str, read: object) -> None:
    assert answers.from_json(text) == read


@pytest.mark.parametrize(
    ("text", "ended", "prose"),
    [
        ("I would rather not.", "stop", True),
        ("I would rather not say any mo", "length", True),
        ("", "stop", True),
        ("", None, True),
        ("", "length", False),
        ("", "max_tokens", False),
        ("", "content_filter", False),
        ("Sorry", "content_filter", False),
        ("Sorry", "refusal", False),
        ('{"entities": [', "length", False),
        ('```json\n{"entities": []', "length", False),
    ],
)
def test_prose_is_what_is_neither_data_nor_held_back(text: str, ended: str | None, prose: bool) -> None:
    assert answers.is_prose(text, ended) is prose


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2)),
        ({"input_tokens": 3, "output_tokens": 2}, (3, 2)),
        ({"input_tokens": "many"}, (0, 0)),
        (None, (0, 0)),
        ([], (0, 0)),
    ],
)
def test_tokens_are_read_under_either_name(usage: object, tokens: tuple[int, int]) -> None:
    assert answers.tokens(usage) == tokens


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        ("Wed, 31 Dec 2025 23:00:00", None),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_to_wait_is_told_in_seconds_or_as_a_date(told: str, seconds: float | None) -> None:
    assert asked_wait({"retry-after": told}, NOW) == seconds


def test_without_a_header_nobody_asks_to_wait() -> None:
    assert asked_wait({}, NOW) is None


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, LONGEST_ASKED_WAIT))
def test_a_model_is_asked_again_after_a_while_and_not_before_its_provider_wants_it(
    attempts: int, chance: float, asked: float | None
) -> None:
    wait = model_wait(attempts, chance, asked)
    assert wait is not None
    assert math.isfinite(wait)
    assert wait >= (asked or 0)
    assert wait >= model_wait(1, 0, None)


@pytest.mark.parametrize("asked", [LONGEST_ASKED_WAIT + 1, math.inf])
def test_nobody_waits_for_long_within_a_run(asked: float) -> None:
    assert model_wait(1, 0.5, asked) is None
