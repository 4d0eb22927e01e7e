"""The command line, `agentmem`."""

import sys


def main() -> None:
    """Run the command line; without its extra, say what to install."""
    try:
        from langgraph_agentmem.cli.app import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {"typer", "rich"}:
            raise
        sys.exit('The command line needs typer and rich: pip install "langgraph-agentmem[cli]"')
    app()
