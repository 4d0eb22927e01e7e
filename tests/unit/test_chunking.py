"""Chunks give back their text, respect its structure, and change only where the text does."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from langgraph_agentmem.policies import sentences as cutting
from langgraph_agentmem.policies.chunking import chunk
from langgraph_agentmem.policies.statements import statements

LONG_LINE = "0123456789" * 10_000
LONG_PROSE = "The quick brown fox jumps over the lazy dog, " * 2_200
NO_PUNCTUATION = "words without any punctuation go on and on " * 60
DOCUMENT = """# Release plan

Intro that says what this is about.

## Goals

- Ship the importer
- Write the guide: one page
  with a continuation
* Tell the team

1. First
2) Second

```python
# not a heading

def f():
    return "- not an item"
```

Deadline: Friday
A closing line that is long enough to be taken for wrapped prose, since it
goes on in the next line. The end.
"""

FRAGMENTS = [
    "# Heading\n", "###### deep\n", "#no heading\n", "- item\n", "* item two\n", "1. first\n", "12) twelfth\n", "• dot\n",
    "```\n", "```python\n", "~~~\n", "  ```\n", "\n", "\r\n", "   \n", "\t", " ", "\u2028", "\x85", "\x0b", "Label: value\n",
    "A sentence. ", "Another one! ", "Is it? ", "这是一句话。", "word ", "x" * 45, "no end ", "…", "é", "👩‍👩‍👧", "\u0301",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=10)), max_size=20).map("".join),
)
SIZES = st.integers(1, 120).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))
LETTERS = string.ascii_lowercase + string.digits
WORDS = st.text(LETTERS, min_size=1, max_size=9)
LINES = st.lists(WORDS, min_size=1, max_size=25).map(" ".join)


def texts(text: str, size: int = 800, overlap: int = 0) -> list[str]:
    return [piece.text for piece in chunk(text, size, overlap)]


def whatever_the_text(test):
    """Run a property over arbitrary and Markdown-like texts, and over some that are known to be awkward."""
    for awkward in ("", "\n\n", DOCUMENT, "```\nnever closed\n- a\n", NO_PUNCTUATION, "\ud7ff\U0001f600\n# a\n\n\n# b"):
        test = example(text=awkward, sizes=(40, 10))(test)
    return given(text=TEXTS, sizes=SIZES)(test)


@whatever_the_text
def test_chunks_joined_give_back_the_text(text, sizes):
    assert "".join(texts(text, *sizes)) == text


@whatever_the_text
def test_no_chunk_is_longer_than_the_size_or_empty(text, sizes):
    size, overlap = sizes
    assert all(1 <= len(piece) <= size for piece in texts(text, size, overlap))


@whatever_the_text
def test_an_overlap_is_a_tail_of_the_preceding_chunk(text, sizes):
    size, overlap = sizes
    before = ""
    for piece in chunk(text, size, overlap):
        assert len(piece.overlap) <= overlap
        assert before.endswith(piece.overlap)
        before = piece.text


@pytest.mark.parametrize("text", [LONG_LINE, LONG_PROSE, NO_PUNCTUATION, DOCUMENT, DOCUMENT * 30])
@pytest.mark.parametrize(("size", "overlap"), [(1, 0), (20, 19), (64, 0), (800, 80), (200_000, 80)])
def test_long_and_structured_texts_are_cut_losslessly_at_any_size(text, size, overlap):
    pieces = chunk(text, size, overlap)

    assert "".join(piece.text for piece in pieces) == text
    assert max(len(piece.text) for piece in pieces) <= size


def test_a_line_of_100_000_characters_is_cut_into_full_chunks():
    assert [len(piece) for piece in texts(LONG_LINE, 800)] == [800] * 125


def test_an_empty_text_has_no_chunks():
    assert chunk("", 800, 80) == []


def test_a_text_without_structure_that_fits_is_one_chunk():
    assert texts("Just one thought.") == ["Just one thought."]


def test_a_chunk_that_continues_a_block_is_accompanied_by_the_end_of_the_one_before():
    first, second = chunk("One sentence here. Another one there. Third comes now. And four.", 40, 10)

    assert (first.text, first.overlap) == ("One sentence here. Another one there. ", "")
    assert (second.text, second.overlap) == ("Third comes now. And four.", "ne there. ")


def test_a_chunk_shorter_than_the_overlap_accompanies_the_next_one_as_a_whole():
    _, second, _ = chunk("Hi. " + "x" * 40, 30, 10)

    assert second.overlap == "Hi. "


def test_an_overlap_never_reaches_over_the_edge_of_a_block():
    pieces = chunk(f"- {'long ' * 20}\n- next item\n", 60, 20)

    assert [bool(piece.overlap) for piece in pieces] == [False, True, False]
    assert pieces[-1].text == "- next item\n"


def test_without_overlap_no_chunk_has_one():
    assert {piece.overlap for piece in chunk(NO_PUNCTUATION, 50)} == {""}


@pytest.mark.parametrize("mark", ["-", "*", "+", "•", "1.", "12.", "3)"])
def test_every_list_item_is_a_chunk_of_its_own(mark):
    assert texts(f"{mark} one\n{mark} two\n  {mark} nested\n") == [
        f"{mark} one\n",
        f"{mark} two\n",
        f"  {mark} nested\n",
    ]


def test_every_paragraph_is_a_chunk_of_its_own_with_the_blank_lines_after_it():
    assert texts("First paragraph.\n\n\nSecond one.\n  \nThird.") == [
        "First paragraph.\n\n\n",
        "Second one.\n  \n",
        "Third.",
    ]


def test_blank_lines_at_the_start_belong_to_the_first_chunk():
    assert texts("\n\nFirst.\nSecond.\n") == ["\n\nFirst.\n", "Second.\n"]


def test_lines_are_chunks_of_their_own_but_wrapped_prose_stays_together():
    prose = "This line is long enough to be taken for prose that was wrapped by\nan editor, so it goes on.\n"

    assert texts(f"Short line\nAnother short line\n{prose}") == ["Short line\n", "Another short line\n", prose]


def test_a_labelled_line_is_a_chunk_of_its_own_even_after_a_long_line():
    long_line = "This line is long enough to be taken for prose that was wrapped\n"

    assert texts(f"{long_line}Deadline: Friday\n") == [long_line, "Deadline: Friday\n"]


@pytest.mark.parametrize("following", ["Text.\n", "- item\n", "```\ncode\n```\n", "Deadline: Friday\n", "1. first\n"])
@pytest.mark.parametrize("heading", ["# Plan\n", "### Plan\n\n", "   ## Plan\n"])
def test_a_heading_stays_with_what_follows_it(heading, following):
    assert texts(f"Before.\n{heading}{following}After.\n") == ["Before.\n", heading + following, "After.\n"]


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_headings_that_follow_each_other_stay_with_what_follows_them(gap):
    text = f"# Plan{gap}## Goals{gap}- Ship it\n"

    assert texts(f"{text}- Test it\n") == [text, "- Test it\n"]


def test_a_heading_at_the_end_is_not_lost():
    assert texts("Text.\n# Empty chapter") == ["Text.\n", "# Empty chapter"]


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_fenced_code_is_one_block_whatever_it_looks_like(fence):
    code = f"{fence}python\n# no heading\n\n- no item\nlabel: none\n{fence}\n"

    assert texts(f"Before.\n{code}After.\n") == ["Before.\n", code, "After.\n"]


def test_a_fence_is_closed_only_by_its_own_kind():
    code = "~~~\n```\n- still code\n~~~\n"

    assert texts(f"{code}- item\n") == [code, "- item\n"]


def test_a_fence_that_is_never_closed_reaches_to_the_end():
    assert texts("- item\n```\n- code\n\n# code") == ["- item\n", "```\n- code\n\n# code"]


@given(
    sentences=st.lists(LINES.map(lambda line: f"The {line[:50].strip()} fox."), min_size=1, max_size=12),
    mark=st.sampled_from(".!?"),
)
def test_a_sentence_that_fits_is_never_cut(sentences, mark):
    sentences = [sentence[:-1] + mark for sentence in sentences]

    pieces = texts(" ".join(sentences), 60)

    assert all(any(sentence in piece for piece in pieces) for sentence in sentences)


@given(words=st.lists(WORDS, min_size=1, max_size=60))
def test_a_word_that_fits_is_never_cut(words):
    pieces = texts(" ".join(words), 20)

    assert [word for piece in pieces for word in piece.split()] == words


def test_sentences_are_packed_as_full_as_they_fit():
    assert texts("Aaaa aaaa. Bbbb bbbb. Cccc cccc. Dddd dddd.", 24) == [
        "Aaaa aaaa. Bbbb bbbb. ",
        "Cccc cccc. Dddd dddd.",
    ]


@given(items=st.lists(LINES, min_size=1, max_size=8), data=st.data(), edited=LINES)
def test_editing_one_list_item_changes_only_the_chunks_of_that_item(items, data, edited):
    position = data.draw(st.integers(0, len(items) - 1))
    lines = [f"- {item}\n" for item in items]
    before, own, after = lines[:position], lines[position], lines[position + 1 :]
    untouched_before, untouched_after = texts("".join(before), 60), texts("".join(after), 60)

    assert texts("".join([*before, own, *after]), 60) == [*untouched_before, *texts(own, 60), *untouched_after]
    assert texts("".join([*before, f"- {edited}\n", *after]), 60) == [
        *untouched_before,
        *texts(f"- {edited}\n", 60),
        *untouched_after,
    ]


def test_in_a_long_document_an_edit_an_insertion_and_a_removal_touch_one_chunk_each():
    items = [f"- Item {number} about something worth remembering, with some detail to it\n" for number in range(500)]
    chunks = texts("".join(items))

    assert chunks == items
    assert set(texts("".join([*items[:250], "- Edited\n", *items[251:]]))) ^ set(chunks) == {"- Edited\n", items[250]}
    assert set(texts("".join([*items[:250], "- New\n", *items[250:]]))) ^ set(chunks) == {"- New\n"}
    assert set(texts("".join([*items[:250], *items[251:]]))) ^ set(chunks) == {items[250]}


def test_editing_a_paragraph_leaves_the_others_alone():
    before = texts(DOCUMENT)

    after = texts(
        DOCUMENT.replace("Intro that says what this is about.", "A whole new introduction. In two sentences.")
    )

    assert len(set(before) - set(after)) == 1
    assert len(set(after) - set(before)) == 1


def test_statements_are_sentences_and_lines_without_marks_and_blank_ones_and_begin_with_their_heading():
    text = "# Plan\n\nShip it. Then rest!\n- Deadline: Friday\n2) Budget:   5000\n\n   \n* \n"

    assert statements(text) == [
        "Plan – Ship it.",
        "Plan – Then rest!",
        "Plan – Deadline: Friday",
        "Plan – Budget: 5000",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            '{"name": "Ada", "phone": 111, "tags": ["a"]}\n{"name": "Bob", "phone": 222}',
            ["name: Ada", "Ada – phone: 111", 'Ada – tags: ["a"]', "name: Bob", "Bob – phone: 222"],
        ),
        ('{"when": "May", "ID": 7},', ["7 – when: May", "ID: 7"]),
        ('{"phone": 111, "city": "Rome"}', ["phone: 111", "111 – city: Rome"]),
        ("{}", []),
        ("{not json}", ["{not json}"]),
        ("| Name | Phone | City |\n|---|---|---|\n| Ada | 111 | |\n| Eve |", ["Name – Phone", "Name – City", "Ada – 111", "Eve"]),
    ],
)  # fmt: skip
def test_members_of_records_and_cells_of_rows_are_statements_of_what_they_belong_to(text, found):
    assert statements(text) == found


@given(text=TEXTS)
def test_statements_are_single_lines_that_are_not_blank(text):
    for statement in statements(text):
        assert statement == " ".join(statement.split())
        assert statement


@given(lines=st.lists(LINES, max_size=8))
def test_statements_hold_every_word_of_a_list(lines):
    found = statements("".join(f"- {line}\n" for line in lines))

    assert [word for statement in found for word in statement.split()] == [w for line in lines for w in line.split()]


@pytest.mark.parametrize("text", ["Alice - the boss - rests", "It costs 12) of them", "Call 555-1234.", "a * b + c"])
def test_what_looks_like_a_list_mark_within_a_statement_stays(text):
    assert statements(text) == [text]


# What a chunk stands under


def test_a_chunk_carries_the_path_of_headings_that_it_stands_under() -> None:
    text = "Preface.\n# Travel #\n## Hotels\nThe Ritz.\n\n- The Plaza.\n## Trains\nTo Rome.\n# Food\nRice."

    assert [(piece.text.strip().splitlines()[-1], piece.place.headings) for piece in chunk(text, 200)] == [
        ("Preface.", ()),
        ("The Ritz.", ("Travel", "Hotels")),
        ("- The Plaza.", ("Travel", "Hotels")),
        ("To Rome.", ("Travel", "Trains")),
        ("Rice.", ("Food",)),
    ]


def test_a_comment_within_code_is_no_heading_and_a_long_block_keeps_its_path() -> None:
    fenced = chunk("# Setup\n```\n# not a heading\nrun\n```\nThen wait.", 200)
    assert {piece.place.headings for piece in fenced} == {("Setup",)}

    long = chunk("# Diary\n" + "It rained. " * 40, 100)
    assert len(long) > 3
    assert {piece.place.headings for piece in long} == {("Diary",)}


PLACES = [
    ("people:\n- name: Ada\n  phone: 1\n- name: Bob\n  phone: 2\n", "phone: 2", ("people", "Bob")),
    ("- phone: 1\n  name: Ada\n", "- phone: 1", ("Ada",)),
    ("- Ada\n  - phone: 1\n- Bob\n  - phone: 2\n", "- phone: 2", ("Bob",)),
    ("Ada:\n  phone: 1\nBob:\n  phone: 2\n", "phone: 2", ("Bob",)),
    ("Project Atlas\n  Lead: Kim\n", "Lead: Kim", ("Project Atlas",)),
    ('[\n  {\n    "name": "Ada",\n    "phone": "1"\n  }\n]\n', '"phone": "1"', ("Ada",)),
    ("- id: 2\n  item: lamp\n  price: 40\n", "price: 40", ("2 lamp",)),
    ("Todo:\n- call Bob\n", "- call Bob", ("Todo",)),
    ("A sentence.\n- an item\n", "- an item", ()),
    ("A sentence that ends.\n  and goes on: here\n", "and goes on: here", ()),
]


@pytest.mark.parametrize(("text", "line", "parents"), PLACES)
def test_a_chunk_carries_what_it_belongs_to_by_indentation(text, line, parents):
    [found] = [piece for piece in chunk(text, 200) if piece.text.strip() == line]

    assert found.place.parents == parents


def test_what_identifies_a_record_says_so():
    pieces = chunk("- name: Ada\n  phone: 1\n- name: Bob\n  phone: 2\n", 200)

    assert [piece.text.strip() for piece in pieces if piece.place.identifies] == ["- name: Ada", "- name: Bob"]


@pytest.mark.parametrize(
    "ends", [("मैं दिल्ली में हूँ। ", "वह मुंबई में है।"), ("هل أنت هنا؟ ", "نعم."), ("میں لاہور میں ہوں۔ ", "وہ کراچی میں ہے۔")]
)
def test_sentences_end_in_the_full_stops_of_their_scripts(ends):
    assert cutting.sentences("".join(ends)) == list(ends)
