"""`agentmem demo`: the whole cycle on a database that is thrown away, without a model."""

import tempfile
from pathlib import Path

from langgraph_agentmem.cli.terminal import as_text, out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.settings import AgentMemorySettings

_STORY = (
    ("- The launch is on May 1.\n- Ada leads the engine team.", "The agent notes what it hears, in a named section."),
    ("- The launch is on June 3.\n- Ada leads the engine team.", "The launch has moved: the section is edited."),
    ("- The launch is on June 3.\n- Ada leads the engine team.\n- Bo joins in April.", "And once more."),
)


@report_errors
def demo() -> None:
    """Show the whole cycle in a few seconds, on an embedded database that is thrown away; no API key is needed."""
    with tempfile.TemporaryDirectory(prefix="agentmem-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # root's server runs as another user
        # a promotion at the third consolidation; by default at the tenth
        settings = AgentMemorySettings(dsn=None, shortterm_update_threshold=3)
        with AgentMemory.open(data_dir=Path(folder) / "data", settings=settings, background=False) as memory:
            _tell(memory)


def _tell(memory: AgentMemory) -> None:
    notes = memory.create_active_memory("demo", "Apollo", {"sections": ["notes"]})
    for text, said in _STORY:
        out.print(f"\n[bold]{said}[/bold]")
        out.print(as_text(text))
        memory.update_active_memory_section("demo", notes.id, "notes", text)
        report = memory.consolidate("demo", notes.id)
        out.print(f"→ consolidated: chunks added: {report.chunks_added}, ended: {report.chunks_superseded}")
        if report.promotion is not None and report.promotion.status == "promoted":
            out.print(f"→ promoted to long-term memory, chunks: {report.promotion.chunks_added}")
    out.print("\n[bold]When is the launch?[/bold]")
    for hit in memory.search("demo", "When is the launch?", limit=2):
        ended = f", until {hit.end_date:%F}" if hit.end_date else ", still valid"
        out.print(f"  {hit.tier}{ended}: {as_text(hit.content.strip())}")
    out.print("\nYour own: AgentMemory.open(), or AGENTMEM_DSN for a server. Every command: agentmem --help")
