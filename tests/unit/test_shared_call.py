"""Calls that come at the same time share one."""

import asyncio
import threading

import pytest

from langgraph_agentmem.storage.driver.shared_call import SharedCall


class Slow:
    """A function that takes a while; its first calls fail."""

    def __init__(self, *errors):
        self.calls, self.errors, self.going_on = 0, list(errors), asyncio.Event()

    async def __call__(self):
        self.calls += 1
        call = self.calls
        await self.going_on.wait()
        if self.errors:
            raise self.errors.pop(0)
        return call


async def test_who_comes_meanwhile_shares_the_result_and_who_comes_later_calls_anew():
    shared, slow = SharedCall(), Slow()
    waiting = [asyncio.create_task(shared(slow)) for _ in range(5)]
    await asyncio.sleep(0)
    slow.going_on.set()

    assert await asyncio.gather(*waiting) == [1] * 5
    assert await shared(slow) == 2


async def test_an_error_is_shared_but_not_kept():
    shared, slow = SharedCall(), Slow(ValueError("once"))
    waiting = [asyncio.create_task(shared(slow)) for _ in range(3)]
    await asyncio.sleep(0)
    slow.going_on.set()

    assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["once"] * 3
    assert await shared(slow) == 2


async def test_cancelling_the_first_caller_cancels_no_other():
    shared, slow = SharedCall(), Slow()
    first, second, third = [asyncio.create_task(shared(slow)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    slow.going_on.set()

    assert await asyncio.gather(second, third) == [2, 2]


async def test_cancelling_one_who_waits_cancels_nothing_else():
    shared, slow = SharedCall(), Slow()
    first, second = [asyncio.create_task(shared(slow)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.cancel()
    slow.going_on.set()

    assert await first == 1
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_loops_do_not_wait_for_each_other():
    shared, slow = SharedCall(), Slow()
    first = asyncio.create_task(shared(slow))
    await asyncio.sleep(0)
    answers = []
    other = threading.Thread(target=lambda: answers.append(asyncio.run(shared(lambda: asyncio.sleep(0, "other")))))
    other.start()
    other.join(timeout=10)  # while this loop stands still
    slow.going_on.set()

    assert answers == ["other"]
    assert await first == 1
