"""What a chunk's words weigh: its own, its neighbours', and those of what it stands under."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.models.chunk import Place, TextChunk
from langgraph_agentmem.policies import dates
from langgraph_agentmem.policies.weighing import label_words, labels_in, rarity, undated, vector_text, weighed
from langgraph_agentmem.policies.words import DIMENSIONS, dimension, reader

ENGLISH = reader("english")
DIALOGUE = ("Ann: I bought a kayak.", "Bob: Lovely!", "Ann: It is red.", "Bob: Where?", "Ann: Here.", "Bob: Fine.")


def at(word: str) -> int:
    """Where a word is weighed."""
    return dimension(ENGLISH.words(word)[0].text)


def weights(*texts: str) -> list[dict[int, float]]:
    return [words.weights for words in weighed([TextChunk(text=text) for text in texts], ENGLISH)]


def under(text: str, *headings: str, parents: tuple[str, ...] = ()) -> dict[int, float]:
    [words] = weighed([TextChunk(text=text, place=Place(headings=headings, parents=parents))], ENGLISH)
    return words.weights


# What counts


def test_a_word_counts_the_more_the_more_often_it_is_there_but_ever_less():
    once, twice, thrice = (weights(f"{'fox ' * n}{'hen ' * (9 - n)}")[0][at("fox")] for n in (1, 2, 3))

    assert 0 < thrice - twice < twice - once < once


def test_a_word_counts_the_more_the_shorter_the_text():
    assert weights("a red fox")[0][at("fox")] > weights(f"a red fox {'hen ' * 50}")[0][at("fox")]


def test_a_word_counts_the_less_the_more_is_said_around_it():
    short, long = weights("Ann: kayak", "Bob: hen")[0], weights("Ann: kayak", f"Bob: {'hen ' * 50}")[0]

    assert short[at("kayak")] > long[at("kayak")]


def test_empty_words_do_not_make_a_text_longer():
    assert weights("fox")[0][at("fox")] == weights("and the fox is it")[0][at("fox")]


def test_what_is_said_is_found_by_what_is_said_around_it_the_less_the_farther_away():
    found = [chunk.get(at("kayak"), 0) for chunk in weights(*DIALOGUE)]

    own, next_, second, third, *rest = found
    assert own > next_ > second > third > 0
    assert rest == [0, 0]


def test_what_is_said_before_counts_more_than_what_is_said_after():
    before, _, after = weights("Ann: hen", "Bob: kayak", "Ann: hen")

    assert after[at("kayak")] > before[at("kayak")] > 0


@pytest.mark.parametrize(
    "texts",
    [
        ("I bought a kayak.", "It is red."),
        ("- a kayak\n", "- a tent\n"),
        ("Ann: I bought a kayak.", "It is red."),
        ("I bought a kayak.", "Ann: It is red."),
    ],
)
def test_what_nobody_says_stands_for_itself(texts):
    assert at("kayak") not in weights(*texts)[1]


def test_chunks_of_different_texts_are_no_neighbours():
    [alone] = weights("Ann: It is red.")

    assert weights(DIALOGUE[0], "Ann: It is red.")[1] != alone


def test_a_neighbours_words_are_not_a_chunks_own():
    first, second, *_ = weighed([TextChunk(text=text) for text in DIALOGUE], ENGLISH)

    assert at("kayak") in first.own
    assert at("kayak") not in second.own


# Turns


def turn(*paragraphs: int) -> list[float]:
    """What `kayak` weighs in the first paragraph of turns of so many, all as long."""
    texts = [
        f"{'Ann' if number % 2 else 'Bob'}: tent\n\n" if place == 0 else "kayak\n\n"
        for number, count in enumerate(paragraphs)
        for place in range(count)
    ]
    starts = [sum(paragraphs[:number]) for number in range(len(paragraphs))]
    found = weights(*texts)
    return [found[start + 1][at("kayak")] for start in starts]


def test_a_word_counts_the_less_the_longer_what_one_says_at_a_stretch():
    found = turn(2, 7, 2, 8, 2, 15, 2, 16, 2, 64)
    short, *rest = found

    assert found[:3] + found[4:5] == [short] * 4
    eight, fifteen, sixteen, longest = rest[2], rest[4], rest[6], rest[8]
    assert short > eight == fifteen > sixteen > longest > 0


def test_going_on_with_a_turn_seldom_changes_what_was_said():
    texts = ["Ann: hi", "Bob: tent", *["kayak"] * 100]
    before = weights("Ann: yes", "Bob: no", *texts)

    changes = 0
    for _ in range(20):
        texts.append("kayak")
        after = weights("Ann: yes", "Bob: no", *texts)
        changes += after[: len(before)] != before
        before = after
    assert changes == 0


@pytest.mark.parametrize(
    ("texts", "in_turns"),
    [
        (["Ann: hi", "Ann: tent"], True),
        (["Ann: hi", "hen", "Ann: tent", "Bob: yes"], True),
        (["Ann: hi", "Bob: tent"], False),
        (["Summary: tent"], False),
        (["Report", "Note: tent", "hen", "Note: tent"], False),
        (["tent"], False),
    ],
)
def test_what_is_said_in_turns_begins_with_who_speaks_and_they_speak_again(texts: list[str], in_turns: bool):
    *_, short = weights(*texts, "kayak")
    *_, long = weights(*texts, *["kayak"] * 50)

    assert (long != short) is in_turns


@given(texts=st.lists(st.sampled_from(["Ann: hen", "Bob: hen", "kayak", "- kayak"]), max_size=40))
def test_a_long_turn_makes_nothing_weigh_more(texts: list[str]):
    for place, chunk in enumerate(weights(*texts)):
        around = weights(*texts[max(place - 3, 0) : place + 3])[min(place, 3)]
        assert all(weight <= around[at_] for at_, weight in chunk.items())


# Headings


def test_what_stands_under_a_heading_is_found_by_it():
    words = under("- the tent\n", "Equipment", "Camping trip", parents=("shared",))

    assert {at("equipment"), at("camping"), at("trip"), at("shared"), at("tent")} <= words.keys()


def test_words_of_a_heading_count_once_and_not_if_the_chunk_says_them_itself():
    assert under("tent", "Camp", "Camp") == under("tent", "Camp")
    assert under("tent", "Tent") == under("tent")
    assert under("tent tent", "Tent")[at("tent")] > under("tent", "Tent")[at("tent")]


def test_empty_words_of_a_heading_do_not_count():
    assert under("tent", "how to") == under("tent")


def test_a_heading_is_among_what_is_looked_up():
    [words] = weighed([TextChunk(text="tent", place=Place(headings=("Camp",)))], ENGLISH)

    assert words.own == sorted({at("tent"), at("camp")})


# Bounds


@given(texts=st.lists(st.text(max_size=40) | st.sampled_from(DIALOGUE), max_size=6), times=st.integers(1, 200))
def test_every_weight_is_positive_and_below_the_best_and_every_own_word_has_one(texts, times):
    chunks = [TextChunk(text=text * times) for text in texts]

    for chunk in weighed(chunks, ENGLISH):
        assert all(0 < weight < 1.9 for weight in chunk.weights.values())
        assert chunk.own == sorted(set(chunk.own))
        assert set(chunk.own) <= chunk.weights.keys()


def spelt(number):
    """A number without digits, by which words would be read in parts."""
    return str(number).translate(str.maketrans("0123456789", "bcdfghjklm"))


def test_of_a_chunk_with_too_many_words_its_own_are_weighed_first():
    before = "Ann: " + " ".join(f"before{spelt(n)}" for n in range(400)) * 3
    own = "Bob: " + " ".join(f"own{spelt(n)}" for n in range(400)) + " kayak kayak"
    chunk = weighed([TextChunk(text=before), TextChunk(text=own)], ENGLISH)[1]

    assert len(chunk.weights) == 500
    assert set(chunk.own) <= chunk.weights.keys()


def test_of_very_many_own_words_the_most_frequent_are_weighed():
    [chunk] = weights(" ".join(f"own{n}" for n in range(2000)) + " kayak kayak")

    assert len(chunk) == 500
    assert at("kayak") in chunk


# Labels


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Ann: I bought a kayak.", "ann"),
        ("(8 May 2023) Ann: I bought a kayak.", "ann"),
        ("[10:31] Ann: yes", "ann"),
        ("  Ann Lee:\nyes", "ann lee"),
        ("Zoë: oui", "zoe"),
        ("user: hi", "user"),
        ("田: はい", "田"),
        ("- item: x", None),
        ("* Ann: x", None),
        ("Ann", None),
        ("https://example.com", None),
        ("10:31", None),
        ("This is what everybody says: nothing", None),
        (f"{'x' * 41}: y", None),
        ("one\ntwo: three", None),
        (": x", None),
        ("", None),
    ],
)
def test_a_label_is_what_stands_before_a_colon_at_the_beginning(text, label):
    assert label_words(text, ENGLISH) == label
    [chunk] = weighed([TextChunk(text=text)], ENGLISH)
    assert chunk.label == label


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("What did Ann buy?", "Ann: x"),
        ("Has Ann Lee called?", "Ann Lee: x"),
        ("ZOE?", "Zoë: x"),
        ("李娜的桌子在哪家店买的？", "李娜：我买了一张书桌"),
        ("欧阳修说了什么？", "欧阳修：好"),
        ("佐藤さんは？", "佐藤：はい"),
    ],
)
def test_a_question_names_a_label_by_its_words_in_their_order(question, label):
    assert label_words(label, ENGLISH) in labels_in(ENGLISH.words(question))


def test_all_that_may_be_a_label_is_named_once():
    words = ENGLISH.words("red red fox hen")

    assert labels_in(words) == ["fox", "fox hen", "hen", "red", "red fox", "red fox hen", "red red", "red red fox"]
    assert labels_in([]) == []


# A question's side


def test_the_rarer_a_word_the_more_it_weighs_and_always_something():
    assert rarity(0, 100) > rarity(1, 100) > rarity(50, 100) > rarity(100, 100) > 0
    assert rarity(100.5, 100) > 0  # as an estimate may say
    assert rarity(0, 0) > 0


@given(holding=st.integers(0, 100), said=st.floats(0, 1))
def test_a_word_weighs_less_the_more_of_what_is_said_is_found_by_it_besides(holding: int, said: float):
    assert 0 < rarity(holding, 100, 1) <= rarity(holding, 100, said) <= rarity(holding, 100)


def test_what_is_said_is_found_by_three_lines_words():
    assert rarity(1, 1_000, 1) == pytest.approx(rarity(3, 1_000), rel=0.001)
    assert rarity(500, 1_000, 1) == pytest.approx(rarity(875, 1_000)), "not three times as many: some lie together"


# As PostgreSQL reads it


@given(given=st.dictionaries(st.integers(1, DIMENSIONS), st.floats(0.001, 30), max_size=20))
def test_weights_are_written_in_order_and_can_be_read(given):
    written = vector_text(given, DIMENSIONS)

    inside, dimensions = re.fullmatch(r"\{(.*)\}/(\d+)", written).groups()
    pairs = [pair.split(":") for pair in inside.split(",") if pair]
    assert int(dimensions) == DIMENSIONS
    assert [int(place) for place, _ in pairs] == sorted(given)
    assert {int(place): float(weight) for place, weight in pairs} == pytest.approx(given, rel=1e-3)


def test_no_weights_are_an_empty_vector():
    assert vector_text({}, 7) == "{}/7"


# What is embedded


@pytest.mark.parametrize(
    ("text", "embedded"),
    [
        ("(1:56 pm on 8 May, 2023) Ann: hello", "Ann: hello"),
        ("[2023-05-08] Ann: hello", "Ann: hello"),
        ("(laughing) Ann: hello", "(laughing) Ann: hello"),
        ("(8 May 2023) was a Monday", "(8 May 2023) was a Monday"),
        ("Ann: on 8 May 2023 we met", "Ann: on 8 May 2023 we met"),
    ],
)
def test_the_date_before_who_speaks_is_not_embedded(text: str, embedded: str) -> None:
    assert undated(text) == embedded


def test_the_days_that_a_chunk_names_find_it_and_weigh_nothing() -> None:
    [found] = weighed([TextChunk(text="(8 May 2023) Ann: hello")], ENGLISH)

    assert set(dates.dimensions("8 May 2023")) <= set(found.own)
    assert not set(dates.dimensions("8 May 2023")) & found.weights.keys()
