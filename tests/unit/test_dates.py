"""The days that texts name, and that questions ask for."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies import dates
from langgraph_agentmem.policies.dates import Days

TODAY = date(2026, 11, 30)
"""A Monday."""


def spans(found: list[Days]) -> list[tuple[str, str]]:
    return [(days.first.isoformat(), days.end.isoformat()) for days in found]


@pytest.mark.parametrize(
    "text",
    [
        "8 May 2023", "(1:56 pm on 8 May, 2023) Ann: hello", "May 8, 2023", "May 8th 2023", "2023-05-08", "2023/05/08",
        "at 2023-05-08T13:56:00Z", "8. Mai 2023", "8.5.2023", "le 8 mai 2023", "8 de mayo de 2023", "2023年5月8日",
        "２０２３年５月８日", "2023년 5월 8일", "May-8-2023", "the 8th of May, 2023",
    ],
)  # fmt: skip
def test_a_day_is_read_however_it_is_written(text):
    assert spans(dates.said(text)) == [("2023-05-08", "2023-05-09")]
    assert spans(dates.asked(text, TODAY)) == [("2023-05-08", "2023-05-09")]


@pytest.mark.parametrize(
    "text", ["May 2023", "in May, 2023", "2023-05 is over", "mai 2023", "mayo de 2023", "2023年5月"]
)
def test_a_month_is_one(text):
    assert spans(dates.said(text)) == [("2023-05-01", "2023-06-01")]


def test_of_a_day_that_there_is_not_the_month_is_read():
    assert spans(dates.said("31 June 2023")) == [("2023-06-01", "2023-07-01")]


def test_what_can_be_read_both_ways_is_read_both_ways():
    assert spans(dates.said("05/08/2023")) == [("2023-05-08", "2023-05-09"), ("2023-08-05", "2023-08-06")]
    assert spans(dates.said("05/28/2023")) == [("2023-05-28", "2023-05-29")]


@pytest.mark.parametrize(
    "text", ["2023-13-01", "31.6.2023", "v1.2023-05", "May I ask 2 things in 2023?", "12023-05-08", ""]
)
def test_what_is_no_day_is_none(text):
    assert dates.said(text) == []


@pytest.mark.parametrize(
    ("query", "first", "end"),
    [
        ("What did I say yesterday?", "2026-11-29", "2026-11-30"), ("today", "2026-11-30", "2026-12-01"),
        ("What happened last week?", "2026-11-23", "2026-11-30"), ("this month", "2026-11-01", "2026-12-01"),
        ("plans for next year", "2027-01-01", "2028-01-01"), ("last Friday", "2026-11-27", "2026-11-28"),
        ("next Monday", "2026-12-07", "2026-12-08"), ("3 days ago", "2026-11-27", "2026-11-28"),
        ("two months ago", "2026-09-01", "2026-10-01"), ("a week ago", "2026-11-23", "2026-11-30"),
        ("in May", "2026-05-01", "2026-06-01"), ("on 5 December", "2025-12-05", "2025-12-06"),
        ("in 2023", "2023-01-01", "2024-01-01"), ("letzte Woche", "2026-11-23", "2026-11-30"),
        ("vor 3 Tagen", "2026-11-27", "2026-11-28"), ("la semaine dernière", "2026-11-23", "2026-11-30"),
        ("il y a 2 mois", "2026-09-01", "2026-10-01"), ("hace una semana", "2026-11-23", "2026-11-30"),
        ("先週何を食べた", "2026-11-23", "2026-11-30"), ("昨天", "2026-11-29", "2026-11-30"),
    ],
)  # fmt: skip
def test_what_only_the_present_day_gives_a_meaning_is_counted_from_it(query, first, end):
    assert spans(dates.asked(query, TODAY)) == [(first, end)]
    assert dates.said(query) == []


@pytest.mark.parametrize("query", ["May I come in?", "Who will march?", "the last of us", "Room 2023", "next to Ann"])
def test_words_that_are_no_dates_ask_for_no_day(query):
    assert dates.asked(query, TODAY) == []


def test_a_question_that_names_a_year_means_no_other_one():
    assert spans(dates.asked("What did Ann do last week, on 8 May 2023?", TODAY)) == [("2023-05-08", "2023-05-09")]


@given(day=st.dates(date(1950, 1, 1), date(2090, 1, 1)), length=st.integers(1, 400), at=st.integers(-10, 410))
def test_a_day_is_found_by_just_the_times_that_it_lies_in(day, length, at):
    asked = Days(day, day + timedelta(days=length))
    said = day + timedelta(days=at)

    found = set(dates.dimensions(f"Seen on {said:%Y-%m-%d}.")) & set(dates.looked_up([asked]))

    assert bool(found) == (asked.first <= said < asked.end)


def test_a_month_is_found_by_itself_and_by_its_year_not_by_a_day():
    month = set(dates.dimensions("It was in May 2023."))

    assert month & set(dates.looked_up(dates.asked("in May 2023", TODAY)))
    assert month & set(dates.looked_up(dates.asked("in 2023", TODAY)))
    assert not month & set(dates.looked_up(dates.asked("on 8 May 2023", TODAY)))


def test_a_long_text_takes_no_longer_than_its_years():
    text = "no year here " * 50_000

    assert dates.dimensions(text + "8 May 2023") == dates.dimensions("8 May 2023")
