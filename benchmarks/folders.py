"""Folders for the data of servers that are measured."""

import atexit
import shutil
import tempfile
from pathlib import Path


def temporary() -> Path:
    """A folder that goes with the process; to be called before a server starts in it, so that that one stops first."""
    folder = Path(tempfile.mkdtemp(prefix="agentmem-bench-"))
    folder.chmod(0o755)  # for root, the server runs as a user of its own, which has to enter it
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
