"""The ways in which conversations are written and searched: the package's own, and its peers.

    sections   each session is a section of a memory; `AgentMemory.search`
    replaced   one section, which each session replaces; consolidated by rules after each one
    items      each text is an item of `AgentMemoryStore`, all in one namespace; `store.search`
    AsyncPostgresStore   the same items in LangGraph's store, which needs an embedder
    BM25       of what is between spaces, in memory
    others     of `peers.py`, where they are installed

Each is opened with a database of its own.
"""

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from langgraph.store.base import BaseStore, PutOp
from langgraph.store.postgres.aio import AsyncPostgresStore
from peers import INSTALLED, PEERS
from talks import Conversation, Hit

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore

SESSIONS_A_MEMORY = 50
ITEMS_AT_ONCE = 1_000
REPLACED = "the last session"
K1, B = 1.2, 0.75
PUNCTUATION = ".,:;!?…\"'()[]{}<>„“”‚‘’«»。，、：；！？「」『』（）《》"


class Door(Protocol):
    """A way to write and to search."""

    async def write(self, talks: Sequence[Conversation]) -> None: ...

    async def add(self, talk: Conversation, id: str, text: str) -> None:
        """One more text."""
        ...

    async def ask(self, talk: Conversation, question: str, limit: int) -> Any:
        """What a caller gets."""
        ...

    def hits(self, talk: Conversation, answer: Any) -> list[Hit]:
        """What it says, best first; a text that is found in pieces, once for each."""
        ...


Opened = Callable[[str, Any, AgentMemorySettings], AbstractAsyncContextManager[Door]]
"""A door by a DSN, LangGraph's configuration of an index or None, and settings of the package."""


class Sections:
    def __init__(self, memory: AgentMemory) -> None:
        self.memory = memory

    async def write(self, talks: Sequence[Conversation]) -> None:
        for talk in talks:
            contents = {_section(n): talk.joined_by.join(texts.values()) for n, texts in enumerate(talk.sessions)}
            names = list(contents)
            for start in range(0, len(names), SESSIONS_A_MEMORY):
                part = {name: contents[name] for name in names[start : start + SESSIONS_A_MEMORY]}
                title = f"Talk from {names[start]}"
                await self.memory.acreate_active_memory(talk.name, title, {"sections": list(part)}, part)

    async def add(self, talk: Conversation, id: str, text: str) -> None:
        await self.memory.acreate_active_memory(talk.name, id, {"sections": ["added"]}, {"added": text})

    async def ask(self, talk: Conversation, question: str, limit: int) -> Any:
        return await self.memory.asearch(talk.name, question, limit=limit)

    def hits(self, talk: Conversation, answer: Any) -> list[Hit]:
        return [Hit(said_in(talk, hit.section_id, hit.content), len(hit.content)) for hit in answer]


class Replaced(Sections):
    async def write(self, talks: Sequence[Conversation]) -> None:
        for talk in talks:
            memory = await self.memory.acreate_active_memory(talk.name, "Talk", {"sections": [REPLACED]})
            for texts in talk.sessions:
                whole = {"section_id": REPLACED, "new_content": talk.joined_by.join(texts.values())}
                await self.memory.aupdate_active_memory_sections(talk.name, memory.id, [whole])
                await self.memory.aconsolidate(talk.name, memory.id)


def _section(number: int) -> str:
    return f"session {number}"


def said_in(talk: Conversation, section_id: str, content: str) -> str:
    """The text that a chunk of a section, or of an item, comes from.

    One that goes on into the next text comes from the one in which it begins.
    """
    _, session_of, number = section_id.partition("session ")
    if not session_of and section_id != REPLACED:
        return section_id
    session = talk.sessions[int(number)] if session_of else talk.texts
    begins = content.strip().partition("\n")[0]
    whole = (id for id, text in session.items() if content.strip() in text)
    return next(whole, None) or next(id for id, text in session.items() if begins in text)


class Items:
    def __init__(self, store: BaseStore) -> None:
        self.store = store

    async def write(self, talks: Sequence[Conversation]) -> None:
        puts = [PutOp(_place(talk), id, {"text": text}) for talk in talks for id, text in talk.texts.items()]
        for start in range(0, len(puts), ITEMS_AT_ONCE):
            await self.store.abatch(puts[start : start + ITEMS_AT_ONCE])

    async def add(self, talk: Conversation, id: str, text: str) -> None:
        await self.store.aput(_place(talk), id, {"text": text})

    async def ask(self, talk: Conversation, question: str, limit: int) -> Any:
        return await self.store.asearch(_place(talk), query=question, limit=limit)

    def hits(self, talk: Conversation, answer: Any) -> list[Hit]:
        return [Hit(hit.key, len(hit.value["text"])) for hit in answer]


def _place(talk: Conversation) -> tuple[str, ...]:
    return (talk.name, "texts")


@asynccontextmanager
async def sections(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Door]:
    async with AgentMemory.open(dsn, index=index, settings=settings) as memory:
        yield Sections(memory)


@asynccontextmanager
async def replaced(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Door]:
    async with AgentMemory.open(dsn, index=index, settings=settings) as memory:
        yield Replaced(memory)


@asynccontextmanager
async def items(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Door]:
    async with AgentMemoryStore.from_conn_string(dsn, index=index, settings=settings) as store:
        yield Items(store)


@asynccontextmanager
async def peer(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Door]:
    async with AsyncPostgresStore.from_conn_string(dsn, index={**index, "fields": ["text"]}) as store:
        await store.setup()
        yield Items(store)


class Bm25:
    """Plain BM25 over what is between spaces, in this process: the least that a search should find."""

    def __init__(self) -> None:
        self.texts: dict[str, dict[str, Counter[str]]] = {}

    async def write(self, talks: Sequence[Conversation]) -> None:
        for talk in talks:
            self.texts[talk.name] = {id: _tokens(text) for id, text in talk.texts.items()}

    async def add(self, talk: Conversation, id: str, text: str) -> None:
        self.texts[talk.name][id] = _tokens(text)

    async def ask(self, talk: Conversation, question: str, limit: int) -> Any:
        texts = self.texts[talk.name]
        usual = sum(words.total() for words in texts.values()) / len(texts)
        scores = dict.fromkeys(texts, 0.0)
        for word in _tokens(question):
            holding = [id for id, words in texts.items() if word in words]
            idf = math.log1p((len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
            for id in holding:
                times, length = texts[id][word], texts[id].total()
                scores[id] += idf * times * (K1 + 1) / (times + K1 * (1 - B + B * length / usual))
        return sorted((id for id in scores if scores[id]), key=lambda id: -scores[id])[:limit]

    def hits(self, talk: Conversation, answer: Any) -> list[Hit]:
        return [Hit(id, len(talk.texts[id])) for id in answer]


def _tokens(text: str) -> Counter[str]:
    return Counter(word for part in text.casefold().split() if (word := part.strip(PUNCTUATION)))


@asynccontextmanager
async def bm25(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Door]:
    yield Bm25()


DOORS: dict[str, Opened] = {
    "sections": sections, "replaced": replaced, "items": items, "AsyncPostgresStore": peer, "BM25": bm25, **INSTALLED,
}  # fmt: skip
MISSING = sorted(PEERS.keys() - INSTALLED)
OURS = ("sections", "replaced", "items")
WITHOUT_EMBEDDER = (*OURS, "BM25")
