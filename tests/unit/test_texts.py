"""Which texts of a value are searched and consolidated, and how they are cut and placed."""

import pytest

from langgraph_agentmem import AgentMemorySettings
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.chunk import TextChunk
from langgraph_agentmem.operations.sections.texts import checked_fields, pieces, texts
from langgraph_agentmem.policies.placing import content_hash, placed
from langgraph_agentmem.policies.weighing import weighed
from langgraph_agentmem.policies.words import reader

ENGLISH = reader("english")

VALUE = {
    "title": "Trip",
    "days": [{"text": "Rome", "n": 1}, {"text": "Oslo", "n": 2}],
    "meta": {"who": "Ada", "tags": ["sun", "ice"], "age": 36, "ok": True, "none": None},
}
WHOLE = "Rome\nOslo\nAda\nsun\nice\nTrip"  # days, meta, tags, title: as PostgreSQL orders keys


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (None, [WHOLE]),
        ([], []),
        (["$"], [WHOLE]),
        ([""], [WHOLE]),
        (["title"], ["Trip"]),
        (["meta.who", "title"], ["Ada", "Trip"]),
        (["days[*].text"], ["Rome", "Oslo"]),
        (["days[0].text"], ["Rome"]),
        (["days[-1].text"], ["Oslo"]),
        (["days[9].text"], []),
        (["missing", "meta.missing", "title.deeper"], []),
        (["meta.age"], ["36"]),
        (["meta.{who,none}"], ["Ada"]),
        (["$", "title"], [WHOLE, "Trip"]),
    ],
)
def test_fields_are_paths_as_langgraph_reads_them(fields, found):
    assert texts(VALUE, fields) == found


def test_a_value_without_strings_has_no_chunks():
    assert pieces({"n": 1, "blank": "  "}, None, AgentMemorySettings()) == []


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        (VALUE, [WHOLE]),
        ({"b": "second", "a": "first"}, ["first\nsecond"]),
        ({"a": "- one", "b": "# two", "c": "three: 3"}, ["- one\n# two\nthree: 3"]),
        ({"content": "- one\n- two"}, ["- one\n", "- two"]),
        ({"a": "first", "b": "- one\n- two"}, ["first\n", "- one\n", "- two"]),
        ({"a": "x" * 600, "b": "y" * 600}, ["x" * 600 + "\n", "y" * 600]),
        ({"a": "x" * 499, "b": "y" * 499}, ["x" * 499 + "\n" + "y" * 499]),
        ({"a": " ", "b": ""}, []),
    ],
)
def test_several_lines_are_one_chunk_if_they_fit(value, cut):
    settings = AgentMemorySettings(chunk_size_chars=1000, chunk_overlap_chars=0)

    assert [piece.text for piece in pieces(value, None, settings)] == cut


def test_keys_are_no_texts():
    assert texts({"secret": {"inner": 1}}, None) == [""]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("text", r"index must be a list of paths such as 'text' or 'turns\[\*\]\.text', not 'text'"),
        (7, "index must be a list of paths .*, not 7"),
        ({"text"}, "index must be a list of paths .*, not {'text'}"),
        ([7], "index must hold paths as strings, not 7"),
        (["a\0"], r"index must hold paths as strings, not 'a\\x00'"),
    ],
)
def test_what_is_no_list_of_paths_is_refused(fields, said):
    with pytest.raises(InvalidInputError, match=said):
        checked_fields(fields, "index")


@pytest.mark.parametrize("fields", [[], ["a", "b[*].c"], ("a.b",), ["$"], ["a.{b,c}"]])
def test_lists_of_paths_are_taken(fields):
    assert checked_fields(fields, "index") == list(fields)


def chunks(*given):
    return [[TextChunk(text=text) for text in texts] for texts in given]


def test_chunks_are_numbered_over_all_texts_and_blank_ones_left_out():
    found = placed(chunks(["\n", "a"], ["  "], ["b\n", "\t", "c"]), ENGLISH)

    assert [(place.order, place.text) for place in found] == [(0, "a"), (1, "b\n"), (2, "c")]


def test_chunks_of_one_text_are_weighed_as_neighbours_blank_ones_left_out():
    said, other = ["Ann: a kayak ", "\n", " Bob: red", "Ann: mine"], ["Bob: a tent"]
    found = placed(chunks(said, other), ENGLISH)

    [spoken, alone] = chunks([said[0], *said[2:]], other)
    assert [place.words for place in found] == weighed(spoken, ENGLISH) + weighed(alone, ENGLISH)
    assert found[1].words != placed(chunks([said[2]]), ENGLISH)[0].words


def test_a_placed_chunk_keeps_its_overlap():
    assert placed([[TextChunk(text="b", overlap="a ")]], ENGLISH)[0].overlap == "a "


def test_of_a_chunks_content_white_space_around_it_does_not_count():
    assert content_hash(" a b\n") == content_hash("a b") != content_hash("a  b")
