"""What an import writes, what it leaves, and how it tells that all has arrived."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.conversation import Said
from langgraph_agentmem.models.imported import PresentItem
from langgraph_agentmem.policies import importing, transcripts
from langgraph_agentmem.policies.importing import Digest, alike, fate, fingerprint, kept_as, tenant_of

NOW = datetime(2026, 5, 8, 14, 3, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3),
    max_leaves=8,
)


def present(value: Any, source: str | None = importing.SOURCE) -> PresentItem:
    return PresentItem(value={"text": value}, updated_at=NOW, revision=1, source=source)


@pytest.mark.parametrize(
    ("there", "updated_at", "here", "expected"),
    [
        ("a", NOW, None, "new"),
        ("a", LATER, present("a"), "same"),
        ("a", EARLIER, present("a", "store"), "same"),
        ("b", LATER, present("a"), "newer"),
        ("b", NOW, present("a"), "newer"),
        ("b", None, present("a"), "newer"),
        ("b", EARLIER, present("a"), "left"),
        ("b", LATER, present("a", "store"), "left"),
        ("b", None, present("a", None), "left"),
    ],
)
def test_what_others_have_written_stays_and_what_is_older_comes_too_late(there, updated_at, here, expected):
    assert fate({"text": there}, updated_at, here) == expected


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ("1", 1), ([1, 2], [2, 1]), (None, {})])
def test_what_json_tells_apart_is_not_the_same(one, other):
    assert fingerprint({"a": one}) != fingerprint({"a": other})


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_order_of_keys_does_not_count(value):
    keys = list(value)
    random.shuffle(keys)
    assert fingerprint({key: value[key] for key in keys}) == fingerprint(value)


@given(st.lists(st.tuples(st.text(), json_values), max_size=6))
def test_a_digest_depends_on_what_was_counted_and_not_on_its_order(parts):
    one, other, more = Digest(), Digest(), Digest()
    for part in parts:
        one.add(*part)
        more.add(*part)
    for part in reversed(parts):
        other.add(*part)
    more.add("one", "more")
    assert str(one) == str(other)
    assert str(more) != str(one)


def test_a_digest_counts_what_comes_twice():
    once, thrice = Digest(), Digest()
    once.add("a")
    for _ in range(3):
        thrice.add("a")
    assert str(once) != str(thrice)


@pytest.mark.parametrize(
    ("rule", "expected"), [(None, "default"), ("alice", "alice"), (str.upper, "S1"), (lambda _: 7, "7")]
)
def test_the_rule_says_whose_a_session_is(rule, expected):
    assert tenant_of(rule, "s1", "default", "session s1") == expected


@pytest.mark.parametrize("named", [None, "", ["a"], 1.5])
def test_a_rule_that_gives_no_tenant_is_told(named):
    with pytest.raises(InvalidInputError, match=r"no tenant for session s1|external_id must"):
        tenant_of(lambda _: named, "s1", "default", "session s1")
    with pytest.raises(ConfigurationError, match="tenant must be a tenant's name or a function"):
        importing.checked_rule(7)


@pytest.mark.parametrize(
    ("minutes", "end", "expected"),
    [(None, None, None), (5, None, None), (90, LATER, 90), (0, NOW + timedelta(seconds=30), 0.5), (0, EARLIER, 0.01)],
)
def test_short_lives_are_told_by_their_end(minutes, end, expected):
    assert importing.lifetime({"ttl_minutes": minutes, "expires_at": end, "updated_at": NOW}) == expected


def test_vectors_of_one_model_differ_by_rounding_only():
    assert alike([0.6, 0.8], [0.6001, 0.7999], lengths_count=True)
    assert alike([0.6, 0.8], [6.0, 8.0], lengths_count=False)
    assert not alike([0.6, 0.8], [6.0, 8.0], lengths_count=True)
    assert not alike([0.6, 0.8], [0.8, 0.6], lengths_count=False)
    assert not alike([0.0, 0.0], [0.8, 0.6], lengths_count=False)


SAID = [
    Said(id="1", role="user", speaker="Ada", text="Yes.", time="2026-05-08 14:03"),
    Said(id="2", role="assistant", speaker="Assistant", text="Two\n\nlines: of [text]."),
    Said(id="3", role="user", speaker="User", text="long words " * 40),
]


@pytest.mark.parametrize("size", [60, 800])
@pytest.mark.parametrize("said", SAID, ids=lambda said: said.id)
def test_a_message_is_read_back_from_its_part_whatever_a_chunks_size_is(said, size):
    [(_, part, _)] = transcripts.appended(None, SAID, size)
    assert kept_as(part, said) == said
    assert kept_as(part, said.model_copy(update={"text": "Something else."})) != said
    assert kept_as({**part, "content": "User: nothing of it"}, said) != said
    assert kept_as(part, said.model_copy(update={"id": "4"})) is None


def test_an_edited_line_is_not_the_message_any_more():
    [(_, part, _)] = transcripts.appended(None, SAID, 800)
    edited = {**part, "content": part["content"].replace("Two", "Three")}
    assert kept_as(edited, SAID[1]) != SAID[1]
    assert kept_as(edited, SAID[0]) == SAID[0]


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"type": "human"}', '{"type": "human", "data": 1}', '{"type": 1, "data": {}}', "null"]
)
def test_what_is_no_message_is_told(message):
    with pytest.raises(InvalidInputError, match="no message as LangChain stores one"):
        importing.message({"id": 1, "message": message, "created_at": NOW}, "chats")
