"""The example and the notebook tell their story, from start to end."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


def quickstart(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "examples/quickstart.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_quickstart_tells_the_whole_cycle(data_dir: Path) -> None:
    for _ in range(2):  # it can be run again
        result = quickstart("--data-dir", str(data_dir))
        assert result.returncode == 0, result.stdout + result.stderr
    said = result.stdout
    for promised in (
        "scripted",
        "consolidat",
        "superseded",
        "refused",
        "promot",
        "shortterm",
        "longterm",
        "active",
        str(data_dir),
    ):
        assert promised in said, f"the quickstart does not mention {promised!r}:\n{said}"
    assert result.stderr == ""


def test_the_quickstart_says_in_one_line_what_is_wrong() -> None:
    result = quickstart("--dsn", "postgresql://127.0.0.1:1/nowhere")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert "cannot be reached" in result.stderr + result.stdout


def test_the_notebook_runs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_DATA_DIR", str(data_dir))
    notebook = nbformat.read(ROOT / "notebooks" / "01_quickstart.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    printed = "".join(str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code")
    assert "conflicts" in notebook.cells[-1].source + printed
    assert "__error_handler__" not in printed
