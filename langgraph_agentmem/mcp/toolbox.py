"""Tools as the SDK takes them: titles, hints, schemas that refuse what they do not know, and answers in both forms."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
REMOVES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def tool(method: Callable[..., Awaitable[Any]], title: str, hints: ToolAnnotations) -> Tool:
    """A tool of an async method, whose docstring says what it is for and when not to call it.

    Args:
        method: Returns `Annotated[CallToolResult, Model]`; the model is the tool's output schema.
        title: What people read.
        hints: All four.
    """
    made = Tool.from_function(
        method,
        title=title,
        description=inspect.getdoc(method),
        annotations=hints.model_copy(update={"title": title}),
        structured_output=True,
    )
    arguments = made.fn_metadata.arg_model

    class Strict(arguments):
        # A misspelt old_content, passed over, would let an edit overwrite the whole section.
        model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", title=arguments.__name__)

    made.fn_metadata.arg_model = Strict
    made.parameters = Strict.model_json_schema(by_alias=True)
    return made


def answered(text: str, answer: BaseModel) -> CallToolResult:
    """What a model reads, and the same as data."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=answer.model_dump(mode="json")
    )


def failed(text: str) -> CallToolResult:
    """What a model reads of a call that was in vain."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
