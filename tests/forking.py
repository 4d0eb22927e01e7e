"""Processes that have the package imported from their start, which would take each of them seconds of a core's time.

They are forked from one process that has imported it. Each has an environment, arguments and output of its own, and can be killed, as if an interpreter had been started for it; what is different is only that the memory of the seed of hashes is shared.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping
from multiprocessing import connection
from pathlib import Path
from tempfile import TemporaryDirectory

IMPORTED = [
    *(
        f"langgraph_agentmem.{name}"
        for name in ("checkpoint", "graphs", "memory.memory", "projection", "store", "worker")
    ),
    *(
        "langchain_core.language_models",
        "langgraph.graph",
        "langgraph.pregel.main",
        "neo4j",
        "rich.table",
        "typer.core",
    ),
]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(IMPORTED)
_ONE_READS = threading.Lock()
"""Who starts a process looks how all others have ended. That can be read once: of two threads, one would be told 255."""


def run(
    script: Path, *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a script as `python -W error script arguments` would, and wait for it.

    Raises:
        subprocess.TimeoutExpired: It takes longer than so many seconds; it is killed.
    """
    command = [str(script), *arguments]
    with TemporaryDirectory() as folder:
        outputs = [Path(folder) / "stdout", Path(folder) / "stderr"]
        process = CONTEXT.Process(target=_begin, args=(command, dict(env), cwd, outputs))
        with _ONE_READS:
            process.start()
        if not (ended := connection.wait([process.sentinel], timeout)):
            process.kill()
            connection.wait([process.sentinel])
        with _ONE_READS:
            process.join()
        if not ended:
            raise subprocess.TimeoutExpired(command, timeout)
        said = [path.read_text(encoding="utf-8") if path.exists() else "" for path in outputs]
        return subprocess.CompletedProcess(command, process.exitcode, *said)


def _begin(command: list[str], env: dict[str, str], cwd: Path | None, outputs: list[Path]) -> None:
    for stream, path in zip((sys.stdout, sys.stderr), outputs, strict=True):
        number = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(number, stream.fileno())
        os.close(number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd or os.getcwd())
    sys.argv = command
    sys.path.insert(0, str(Path(command[0]).parent))
    warnings.simplefilter("error")
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which processes of multiprocessing go without
