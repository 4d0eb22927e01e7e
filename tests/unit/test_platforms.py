"""What not every platform has is not needed, and what cannot work is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.storage.driver import embedded

WITHOUT = """
import os, select, sys
import platformdirs  # which looks at the platform itself
for module, name in ((os, "register_at_fork"), (os, "fork"), (os, "geteuid"), (os, "getuid"), (os, "O_CLOEXEC"), (select, "poll")):
    delattr(module, name)
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
from langgraph_agentmem import *
import langgraph_agentmem
for name in langgraph_agentmem.__all__:
    getattr(langgraph_agentmem, name)
from langgraph_agentmem import bridge
from langgraph_agentmem.storage.driver import embedded
import asyncio
embedded.default_folder()

async def loop():
    return type(asyncio.get_running_loop())

# psycopg cannot use a proactor's loop
asyncio.set_event_loop_policy(None)
assert issubclass(bridge.run(loop), asyncio.SelectorEventLoop)
print("fine")
"""
PATCHED = """
import sys, types
sys.modules["{module}"] = patched = types.ModuleType("{module}")
patched.{function} = {of}.__contains__
from langgraph_agentmem import AgentMemory
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_a_platform_that_does_not_fork_can_import_and_call() -> None:
    done = run(WITHOUT)
    assert done.stdout == "fine\n", done.stderr


def test_data_that_the_wheel_refuses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigurationError, match=r"cannot use .*expecting version 18 but found version 15"):
        embedded._of_the_wheel(data)


@pytest.mark.parametrize(
    ("module", "function"), [("gevent.monkey", "is_module_patched"), ("eventlet.patcher", "is_monkey_patched")]
)
@pytest.mark.parametrize(
    ("of", "said"),
    [
        (["threading", "socket", "ssl"], "threading, socket were replaced"),
        (["queue"], "queue were replaced"),
        (["ssl"], None),
    ],
)
def test_what_greenlets_replace_is_refused_at_import(
    module: str, function: str, of: list[str], said: str | None
) -> None:
    done = run(PATCHED.format(module=module, function=function, of=of))
    assert (f"ConfigurationError: {said}" in done.stderr) if said else not done.stderr, done.stderr
