"""Turns: first come, first served, and none is ever lost."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context

import pytest

from langgraph_agentmem.errors import TooManyCallsError
from langgraph_agentmem.storage.driver.turns import Turns

ALL_OF_IT = 10_000


@asynccontextmanager
async def turn_of(turns: Turns) -> AsyncGenerator[None]:
    turn = await turns.take()
    try:
        yield
    finally:
        turn.end()


async def until_they_wait() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def free(turns: Turns) -> int:
    """How many can have a turn now, without waiting for anybody."""
    gone, inside = asyncio.Event(), 0

    async def has_one() -> None:
        nonlocal inside
        async with turn_of(turns):
            inside += 1
            await gone.wait()

    tasks = [asyncio.create_task(has_one()) for _ in range(10)]
    await until_they_wait()
    found = inside
    gone.set()
    await asyncio.gather(*tasks)
    return found


async def hold(turns: Turns, held: Callable[[], Awaitable[object]] = until_they_wait) -> None:
    async with turn_of(turns):
        await held()


async def test_only_so_many_have_a_turn_and_the_others_come_in_their_order() -> None:
    turns, order, at_once = Turns(3, ALL_OF_IT), list[int](), list[int]()
    inside = 0

    async def call(number: int) -> None:
        nonlocal inside
        async with turn_of(turns):
            inside += 1
            at_once.append(inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(call(number) for number in range(100)))
    assert order == list(range(100))
    assert max(at_once) == 3
    assert await free(turns) == 3


async def test_a_cancelled_waiter_frees_its_turn_also_in_the_moment_in_which_it_gets_it() -> None:
    turns = Turns(1, ALL_OF_IT)
    async with turn_of(turns):
        left, given, last = [asyncio.create_task(hold(turns), context=Context()) for _ in range(3)]
        await until_they_wait()
        left.cancel()
    given.cancel()  # it has its turn, but does not know it yet

    await asyncio.wait_for(last, 60)
    assert left.cancelled()
    assert given.cancelled()
    assert await free(turns) == 1


async def test_no_turn_is_lost_however_many_fail_and_are_cancelled() -> None:
    turns, chance = Turns(3, ALL_OF_IT), random.Random(7)

    async def call(fails: bool) -> None:
        async with turn_of(turns):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if fails:
                raise LookupError

    tasks = [asyncio.create_task(call(chance.random() < 0.2)) for _ in range(2_000)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        for task in chance.sample(tasks, 2):
            task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), LookupError, asyncio.CancelledError}
    assert await free(turns) == 3


async def test_one_more_than_may_wait_is_told_what_is_wrong_and_what_would_be_right() -> None:
    turns, done = Turns(1, 2), asyncio.Event()
    tasks = [asyncio.create_task(hold(turns, done.wait)) for _ in range(3)]
    await until_they_wait()
    with pytest.raises(
        TooManyCallsError, match=r"2 calls wait for one of 1 connections.*pool_size or max_waiting_calls"
    ):
        await hold(turns)
    done.set()
    await asyncio.gather(*tasks)
    await hold(turns)


async def test_whoever_has_a_turn_does_not_wait_for_another_one() -> None:
    turns = Turns(1, ALL_OF_IT)
    async with turn_of(turns):
        waits = asyncio.create_task(hold(turns), context=Context())
        await until_they_wait()
        await asyncio.wait_for(hold(turns), 60)
        await asyncio.wait_for(asyncio.gather(hold(turns), hold(turns)), 60)  # its tasks: it waits for them
        assert not waits.done()
    await asyncio.wait_for(waits, 60)
    assert await free(turns) == 1


async def test_whoever_has_a_turn_has_two_of_them_where_another_one_is_free() -> None:
    turns = Turns(2, ALL_OF_IT)
    async with turn_of(turns), turn_of(turns):
        waits = asyncio.create_task(hold(turns), context=Context())
        await until_they_wait()
        assert not waits.done()
    await asyncio.wait_for(waits, 60)
    assert await free(turns) == 2


async def test_what_outlives_the_turn_in_which_it_was_started_waits_as_all_others() -> None:
    turns, go, done = Turns(1, ALL_OF_IT), asyncio.Event(), asyncio.Event()

    async def later() -> None:
        await go.wait()
        await hold(turns)

    async with turn_of(turns):
        outlives = asyncio.create_task(later())
    first = asyncio.create_task(hold(turns, done.wait))
    await until_they_wait()
    go.set()
    await asyncio.sleep(0.05)
    assert not outlives.done()
    done.set()
    await asyncio.gather(first, outlives)


async def test_only_those_are_refused_who_have_waited_so_long() -> None:
    turns, done, loop = Turns(1, ALL_OF_IT), asyncio.Event(), asyncio.get_running_loop()
    first = asyncio.create_task(hold(turns, done.wait))
    await until_they_wait()
    early = asyncio.create_task(hold(turns))
    await until_they_wait()
    since = loop.time()
    await asyncio.sleep(0.01)
    late = asyncio.create_task(hold(turns))
    await until_they_wait()
    turns.refuse(since, LookupError)
    with pytest.raises(LookupError):
        await early
    done.set()
    await asyncio.gather(first, late)
    assert await free(turns) == 1


async def test_a_loop_that_ends_while_some_wait_leaves_nothing_behind() -> None:
    def run() -> None:
        async def starts() -> None:
            turns = Turns(1, ALL_OF_IT)
            for _ in range(3):
                asyncio.create_task(hold(turns, asyncio.Event().wait))  # noqa: RUF006 - the loop's end cancels it
            await until_they_wait()

        asyncio.run(starts())

    await asyncio.wait_for(asyncio.to_thread(run), 60)
