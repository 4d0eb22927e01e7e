"""What a text takes grows with its length, whatever its shape; counted in steps of Python and in what is kept."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import sentencex

from langgraph_agentmem.models.chunk import PlacedChunk
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.policies.chunking import MOST_ALONE, chunk
from langgraph_agentmem.policies.matching import compare
from langgraph_agentmem.policies.sentences import sentences
from langgraph_agentmem.settings import AgentMemorySettings

SETTINGS = AgentMemorySettings()
LENGTH = 8_000


def lines(line: Callable[[int], str]) -> Callable[[int], str]:
    """Texts of so many characters, of lines that are made from their number."""

    def text(length: int) -> str:
        made, size = list[str](), 0
        while size < length:
            made.append(line(len(made)) + "\n")
            size += len(made[-1])
        return "".join(made)

    return text


def again(part: str) -> Callable[[int], str]:
    return lambda length: part * (length // len(part) + 1)


SHAPES: dict[str, Callable[[int], str]] = {
    "headings": lines(lambda i: f"# Heading {i}"),
    "headings of all levels": lines(lambda i: f"{'#' * (i % 6 + 1)} Heading {i}"),
    "headings with text": lines(lambda i: f"## Heading {i}\ntext"),
    "a long heading": lambda n: "# " + "long " * (n // 10) + "\n" + "line\n" * (n // 10),
    "comments": lines(lambda i: f"# comment {i}\nx{i} = {i}"),
    "equal lines": again("the same line\n"),
    "equal short lines": again("a\n"),
    "other lines": lines(lambda i: f"line {i}"),
    "wrapped prose": again("w" * 70 + "\n"),
    "blank lines": again("\n"),
    "spaces": again(" "),
    "lines of spaces": again("   \t\n"),
    "odd line breaks": again("a\r\n\x0b\x0c\x1c\u2028"),
    "a word": again("x"),
    "a number": again("1"),
    "sentences": again("The engine is late. "),
    "short sentences": again("I am. "),
    "no full stop": again("word "),
    "full stops": again("."),
    "abbreviations": again("z. B. "),
    "items": lines(lambda i: f"- item {i}"),
    "numbered": lines(lambda i: f"{i % 999}. item"),
    "nested items": lines(lambda i: f"{' ' * (i % 40)}- item {i}"),
    "ever deeper": lines(lambda i: f"{' ' * i}key{i}:"),
    "keys": lines(lambda i: f"key{i}: value"),
    "records": lines(lambda i: f"- id: {i}\n  name: name {i}"),
    "one record": lambda n: "- id: 1\n" + lines(lambda i: f"  key{i}: {i}")(n),
    "pretty JSON": lines(lambda i: f'  {{\n    "id": {i},\n    "value": 1\n  }},'),
    "JSON lines": lines(lambda i: f'{{"id": {i}, "value": 1}}'),
    "JSON in a line": again('{"id":1},'),
    "a table": again("| a | b |\n"),
    "code": lambda n: "```\n" + "x = 1\n" * (n // 6) + "```\n",
    "fences": again("```\n~~~\n"),
    "dialogue": lines(lambda i: f"Ada: hello {i}"),
    "brackets": again("(["),
    "colons": again(":"),
    "hashes": again("#"),
    "quotes": again("\"'"),
    "Chinese": again("北京东京"),
    "lines of Chinese": again("北京\n"),
    "combining marks": lambda n: "e" + "\u0301" * n,
    "joined emoji": again("👩\u200d"),
    "addresses": lines(lambda i: f"https://example.org/{i}/b.c?d=e"),
    "a path": again("/a-b_c.d"),
    "thousands": again("1,000"),
    "moments": again("2024-05-01T10:00:00Z "),
    "apostrophes": again("l'"),
    "Chinese sentences": again("我住在北京。"),
    "Japanese quotations": again("「はい。」"),
    "Arabic": again("أنا أعيش في القاهرة منذ ٢٠٢٠. "),
    "emoji": again("👨\u200d👩\u200d👧🇩🇪👍🏽❤️ "),
    "pictures in Markdown": again("!["),
    "HTML in a line": again("<p>Hello <b>World</b></p>"),
    "CSV": lines(lambda i: f'{i},Name {i},{i}.5,2024-05-01,"a, b"'),
    "a log": lines(lambda i: f"2024-05-01 10:00:00,{i:03d} ERROR [worker-{i}] user_{i} at 10.0.0.1:8080"),
    "telephones": again("+49 30 123456 "),
    "numbers": again("12 "),
    "an account": again("DE89 3704 "),
    "one long number": again("12 345 678 "),
    "escapes": lambda n: "https://example.org/" + "%41" * (n // 3),
    "humps": again("getUserName"),
    "codes": lines(lambda i: f"INV-{i} REF{i}"),
    "hyphenated": again("well-known-"),
    "halves of words": again("ab-\n"),
    "invisible spaces": again("ab\u200b"),
}


def test_no_sentences_are_looked_for_in_more_than_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    # what does it is no Python, so that no step of it is counted
    seen: list[int] = []

    def recorded(language: str, text: str) -> list[str]:
        seen.append(len(text))
        return segment(language, text)

    segment = sentencex.segment
    monkeypatch.setattr(sentencex, "segment", recorded)
    text = "我住在北京。「他呢？」" * 2500
    found = sentences(text)
    assert len(found) == 5000
    assert "".join(found) == text
    assert max(seen) <= 4000
    assert sum(seen) <= 1.5 * len(text)


def test_a_sentence_without_end_is_looked_for_in_ever_more() -> None:
    long = "word " * 5000 + "end. "
    assert sentences("Short one. " + long + "Last one.") == ["Short one. ", long, "Last one."]


def steps(function: Callable[[], object]) -> int:
    """How many lines of Python a call runs."""
    count = 0

    def line(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    traced = sys.gettrace()
    sys.settrace(line)
    try:
        function()
    finally:
        sys.settrace(traced)
    return count


def kept(placed: list[PlacedChunk]) -> int:
    """What is stored of chunks: characters and numbers."""
    return sum(len(c.text) + len(c.overlap) + sum(map(len, c.place.path)) + len(c.words.weights) for c in placed)


@pytest.mark.parametrize("shape", SHAPES)
def test_cutting_a_text_grows_as_the_text_does(shape: str) -> None:
    short, long = ({"content": SHAPES[shape](length)} for length in (LENGTH // 4, LENGTH))
    much, little = (kept(pieces(value, None, SETTINGS)) for value in (long, short))
    assert much <= 6 * little + 2000
    # behind the first time, so that what is only done once for each word does not count
    few, many = (steps(lambda value=value: pieces(value, None, SETTINGS)) for value in (short, long))
    assert many <= 6 * few + 2000


@pytest.mark.parametrize("shape", SHAPES)
def test_a_section_has_no_more_chunks_than_a_number_and_what_its_length_needs(shape: str) -> None:
    text = SHAPES[shape](5 * LENGTH)
    chunks = chunk(text, 800)
    assert "".join(each.text for each in chunks) == text
    assert len(chunks) <= MOST_ALONE + 5 * len(text) // 800


def test_many_texts_of_a_value_are_no_more_chunks_than_one() -> None:
    value = {"turns": [{"text": f"turn {i}"} for i in range(3 * MOST_ALONE)]}
    found = pieces(value, ["turns[*].text"], SETTINGS)
    assert MOST_ALONE < len(found) <= MOST_ALONE + 5 * 10 * 2 * MOST_ALONE // 800
    assert f"turn {3 * MOST_ALONE - 1}" in found[-1].text


def test_an_edit_of_packed_lines_changes_the_chunks_that_it_touches() -> None:
    written = [f"line {i}" for i in range(3 * MOST_ALONE)]
    before = {each.text for each in chunk("\n".join(written), 800)}
    for changed in ([*written[:10], "new", *written[10:]], [*written[:5000], "new", *written[5000:]], written[:-1]):
        assert len({each.text for each in chunk("\n".join(changed), 800)} - before) <= 4


def test_short_lines_are_chunks_of_their_own_up_to_a_number() -> None:
    assert len(chunk("a\n" * MOST_ALONE, 800)) == MOST_ALONE
    packed = chunk("# A\n" + "a\n" * (MOST_ALONE + 30), 800)[MOST_ALONE:]
    assert [each.text for each in packed] == ["a\n" * 30]
    assert packed[0].place.headings == ("A",)


def test_hundreds_of_short_sentences_are_compared_in_steps_as_their_number() -> None:
    def compared(count: int) -> int:
        old, new = (
            "".join(f"{who} {i} is {what} now. " for i in range(count)) for who, what in (("He", "in"), ("He", "up"))
        )
        chunks = [ConflictChunk(id=id, content=text) for id, text in enumerate((old, new))]
        return steps(lambda: compare(chunks[0], chunks[1], 0.9))

    compared(400)
    assert compared(400) <= 6 * compared(100)
