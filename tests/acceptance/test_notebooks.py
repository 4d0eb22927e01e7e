"""Notebooks in a real kernel: sync calls work there beside async ones, and each of ours shows what it is kept with."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import forked_kernels
import nbformat
import pytest
from nbclient import NotebookClient
from notebook_runs import NOTEBOOKS, executed

ROOT = Path(__file__).parents[2]
AGENT = """
from langgraph.graph import START, StateGraph
from langgraph_agentmem import AgentMemorySaver, AgentMemoryStore

saver, store = AgentMemorySaver.from_conn_string(), AgentMemoryStore.from_conn_string()
thread = {"configurable": {"thread_id": "1"}}

async def note(state: dict) -> dict:
    store.put(("alice", "notes"), "1", {"text": "A fox."})
    return state

def look(state: dict) -> dict:
    return {"found": store.get(("alice", "notes"), "1").value["text"]}

agent = StateGraph(dict).add_node(note).add_node(look).add_edge(START, "look").compile(saver, store=store)
"""
CELLS = [
    (ROOT / "docs" / "snippets" / "readme.py").read_text(encoding="utf-8").split("\n\n\n")[0],
    AGENT,
    "saver.setup()\nawait store.setup()\nprint(store.sweep_ttl(), await store.sweep_ttl())",
    'store.put(("alice", "notes"), "1", {"text": "A hen."})\nprint(agent.invoke({}, thread)["found"])',
    'print((await agent.ainvoke({}, thread))["found"], agent.get_state(thread).values["found"])',
    # a task, as a widget's callback is one, runs on the kernel's loop without being part of a cell
    'import asyncio\nprint((await asyncio.create_task(note({}))), store.search(("alice",), query="fox")[0].key)',
    "with store:\n    print(len(store.list_namespaces(max_depth=1)))",
    # its worker begins on the kernel's loop, which the last cell blocks
    "memory = AgentMemory.open(background=True)\nprint(len(await memory.aget_active_memories('bob')))",
    "memory.close()\nprint('closed')",
]


@pytest.fixture(autouse=True)
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", forked_kernels.offer())


@pytest.mark.slow
def test_cells_call_sync_and_async(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_DSN", empty_dsn)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    printed = ["".join(output.get("text", "") for output in cell.outputs).strip() for cell in notebook.cells]
    assert printed == ["shortterm - Deadline: June 1", "", "0 0", "A hen.", "A hen. A hen.", "{} 1", "1", "0", "closed"]


@pytest.fixture
def _served(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_DSN", dsn)


@pytest.mark.slow
@pytest.mark.usefixtures("_served")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_is_kept_with(path: Path) -> None:
    kept, shown = nbformat.read(path, as_version=4), executed(path)
    assert shapes(shown) == shapes(kept), f"{path.name} shows something else by now: run `make notebooks`"


def shapes(notebook: Any) -> list[list[str]]:
    """What each cell shows: kinds of outputs, and what a picture or table consists of."""
    return [[shape(output) for output in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"]


def shape(output: Any) -> str:
    data = output.get("data", {})
    markup = data.get("text/html") or data.get("image/svg+xml") or ""
    counts = {tag: markup.count(f"<{tag}") for tag in ("table", "tr", "svg", "text", "polygon")}
    return f"{output.output_type} {output.get('name', '')} {sorted(data)} {counts if markup else ''}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_kept_notebook_is_small_and_names_no_machine(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    outputs = "".join(str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code")
    assert 500 < len(outputs) < 100_000
    assert not re.search(r"/(?:tmp|home|root|work|Users|dev)/|Traceback|'stderr'|\\bvm:", outputs)
    assert path.stem.startswith("01") or "<svg" in outputs


def test_there_are_seven_and_each_is_found_from_the_docs_and_from_the_one_before() -> None:
    page = (ROOT / "docs" / "start" / "notebooks.md").read_text(encoding="utf-8")
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"0{number}" for number in range(1, 8)]
    assert [path.name for path in NOTEBOOKS if f"](../../notebooks/{path.name})" not in page] == []
    for path, following in pairwise(NOTEBOOKS):
        assert following.name in path.read_text(encoding="utf-8")
