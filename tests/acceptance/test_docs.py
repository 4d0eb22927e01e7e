"""What the documentation shows runs, what it lists is complete, and where it points there is something."""

import inspect
import os
import re
import runpy
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import chat_server
import forking
import pytest
from tiny_model import write_tiny_model

from langgraph_agentmem import errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
SNIPPETS = sorted((DOCS / "snippets").glob("*.py"))
SOURCES = [*SNIPPETS, *sorted((ROOT / "examples").glob("*.py"))]

_BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_REGION = re.compile(r"^ *# \[(?!end\])\w+\]\n(.*?)^ *# \[end\]$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ERROR = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
_IN_TREE = re.compile(r"^[│ ├└─]*(\w+Error)\b", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks() -> Iterator[tuple[str, str]]:
    """(where, code) of every Python block in the documentation."""
    for page in PAGES:
        for number, found in enumerate(_BLOCK.finditer(page.read_text(encoding="utf-8")), 1):
            yield f"{name_of(page)} #{number}", plain(found[2])


def plain(code: str) -> str:
    return textwrap.dedent(code).strip("\n")


def shows(source: str, code: str) -> bool:
    """Whether a source has these lines in this order, at whatever indentation."""
    lines, length = source.splitlines(), len(code.splitlines())
    first = code.splitlines()[0].strip()
    return any(
        plain("\n".join(lines[start : start + length])) == code
        for start, line in enumerate(lines)
        if line.strip() == first
    )


@pytest.mark.parametrize("code", [pytest.param(code, id=where) for where, code in blocks()])
def test_every_block_comes_from_a_file_that_runs(code: str) -> None:
    assert any(shows(source.read_text(encoding="utf-8"), code) for source in SOURCES)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=name_of)
def test_every_marked_region_of_a_snippet_is_shown(snippet: Path) -> None:
    regions = [plain(found[1]) for found in _REGION.finditer(snippet.read_text(encoding="utf-8"))]
    assert regions
    assert set(regions) <= {code for _, code in blocks()}


@pytest.mark.parametrize(
    "snippet",
    [pytest.param(path, id=name_of(path), marks=[pytest.mark.neo4j] * ("neo4j" in path.stem)) for path in SNIPPETS],
)
def test_every_snippet_runs(snippet: Path, dsn: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    if "neo4j" in snippet.stem:
        kept |= {name.upper(): value for name, value in request.getfixturevalue("neo4j_settings").items()}
    if snippet.stem == "local_embedder":
        kept["MODEL_FOLDER"] = str(write_tiny_model(tmp_path / "e5-tiny"))
    with chat_server.serving(chat_server.good_by_schema) as chat:
        done = forking.run(snippet, env=kept | {"AGENTMEM_DSN": dsn, "MODEL_URL": chat.url}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_readme_prints_what_it_says(dsn: str) -> None:
    snippet = DOCS / "snippets" / "readme.py"
    printed = forking.run(snippet, env=os.environ | {"AGENTMEM_DSN": dsn}).stdout
    comment = re.search(r"print\(.*\)  # (.+)", snippet.read_text(encoding="utf-8"))
    assert comment
    assert printed.strip() == comment[1]


@pytest.mark.parametrize("name", ["readme", "quickstart"])
def test_what_newcomers_run_first_can_be_run_again(name: str, dsn: str) -> None:
    runs = [forking.run(DOCS / "snippets" / f"{name}.py", env=os.environ | {"AGENTMEM_DSN": dsn}) for _ in range(2)]
    assert [(done.returncode, done.stdout) for done in runs] == [(0, runs[0].stdout)] * 2


@pytest.mark.parametrize(("page", "folder"), [("README.md", "examples"), ("docs/start/examples.md", "../../examples")])
def test_the_lists_of_examples_are_complete(page: str, folder: str) -> None:
    programs = [
        path.name for path in (ROOT / "examples").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
    ]
    expected = {f"{folder}/{name}" for name in [*programs, "server/README.md"]}
    rows = re.findall(rf"^\| \[[^\]]+\]\(({folder}/[^)]+)\)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(expected)


def test_every_extra_that_users_install_is_listed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    page = (DOCS / "start" / "install.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == extras.keys() - {"dev", "docs"}


def test_the_table_of_settings_is_up_to_date() -> None:
    generator = runpy.run_path(str(DOCS / "generate_settings.py"))
    page = generator["PAGE"].read_text(encoding="utf-8")
    assert generator["table"]() in page, "run python docs/generate_settings.py"
    assert generator["page"](page) == page


def test_the_list_of_commands_is_up_to_date() -> None:
    generator = runpy.run_path(str(DOCS / "generate_command_line.py"))
    page = generator["PAGE"].read_text(encoding="utf-8")
    assert generator["page"](page) == page, "run python docs/generate_command_line.py"
    for promised in ("agentmem search TENANT QUERY", "agentmem mcp token add NAME", "`--dry-run`"):
        assert promised in generator["commands"]()


def test_the_table_of_errors_lists_every_class_and_what_it_is() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    listed = {name: re.findall(r"\w+", bases) for name, bases in _ERROR.findall(page)}
    assert listed == {c.__name__: [base.__name__ for base in c.__bases__] for c in classes}


def test_the_tree_of_errors_holds_every_class_once() -> None:
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    tree = page.split("```text\n")[1].split("```")[0]
    known = {name for name, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__}
    assert sorted(_IN_TREE.findall(tree)) == sorted(known)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    links = [link for link in _LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_readme_names_only_targets_that_there_are() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^\$ make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    assert [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
