"""Adds messages to a conversation: batch by batch, each with its facts in one transaction, each message once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from langgraph_agentmem.models.active import ActiveMemory, MemoryTemplate, Section, content_of
from langgraph_agentmem.models.chunk import Vectors
from langgraph_agentmem.models.conversation import AddReport, NotedFact, ProposedFacts, RefusedFact, Said
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.conversations.learning import Learner, Learnt
from langgraph_agentmem.operations.sections import embeddings, memories, values
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.policies import noting, transcripts, validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.policies.templates import read_template
from langgraph_agentmem.redaction import Redactor
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import conversations as storage
from langgraph_agentmem.storage import memories as memory_storage
from langgraph_agentmem.storage import sections as section_storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.offloading import worked
from langgraph_agentmem.storage.driver.rows import Deferred, as_json, received
from langgraph_agentmem.storage.driver.translation import RefusedError
from langgraph_agentmem.storage.memories import MemoryRow
from langgraph_agentmem.storage.values import ValueBatch, Written

_AT_ONCE = 200
_MOST_CHARS = 400_000
_CHARS_PER_TOKEN = 4
OnProgress = Callable[[int], object]


@dataclass(frozen=True)
class _Place:
    """Where messages are added.

    Attributes:
        namespace: Of the conversation's memory.
        title: Of its transcript.
        source: Who writes.
    """

    tenant: str
    memory_id: int
    namespace: Namespace
    title: str
    source: str

    @property
    def transcript(self) -> Namespace:
        return (*self.namespace, transcripts.LABEL)


@dataclass(frozen=True)
class _Seen:
    """A conversation, as it was looked at.

    Attributes:
        sections: The memory's text sections, as far as they are listed.
        part: The last of the transcript.
        known: Which of the messages it holds.
        embedded: Hashes of chunks that have a vector.
    """

    memory: MemoryRow
    sections: Mapping[str, Section]
    transcript: MemoryRow | None
    part: Section | None
    known: set[str]
    embedded: set[bytes]


@dataclass(frozen=True)
class _Decided:
    """What is written of a batch of messages.

    Attributes:
        facts: Into the memory's sections; None where nothing is.
        parts: Into the transcript's; the id of a transcript that is still to be made is None.
        noted: Each message that is new, with the part that holds it.
    """

    facts: ValueBatch | None
    parts: ValueBatch | None
    noted: Sequence[tuple[str, str]]
    written: Sequence[NotedFact]
    refused: Sequence[RefusedFact]

    @property
    def writes(self) -> list[SectionWrite]:
        return [write for batch in (self.facts, self.parts) if batch for write in batch.writes]


@dataclass(frozen=True)
class _Stored:
    """What a batch has come to."""

    decided: _Decided
    written: Sequence[Written]
    unembedded: int
    transcript_id: int | None
    will_consolidate: bool


async def add(
    resources: Resources,
    external_id: object,
    messages: Iterable[object],
    *,
    title: object,
    memory_id: object,
    sections: MemoryTemplate | Mapping[str, Any] | None,
    source: object,
    infer: bool,
    on_progress: OnProgress | None,
) -> AddReport:
    """See `AgentMemory.aadd`."""
    tenant = validation.tenant(external_id)
    validation.function(on_progress, "on_progress")
    validation.flag(infer, "infer")
    source = resources.redactor.text(validation.name(source, "source"), "message")
    # checked also where there is a memory; those by default are right
    template = None if sections is None else _template(sections, limit=resources.settings.max_content_chars)
    memory = await _memory(resources, tenant, title, memory_id, template)
    owner = Ownership(owner=resources.settings.store_owner)
    title = owner.title((*memory.namespace, transcripts.LABEL))
    place = _Place(tenant, memory.id, memory.namespace, title, source)
    learner = Learner(resources, resources.model if infer else None)
    report = AddReport(memory_id=memory.id, inferred=learner.model is not None)
    budget = resources.settings.extraction_token_budget * _CHARS_PER_TOKEN
    chars = _MOST_CHARS if learner.model is None else min(budget, _MOST_CHARS)
    limit = resources.settings.max_content_chars
    for passed, batch in transcripts.batches(messages, _AT_ONCE, chars, limit=limit):
        kept = [_redacted(resources.redactor, said) for said in batch]
        report = _skipping(await _added(resources, place, learner, kept, report), passed)
        if on_progress is not None:
            on_progress(passed)
    return report


async def _memory(
    resources: Resources,
    tenant: str,
    title: object,
    memory_id: object,
    template: MemoryTemplate | None,
) -> ActiveMemory | MemoryRow:
    if memory_id is not None:
        return await memories.get(resources, tenant, memory_id)
    if (known := await memories.find(resources, tenant, title)) is not None:
        return known
    made = template or {"sections": noting.DEFAULT_SECTIONS}
    return await memories.create(resources, tenant, title, made, None, None, namespace=None, exist_ok=True)


def _template(sections: object, *, limit: int) -> MemoryTemplate:
    """The sections of a memory that is made."""
    whole = isinstance(sections, MemoryTemplate) or (isinstance(sections, str | Mapping) and "sections" in sections)
    return read_template(cast("Any", sections) if whole else {"sections": sections}, limit=limit)


def _redacted(redactor: Redactor, said: Said) -> Said:
    redactor.name(said.id, "the id of a message")
    text, speaker = redactor.text(said.text, "message"), redactor.text(said.speaker, "message")
    # what is left of a name would be no speaker's
    known = said.speaker if speaker == said.speaker else said.role.capitalize()
    return said.model_copy(update={"text": text, "speaker": known})


def _skipping(report: AddReport, passed: int) -> AddReport:
    return report.model_copy(update={"skipped": passed - len(report.added) - report.known})


async def _added(
    resources: Resources, place: _Place, learner: Learner, batch: Sequence[Said], report: AddReport
) -> AddReport:
    """The report with what adding a batch has come to."""
    seen = await _looked(resources, place, batch)
    new = _unknown(batch, seen.known)
    if not new:
        known = {"known": report.known + len(batch), "transcript_id": seen.transcript and seen.transcript.id}
        return report.model_copy(update=known)
    learnt = await learner.learn(seen.sections, new)
    decided = await _decided(resources, place, seen, new, learnt.proposed)
    chunks = [write.chunks or [] for write in decided.writes]
    vectors = await embeddings.vectors_for(resources, chunks, seen.embedded)

    async def attempt(locked: bool) -> _Stored:
        return await _attempt(resources, place, batch, learnt.proposed, vectors, None if locked else (seen, decided))

    done = await values.attempted("conversation", attempt)
    for written in done.written:
        await values.tell(resources, place.tenant, written)
    if done.unembedded and resources.embedder_now:
        await embeddings.embed_what_is_left(resources, place.tenant)
    return _reported(report, batch, learnt, done)


def _unknown(batch: Sequence[Said], known: set[str]) -> list[Said]:
    """The messages that are to be kept: the first of each id that the transcript does not hold."""
    first: dict[str, Said] = {}
    for said in batch:
        first.setdefault(said.id, said)
    return [said for id, said in first.items() if id not in known]


def _reported(report: AddReport, batch: Sequence[Said], learnt: Learnt, done: _Stored) -> AddReport:
    added = [id for id, _ in done.decided.noted]
    return report.model_copy(
        update={
            "transcript_id": done.transcript_id,
            "added": report.added + added,
            "known": report.known + len(batch) - len(added),
            "facts": [*report.facts, *done.decided.written],
            "refused": [*report.refused, *done.decided.refused],
            "failures": report.failures + ([learnt.failure] if learnt.failure else []),
            "usage": report.usage + learnt.usage,
            "will_consolidate": done.will_consolidate,
        }
    )


async def _looked(resources: Resources, place: _Place, batch: Sequence[Said]) -> _Seen:
    """The conversation as it is, in one round trip."""
    model = None if resources.embedder_now is None else await resources.embedding_model()
    async with resources.database.transaction(place.tenant) as connection:
        seen = await _send(connection, place, batch, embedding_model=model and model.id)
    return await seen()


async def _send(
    connection: Connection, place: _Place, batch: Sequence[Said], *, lock: bool = False, embedding_model: int | None
) -> Deferred[_Seen]:
    """Ask for the conversation.

    With `lock`, its memory is locked first and then its transcript, as writers do. That is made if it is missing, so
    that nobody else makes it meanwhile.
    """
    tenant, under = place.tenant, place.transcript
    memory = await memory_storage.send_get(connection, tenant, place.memory_id, lock=lock)
    if lock:
        await storage.insert(connection, tenant, under, place.title, place.memory_id)
        await section_storage.lock_memories(connection, tenant, [under])
    listed = await section_storage.send_listed(connection, tenant, place.memory_id, [])
    # each statement sees what was committed before it: the part first, so that what is written over it is refused where
    # one of the messages came into it since; the transcript last, as it is there if one of them is known
    part = await storage.send_last_part(connection, tenant, under)
    known = await storage.send_noted(connection, tenant, under, [said.id for said in batch])
    transcript = await memory_storage.send_by_namespace(connection, tenant, under)
    embedded = received(set[bytes]())
    if embedding_model is not None:
        embedded = await storage.send_embedded(connection, tenant, place.memory_id, under, embedding_model)

    async def seen() -> _Seen:
        row = memories.existing(await memory(), tenant, place.memory_id)
        sections = {s.section_id: s for s in await listed() if s.value.keys() <= {"content"}}
        return _Seen(row, sections, await transcript(), await part(), await known(), await embedded())

    return seen


async def _decided(
    resources: Resources, place: _Place, seen: _Seen, new: Sequence[Said], proposed: ProposedFacts
) -> _Decided:
    """What is written of messages into a conversation as it is."""
    settings = resources.settings
    size = sum(len(said.text) for said in new) + (len(content_of(seen.part.value)) if seen.part else 0)
    return await worked(size, lambda: _decide(settings, place, seen, new, proposed))


def _decide(
    settings: AgentMemorySettings, place: _Place, seen: _Seen, new: Sequence[Said], proposed: ProposedFacts
) -> _Decided:
    texts = {id: section.content for id, section in seen.sections.items()}
    noted = noting.noted(texts, proposed, new, limit=settings.max_content_chars)
    facts = [_fact_write(settings, place, seen.sections[id], text) for id, text in noted.texts.items()]
    last = (seen.part.section_id, seen.part.value) if seen.part else None
    parts = list(transcripts.appended(last, new, settings.chunk_size_chars))
    writes = [_part_write(settings, place, seen.part, id, value) for id, value, _ in parts]
    transcript_id = seen.transcript and seen.transcript.id
    by_part = [(said.id, id) for id, _, messages in parts for said in messages]
    return _Decided(
        ValueBatch(place.tenant, facts, place.source, edits=True, memory_id=place.memory_id) if facts else None,
        ValueBatch(place.tenant, writes, place.source, memory_id=transcript_id) if writes else None,
        by_part,
        noted.facts,
        noted.refused,
    )


def _fact_write(settings: AgentMemorySettings, place: _Place, section: Section, text: str) -> SectionWrite:
    value = {"content": text}
    return SectionWrite(
        namespace=place.namespace,
        section_id=section.section_id,
        json_text=as_json(value),
        fields=section.text_fields,
        expected=section.revision,
        chunks=pieces(value, section.text_fields, settings),
    )


def _part_write(
    settings: AgentMemorySettings, place: _Place, last: Section | None, id: str, value: dict[str, Any]
) -> SectionWrite:
    return SectionWrite(
        namespace=place.transcript,
        section_id=id,
        json_text=as_json(value),
        fields=transcripts.FIELDS,
        expected=last.revision if last and last.section_id == id else 0,
        chunks=pieces(value, transcripts.FIELDS, settings),
    )


async def _attempt(
    resources: Resources,
    place: _Place,
    batch: Sequence[Said],
    proposed: ProposedFacts,
    vectors: Vectors,
    known: tuple[_Seen, _Decided] | None,
) -> _Stored:
    """Write a batch in a transaction: as it was decided, or as it is decided anew behind the locks."""
    async with resources.database.transaction(place.tenant) as connection:
        if known is None:
            seen = await (await _send(connection, place, batch, lock=True, embedding_model=None))()
            decided = await _decided(resources, place, seen, _unknown(batch, seen.known), proposed)
            # another caller was faster with these messages, and with what they tell
            decided = decided if decided.noted else replace(decided, facts=None, written=(), refused=())
        else:
            seen, decided = known
        sent = [await values.send(connection, resources, _with(vectors, decided.facts))] if decided.facts else []
        transcript_id = seen.transcript and seen.transcript.id
        if decided.parts:
            transcript_id = transcript_id or await _made(connection, place)
            parts = replace(_with(vectors, decided.parts), memory_id=transcript_id)
            sent.append(await values.send(connection, resources, parts))
            await storage.note(connection, place.tenant, transcript_id, decided.noted)
        memory = await memory_storage.send_get(connection, place.tenant, place.memory_id)
        transcript = await memory_storage.send_by_namespace(connection, place.tenant, place.transcript)
    rows = [row for row in (await memory(), await transcript()) if row is not None]
    due = any(memories.info(resources.settings, r.pending_updates, r.section_count).will_consolidate for r in rows)
    written = [await answer() for answer, _ in sent]
    return _Stored(decided, written, sum([await unembedded() for _, unembedded in sent]), transcript_id, due)


async def _made(connection: Connection, place: _Place) -> int:
    """The id of a transcript that is made.

    Raises:
        RefusedError: Somebody else has made it since it was looked for.
    """
    row = await storage.insert(connection, place.tenant, place.transcript, place.title, place.memory_id)
    if row is None:
        raise RefusedError("somebody else has made the transcript in between")
    return row.id


def _with(vectors: Vectors, batch: ValueBatch) -> ValueBatch:
    return replace(batch, writes=[replace(write, vectors=vectors) for write in batch.writes])
