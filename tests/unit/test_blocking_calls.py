"""Sync methods run their async twins on one background loop, and never block a loop that runs."""

import asyncio
import contextvars
import threading

import pytest

from langgraph_agentmem.bridge import blocking, run
from langgraph_agentmem.errors import SyncCallError

caller = contextvars.ContextVar("caller", default="nobody")


class Recorder:
    async def alook(self, what: str, *, twice: bool = False) -> tuple[str, bool, str]:
        """Look."""
        await asyncio.sleep(0)
        return what, twice, caller.get()

    async def afail(self) -> None:
        raise LookupError("nothing there")

    async def aloop(self) -> tuple[asyncio.AbstractEventLoop, str]:
        return asyncio.get_running_loop(), threading.current_thread().name

    look = blocking(alook)
    fail = blocking(afail)
    loop = blocking(aloop)


def test_a_sync_call_takes_the_same_arguments_and_gives_the_same_result():
    assert Recorder().look("here", twice=True) == ("here", True, "nobody")
    assert Recorder().look(what="there") == ("there", False, "nobody")


def test_a_sync_twin_is_named_and_documented_like_a_method_of_its_own():
    assert (Recorder.look.__name__, Recorder.look.__qualname__, Recorder.look.__doc__) == (
        "look",
        "Recorder.look",
        "Look.",
    )


def test_errors_come_through_as_they_are():
    with pytest.raises(LookupError, match="nothing there"):
        Recorder().fail()


def test_the_callers_context_variables_are_seen():
    token = caller.set("me")
    try:
        assert Recorder().look("here")[2] == "me"
    finally:
        caller.reset(token)


def test_all_threads_share_one_background_loop():
    loops = {Recorder().loop()}
    threads = [threading.Thread(target=lambda: loops.add(Recorder().loop())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(loops) == 1
    assert {name for _, name in loops} != {threading.current_thread().name}


async def test_on_a_running_loop_a_sync_call_is_refused_and_names_its_async_twin():
    with pytest.raises(
        SyncCallError, match=r"look\(\) would block the running event loop; use `await alook\(\.\.\.\)`"
    ):
        Recorder().look("here")


async def test_in_a_thread_beside_a_running_loop_a_sync_call_is_fine():
    assert (await asyncio.to_thread(Recorder().look, "here"))[0] == "here"


def test_functions_run_to_their_result():
    async def answer():
        await asyncio.sleep(0)
        return 42

    assert run(answer) == 42
