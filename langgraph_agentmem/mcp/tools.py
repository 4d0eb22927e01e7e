"""What a model may do with memory over MCP; the docstrings are what it reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult
from pydantic import ConfigDict, Field

from langgraph_agentmem.errors import ConflictError, ContentMismatchError
from langgraph_agentmem.mcp import answers
from langgraph_agentmem.mcp.conflicts import Conflicts
from langgraph_agentmem.mcp.toolbox import ADDS, CHANGES, READS, REMOVES, answered, tool
from langgraph_agentmem.mcp.who import NamesCaller
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.active import ActiveMemory, SectionUpdate
from langgraph_agentmem.models.base import Tier, Value
from langgraph_agentmem.policies import recounting, telling
from langgraph_agentmem.policies.editing import not_blind

_MOST_HITS = 50
_MOST_RUNS = 50
_MemoryId = Annotated[int, Field(description="The memory's id, as get_active_memories lists it.")]
_NewContent = Annotated[str, Field(description="The text to write.")]
# Not `str | None`: of such arguments the SDK reads texts that look like JSON, so that "null" would be none.
_OldContent = Annotated[
    str,
    Field(description="An excerpt that occurs exactly once in the section, and that new_content takes the place of."),
]
_Action = Annotated[
    Literal["replace", "insert"],
    Field(description="insert adds new_content after old_content, or at the section's end."),
]
_Revision = Annotated[
    int | None, Field(description="The revision that you have read; needed to replace a whole section.")
]


class NewSection(Value):
    """A section of a new memory."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str = Field(description="Its short name.")
    description: str = Field("", description="What belongs into it.")
    content: str = Field("", description="What it says at first.")


