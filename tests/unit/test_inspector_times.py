"""What the inspector makes of times: a slider's steps, and what each revision has changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.inspector.moments import Reach
from langgraph_agentmem.inspector.revisions import RevisionChange, changes
from langgraph_agentmem.models.chunk import ChunkHistory

DAY = datetime(2026, 5, 1, tzinfo=UTC)
REACHES = st.builds(
    Reach, st.just(DAY), st.timedeltas(timedelta(seconds=1), timedelta(days=9000)).map(lambda long: DAY + long)
)


@given(REACHES, st.integers(0, 999))
def test_each_step_is_a_time_of_the_span_and_each_time_the_nearest_step(span: Reach, step: int) -> None:
    at = span.at(step)
    assert at is not None
    assert span.since <= at < span.now
    assert span.step(at) == step


@given(REACHES, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_the_end_is_now_and_what_lies_outside_is_at_an_end(span: Reach, further: timedelta) -> None:
    assert (span.at(1000), span.step(None), span.step(span.now + further)) == (None, 1000, 1000)
    assert span.step(span.since - further) == 0


def test_a_time_is_typed_as_exactly_as_the_slider_is() -> None:
    at = DAY + timedelta(milliseconds=1500)
    assert Reach(DAY, DAY + timedelta(seconds=30)).typed(at) == "2026-05-01T00:00:01.500"
    assert Reach(DAY, DAY + timedelta(days=30)).typed(at) == "2026-05-01T00:00:01"
    assert Reach(DAY, DAY + timedelta(days=30)).typed(None) == ""


def chunk(id: int, day: int, content: str, revision: int, **more: Any) -> ChunkHistory:
    values = {"section_id": "notes", "chunk_order": id, "tier": "shortterm", "current": True, "origin": "section"}
    return ChunkHistory(
        chunk_id=id, content=content, section_revision=revision, start_date=DAY + timedelta(days=day),
        **{**values, **more},
    )  # fmt: skip


def test_a_revision_shows_what_came_and_whose_place_that_took() -> None:
    end = {"end_date": DAY + timedelta(days=3), "superseded_by": 3}
    history = [
        chunk(3, 2, "Deadline: June 1\n", 3, source="bo"),
        chunk(2, 0, "Ada leads.", 2, source="ada"),
        chunk(1, 0, "Deadline: May 1\n", 2, source="ada", **end),
    ]
    assert changes(history) == [
        RevisionChange(3, DAY + timedelta(days=2), "bo", "Deadline: May 1", "Deadline: June 1"),
        RevisionChange(2, DAY, "ada", "", "Deadline: May 1\nAda leads."),
    ]


def test_what_ended_without_anything_in_its_place_is_a_change_of_its_own() -> None:
    end = {"end_date": DAY + timedelta(days=3)}
    gone, merged = chunk(1, 0, "Bo helps.", 2, **end), chunk(2, 3, "Ada and Bo lead.", 0, origin="merge")
    assert changes([merged, gone]) == [
        RevisionChange(0, DAY + timedelta(days=3), None, "", "Ada and Bo lead."),
        RevisionChange(0, DAY + timedelta(days=3), None, "Bo helps.", ""),
        RevisionChange(2, DAY, None, "", "Bo helps."),
    ]
    # what has taken its place may not be among those that are shown
    [cut] = [each for each in changes([chunk(1, 0, "Bo helps.", 2, superseded_by=99, **end)]) if not each.after]
    assert cut.before == "Bo helps."
    assert changes([]) == []
