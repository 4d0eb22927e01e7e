"""`agentmem reembed`: vectors of another embedder."""

from typing import Annotated

import typer

from langgraph_agentmem.cli.options import Dsn
from langgraph_agentmem.cli.terminal import out, progress_bar, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.settings import AgentMemorySettings


@report_errors
def reembed(
    dsn: Dsn = None,
    old: Annotated[
        str | None,
        typer.Option(help="The embedder that is replaced: searches go on by it meanwhile.", show_default=False),
    ] = None,
) -> None:
    """Let the embedder of AGENTMEM_EMBEDDINGS take the place of the one that the vectors come from.

    All vectors are computed anew, and taken over at once when complete; stopped, it goes on later where it was.
    Where that embedder is in use already, chunks that wait for a vector get it.
    """
    if AgentMemorySettings().embeddings is None:
        raise InvalidInputError("AGENTMEM_EMBEDDINGS names no embedder")
    with (
        AgentMemory.open(dsn, reembed=old or True, background=False) as memory,
        progress_bar("computing vectors") as progress,
    ):
        done = memory.queue.embed_pending(on_progress=lambda done: progress(done, None))
    out.print(f"{done:,} vectors computed")
