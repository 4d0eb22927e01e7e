"""Tools with which a model searches and edits a user's memory."""

from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ConfigDict, Field

from langgraph_agentmem.errors import ConflictError, ContentMismatchError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.active import ActiveMemory, SectionUpdate
from langgraph_agentmem.policies import telling, validation
from langgraph_agentmem.policies.editing import not_blind
from langgraph_agentmem.resources import given_memory
from langgraph_agentmem.tooling import NONE, NamesTenant, Runtime, Told, naming, tenant_of, tool

__all__ = ["create_memory_tools"]


def create_memory_tools(
    memory: AgentMemory,
    *,
    external_id: NamesTenant | None = None,
    limit: int = 5,
    source: str = "agent",
    allow_forget: bool = False,
) -> list[BaseTool]:
    """Tools for an agent: `search_memory`, `read_memory`, `update_memory_sections`, `create_memory`.

    Whose memory it is comes from the run, never from the model: from `external_id`, else from the context's `user_id`,
    else from `configurable["user_id"]`, else from the user that a LangGraph server has authenticated. A tool that finds
    none raises `ConfigurationError`.

    What a model has asked for in vain is told to it, with the present texts where an edit is stale; outages are raised.
    The artifact of a message holds, as JSON, the hits of a search, the memory that was read, or the revisions of a
    memory's sections.

    Args:
        memory: The open memory.
        external_id: A function that gives the tenant for a `ToolRuntime`, or None where the rule above is to be
            followed.
        limit: The most hits of a search.
        source: Who writes; kept with the sections and their chunks.
        allow_forget: Add `forget_memory`, which removes a memory with all that came from it.

    Raises:
        ConfigurationError: `memory` or `external_id` is something else.
        InvalidInputError: `limit` or `source` cannot be accepted.

    Examples:
        >>> search = create_memory_tools(memory)[0]
        >>> print(search.invoke({"query": "budget"}, {"configurable": {"user_id": "alice"}}).split("] ")[1])
        - Budget: 5000
    """
    # what is wrong here no model could mend
    writer = validation.name(source, "source")
    of = _MemoryTools(
        given_memory(memory, AgentMemory), naming(external_id), validation.positive(limit, "limit"), writer
    )
    tools = [
        tool(of.search_memory, _Search),
        tool(of.read_memory, _Read),
        tool(of.update_memory_sections, _Update),
        tool(of.create_memory, _Create),
    ]
    return [*tools, tool(of.forget_memory, _Forget)] if validation.flag(allow_forget, "allow_forget") else tools


class _Search(BaseModel):
    """Search the user's long-term memory: earlier conversations, notes, facts, preferences.

    Call it when the answer may depend on what the user has said or decided before and it stands neither in the
    conversation nor in the memory that you are shown. Do not call it for general knowledge, nor again with the same
    words.
    """

    query: str = Field(description="What is looked for, in natural language, with the names that matter.")


class _Read(BaseModel):
    """Read the user's memories as they are now, with the revision of each section.

    Call it before you replace a whole section, and to see which memories and sections there are. Do not call it to
    find something; search_memory does that.
    """

    memory_id: int | None = Field(None, description="One memory, with its texts; without, an outline of all.")


class _Edit(BaseModel):
    """An edit of one section."""

    # what a model misspells would overwrite the whole section
    model_config = ConfigDict(extra="forbid")

    section_id: str
    new_content: str = Field(description="The text to write.")
    old_content: str | None = Field(
        None, description="An excerpt that occurs exactly once in the section, and that new_content takes the place of."
    )
    action: Literal["replace", "insert"] = Field(
        "replace", description="insert adds new_content after old_content, or at the section's end."
    )
    expected_revision: int | None = Field(
        None, description="The revision that you have read; needed to replace a whole section."
    )


