"""A notebook's cells, in a real kernel: sync calls work there, beside async ones, and close quietly."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

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


@pytest.mark.slow
def test_cells_call_sync_and_async(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_DSN", empty_dsn)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    printed = ["".join(output.get("text", "") for output in cell.outputs).strip() for cell in notebook.cells]
    assert printed == ["shortterm - Deadline: June 1", "", "0 0", "A hen.", "A hen. A hen.", "{} 1", "1", "0", "closed"]
