"""Transcripts of conversations: their parts, and which messages these hold."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from langgraph_agentmem.models.active import MemoryTemplate, Section
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.storage import memories
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, columns, send
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.memories import MemoryRow

_SQL = statements("conversations")
_OWNER = "transcript_of"
"""In a transcript's metadata: the id of the conversation's memory."""


async def send_last_part(connection: Connection, external_id: str, namespace: Namespace) -> Deferred[Section | None]:
    """Ask for the last part of the transcript under a namespace."""
    params = {"external_id": external_id, "namespace": list(namespace)}
    return await send(
        connection, _SQL["last_part"], params, lambda rows: Section.model_validate(rows[0]) if rows else None
    )


async def send_noted(
    connection: Connection, external_id: str, namespace: Namespace, message_ids: Sequence[str]
) -> Deferred[set[str]]:
    """Ask which of these messages the transcript under a namespace holds."""
    params: Json = {"external_id": external_id, "namespace": list(namespace), "message_ids": list(message_ids)}

    def read(rows: list[DictRow]) -> set[str]:
        return {row["message_id"] for row in rows}

    return await send(connection, _SQL["noted_messages"], params, read)


async def send_embedded(
    connection: Connection, external_id: str, memory_id: int, namespace: Namespace, embedding_model: int
) -> Deferred[set[bytes]]:
    """Ask for the hashes of a conversation's chunks that have a vector of a model, as far as they may be written again.

    Those are the chunks of the memory's sections, and of the last part of the transcript under the namespace.
    """
    params: Json = {"external_id": external_id, "memory_id": memory_id, "namespace": list(namespace)}
    params["embedding_model"] = embedding_model
    sql = _SQL["embedded_in_conversation"]
    return await send(connection, sql, params, lambda rows: {row["content_hash"] for row in rows})


async def insert(
    connection: Connection, external_id: str, namespace: Namespace, title: str, memory_id: int
) -> MemoryRow | None:
    """A new transcript of a conversation's memory; None where there is one."""
    return await memories.insert(
        connection, external_id, namespace, title, MemoryTemplate(sections=()), {_OWNER: memory_id}
    )


async def note(connection: Connection, external_id: str, memory_id: int, noted: Sequence[tuple[str, str]]) -> None:
    """Note which messages a transcript's parts hold, as (message, section)."""
    params: Json = {"external_id": external_id, "memory_id": memory_id}
    params |= columns(list(noted), "noted_ids", "section_ids")
    await connection.execute(_SQL["note_messages"], params)


async def transcripts_of(connection: Connection, external_id: str, memory_id: int, *, closed: bool) -> list[int]:
    """The ids of a conversation's transcripts: open ones, or also closed ones."""
    params = {"external_id": external_id, "memory_id": memory_id, "closed": closed}
    return [row["id"] for row in await all_rows(connection, _SQL["transcripts_of"], params)]