class SectionEdit(Value):
    """An edit of one section."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    section_id: str
    new_content: _NewContent
    old_content: _OldContent = ""
    action: _Action = "replace"
    expected_revision: _Revision = None


def tools(memory: AgentMemory, caller: NamesCaller, *, allow_forget: bool) -> list[Tool]:
    """All tools, always in this order: clients keep what they were listed."""
    of = MemoryTools(memory, caller)
    listed = [
        tool(of.get_active_memories, "Read memories", READS),
        tool(of.create_active_memory, "Make a memory", ADDS),
        tool(of.update_memory_sections, "Edit sections of a memory", CHANGES),
        tool(of.update_memory_section, "Edit one section of a memory", CHANGES),
        tool(of.search_memories, "Search memory", READS),
        tool(of.get_entity, "Look up a person or thing", READS),
        tool(of.memory_history, "See how memory has changed", READS),
        tool(Conflicts(memory, caller).resolve_conflicts, "Decide conflicts", CHANGES),
    ]
    if allow_forget:
        listed.append(tool(of.delete_active_memory, "Close a memory", REMOVES))
        listed.append(tool(of.forget, "Forget a memory for good", REMOVES))
    return listed


class MemoryTools:
    """The tools' functions; each takes what a model gives, and never a tenant."""

    def __init__(self, memory: AgentMemory, caller: NamesCaller) -> None:
        self._memory = memory
        self._caller = caller

    async def get_active_memories(
        self,
        memory_id: Annotated[
            int | None, Field(description="One memory, with its texts; without, all in outline.")
        ] = None,
    ) -> Annotated[CallToolResult, answers.MemoriesAnswer]:
        """Read the user's memories as they are now, with the revision of each section.

        Call it before you replace a whole section, and to see which memories and sections there are. Do not call it
        to find something; search_memories does that.
        """
        tenant = self._caller().tenant
        if memory_id is None:
            found = await self._memory.aget_active_memories(tenant)
            listed = [answers.MemoryAnswer.of(memory, whole=False) for memory in found]
            return answered(telling.outlines(found) if found else _NONE, answers.MemoriesAnswer(memories=listed))
        memory = await self._memory.aget_active_memory(tenant, memory_id)
        return answered(telling.memory(memory), answers.MemoriesAnswer(memories=[answers.MemoryAnswer.of(memory)]))

    async def create_active_memory(
        self,
        title: Annotated[str, Field(description="What the user calls it.")],
        sections: Annotated[list[NewSection], Field(description="In the order in which they are shown.")],
    ) -> Annotated[CallToolResult, answers.MemoryAnswer]:
        """Make a new memory with named sections.

        Call it only when no memory fits what is to be remembered; see get_active_memories. Do not make one for a
        single fact that fits into a section which there is.
        """
        template = {"sections": [section.model_dump() for section in sections]}
        made = await self._memory.acreate_active_memory(self._caller().tenant, title, template)
        return answered(telling.memory(made), answers.MemoryAnswer.of(made))

    async def update_memory_sections(
        self,
        memory_id: _MemoryId,
        updates: Annotated[list[SectionEdit], Field(description="At most one a section.")],
    ) -> Annotated[CallToolResult, answers.UpdatesAnswer]:
        """Edit sections of one memory, all or none.

        Call it when the user tells something worth knowing in later conversations, or corrects what stands there;
        correct by replacing the old words. Do not call it for small talk, guesses, what only matters now, or what
        stands there already; keep no secrets such as passwords.
        """
        return await self._update(memory_id, [SectionUpdate(**dict(update)) for update in updates])

    async def update_memory_section(
        self,
        memory_id: _MemoryId,
        section_id: Annotated[str, Field(description="The section to edit.")],
        new_content: _NewContent,
        old_content: _OldContent = "",
        action: _Action = "replace",
        expected_revision: _Revision = None,
    ) -> Annotated[CallToolResult, answers.UpdatesAnswer]:
        """Edit one section of a memory, as update_memory_sections does.

        Call it where only one section changes. Do not call it again and again for several of them.
        """
        edit = SectionUpdate(
            section_id=section_id,
            new_content=new_content,
            old_content=old_content,
            action=action,
            expected_revision=expected_revision,
        )
        return await self._update(memory_id, [edit])

    async def search_memories(
        self,
        query: Annotated[
            str, Field(description="What is looked for, in natural language, with the names that matter.")
        ],
        tiers: Annotated[
            list[Tier] | None, Field(description="Where: working (active), recent, lasting memory; all by default.")
        ] = None,
        memory_ids: Annotated[list[int] | None, Field(description="Only what came from these memories.")] = None,
        limit: Annotated[int, Field(ge=1, le=_MOST_HITS, description="The most that is to be found.")] = 5,
        as_of: Annotated[
            datetime | None, Field(description="What held at that time, with a time zone; what holds now by default.")
        ] = None,
    ) -> Annotated[CallToolResult, answers.HitsAnswer]:
        """Search the user's long-term memory: earlier conversations, notes, facts, preferences.

        Call it when the answer may depend on what the user has said or decided before and it does not stand in the
        conversation. Do not call it for general knowledge, nor again with the same words.
        """
        found = await self._memory.asearch(
            self._caller().tenant, query, tiers=tiers, memory_ids=memory_ids, limit=limit, as_of=as_of
        )
        return answered(telling.hits(found), answers.HitsAnswer.of(found))

    async def get_entity(
        self,
        name: Annotated[str, Field(description="As it is called; case, spaces and hyphens do not count. Or its id.")],
    ) -> Annotated[CallToolResult, answers.EntityAnswer]:
        """Look up a person, place or thing: what it is, how it is related to others, and how that has changed.

        Call it when a question is about one named thing. Do not call it to find statements; search_memories does that.
        """
        found = await self._memory.aget_entity(self._caller().tenant, name)
        return answered(recounting.entity(found), answers.EntityAnswer.of(found))

    async def memory_history(
        self,
        memory_id: Annotated[int | None, Field(description="Only this memory's; all by default.")] = None,
        limit: Annotated[int, Field(ge=1, le=_MOST_RUNS, description="The most runs.")] = 10,
    ) -> Annotated[CallToolResult, answers.HistoryAnswer]:
        """See how memory has changed: what was consolidated when, what was ended or merged, and why.

        Call it when the user asks why something is remembered, or is not any more. Do not call it to read memory.
        """
        runs = await self._memory.runs.alist(self._caller().tenant, memory_id, limit=limit)
        listed = answers.HistoryAnswer(runs=[answers.RunAnswer.of(run) for run in runs])
        return answered(recounting.runs(runs), listed)

    async def delete_active_memory(self, memory_id: _MemoryId) -> Annotated[CallToolResult, answers.DoneAnswer]:
        """Close a memory: its sections go, what they said stays in long-term memory.

        Call it only when the user asks for it. Do not call it to make the user's words forgotten; forget does that.
        """
        await self._memory.adelete_active_memory(self._caller().tenant, memory_id)
        message = f"Memory {memory_id} is closed; what it gave to long-term memory stays."
        return answered(message, answers.DoneAnswer(memory_id=memory_id, message=message))

    async def forget(self, memory_id: _MemoryId) -> Annotated[CallToolResult, answers.DoneAnswer]:
        """Remove a memory for good, with everything that came from it.

        Call it only when the user asks to forget it, and after you have named to them what will be gone. Do not call
        it to correct or to tidy up.
        """
        await self._memory.adelete_active_memory(self._caller().tenant, memory_id, forget=True)
        message = f"Memory {memory_id} is forgotten, with all that came from it."
        return answered(message, answers.DoneAnswer(memory_id=memory_id, message=message))

    async def _update(self, memory_id: int, edits: Sequence[SectionUpdate]) -> CallToolResult:
        caller, sections = self._caller(), [edit.section_id for edit in edits]
        try:
            not_blind(edits)
            after = await self._memory.aupdate_active_memory_sections(
                caller.tenant, memory_id, edits, source=caller.name
            )
        except (ConflictError, ContentMismatchError) as error:
            # a model that is shown the present text can repeat its edit without reading first
            now = await self._memory.aget_active_memory(caller.tenant, memory_id)
            raise ToolError(f"{error}.\n\n{telling.present(now, sections)}") from error
        return answered(_said(after, sections), _updated(after, sections))


_NONE = "There is no memory yet; create_active_memory makes one."


def _updated(after: ActiveMemory, sections: Sequence[str]) -> answers.UpdatesAnswer:
    updates = [
        answers.UpdateAnswer(
            section_id=id,
            # read in the transaction that wrote it, in which it was counted once
            previous_count=after.sections[id].update_count - 1,
            new_count=after.sections[id].update_count,
            revision=after.sections[id].revision,
        )
        for id in sections
    ]
    return answers.UpdatesAnswer(
        memory=answers.MemoryAnswer.of(after),
        updates=updates,
        total_sections_updated=len(updates),
        consolidation_info=after.consolidation_info,
        message=_said(after, sections),
    )


def _said(after: ActiveMemory, sections: Sequence[str]) -> str:
    info = after.consolidation_info
    due = "it is due to be consolidated" if info.will_consolidate else "it is not due to be consolidated yet"
    counted = f"{info.total_update_count} of {info.threshold:g} updates: {due}"
    return f"{telling.written(after, sections)} It has {counted}."
