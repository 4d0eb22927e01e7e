"""What the chapters of the design name as code is in the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langgraph_agentmem"
CHAPTERS = sorted((ROOT / "docs" / "explanation").rglob("*.md"))
SOURCES = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".sql", ".cypher"}]
WORDS = {word for source in SOURCES for word in re.findall(r"\w+", source.read_text(encoding="utf-8"))}
OTHERS = {
    "autovacuum_vacuum_scale_factor",
    "n_distinct",
    "n_tup_hot_upd",
    "n_tup_upd",
    "pg_stat_user_tables",
    "ts_rank",
}
"""Names of PostgreSQL's that the chapters speak of and the code does not."""

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:\w+/)+[\w*]*(?:\.\w+)?")
_TEST = re.compile(r"((?:unit|integration|acceptance)/\w+\.py)::(\w+)")
_NAME = re.compile(r"\b[a-z]\w*_\w+\b")


def named(chapter: Path) -> list[str]:
    return _CODE.findall(_FENCED.sub("", chapter.read_text(encoding="utf-8")))


def is_there(path: str) -> bool:
    """Whether there is such a file or folder in the repository, or in the package or one of its rooms."""
    places = [path.rstrip("/"), f"{path}.py"]
    return any((ROOT / place).exists() or any(PACKAGE.rglob(place)) for place in places)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_path_of_a_chapter_leads_somewhere(chapter):
    paths = [code for code in named(chapter) if _PATH.fullmatch(code)]
    assert [path for path in paths if not is_there(path)] == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_name_of_a_chapter_is_in_the_code(chapter):
    others = [code for code in named(chapter) if not _PATH.fullmatch(code) and not _TEST.fullmatch(code)]
    names = {name for code in others for name in _NAME.findall(code)}
    assert sorted(names - WORDS - OTHERS) == []


def test_every_test_that_a_chapter_names_is_there():
    tests = [match for chapter in CHAPTERS for code in named(chapter) if (match := _TEST.fullmatch(code))]

    assert len(tests) > 30
    assert [match[0] for match in tests if f"def {match[2]}(" not in (ROOT / "tests" / match[1]).read_text()] == []


def test_the_chapters_name_paths_and_names():
    assert any(_PATH.fullmatch(code) for chapter in CHAPTERS for code in named(chapter))
    assert not is_there("storage/nothing.py")
