"""What surrounds the graph: the memory is set up before the server answers, and closed when it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent import memory
from starlette.applications import Starlette


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with memory:  # leaving the block waits for what the worker has begun
        await memory.asetup()  # a database that is not there is noticed now, and not by the first user
        yield


app = Starlette(lifespan=lifespan)
