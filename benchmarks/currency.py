"""Whether what holds now comes before what it took the place of.

The updates of knowledge of BEAM's chats: a statement, a later one that takes its place, and a question whose answer the
later one has. They are asked in two ways:

    replaced   the later text replaces the earlier one in its section, which is consolidated before and after, without a
               chat model; once with statements (where the file has them as `notes`, the earlier one first), once with
               the first paragraphs of the messages that say them. All of a tenant are the sections of one memory
    both       all messages of the chat are there, a section for each session or an item for each message, dated as the
               chat dates them: a message is valid a minute after the one before it in its session

`first` is how often the later one is the best hit, `above` how often it is found, and before the earlier one.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from doors import DOORS, OURS, WITHOUT_EMBEDDER, said_in
from recall import index_of
from server import database
from talks import Conversation
from writing import rewritten, table

from langgraph_agentmem import AgentMemory, AgentMemorySettings

ABILITY = "knowledge_update"
ASKED_FOR = 60
Moments = dict[tuple[str, str], datetime]
"""When a message was written, by the names of chat and message."""
HEADER = ["way", "questions", "first", "above", "place of the later, median"]


@dataclass(frozen=True)
class Update:
    """A question about what has changed.

    Attributes:
        chat: The tenant's name.
        sides: Ids of the messages that say the earlier and the later one.
        texts: The earlier and the later one themselves.
    """

    chat: str
    question: str
    sides: tuple[set[str], set[str]]
    texts: tuple[str, str]


@dataclass(frozen=True)
class Places:
    """Where the earlier and the later one were found, from 1; None where not."""

    earlier: int | None
    later: int | None

    @property
    def above(self) -> bool:
        return self.later is not None and (self.earlier is None or self.later < self.earlier)


def updates(chats: Sequence[dict[str, Any]], *, statements: bool) -> Iterator[Update]:
    """Those of the chats, with their statements or what the first message of either side begins with."""
    for chat in chats:
        messages = {message["id"]: message["text"] for message in chat["messages"]}
        for asked in chat["questions"]:
            if asked["ability"] != ABILITY or len(asked["gold"]) < 2:
                continue
            earlier, later = asked.get("sides") or (asked["gold"][:-1], asked["gold"][-1:])
            said = (messages[earlier[0]].strip().partition("\n")[0], messages[later[0]].strip().partition("\n")[0])
            texts = asked.get("notes") if statements else said
            if texts:
                sides = ({str(id) for id in earlier}, {str(id) for id in later})
                yield Update(str(chat["chat"]), asked["question"], sides, (texts[0], texts[-1]))


async def measure(
    chats: Sequence[dict[str, Any]], talks: Sequence[Conversation], server: str, given: argparse.Namespace
) -> None:
    """Print all ways.

    Args:
        chats: As they are in the file.
        talks: The same as conversations.
        server: Its DSN.
        given: Options.
    """
    index = index_of(given)
    rows: list[list[str]] = []
    for name, statements in (("statements", True), ("messages", False)):
        asked = list(updates(chats, statements=statements))
        if asked and "sections" in given.doors:
            rows.append(_row(f"replaced, {name}", await _replaced(asked, database(server), index)))
    asked, named = list(updates(chats, statements=False)), {talk.name: talk for talk in talks}
    for door in given.doors:
        if index is not None or door in WITHOUT_EMBEDDER:
            places = await _both(door, named, _moments(chats), asked, database(server), index)
            rows.append(_row(f"both, {door}", places))
    print(f"### Currency, {'with ' + given.onnx if given.onnx else 'words only'}\n")
    table(HEADER, rows)


def _row(name: str, places: Sequence[Places]) -> list[str]:
    first = statistics.mean(place.later == 1 for place in places)
    above = statistics.mean(place.above for place in places)
    later = statistics.median(place.later or ASKED_FOR + 1 for place in places)
    return [name, str(len(places)), f"{100 * first:.0f} %", f"{100 * above:.0f} %", f"{later:.1f}"]


async def _replaced(asked: Sequence[Update], dsn: str, index: Any) -> list[Places]:
    async with AgentMemory.open(dsn, index=index) as memory:
        sections = [f"fact {number}" for number in range(len(asked))]
        created = await memory.acreate_active_memory("user", "What is known", {"sections": sections})
        for side in (0, 1):
            for section, update in zip(sections, asked, strict=True):
                await rewritten(memory, "user", created.id, section, update.texts[side])
        places: list[Places] = []
        for section, update in zip(sections, asked, strict=True):
            hits = await memory.asearch("user", update.question, limit=ASKED_FOR)
            said = [(hit.section_id == section, hit.content.strip()) for hit in hits]
            later = [own and text in update.texts[1] for own, text in said]
            earlier = [
                own and text in update.texts[0] and not new for (own, text), new in zip(said, later, strict=True)
            ]
            places.append(Places(_place(earlier), _place(later)))
    return places


async def _both(
    name: str, talks: dict[str, Conversation], moments: Moments, asked: Sequence[Update], dsn: str, index: Any
) -> list[Places]:
    async with DOORS[name](dsn, index, AgentMemorySettings()) as door:
        await door.write(list(talks.values()))
        if name in OURS:
            for talk in talks.values():
                await door.ask(talk, "chunks are cut by the first search", 1)
                _date(dsn, talk, moments)
        places: list[Places] = []
        for update in asked:
            talk = talks[update.chat]
            ids = [hit.id for hit in door.hits(talk, await door.ask(talk, update.question, ASKED_FOR))]
            earlier, later = ([id in side for id in ids] for side in update.sides)
            places.append(Places(_place(earlier), _place(later)))
    return places


def _date(dsn: str, talk: Conversation, moments: Moments) -> None:
    """Let a tenant's chunks, and its items, be as old as their messages."""
    with psycopg.connect(dsn) as connection:
        chunks = connection.execute(
            "SELECT id, section_id, content FROM agentmem.memory_chunk WHERE external_id = %s", (talk.name,)
        ).fetchall()
        of_chunks = [(id, moments[talk.name, said_in(talk, section, content)]) for id, section, content in chunks]
        connection.execute(
            "UPDATE agentmem.memory_chunk c SET start_date = u.moment, last_updated = u.moment "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS u (id, moment) WHERE c.external_id = %s AND c.id = u.id",
            (*map(list, zip(*of_chunks, strict=True)), talk.name),
        )
        connection.execute(
            "UPDATE agentmem.section s SET created_at = u.moment, updated_at = u.moment "
            "FROM unnest(%s::text[], %s::timestamptz[]) AS u (id, moment) "
            "WHERE s.external_id = %s AND s.section_id = u.id",
            (list(talk.texts), [moments[talk.name, id] for id in talk.texts], talk.name),
        )


def _moments(chats: Sequence[dict[str, Any]]) -> Moments:
    moments: Moments = {}
    for chat in chats:
        told: dict[Any, int] = {}
        for message in chat["messages"]:
            began = datetime.strptime(message["time"], "%B-%d-%Y").replace(tzinfo=UTC)
            place = told[message["session"]] = told.get(message["session"], 0) + 1
            moments[str(chat["chat"]), str(message["id"])] = began + timedelta(minutes=place)
    return moments


def _place(found: Sequence[bool]) -> int | None:
    return next((place for place, yes in enumerate(found, 1) if yes), None)
