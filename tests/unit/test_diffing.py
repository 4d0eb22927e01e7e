"""What a diff says to do makes the stored chunks those of the new value, and touches nothing else."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langgraph_agentmem.models.chunk import TextChunk
from langgraph_agentmem.policies.chunking import chunk
from langgraph_agentmem.policies.diffing import ChunkDiff, StoredChunk, content_hash, diff


class Store:
    """Stores a section's chunks the way the database does."""

    def __init__(self, *texts: str) -> None:
        self.chunks: dict[int, StoredChunk] = {}
        self.ids = iter(range(1, 10_000))
        if texts:
            self.write(*texts)

    def write(self, *texts: str) -> ChunkDiff:
        return self.write_chunks([TextChunk(text=text) for text in texts])

    def write_chunks(self, chunks: list[TextChunk]) -> ChunkDiff:
        found = diff(list(self.chunks.values()), chunks)
        for id in found.delete:
            del self.chunks[id]
        for id in found.retire:
            self.chunks[id] = self.chunks[id].model_copy(update={"current": False})
        for place in found.refresh:
            new = {"current": True, "chunk_order": place.order, "content": place.text}
            self.chunks[place.id] = self.chunks[place.id].model_copy(update=new)
        for place in found.insert:
            id = next(self.ids)
            self.chunks[id] = StoredChunk(
                id=id,
                section_id="plan",
                content=place.text,
                content_hash=content_hash(place.text),
                chunk_order=place.order,
                current=True,
                claimed=False,
            )
        return found

    def claim(self) -> None:
        self.chunks = {id: chunk.model_copy(update={"claimed": True}) for id, chunk in self.chunks.items()}

    def current(self) -> list[StoredChunk]:
        return sorted((c for c in self.chunks.values() if c.current), key=lambda c: c.chunk_order)

    def read(self) -> list[str]:
        return [chunk.content for chunk in self.current()]

    def ids_of(self, *texts: str) -> list[int]:
        return [id for text in texts for id, chunk in self.chunks.items() if chunk.content == text]


VALUES = st.lists(st.sampled_from(["a\n", "a", "a \n\n", "b", "b\n", "c", "d", " d", "", "  \n"]), max_size=6)
HISTORIES = st.lists(st.tuples(VALUES, st.booleans()), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(history=HISTORIES)
def test_applying_every_diff_always_leaves_exactly_the_new_chunks_in_order(history):
    store = Store()
    for texts, claimed in history:
        store.write(*texts)

        assert store.read() == [text for text in texts if text.strip()]
        assert [chunk.chunk_order for chunk in store.current()] == list(range(len(store.current())))
        if claimed:
            store.claim()


@settings(max_examples=200, deadline=None)
@given(history=HISTORIES, texts=VALUES)
def test_only_what_is_not_there_is_inserted(history, texts):
    store = Store()
    for value, claimed in history:
        store.write(*value)
        if claimed:
            store.claim()
    there = Counter(chunk.content_hash for chunk in store.chunks.values())

    found = store.write(*texts)

    wanted = Counter(content_hash(text) for text in texts if text.strip())
    assert Counter(content_hash(place.text) for place in found.insert) == wanted - there


@settings(max_examples=200, deadline=None)
@given(history=HISTORIES, texts=VALUES)
def test_claimed_chunks_are_retired_unclaimed_ones_deleted_and_kept_ones_neither(history, texts):
    store = Store()
    for value, claimed in history:
        store.write(*value)
        if claimed:
            store.claim()
    before = dict(store.chunks)

    found = store.write(*texts)

    assert all(before[id].claimed and before[id].current for id in found.retire)
    assert all(not before[id].claimed and before[id].current for id in found.delete)
    touched = [*found.retire, *found.delete, *(place.id for place in found.refresh)]
    assert len(touched) == len(set(touched))


@settings(max_examples=100, deadline=None)
@given(history=HISTORIES)
def test_writing_the_same_value_again_changes_nothing(history):
    store = Store()
    for texts, claimed in history:
        store.write(*texts)
        if claimed:
            store.claim()

    assert store.write(*history[-1][0]) == ChunkDiff(insert=[], refresh=[], retire=[], delete=[])


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(st.sampled_from(["- a\n", "- b\n", "Text.\n", "# H\n", "\n", "Long words. " * 9]), max_size=12),
    after=st.lists(st.sampled_from(["- a\n", "- b\n", "Text.\n", "# H\n", "\n", "Long words. " * 9]), max_size=12),
)
def test_a_section_that_is_chunked_and_diffed_reads_as_its_new_value(before, after):
    store = Store()
    store.write_chunks(chunk("".join(before), 40, 10))

    store.write_chunks(chunk("".join(after), 40, 10))

    assert store.read() == [piece.text for piece in chunk("".join(after), 40, 10) if piece.text.strip()]


