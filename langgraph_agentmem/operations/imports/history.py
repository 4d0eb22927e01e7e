"""Reads the histories of langchain-postgres, and adds their messages to conversations."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from psycopg.rows import DictRow

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.conversation import Said
from langgraph_agentmem.models.imported import ImportReport
from langgraph_agentmem.operations.conversations import adding
from langgraph_agentmem.operations.imports.running import OnPassed, Tally, found, nobodys, run
from langgraph_agentmem.policies import importing, transcripts, validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import imports as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.imports import Part, SourceRows

_COLUMNS = ("id", "session_id", "message", "created_at")
_ADVICE = "PostgresChatMessageHistory.create_tables makes one; name its schema with schema="


class _Session(NamedTuple):
    """A conversation of a tenant."""

    tenant: str
    id: str


async def import_chat_history(
    resources: Resources,
    table: str,
    dsn: str | None,
    *,
    schema: str | None,
    tenant: object,
    on_progress: OnPassed | None,
) -> ImportReport:
    """See `Imports.achat_history`."""
    importing.checked_rule(tenant)
    history = _History(resources, validation.name(table, "table"), schema, tenant)
    return await run(resources, dsn, {table: history}, on_progress)


class _History:
    """Takes messages in.

    Args:
        resources: The open memory's.
        table: The history's.
        schema: Its schema.
        tenant: Whose a session is, asked by its id; by default each session is its own tenant.
    """

    def __init__(self, resources: Resources, table: str, schema: str | None, tenant: object) -> None:
        self._resources = resources
        self._table = table
        self._schema = schema
        self._tenant = tenant

    async def rows(self, connection: Connection) -> SourceRows:
        """See `Intake`."""
        return await storage.history_rows(
            connection, await found(connection, self._table, self._schema, _COLUMNS, _ADVICE)
        )

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for session, messages in self._sessions(rows, tally).items():
            tally.belongs(session.tenant)
            report = await adding.add(
                self._resources,
                session.tenant,
                map(_given, messages),
                title=session.id,
                memory_id=None,
                sections=None,
                source=importing.SOURCE,
                infer=False,
                on_progress=None,
            )
            tally.written += len(report.added)
            tally.known += report.known

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for session, messages in self._sessions(rows, nobodys()).items():
            parts = await self._parts(session, [said.id for said in messages])
            for said in messages:
                place = f"message {said.id} of session {session.id}"
                if said.id not in parts:
                    tally.differ(place, "it is not here")
                else:
                    _compare(place, said, parts[said.id], tally)

    def _sessions(self, rows: Sequence[DictRow], tally: Tally) -> dict[_Session, list[Said]]:
        """The messages that are kept, by session."""
        found: dict[_Session, list[Said]] = {}
        tenants: dict[str, str] = {}
        for row in rows:
            tally.read += 1
            session = row["session_id"]
            try:
                if session not in tenants:
                    tenants[session] = importing.tenant_of(self._tenant, session, session, f"session {session}")
                said = self._said(row)
            except InvalidInputError as error:
                tally.refuse(f"message {row['id']} of session {session}", error)
                continue
            if said is None:
                tally.skipped += 1
            else:
                found.setdefault(_Session(tenants[session], session), []).append(said)
        return found

    def _said(self, row: Mapping[str, Any]) -> Said | None:
        """A message as it is kept, redacted here already: one that is refused is to keep no other from it."""
        limit, redactor = self._resources.settings.max_content_chars, self._resources.redactor
        said = transcripts.read(importing.message(row, self._table), row["id"], limit=limit)
        if said is None:
            return None
        text, speaker = redactor.text(said.text, "message"), redactor.text(said.speaker, "message")
        speaker = speaker if speaker == said.speaker else said.role.capitalize()
        return said.model_copy(update={"text": text, "speaker": speaker}) if text.strip() else None

    async def _parts(self, session: _Session, ids: Sequence[str]) -> dict[str, Part]:
        """The parts of the session's transcript that hold messages, by their ids."""
        owner = Ownership(owner=self._resources.settings.store_owner)
        namespace = (*owner.default(session.tenant, session.id), transcripts.LABEL)
        async with self._resources.database.connection(session.tenant) as connection:
            read = await storage.send_parts(connection, session.tenant, namespace, ids)
        return {id: part for part in await read() for id in part.message_ids}


def _given(said: Said) -> Json:
    """A message, to be added."""
    fields = said.model_dump(include={"id", "role", "time"})
    return fields | {"content": said.text, "name": said.speaker, "time": said.time or None}


def _compare(place: str, said: Said, part: Part, tally: Tally) -> None:
    kept = importing.kept_as(part.value, said)
    if kept is not None and kept == said:
        tally.same(said.id, said.model_dump(), kept.model_dump())
    elif part.source == importing.SOURCE:  # else somebody has edited it since, and it stays as it is
        tally.differ(place, "another text of it is here, which an import has written")
