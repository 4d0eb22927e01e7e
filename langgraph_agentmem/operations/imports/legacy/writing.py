"""What the entities and the relationships of an older system have in common, as they are written and compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from langgraph_agentmem.models.legacy_graph import LegacyChange, LegacyEntity, LegacyThing, PresentThing
from langgraph_agentmem.operations.imports.running import Tally
from langgraph_agentmem.policies import legacy_graph as policy
from langgraph_agentmem.redaction import Redactor
from langgraph_agentmem.storage import graph, longterm, memories
from langgraph_agentmem.storage import legacy_graph as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import HistoryEntry

_Thing = TypeVar("_Thing", bound=LegacyThing)


def redacted(redactor: Redactor, thing: _Thing) -> _Thing:
    """A thing with its texts as they may be kept."""
    traits = thing.traits.model_copy(
        update={
            "types": redactor.value(thing.traits.types, "memory"),
            "description": redactor.text(thing.traits.description, "memory"),
        }
    )
    history = [each.model_copy(update={"entry": redactor.value(each.entry, "memory")}) for each in thing.history]
    return thing.model_copy(update={"traits": traits, "history": history})


async def lock(connection: Connection, external_id: str, things: Iterable[PresentThing]) -> None:
    """Lock the memories of short-term things, open or closed, and then the tenant's long-term ones."""
    for memory_id in sorted({thing.memory_id for thing in things if thing.memory_id is not None}):
        await memories.lock_any(connection, external_id, memory_id)
    await longterm.lock_tenant(connection, external_id)


async def add_history(
    connection: Connection, external_id: str, written: Mapping[int, LegacyThing], known: Mapping[int, int]
) -> None:
    """Append to the histories of things what the source says of them.

    Args:
        connection: In a transaction that holds their locks.
        external_id: The tenant.
        written: By their ids.
        known: How many entries imports have written of them before.
    """
    behind = [(id, thing, change) for id, thing in written.items() for change in thing.history[known.get(id, 0) :]]
    ids = await storage.shortterm_ids(connection, external_id, _givers([change for _, _, change in behind]))
    entries = [
        HistoryEntry(
            entity_id=id if isinstance(thing, LegacyEntity) else None,
            relationship_id=None if isinstance(thing, LegacyEntity) else id,
            change=policy.entry(change, ids),
        )
        for id, thing, change in behind
    ]
    await graph.add_history(connection, external_id, entries)


def compare(wanted: LegacyThing, present: PresentThing | None, tally: Tally) -> None:
    """Compare what stands here with the source."""
    fate = policy.fate(wanted, present)
    if present is None:
        tally.differ(wanted.place, "it is not here")
    elif fate == "newer":
        tally.differ(wanted.place, "it is described otherwise here, as an import has written it")
    elif present.history < len(wanted.history) and fate == "same":
        reason = f"of the {len(wanted.history):,} entries of its history, {present.history:,} are here"
        tally.differ(wanted.place, reason)
    elif fate == "same":
        theirs, ours = (traits.model_dump() for traits in (wanted.traits, present.traits))
        tally.same(wanted.place, theirs, ours)


def _givers(changes: Sequence[LegacyChange]) -> list[tuple[str, ...]]:
    return sorted({change.giver for change in changes if change.giver is not None})