def test_white_space_at_a_chunks_end_does_not_make_it_another_chunk():
    store = Store("Ship it.\n", "Rest.")
    ids = store.ids_of("Ship it.\n", "Rest.")

    found = store.write("Ship it.\n\n\n", "Rest. \n")

    assert (found.insert, found.retire, found.delete) == ([], [], [])
    assert [place.id for place in found.refresh] == ids
    assert store.read() == ["Ship it.\n\n\n", "Rest. \n"]


def test_a_neighbours_white_space_is_no_reason_to_refresh_a_chunk():
    store = Store("a\n", "b\n", "c\n")

    found = store.write("a\n", "b\n\n", "c\n")

    assert [place.text for place in found.refresh] == ["b\n\n"]


def test_a_new_neighbour_refreshes_the_chunks_beside_it_and_no_others():
    store = Store("a", "b", "c", "d", "e")

    found = store.write("a", "b", "new", "d", "e")

    assert [place.text for place in found.insert] == ["new"]
    assert [place.text for place in found.refresh] == ["b", "d"]


def test_another_place_refreshes_every_chunk_that_moved():
    store = Store("a", "b", "c")

    found = store.write("new", "a", "b", "c")

    assert [(place.text, place.order) for place in found.refresh] == [("a", 1), ("b", 2), ("c", 3)]


def test_chunks_that_change_places_are_the_same_chunks():
    store = Store("a", "b")
    a, b = store.ids_of("a", "b")

    found = store.write("b", "a")

    assert (found.insert, found.delete) == ([], [])
    assert [(place.id, place.order) for place in found.refresh] == [(b, 0), (a, 1)]


def test_a_placed_chunk_carries_its_neighbours_texts_and_its_overlap():
    found = diff([], [TextChunk(text="a\n"), TextChunk(text="b ", overlap="a"), TextChunk(text="c")])

    assert [place.neighbours for place in found.insert] == ["b", "a\nc", "b"]
    assert [place.overlap for place in found.insert] == ["", "a", ""]


def test_blank_chunks_are_neither_stored_nor_neighbours():
    found = diff([], [TextChunk(text="\n"), TextChunk(text="a"), TextChunk(text="  \n"), TextChunk(text="b")])

    assert [(place.text, place.order, place.neighbours) for place in found.insert] == [("a", 0, "b"), ("b", 1, "a")]


def test_of_duplicates_only_the_surplus_goes_and_only_what_lacks_comes():
    store = Store("a", "a", "b")
    first, second = store.ids_of("a")

    fewer = store.write("a", "b")
    more = store.write("a", "a", "a", "b")

    assert fewer.delete == [second]
    assert [place.text for place in more.insert] == ["a", "a"]
    assert first in store.chunks


@pytest.mark.parametrize("claimed", [True, False])
def test_a_vanished_chunk_is_retired_if_a_run_has_seen_it_and_deleted_otherwise(claimed):
    store = Store("a", "b")
    if claimed:
        store.claim()
    (b,) = store.ids_of("b")

    found = store.write("a")

    assert (found.retire, found.delete) == (([b], []) if claimed else ([], [b]))


def test_a_retired_chunk_that_is_still_valid_comes_back_as_itself():
    store = Store("a", "b")
    store.claim()
    (b,) = store.ids_of("b")
    store.write("a")

    found = store.write("a", "b\n")

    assert found.insert == []
    assert [(place.id, place.text) for place in found.refresh if place.id == b] == [(b, "b\n")]
    assert store.read() == ["a", "b\n"]


def test_present_chunks_are_preferred_to_retired_ones():
    store = Store("a", "a")
    store.claim()
    first, second = store.ids_of("a")
    store.write("a")

    found = store.write("a")

    assert found == ChunkDiff(insert=[], refresh=[], retire=[], delete=[])
    assert store.chunks[first].current
    assert not store.chunks[second].current


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=30), space=st.text(" \t\n\r", max_size=4))
def test_hashes_ignore_white_space_around_the_text(text, space):
    assert content_hash(space + text + space) == content_hash(text)
    assert content_hash(text + "x") != content_hash(text)
    assert len(content_hash(text)) == 32


def test_hashes_of_different_texts_differ():
    assert len({content_hash(text) for text in ["a", "A", "a b", "ab", "a  b", "b a", "a.", ""]}) == 8
