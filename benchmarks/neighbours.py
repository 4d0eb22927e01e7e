"""Whether one large tenant among many small ones is searched as fast as alone: `python benchmarks/neighbours.py`.

The same texts as in `search.py` are items, with vectors of 384 dimensions, in three databases of one server: the large
tenant alone, a small one alone, and all of them together. Searches of a tenant take turns, alone and among the others.
"found" is how much of a page is the same in both. At last, the large tenant has indexes for itself among the others.

    python benchmarks/neighbours.py --large 20000 --small 10000 --each 5
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

import numpy as np
from doors import DOORS, Door
from hashed_embeddings import INDEX
from search import LIMIT, Words, loaded, settled
from server import database, started
from talks import Conversation

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.operations.health import indexing

WARM_UP = 5
HEADER = ["tenant", "alone, ms", "among the others, ms", "ratio", "found"]


async def filled(server: str, talks: Sequence[Conversation], stack: AsyncExitStack) -> tuple[str, Door]:
    """A database with some tenants, and a door to it."""
    name = f"neighbours {uuid4().hex}"
    dsn = database(server, name)
    door = await opened(dsn, stack)
    await loaded(dsn, door, talks, cut=False)  # items with vectors have their chunks
    settled(dsn, name)
    return dsn, door


async def opened(dsn: str, stack: AsyncExitStack) -> Door:
    return await stack.enter_async_context(DOORS["items"](dsn, INDEX, AgentMemorySettings()))


async def row(name: str, talk: Conversation, alone: Door, among: Door, searches: int) -> list[str]:
    """A tenant, alone and among others, in turn."""
    taken: dict[str, list[float]] = {"alone": [], "among": []}
    same = 0.0
    for number in range(-WARM_UP, searches):
        question = talk.questions[number % len(talk.questions)].text
        pages: list[set[str]] = []
        for place, door in (("alone", alone), ("among", among)):
            began = time.perf_counter()
            answer = await door.ask(talk, question, LIMIT)
            if number >= 0:
                taken[place].append(time.perf_counter() - began)
            pages.append({hit.id for hit in door.hits(talk, answer)})
        same += len(pages[0] & pages[1]) / max(len(pages[0]), 1) if number >= 0 else 0
    alone_s, among_s = statistics.median(taken["alone"]), statistics.median(taken["among"])
    return [name, f"{1e3 * alone_s:.1f}", f"{1e3 * among_s:.1f}", f"{among_s / alone_s:.2f}", f"{same / searches:.3f}"]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, nargs="+", default=[2_000, 20_000], help="texts of the large tenant")
    parser.add_argument("--small", type=int, default=10_000, help="other tenants")
    parser.add_argument("--each", type=int, default=5, help="texts of each")
    parser.add_argument("--searches", type=int, default=100)
    given = parser.parse_args()
    server = started()
    words = Words(np.random.default_rng(20))
    small = [words.conversation(f"tenant {number}", given.each) for number in range(given.small)]
    for cells in (HEADER, ["---"] * len(HEADER)):
        print(f"| {' | '.join(cells)} |")
    for size in given.large:
        large = words.conversation("large", size)
        async with AsyncExitStack() as stack:
            _, alone = await filled(server, [large], stack)
            _, small_alone = await filled(server, small[:1], stack)
            dsn, among = await filled(server, [large, *small], stack)
            rows = [
                await row(f"{size:,} texts", large, alone, among, given.searches),
                await row(f"{given.each} beside", small[0], small_alone, among, given.searches),
            ]
            async with AgentMemory.open(dsn, background=False) as memory:
                await indexing.make(memory.resources, large.name)
            indexed = await opened(dsn, stack)
            rows.append(await row(f"{size:,}, indexes for itself", large, alone, indexed, given.searches))
        for cells in rows:
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
