"""`agentmem memories`, `show`, `edit`: a tenant's active memories."""

import sys
from pathlib import Path
from typing import Annotated

import click
import typer

from langgraph_agentmem.cli.options import AsJson, Dsn, MemoryId, OneTenant, as_path
from langgraph_agentmem.cli.output import print_table, tell
from langgraph_agentmem.cli.terminal import as_text, in_one_line, out, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.active import ActiveMemory, SectionUpdateDict


@report_errors
def memories(tenant: OneTenant, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """The open memories of a tenant."""
    with AgentMemory.open(dsn, background=False) as memory:
        found = memory.get_active_memories(tenant)
    rows = [
        (
            str(each.id),
            each.title,
            len(each.sections),
            each.consolidation_info.total_update_count,
            f"{each.updated_at:%F %R}",
        )
        for each in found
    ]
    columns = ("id", "title", "sections", "pending updates", "updated")
    tell(found, as_json, lambda: print_table(columns, rows, "This tenant has no memory."))


@report_errors
def show(tenant: OneTenant, memory_id: MemoryId, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """A memory with its sections."""
    with AgentMemory.open(dsn, background=False) as memory:
        found = memory.get_active_memory(tenant, memory_id)
    tell(found, as_json, lambda: _print(found))


def _print(memory: ActiveMemory) -> None:
    info = memory.consolidation_info
    due = "due" if info.will_consolidate else "not due"
    out.print(f"[bold]{in_one_line(memory.title)}[/bold], memory {memory.id} of {in_one_line(memory.external_id)}")
    out.print(f"{info.total_update_count:,} pending updates of {info.threshold:g}: {due} for a consolidation")
    for section in memory.sections.values():
        written = f"revision {section.revision}, {section.updated_at:%F %R}"
        source = f", by {in_one_line(section.source)}" if section.source else ""
        out.print(f"\n[bold]{in_one_line(section.section_id)}[/bold] ({written}{source})")
        out.print(as_text(section.content) if section.content else "[dim]empty[/dim]")


@report_errors
def edit(
    tenant: OneTenant,
    memory_id: MemoryId,
    section: Annotated[str, typer.Argument(metavar="SECTION", help="The section, by its id.")],
    dsn: Dsn = None,
    content: Annotated[
        str | None, typer.Option(help="The new text; with --old, what takes the place of that.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A file with the new text; - for standard input.", show_default=False, callback=as_path),
    ] = None,
    old: Annotated[
        str | None, typer.Option(help="What is replaced: it has to stand there, once.", show_default=False)
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Put the text behind what stands there.")] = False,
    revision: Annotated[
        int | None, typer.Option(help="Only if the section is at this revision.", show_default=False)
    ] = None,
    source: Annotated[str, typer.Option(help="Who writes, for the record.")] = "agentmem edit",
    as_json: AsJson = False,
) -> None:
    """Edit a section: with --content or --file, else in your editor.

    What an editor saved is refused if somebody else has changed the section meanwhile; the text is printed then.
    """
    if content is not None and file is not None:
        raise InvalidInputError("--content and --file exclude each other")
    with AgentMemory.open(dsn, background=False) as memory:
        text = _given(content, file)
        if text is None:
            text, revision = _from_editor(memory, tenant, memory_id, section)
        update = SectionUpdateDict(section_id=section, new_content=text, action="insert" if append else "replace")
        if old is not None:
            update["old_content"] = old
        if revision is not None:
            update["expected_revision"] = revision
        try:
            edited = memory.update_active_memory_sections(tenant, memory_id, [update], source=source)
        except Exception:
            if content is None and file is None:
                out.print(as_text(text))
            raise
    now = edited.sections[section]
    tell(edited, as_json, lambda: out.print(f"{in_one_line(section)} is at revision {now.revision}"))


def _given(content: str | None, file: Path | None) -> str | None:
    if file is None:
        return content
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read: {error}") from error


def _from_editor(memory: AgentMemory, tenant: str, memory_id: int, section_id: str) -> tuple[str, int]:
    found = memory.get_active_memory(tenant, memory_id).sections.get(section_id)
    if found is None:
        raise InvalidInputError(f"memory {memory_id} has no section {section_id!r}")
    if not sys.stdin.isatty():
        raise InvalidInputError("without a terminal there is no editor: give the text by --content or --file")
    text = click.edit(found.content, extension=".md")
    if text is None:
        raise InvalidInputError("nothing was saved in the editor, and so nothing is changed")
    return text.removesuffix("\n"), found.revision
