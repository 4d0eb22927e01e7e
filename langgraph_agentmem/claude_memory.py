"""Claude's memory tool on sections: what Claude takes for files are sections of one memory of the user's."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.store.base import PutOp
from pydantic import BaseModel, Field

from langgraph_agentmem.errors import InvalidInputError, RevisionConflictError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.active import content_of
from langgraph_agentmem.policies import memory_files as files
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import given_memory
from langgraph_agentmem.store import AgentMemoryStore
from langgraph_agentmem.store.requests import AgentMemoryItem
from langgraph_agentmem.tooling import NONE, NamesTenant, Runtime, Told, naming, tenant_of, tool

__all__ = ["create_claude_memory_tool"]

_DEFINITION = {"type": "memory_20250818", "name": "memory"}
"""What Claude is told of it: the tool is built into the model."""
_MOST_FILES = 1_000


def create_claude_memory_tool(
    memory: AgentMemory, *, external_id: NamesTenant | None = None, title: str = "Claude"
) -> BaseTool:
    """Claude's built-in memory tool (`memory_20250818`), kept in a memory's sections.

    A file is a section of the memory with that title, which is made with the first file; `/` in a section's name makes
    directories. What Claude writes is searched, counted and consolidated like any section; what it deletes is gone with
    all that came from it. langchain-anthropic sends the definition that Claude knows; other models are shown an
    ordinary tool of the same commands. Whose memory it is, is found as by `create_memory_tools`.

    Args:
        memory: The open memory.
        external_id: A function that gives the tenant for a `ToolRuntime`, or None.
        title: Of the memory that holds the files.

    Raises:
        ConfigurationError: `memory` or `external_id` is something else.
        InvalidInputError: `title` cannot be accepted.

    Examples:
        >>> tool = create_claude_memory_tool(memory)
        >>> note = {"command": "create", "path": "/memories/trip/route.md", "file_text": "By train."}
        >>> tool.invoke(note, {"configurable": {"user_id": "alice"}})
        'File created successfully at: /memories/trip/route.md'
    """
    of = _MemoryFiles(given_memory(memory, AgentMemory), naming(external_id), validation.name(title, "title"))
    return tool(of.memory, _Command, {"provider_tool_definition": _DEFINITION})


class _Command(BaseModel):
    """Read and write files in /memories, which last from one conversation to the next.

    View the directory before you begin, and note what will be worth knowing later. Do not keep secrets there.
    """

    command: Literal["view", "create", "str_replace", "insert", "delete", "rename"]
    path: str | None = Field(None, description="Of the file or directory; not for rename.")
    view_range: list[int] | None = Field(None, description="For view: first and last line; -1 is the end.")
    file_text: str | None = Field(None, description="For create.")
    old_str: str | None = Field(None, description="For str_replace: what occurs exactly once.")
    new_str: str | None = Field(None, description="For str_replace.")
    insert_line: int | None = Field(None, description="For insert: the line behind which; 0 for the beginning.")
    insert_text: str | None = Field(None, description="For insert.")
    old_path: str | None = Field(None, description="For rename.")
    new_path: str | None = Field(None, description="For rename.")

    def given(self, name: str) -> Any:
        """An argument that the command needs.

        Raises:
            InvalidInputError: It is missing.
        """
        if (value := getattr(self, name)) is None:
            raise InvalidInputError(f"The command {self.command} needs {name}.")
        return value


class _MemoryFiles:
    """The commands, on the files of whoever the run is for."""

    def __init__(self, memory: AgentMemory, named: NamesTenant | None, title: str) -> None:
        self._store = AgentMemoryStore(memory)
        self._ownership = Ownership(owner=memory.settings.store_owner)
        self._named = named
        self._title = title

    async def memory(self, command: str, runtime: Runtime = NONE, config: RunnableConfig = NONE, **args: Any) -> Told:
        namespace = self._ownership.default(tenant_of(runtime, config, self._named), self._title)
        asked = _Command.model_validate({"command": command, **args})
        commands = {
            "view": self._view,
            "create": self._create,
            "str_replace": self._str_replace,
            "insert": self._insert,
            "delete": self._delete,
            "rename": self._rename,
        }
        return await commands[asked.command](namespace, asked), asked.model_dump(exclude_none=True)

    async def _view(self, namespace: tuple[str, ...], asked: _Command) -> str:
        path, name = asked.given("path"), files.name_of(asked.given("path"))
        if name and (item := await self._store.aget(namespace, name)):
            return files.viewed(path, _text(item.value), asked.view_range)
        found = files.under(await self._all(namespace), name)
        if name and not found:
            raise _missing(path)
        return files.listing(files.path_of(name), found)

    async def _create(self, namespace: tuple[str, ...], asked: _Command) -> str:
        path, name, text = asked.given("path"), files.name_of(asked.given("path")), asked.given("file_text")
        self._free(path, name, await self._all(namespace))
        try:
            await self._store.aput_if(namespace, name, {"content": text}, 0)
        except RevisionConflictError as error:
            raise InvalidInputError(f"{path} already exists") from error
        return f"File created successfully at: {path}"

    async def _str_replace(self, namespace: tuple[str, ...], asked: _Command) -> str:
        path, old, new = asked.given("path"), asked.given("old_str"), asked.new_str or ""
        return await self._edit(namespace, path, lambda text: files.replaced(path, text, old, new))

    async def _insert(self, namespace: tuple[str, ...], asked: _Command) -> str:
        path, line, new = asked.given("path"), asked.given("insert_line"), asked.given("insert_text")
        told = f"The file {path} has been edited."
        return await self._edit(namespace, path, lambda text: (files.inserted(text, line, new), told))

    async def _delete(self, namespace: tuple[str, ...], asked: _Command) -> str:
        path = asked.given("path")
        gone = await self._named_by(namespace, path, "delete")
        await self._store.abatch([PutOp(namespace, name, None) for name in gone])
        return f"Successfully deleted {path}"

    async def _rename(self, namespace: tuple[str, ...], asked: _Command) -> str:
        old, new = asked.given("old_path"), asked.given("new_path")
        moved, name = await self._named_by(namespace, old, "rename"), files.name_of(new)
        others = {each: text for each, text in (await self._all(namespace)).items() if each not in moved}
        self._free(new, name, others)
        before = files.name_of(old)
        puts = [PutOp(namespace, name + each.removeprefix(before), {"content": text}) for each, text in moved.items()]
        await self._store.abatch([*(PutOp(namespace, each, None) for each in moved), *puts])
        return f"Successfully renamed {old} to {new}"

    async def _edit(self, namespace: tuple[str, ...], path: str, edit: Callable[[str], tuple[str, str]]) -> str:
        """Edit a file as it is; again where somebody else has written meanwhile."""
        while True:
            item = await self._store.aget(namespace, files.name_of(path) or "/")
            if item is None:
                raise _missing(path)
            text, told = edit(_text(item.value))
            revision = cast("AgentMemoryItem", item).revision
            try:
                await self._store.aput_if(namespace, item.key, {**item.value, "content": text}, revision)
            except RevisionConflictError:
                continue
            return told

    async def _all(self, namespace: tuple[str, ...]) -> dict[str, str]:
        found = await self._store.asearch(namespace, limit=_MOST_FILES)
        return {item.key: _text(item.value) for item in found if item.namespace == namespace}

    async def _named_by(self, namespace: tuple[str, ...], path: str, verb: str) -> dict[str, str]:
        """The files that a path names: one, or all in a directory."""
        name = files.name_of(path)
        if not name:
            raise InvalidInputError(f"Cannot {verb} the {files.ROOT} directory itself")
        present = await self._all(namespace)
        named = {each: text for each, text in present.items() if each == name or each.startswith(f"{name}/")}
        if not named:
            raise InvalidInputError(f"The path {path} does not exist")
        return named

    @staticmethod
    def _free(path: str, name: str, present: Mapping[str, str]) -> None:
        """Refuse a name that a file or a directory has, or that would make a file a directory."""
        if not name or name in present or files.under(present, name):
            raise InvalidInputError(f"{path} already exists")
        if holder := next((each for each in present if name.startswith(f"{each}/")), None):
            raise InvalidInputError(f"{files.path_of(holder)} is a file, not a directory")


def _text(value: Mapping[str, Any]) -> str:
    return content_of(dict(value))


def _missing(path: str) -> InvalidInputError:
    return InvalidInputError(f"The path {path} does not exist. Please provide a valid path.")
