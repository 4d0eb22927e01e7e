"""A web application whose users' memories consolidate while it serves, and which loses nothing when it is stopped.

pip install "langgraph-agentmem[embedded]" fastapi uvicorn
python examples/web_app.py                                   on port 8000, on an embedded PostgreSQL
python examples/web_app.py --dsn postgresql://user@host/db   your own PostgreSQL

curl localhost:8000/notes -H 'X-User: alice' --json '{"text": "Ada writes the engine."}'
curl localhost:8000/notes -H 'X-User: alice' --get --data-urlencode 'question=Who writes the engine?'
"""

import argparse
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from langgraph_agentmem import AgentMemory, AgentMemoryError


class Note(BaseModel):
    text: str


class Found(BaseModel):
    text: str
    tier: str


@asynccontextmanager
async def lifespan(app: FastAPI, dsn: str | None = None) -> AsyncIterator[None]:
    # one memory for all users and requests, with a worker beside them; leaving the block waits for what it has begun
    async with AgentMemory.open(dsn, background=True) as memory:
        await memory.asetup()  # a database that is not there is noticed before anybody is served
        app.state.memory = memory
        yield


def memory_of(request: Request) -> AgentMemory:
    return request.app.state.memory


# Who asks is the tenant of all that is read and written. In an application of yours, it comes from a token that was
# checked, never from what a client may write at will.
User = Annotated[str, Header(alias="X-User", min_length=1)]
Memory = Annotated[AgentMemory, Depends(memory_of)]


async def note(note: Note, user: User, memory: Memory) -> Note:
    notes = await memory.acreate_active_memory(user, "Notes", {"sections": ["notes"]}, exist_ok=True)
    await memory.aupdate_active_memory_section(user, notes.id, "notes", f"\n\n- {note.text}", action="insert")
    return note  # it is written: what is answered is not lost


async def look_up(question: str, user: User, memory: Memory) -> list[Found]:
    return [Found(text=hit.content, tier=hit.tier) for hit in await memory.asearch(user, question, limit=5)]


async def failed(_: Request, error: AgentMemoryError) -> JSONResponse:
    """An outage is an error, never an empty answer."""
    return JSONResponse({"error": str(error)}, 422 if isinstance(error, ValueError) else 503)


def application(dsn: str | None = None) -> FastAPI:
    app = FastAPI(lifespan=partial(lifespan, dsn=dsn))
    app.post("/notes", status_code=201)(note)
    app.get("/notes")(look_up)
    app.exception_handler(AgentMemoryError)(failed)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; by default AGENTMEM_DSN, else an embedded server")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    # uvicorn answers the requests under way and closes the memory; then it raises the signal again, which is no failure
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(application(arguments.dsn), host="127.0.0.1", port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
