"""Opens inspectors: in this process, as NiceGUI's simulated user sees them, or as a server of their own."""

import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import forking
import psycopg
from nicegui import Client, ui
from nicegui.testing import User, user_simulation

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.inspector import pages
from langgraph_agentmem.inspector.access import Access
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.models.run import ModelUsage


@asynccontextmanager
async def looking(memory: AgentMemory, tenant: str | None = "alice", *, write: bool = False) -> AsyncIterator[User]:
    """Somebody who looks at an inspector."""
    async with user_simulation() as user:
        pages.register(Access(memory, tenant, write))
        # on a busy machine, anything takes long
        cast("Any", user).should_see = partial(user.should_see, retries=600)
        yield user
        for client in list(Client.instances.values()):
            client.delete()  # or it goes on sending, to nobody


def texts(user: User) -> str:
    """All texts of the page that is shown, a line each."""
    with user:
        shown = [each for each in ui.context.client.elements.values() if each.visible]
        return "\n".join(str(getattr(each, "text", "") or getattr(each, "content", "")) for each in shown)


AGENTMEM = str(Path(sys.executable).with_name("agentmem"))

HOSTILE = (
    "<script>window.taken=1</script>",
    "<img src=x onerror=window.taken=1>",
    "<svg onload=window.taken=1>",
    "</script><script>window.taken=1</script>",
    "\"'><iframe srcdoc='<script>parent.taken=1</script>'>",
    "{{constructor.constructor('window.taken=1')()}}",
    "${window.taken=1} javascript:window.taken=1",
    "[x](javascript:window.taken=1) <a href='javascript:window.taken=1'>x</a>",
    "<style>*{display:none}</style><base href='//evil.example/'>",
)
"""Texts that run a script, hide a page or send whoever looks elsewhere, where they are taken for markup."""


class Mischief:
    """Finds entities of hostile names in every chunk."""

    async def extract(self, chunks: Sequence[Any]) -> tuple[Extraction, ModelUsage]:
        ids = [chunk.id for chunk in chunks]
        found = [ExtractedEntity(name=text, types=[text], description=text, chunk_ids=ids) for text in HOSTILE]
        links = [
            ExtractedRelationship(source=one, target=other, types=[one], description=other, chunk_ids=ids)
            for one, other in itertools.pairwise(HOSTILE)
        ]
        return Extraction(entities=found, relationships=links), ModelUsage()


async def filled_with_mischief(dsn: str) -> tuple[str, list[str]]:
    """A tenant all of whose texts are hostile, and the addresses of pages that show each of them."""
    tenant = HOSTILE[0]
    sections = {text: text for text in HOSTILE}
    async with AgentMemory.open(dsn, extractor=Mischief(), review="always") as memory:
        made = await memory.acreate_active_memory(tenant, HOSTILE[1], {"sections": sections})
        for version in ("Deadline: May 1", "Deadline: June 1"):
            edits = [{"section_id": text, "new_content": f"{version} {text}"} for text in HOSTILE]
            await memory.aupdate_active_memory_sections(tenant, made.id, edits, source=HOSTILE[2])
            report = await memory.aconsolidate(tenant, made.id)
    with psycopg.connect(dsn, autocommit=True) as connection:
        dead = "UPDATE agentmem.active_memory SET dead_at = now(), due_at = now(), last_error = %s"
        connection.execute(dead, [" ".join(HOSTILE)])
    pages = [
        "/?q=deadline",
        f"/?q={quote(HOSTILE[3])}&as_of={quote(HOSTILE[1])}",
        "/memory",
        f"/memory?id={made.id}",
        f"/memory?id={made.id}&section={quote(HOSTILE[4])}",
        f"/memory?id={made.id}&edit=1&saved=1&run={quote(HOSTILE[3])}&q={quote(HOSTILE[1])}",
        f"/memory?id={quote(HOSTILE[2])}",
        "/reviews",
        f"/runs?run={report.run_id}",
        "/entities",
        f"/entities?name={quote(HOSTILE[1])}",
        "/queue",
        f"/?tenant={quote(HOSTILE[5])}",
    ]
    return tenant, pages


@contextmanager
def inspecting(dsn: str, *arguments: str, **environment: str) -> Iterator[Callable[[], str]]:
    """Starts `agentmem inspect` as a process of its own; when its address is asked for, waits until it answers."""
    command = [AGENTMEM, "inspect", "--dsn", dsn, "--port", "0", *arguments]
    with forking.Process(*command, env=os.environ | environment) as server:
        yield lambda: server.until_it_says("listening on ").removeprefix("listening on ").rstrip("/")
        server.send_signal(signal.SIGTERM)
        assert server.wait(60).returncode in {0, -signal.SIGTERM}
