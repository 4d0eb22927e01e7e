"""Claude's files: which paths are refused, what a view shows, and what an edit makes of a text."""

import pytest

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.policies import memory_files as files


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/memories", ""),
        ("/memories/", ""),
        ("/memories/notes.md", "notes.md"),
        ("/memories/trip/route.md", "trip/route.md"),
        ("/memories/trip/", "trip"),
        ("/memories/a b.txt", "a b.txt"),
    ],
)
def test_a_path_names_a_section(path: str, name: str) -> None:
    assert files.name_of(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "notes.md", "memories/a", "/etc/passwd", "/memories2/a", "/MEMORIES/a", "//memories/a",
        "/memories/../etc/passwd", "/memories/a/../../b", "/memories/./a", "/memories/..", "/memories//a",
        "/memories/..\\..\\a", "\\memories\\..\\a", "/memories/%2e%2e/a", "/memories/%2e%2e%2fa", "/memories/a%2F..%2F..%2Fb",
        "/memories/.. /a", "/memories/ ", "~/memories/a", "/tmp/memories/a",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Path"):
        files.name_of(path)


def test_a_directory_is_listed_two_levels_deep_with_sizes_and_without_what_is_hidden() -> None:
    names = {
        "a.md": "12345",
        "trip/route.md": "x" * 2048,
        "trip/old/2020.md": "1",
        "trip/old/2021/may.md": "1",
        ".git/x": "1",
    }

    assert files.listing("/memories", files.under(names, "")).splitlines() == [
        "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items:",
        "2.0K\t/memories",
        "5B\t/memories/a.md",
        "2.0K\t/memories/trip/",
        "2B\t/memories/trip/old/",
        "2.0K\t/memories/trip/route.md",
    ]
    assert list(files.under(names, "trip")) == ["old/2020.md", "old/2021/may.md", "route.md"]
    assert files.under(names, "tri") == {}


@pytest.mark.parametrize(
    ("view_range", "shown"),
    [(None, ["     1\ta", "     2\tb", "     3\tc"]), ([2, 3], ["     2\tb", "     3\tc"]), ([2, -1], ["     2\tb", "     3\tc"]),
     ([3, 9], ["     3\tc"])],
)  # fmt: skip
def test_a_view_numbers_lines(view_range: list[int] | None, shown: list[str]) -> None:
    text = files.viewed("/memories/x", "a\nb\nc", view_range)

    assert text.splitlines() == ["Here's the content of /memories/x with line numbers:", *shown]


@pytest.mark.parametrize("view_range", [[0, 1], [3, 2], [4, 5], [1, 2, 3], [-1, -1]])
def test_a_range_that_is_none_is_refused(view_range: list[int]) -> None:
    with pytest.raises(InvalidInputError, match="view_range"):
        files.viewed("/memories/x", "a\nb\nc", view_range)


def test_what_occurs_once_is_replaced_and_shown_with_the_lines_around_it() -> None:
    after, told = files.replaced("/memories/x", "a\nb\nc\nd\ne\nf", "d", "D")

    assert after == "a\nb\nc\nD\ne\nf"
    assert told.splitlines()[1:] == ["     2\tb", "     3\tc", "     4\tD", "     5\te", "     6\tf"]


@pytest.mark.parametrize(
    ("old", "said"), [("z", "did not appear"), ("", "did not appear"), ("a", "in lines: 1, 3"), ("aa", "1, 1")]
)
def test_what_occurs_otherwise_is_not_replaced(old: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        files.replaced("/memories/x", "aaa\nb\nca" if old == "aa" else "a\nb\nca", old, "x")


def test_of_many_occurrences_the_first_are_named() -> None:
    # nobody would wait for what looks at every character, and counts the lines before each
    with pytest.raises(InvalidInputError, match=r"in lines: 1, 2, (\d+, ){18}…\. Please ensure it is unique$"):
        files.replaced("/memories/notes", "same\n" * 200_000, "same\n" * 100_000, "new")


@pytest.mark.parametrize(
    ("text", "line", "after"),
    [("a\nb\n", 0, "x\na\nb\n"), ("a\nb\n", 1, "a\nx\nb\n"), ("a\nb", 2, "a\nb\nx\n"), ("", 0, "x\n")],
)
def test_lines_are_inserted_behind_a_line(text: str, line: int, after: str) -> None:
    assert files.inserted(text, line, "x\n") == after


@pytest.mark.parametrize("line", [-1, 3])
def test_lines_are_not_inserted_behind_one_that_there_is_not(line: int) -> None:
    with pytest.raises(InvalidInputError, match=r"within the range \[0, 2\]"):
        files.inserted("a\nb\n", line, "x")