class _Update(BaseModel):
    """Edit sections of one memory, all or none.

    Call it when the user tells something worth knowing in later conversations, or corrects what stands there; correct
    by replacing the old words. Do not call it for small talk, guesses, what only matters now, or what stands there
    already; keep no secrets such as passwords.
    """

    memory_id: int
    edits: list[_Edit] = Field(description="At most one a section.")


class _NewSection(BaseModel):
    """A section of a new memory."""

    id: str = Field(description="Its short name.")
    description: str = Field("", description="What belongs into it.")
    content: str = Field("", description="What it says at first.")


class _Create(BaseModel):
    """Make a new memory with named sections.

    Call it only when no memory fits what is to be remembered; see read_memory. Do not make one for a single fact that
    fits into a section which there is.
    """

    title: str
    sections: list[_NewSection]


class _Forget(BaseModel):
    """Remove a memory for good, with everything that came from it.

    Call it only when the user asks to forget it, and after you have named to them what will be gone. Do not call it to
    correct or to tidy up.
    """

    memory_id: int


class _MemoryTools:
    """The tools' functions; each takes what its schema says, and what LangGraph and LangChain inject."""

    def __init__(self, memory: AgentMemory, named: NamesTenant | None, limit: int, source: str) -> None:
        self._memory = memory
        self._named = named
        self._limit = limit
        self._source = source

    async def search_memory(self, query: str, runtime: Runtime = NONE, config: RunnableConfig = NONE) -> Told:
        found = await self._memory.asearch(self._tenant(runtime, config), query, limit=self._limit)
        return telling.hits(found), [hit.model_dump(mode="json") for hit in found]

    async def read_memory(
        self, memory_id: int | None = None, runtime: Runtime = NONE, config: RunnableConfig = NONE
    ) -> Told:
        tenant = self._tenant(runtime, config)
        if memory_id is None:
            memories = await self._memory.aget_active_memories(tenant)
            return telling.outlines(memories), [_short(memory) for memory in memories]
        memory = await self._memory.aget_active_memory(tenant, memory_id)
        return telling.memory(memory), memory.model_dump(mode="json")

    async def update_memory_sections(
        self, memory_id: int, edits: list[_Edit], runtime: Runtime = NONE, config: RunnableConfig = NONE
    ) -> Told:
        tenant, sections = self._tenant(runtime, config), [edit.section_id for edit in edits]
        updates = [SectionUpdate.model_validate(edit.model_dump()) for edit in edits]
        try:
            not_blind(updates)
            written = await self._memory.aupdate_active_memory_sections(tenant, memory_id, updates, source=self._source)
        except (ConflictError, ContentMismatchError) as error:
            # a model that is shown the present text can repeat its edit without reading first
            now = await self._memory.aget_active_memory(tenant, memory_id)
            raise ToolException(f"{error}.\n\n{telling.present(now, sections)}") from error
        info = written.consolidation_info.model_dump(mode="json")
        return telling.written(written, sections), {**_short(written), "consolidation_info": info}

    async def create_memory(
        self, title: str, sections: list[_NewSection], runtime: Runtime = NONE, config: RunnableConfig = NONE
    ) -> Told:
        template = {"sections": [section.model_dump() for section in sections]}
        made = await self._memory.acreate_active_memory(self._tenant(runtime, config), title, template)
        return telling.memory(made), _short(made)

    async def forget_memory(self, memory_id: int, runtime: Runtime = NONE, config: RunnableConfig = NONE) -> Told:
        await self._memory.adelete_active_memory(self._tenant(runtime, config), memory_id, forget=True)
        return f"Memory {memory_id} is forgotten, with all that came from it.", {"memory_id": memory_id}

    def _tenant(self, runtime: Runtime, config: RunnableConfig) -> str:
        return tenant_of(runtime, config, self._named)


def _short(memory: ActiveMemory) -> dict[str, Any]:
    """A memory without its texts: what an artifact holds is kept in each checkpoint."""
    revisions = {id: section.revision for id, section in memory.sections.items()}
    return {"memory_id": memory.id, "title": memory.title, "revisions": revisions}
