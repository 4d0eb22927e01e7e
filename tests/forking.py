"""Processes that have the package imported from their start, which would take each of them seconds of a core's time.

They are forked from one process that has imported it. Each has an environment, arguments and output of its own, and can be told to end or be killed, as if an interpreter had been started for it; what is different is only that the memory of the seed of hashes is shared.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from langgraph_agentmem.storage.driver import embedded
from langgraph_agentmem.worker import background

IMPORTED = [
    *(
        f"langgraph_agentmem.{name}"
        for name in ("checkpoint", "graphs", "mcp.server", "memory.memory", "projection", "store", "worker")
    ),
    *(
        "anyio._backends._asyncio",
        "langchain.agents",
        "langchain_core.language_models",
        "langgraph.graph",
        "langgraph.pregel.main",
        "langgraph.prebuilt",
        "neo4j",
        "rich.table",
        "snowballstemmer",
        "typer.core",
        "uvicorn",
    ),
]
"""Without `cli`, which takes the terminal's width from the environment as it is imported."""
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(IMPORTED)
_ONE_READS = threading.Lock()
"""Who starts a process looks how all others have ended. That can be read once: of two threads, one would be told 255."""


class Process:
    """A process that runs a script as `python -W error script arguments` would; it is killed at the end of a `with`."""

    def __init__(self, script: Path | str, *arguments: str, env: Mapping[str, str], cwd: Path | None = None) -> None:
        self.command = [str(script), *arguments]
        self._folder = TemporaryDirectory()
        self._outputs = [Path(self._folder.name) / "stdout", Path(self._folder.name) / "stderr"]
        for output in self._outputs:
            output.touch()
        self._process = CONTEXT.Process(target=_begin, args=(self.command, dict(env), cwd, self._outputs))
        with _ONE_READS:
            self._process.start()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill it, if it has not ended, and forget what it has written."""
        self.kill()
        self._folder.cleanup()

    @property
    def said(self) -> tuple[str, str]:
        """What it has written so far, to stdout and to stderr."""
        out, err = (output.read_text(encoding="utf-8") for output in self._outputs)
        return out, err

    @property
    def returncode(self) -> int | None:
        """How it has ended; None if it has not."""
        with _ONE_READS:
            return self._process.exitcode

    def until_it_says(self, text: str, timeout: float = 120) -> str:
        """Wait for a text in one of its outputs; returns the first line that begins with it.

        Raises:
            AssertionError: It ends without it, or does not say it in so many seconds.
        """
        last = time.monotonic() + timeout
        while True:
            ended = self.returncode is not None  # asked before, as it may end in between
            for line in "".join(self.said).splitlines(keepends=True):
                if line.startswith(text) and line.endswith("\n"):
                    return line.rstrip("\n")
            assert not ended, (self.returncode, self.said)
            assert time.monotonic() < last, self.said
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid or 0

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has, but nobody has told yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)
        connection.wait([self._process.sentinel])

    def wait(self, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Wait until it ends; how it has, and all that it has written.

        Raises:
            subprocess.TimeoutExpired: It takes longer than so many seconds; it is killed.
        """
        if not (ended := connection.wait([self._process.sentinel], timeout)):
            self.kill()
        with _ONE_READS:
            self._process.join()
        if not ended:
            raise subprocess.TimeoutExpired(self.command, timeout)
        return subprocess.CompletedProcess[Any](self.command, self._process.exitcode or 0, *self.said)


def run(
    script: Path | str, *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a script as `python -W error script arguments` would, and wait for it.

    Raises:
        subprocess.TimeoutExpired: It takes longer than so many seconds; it is killed.
    """
    with Process(script, *arguments, env=env, cwd=cwd) as process:
        return process.wait(timeout)


def _begin(command: list[str], env: dict[str, str], cwd: Path | None, outputs: list[Path]) -> None:
    for stream, path in zip((sys.stdout, sys.stderr), outputs, strict=True):
        number = os.open(path, os.O_WRONLY)
        os.dup2(number, stream.fileno())
        os.close(number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd or os.getcwd())
    sys.argv = command
    sys.path.insert(0, str(Path(command[0]).parent))
    warnings.simplefilter("error")
    # since Python 3.13 multiprocessing forgets, in what it forks, the ends that were registered before
    for leave in (embedded._leave, background._leave):
        atexit.unregister(leave)
        atexit.register(leave)
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which processes of multiprocessing go without
