"""Memories and their templates as resources, and memory's context as a prompt."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import Field

from langgraph_agentmem.errors import AgentMemoryError, InvalidInputError, NotFoundError
from langgraph_agentmem.mcp.answers import MemoriesAnswer, MemoryAnswer
from langgraph_agentmem.mcp.failures import told
from langgraph_agentmem.mcp.who import NamesCaller
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.active import ActiveMemory
from langgraph_agentmem.policies import telling, validation

_JSON = "application/json"
_ALL = "agentmem://memories"


def add(server: MCPServer[Any], memory: AgentMemory, caller: NamesCaller) -> None:
    """Let clients read memories as resources, and ask for a prompt with what is remembered."""
    of = _Resources(memory, caller)
    server.resource(_ALL, name="memories", title="All memories, in outline", mime_type=_JSON)(of.memories)
    server.resource(_ALL + "/{memory_id}", name="memory", title="A memory with its texts", mime_type="text/markdown")(
        of.memory
    )
    server.resource(
        "agentmem://templates/{memory_id}", name="template", title="The template of a memory", mime_type=_JSON
    )(of.template)
    server.prompt(name="memory_context", title="What is remembered")(of.memory_context)


class _Resources:
    """Their functions, whose docstrings clients are shown."""

    def __init__(self, memory: AgentMemory, caller: NamesCaller) -> None:
        self._memory = memory
        self._caller = caller

    async def memories(self) -> str:
        """The user's memories with the names and revisions of their sections, without texts."""
        with _as_protocol_errors():
            found = await self._memory.aget_active_memories(self._caller().tenant)
        outlines = [MemoryAnswer.of(each, whole=False) for each in found]
        return MemoriesAnswer(memories=outlines).model_dump_json(indent=2)

    async def memory(self, memory_id: str) -> str:
        """A memory with the texts of its sections."""
        return telling.memory(await self._read(memory_id))

    async def template(self, memory_id: str) -> str:
        """The sections that a memory was made with, to make another one like it."""
        return (await self._read(memory_id)).template.model_dump_json(indent=2)

    async def memory_context(
        self, query: Annotated[str, Field(description="What it is about; without, only what memories say.")] = ""
    ) -> str:
        """What memory has to say, as delimited data: sections, and the best hits for a query."""
        with _as_protocol_errors():
            context = await self._memory.acontext(self._caller().tenant, query if query.strip() else None)
        return str(context) or "Nothing is remembered yet."

    async def _read(self, memory_id: str) -> ActiveMemory:
        with _as_protocol_errors():
            return await self._memory.aget_active_memory(self._caller().tenant, _id(memory_id))


@contextmanager
def _as_protocol_errors() -> Generator[None]:
    try:
        yield
    except AgentMemoryError as error:
        wrong = isinstance(error, NotFoundError | InvalidInputError)
        raise MCPError(code=INVALID_PARAMS if wrong else INTERNAL_ERROR, message=told(error)) from error


def _id(text: str) -> int:
    if (id := validation.identifier_in(text)) is None:
        raise InvalidInputError(f"a memory's id is a number, as {_ALL} lists it, not {text[:100]!r}")
    return id
