"""What is asked for in one tick is answered together, and everybody gets an answer of their own."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from langgraph_agentmem.store.coalescing import Coalescer


class Doubler:
    """Doubles numbers; refuses 13, and everybody who comes along with 666."""

    def __init__(self, most=100):
        self.calls = []
        self.waits = None
        self.ask = Coalescer(self.answer, most)

    async def answer(self, requests):
        self.calls.append(list(requests))
        if self.waits is not None:
            await self.waits.wait()
        if 666 in requests:
            raise ConnectionError("gone")
        return [ValueError("unlucky") if request == 13 else request * 2 for request in requests]


async def test_requests_of_one_tick_are_one_call_and_keep_their_order():
    doubler = Doubler()

    assert await asyncio.gather(*map(doubler.ask, range(5))) == [0, 2, 4, 6, 8]
    assert doubler.calls == [[0, 1, 2, 3, 4]]


async def test_requests_of_different_ticks_are_different_calls():
    doubler = Doubler()

    assert [await doubler.ask(i) for i in range(3)] == [0, 2, 4]
    assert doubler.calls == [[0], [1], [2]]


async def test_a_request_that_waits_for_an_answer_holds_up_no_later_one():
    doubler = Doubler()
    doubler.waits = asyncio.Event()
    first = asyncio.create_task(doubler.ask(1))
    while not doubler.calls:  # noqa: ASYNC110 - until the call has begun
        await asyncio.sleep(0)
    doubler.waits, held = None, doubler.waits

    assert await doubler.ask(2) == 4
    assert not first.done()
    held.set()
    assert await first == 2


async def test_more_requests_than_a_call_takes_are_several_calls_at_once():
    doubler = Doubler(most=2)
    doubler.waits = asyncio.Event()
    tasks = [asyncio.create_task(doubler.ask(i)) for i in range(5)]
    while len(doubler.calls) < 3:  # noqa: ASYNC110 - until all have begun
        await asyncio.sleep(0)
    doubler.waits.set()

    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert doubler.calls == [[0, 1], [2, 3], [4]]


async def test_an_error_is_that_of_the_request_which_it_answers():
    answers = await asyncio.gather(*map(Doubler().ask, [1, 13, 2]), return_exceptions=True)

    assert (answers[0], str(answers[1]), answers[2]) == (2, "unlucky", 4)


async def test_what_the_call_raises_is_everybodys_error_and_the_next_tick_is_well():
    doubler = Doubler()
    answers = await asyncio.gather(*map(doubler.ask, [1, 666]), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ConnectionError] * 2
    assert await doubler.ask(1) == 2


async def test_a_request_that_is_cancelled_in_its_tick_is_not_asked_for():
    doubler = Doubler()
    tasks = [asyncio.create_task(doubler.ask(i)) for i in range(3)]
    await asyncio.sleep(0)
    assert not doubler.calls
    tasks[1].cancel()

    await asyncio.gather(*tasks, return_exceptions=True)
    assert doubler.calls == [[0, 2]]
    assert (tasks[0].result(), tasks[1].cancelled(), tasks[2].result()) == (0, True, 4)


async def test_a_request_that_is_cancelled_while_it_is_answered_leaves_the_others_alone():
    doubler = Doubler()
    doubler.waits = asyncio.Event()
    tasks = [asyncio.create_task(doubler.ask(i)) for i in range(3)]
    while not doubler.calls:  # noqa: ASYNC110 - until the call has begun
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    doubler.waits.set()

    assert [await task for task in tasks[1:]] == [2, 4]
    assert tasks[0].cancelled()


def test_each_event_loop_is_answered_by_itself():
    doubler = Doubler()
    both = Barrier(4)

    async def ask(start):
        both.wait()
        return await asyncio.gather(*map(doubler.ask, range(start, start + 3)))

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda start: asyncio.run(ask(start)), [0, 10, 20, 30]))

    assert answers == [[2 * (start + i) for i in range(3)] for start in (0, 10, 20, 30)]
    assert sorted(doubler.calls) == [[start, start + 1, start + 2] for start in (0, 10, 20, 30)]


def test_a_loop_that_has_ended_is_forgotten():
    doubler = Doubler()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(doubler.ask(1))
    forgotten = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()

    assert forgotten() is None


class Lanes:
    """Notes what is asked for, by the tens of the numbers; each call ends when it is told to."""

    def __init__(self):
        self.calls = []
        self.gates = []
        self.ask = Coalescer(self.answer, 3, lambda number: number // 10)

    async def answer(self, requests):
        self.calls.append(list(requests))
        self.gates.append(asyncio.Event())
        await self.gates[-1].wait()
        return list(requests)


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_lane_is_answered_in_order_one_call_after_the_other():
    lanes = Lanes()
    tasks = [asyncio.create_task(lanes.ask(number)) for number in (1, 2, 3, 4)]
    await settled()
    assert lanes.calls == [[1, 2, 3]]
    tasks.append(asyncio.create_task(lanes.ask(5)))
    await settled()
    assert lanes.calls == [[1, 2, 3]], "what comes meanwhile waits"

    lanes.gates[0].set()
    await settled()
    assert lanes.calls == [[1, 2, 3], [4, 5]], "and shares the next call"
    lanes.gates[1].set()
    assert await asyncio.gather(*tasks) == [1, 2, 3, 4, 5]


async def test_no_lane_waits_for_another():
    lanes = Lanes()
    first = asyncio.create_task(lanes.ask(1))
    await settled()
    second = asyncio.create_task(lanes.ask(11))
    await settled()
    lanes.gates[1].set()

    assert await second == 11
    assert not first.done()
    lanes.gates[0].set()
    assert await first == 1
    await settled()
    assert not any(lanes.ask._lanes[asyncio.get_running_loop()]), "a lane that nobody uses is forgotten"


async def test_a_call_that_nobody_waits_for_any_more_is_cancelled_and_the_lane_goes_on():
    lanes = Lanes()
    given_up = [asyncio.create_task(lanes.ask(number)) for number in (1, 2)]
    await settled()
    given_up[0].cancel()
    await settled()
    assert not lanes.gates[0].is_set()
    later = asyncio.create_task(lanes.ask(3))
    given_up[1].cancel()
    await settled()

    assert lanes.calls == [[1, 2], [3]]
    lanes.gates[1].set()
    assert await later == 3
    assert all(task.cancelled() for task in given_up)
