"""Which tenant a namespace belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.ownership import Ownership

NAMESPACES = st.lists(st.sampled_from("abcd"), max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("owner", "namespace", "tenant"),
    [
        (0, ("alice", "notes"), "alice"),
        (0, ("alice",), "alice"),
        (0, (), "nobody"),
        (1, ("memories", "alice"), "alice"),
        (1, ("memories",), "nobody"),
        (2, ("app", "memories", "alice", "notes"), "alice"),
        (2, ("app", "memories"), "nobody"),
    ],
)
def test_the_label_at_the_owners_place_is_the_tenant(owner, namespace, tenant):
    assert Ownership(owner=owner, default_tenant="nobody").tenant(namespace) == tenant


@pytest.mark.parametrize(
    ("owner", "namespace", "title"),
    [
        (0, ("alice", "notes"), "notes"),
        (0, ("alice", "notes", "2026"), "notes/2026"),
        (0, ("alice",), "alice"),
        (1, ("memories", "alice", "notes"), "memories/notes"),
        (1, ("memories",), "memories"),
    ],
)
def test_titles_leave_the_tenant_out(owner, namespace, title):
    assert Ownership(owner=owner).title(namespace) == title


@given(owner=st.integers(0, 3), prefix=NAMESPACES, rest=NAMESPACES)
def test_what_is_under_a_prefix_with_a_scope_belongs_to_it_and_without_one_may_belong_to_anybody(owner, prefix, rest):
    ownership = Ownership(owner=owner)
    scope = ownership.scope(prefix)

    assert (scope is None) == (len(prefix) <= owner)
    if scope is not None:
        assert ownership.tenant(prefix + rest) == scope


@pytest.mark.parametrize(
    ("owner", "written", "instead"),
    [
        (0, [("alice", ("alice", "notes"))], []),
        (1, [("alice", ("alice", "notes"))], [0]),
        (1, [("alice", ("alice", "notes")), ("notes", ("a", "notes"))], []),  # some of it is as this one writes
        (0, [("bo", ("memories", "bo")), ("al", ("memories", "al", "x"))], [1]),
        (0, [("x", ("a", "x", "x"))], [1, 2]),  # either would do
        (2, [("a", ("a", "b")), ("b", ("a", "b"))], []),  # written by several: no single one would do
        (1, [("default", ("notes",))], []),  # too short to name one
        (1, [], []),
    ],
)
def test_another_ownership_is_seen_by_what_is_stored(owner, written, instead):
    assert Ownership(owner=owner).owners_instead(written) == instead
