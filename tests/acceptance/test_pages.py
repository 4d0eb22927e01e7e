"""A page of the documentation can be copied block by block, and works after whatever the README has one try first."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import chat_server
import forking
import page_runs
import psycopg
import pytest
from page_runs import DOCS, PAGES, ROOT
from psycopg.conninfo import make_conninfo
from tiny_model import write_tiny_model

RUNS = Path(page_runs.__file__)
WITH_BLOCKS = [page for page in PAGES if any(map(page_runs.runs, page_runs.blocks_of(page)))]


def parameter(page: Path) -> object:
    neo4j = [pytest.mark.neo4j] if page.stem in ("neo4j", "projection") else []
    return pytest.param(page, id=str(page.relative_to(ROOT)), marks=neo4j)


@pytest.fixture(scope="session")
def tried(server: str, template: str) -> Iterator[str]:
    """The name of a database in which the README's first example has run."""
    name = f"tried_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        variables = {"AGENTMEM_DSN": make_conninfo(server, dbname=name)}
        done = forking.run(DOCS / "snippets" / "readme.py", env=os.environ | variables)
        assert done.returncode == 0, done.stderr
        yield name
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def dsn(new_database: Callable[[str], str], tried: str) -> str:
    return new_database(tried)


@pytest.mark.parametrize("page", [parameter(page) for page in WITH_BLOCKS])
def test_every_page_runs_from_top_to_bottom(
    page: Path, dsn: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    kept |= {"AGENTMEM_DSN": dsn, "EDITOR": "true", "MODEL_FOLDER": str(write_tiny_model(tmp_path / "e5-tiny"))}
    if request.node.get_closest_marker("neo4j"):
        kept |= {name.upper(): value for name, value in request.getfixturevalue("neo4j_settings").items()}
    with chat_server.serving(chat_server.good_by_schema) as chat:
        done = forking.run(RUNS, str(page), env=kept | {"MODEL_URL": chat.url}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a page of cells, with what is said before each."""

    def write(*cells: str, said: str = "") -> Path:
        page = tmp_path / "page.md"
        page.write_text("".join(f"{said}\n\n```python\n{cell}\n```\n" for cell in cells), encoding="utf-8")
        return page

    return write


def test_a_page_that_lacks_an_import_is_told(written: Callable[..., Path]) -> None:
    with pytest.raises(NameError, match="neither defines 'AgentMemory' nor says before the block of line 9 what it is"):
        page_runs.run(written("import os", "memory = AgentMemory.open()"))


def test_what_a_reader_brings_along_is_no_package() -> None:
    names = page_runs.prepared(ROOT / "docs" / "snippets" / "middleware.py")
    assert {"model", "ObligingModel"} <= names.keys()
    assert not {"Path", "sys"} & names.keys()


def test_what_a_reader_brings_along_is_to_be_said(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "coming-from" / "langmem.md").read_text(encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(text.replace("`embed`", "the embedder"), encoding="utf-8")
    with pytest.raises(NameError, match="neither defines 'embed' nor says"):
        page_runs.run(page)


def test_cells_may_await(written: Callable[..., Path]) -> None:
    page_runs.run(
        written("import asyncio\n\nawait asyncio.sleep(0)", "async def one():\n    return 1", "assert await one() == 1")
    )


def test_a_page_is_for_a_script_or_for_a_notebook(written: Callable[..., Path]) -> None:
    page = written("import asyncio\n\n\nasync def one():\n    return 1", "asyncio.run(one())", "await one()")
    with pytest.raises(RuntimeError, match="neither for a notebook"):
        page_runs.run(page)


def test_a_cell_is_whole(written: Callable[..., Path]) -> None:
    with pytest.raises(IndentationError):
        page_runs.run(written("if True:\n    a = 1", "    b = 2"))


@pytest.mark.parametrize("line", ["agentmem worker --nope", "agentmem import nothing --from DSN", "agentmem nothing"])
def test_a_command_that_there_is_not_is_told(tmp_path: Path, line: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n$ {line}\n```\n", encoding="utf-8")
    with pytest.raises(Exception, match="No such"):
        page_runs.run(page)
