"""What becomes of a section when a thread's state holds another text: by cases, and against many made-up stories."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.models.active import Section
from langgraph_agentmem.models.thread import LoadedSection, PutCheckpoint, SeenSection, ThreadSection
from langgraph_agentmem.policies.thread_writes import seen_at, text_hash, to_load, verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def section(content: str, revision: int = 2, total_updates: int = 1) -> Section:
    return Section(
        section_id="notes", value={"content": content}, revision=revision, update_count=0,
        total_updates=total_updates, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def seen(text: str, revision: int = 2) -> SeenSection:
    return SeenSection(revision=revision, text_hash=text_hash(text))


@pytest.mark.parametrize(
    ("text", "standing", "known", "expected"),
    [
        ("a", section("a"), None, "same"),
        ("a", section("a", 3), seen("b"), "same"),
        ("b", section("", total_updates=0), None, "write"),
        ("b", section("a template's", total_updates=0), None, "conflict"),
        ("b", section(" "), None, "write"),
        ("", section("a"), None, "unchanged"),
        ("b", section("a"), None, "conflict"),
        ("b", section("a"), seen("a"), "write"),
        ("a", section("b", 3), seen("a"), "unchanged"),
        ("c", section("b", 3), seen("a"), "conflict"),
        ("a ", section("b", 3), seen("a"), "conflict"),
        ("", section("a"), seen("a"), "write"),
    ],
)
def test_what_a_text_means(text, standing, known, expected):
    assert verdict(text, standing, known) == expected


@pytest.mark.parametrize(
    ("text", "standing", "known", "expected"),
    [
        ("", section("a"), None, True),
        ("", section("a"), seen("old", 1), True),
        ("", section(" \n"), None, False),
        ("a", section("", 3), seen("a"), True),
        ("a", section("a"), None, False),
        ("a", section("b", 3), seen("a"), True),
        ("mine", section("b", 3), seen("a"), False),
        ("mine", section("b"), None, False),
    ],
)
def test_what_a_thread_takes(text, standing, known, expected):
    assert to_load(text, standing, known) is expected


STEP = PutCheckpoint(id="3", parent_id="1", of_step=True)


@pytest.mark.parametrize(
    ("put", "text", "expected"),
    [
        (STEP, "old", "loaded"),
        (STEP.model_copy(update={"parent_id": "2"}), "old", "loaded"),
        (STEP.model_copy(update={"parent_id": "25"}), "old", "old"),  # of a branch that has moved on without it
        (STEP.model_copy(update={"id": "2"}), "old", "old"),  # it was under way already
        (STEP.model_copy(update={"of_step": False}), "old", "old"),  # an input, after a run that failed
        (STEP.model_copy(update={"of_step": False, "parent_id": "25"}), "loaded", "loaded"),
    ],
)
def test_what_was_loaded_counts_once_a_checkpoint_may_hold_it(put, text, expected):
    known = ThreadSection(
        section=section("loaded", 5),
        seen=seen("old", 1),
        loaded=LoadedSection(section=seen("loaded", 5), checkpoint_id="2"),
    )

    assert seen_at(put, text, known) == {"old": known.seen, "loaded": seen("loaded", 5)}[expected]


def test_what_a_thread_has_never_loaded_is_as_it_has_seen_it():
    known = ThreadSection(section=section("b"), seen=seen("old", 1), loaded=None)

    assert seen_at(STEP, "b", known) == seen("old", 1)


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["x", "y", "z", ""])), max_size=20))
def test_no_thread_ever_overwrites_what_it_has_not_seen(writes):
    """Threads A and B hold texts of their own; one that would write over the other's unseen text is in conflict."""
    content, revision, total, by = "", 1, 0, ""
    known: dict[str, SeenSection] = {}
    for thread, text in writes:
        found = verdict(text, section(content, revision, total), known.get(thread))
        if found == "write":
            assert by in ("", thread) or not content or known[thread].revision == revision
            content, revision, total, by = text, revision + 1, total + 1, thread
        if found in ("write", "same"):
            known[thread] = SeenSection(revision=revision, text_hash=text_hash(text))
        if found == "conflict":
            assert by not in ("", thread)
