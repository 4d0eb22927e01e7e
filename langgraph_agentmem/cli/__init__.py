"""The command line, `agentmem`."""

import io
import sys


def main() -> None:
    """Run the command line; without its extra, say what to install."""
    try:
        from langgraph_agentmem.cli.app import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {"click", "rich", "typer"}:
            raise
        sys.exit('The command line needs click, rich and typer: pip install "langgraph-agentmem[cli]"')
    _speak_utf_8()
    app()


def _speak_utf_8() -> None:
    """Read and write pipes in UTF-8, as files are: not all of memory can be said in the code pages of Windows."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8", errors=stream.errors)
