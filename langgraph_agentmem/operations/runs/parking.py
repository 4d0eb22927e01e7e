"""Leaves a run's decisions to a person, and keeps away what a person has rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.resolved import ResolvedRun
from langgraph_agentmem.models.review import ProposedChange
from langgraph_agentmem.operations.runs import linking
from langgraph_agentmem.operations.runs.linking import RunWork
from langgraph_agentmem.policies import rejecting, reviewing
from langgraph_agentmem.policies.rejecting import RejectedChunk
from langgraph_agentmem.policies.reviewing import Because, ChangeKey
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, reviews
from langgraph_agentmem.storage.chunks import RunChunk
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.reviews import KnownDispute, NewDispute

Parked = list[tuple[ProposedChange, Because]]


@dataclass(frozen=True)
class Reserved:
    """A run's changes, and which of them are left to a person; made before the transaction, as a policy is asked."""

    run: ResolvedRun
    changes: list[ProposedChange]
    because: dict[ChangeKey, Because]

    def changes_of(self, run: ResolvedRun) -> list[ProposedChange]:
        """The changes of the run as it is now; its plan is another where it lost something under the lock."""
        return self.changes if run is self.run else reviewing.changes(run.conflicts, run.plan, run.decisions)


def reserved(resources: Resources, run: ResolvedRun) -> Reserved:
    """The parts of a run's plan that are left to a person; to be called outside a transaction, as a policy is asked."""
    changes = reviewing.changes(run.conflicts, run.plan, run.decisions)
    because = reviewing.reserved(changes, resources.review, resources.settings.max_superseded_per_run)
    return Reserved(run, changes, because)


async def without_rejected(connection: Connection, run: ResolvedRun) -> tuple[ResolvedRun, list[RejectedChunk]]:
    """A run without what a person has rejected, and its new chunks that say that again."""
    # mostly nothing was ever rejected, and nothing has to be hashed
    if not await reviews.any_rejected(connection, run.external_id, run.memory_id):
        return run, []
    new = [chunk for _, chunk in rejecting.new_chunks(run.conflicts, run.taken)]
    keys = rejecting.keys(run.conflicts, run.plan, new)
    rejected_at = await reviews.rejected(connection, run.external_id, run.memory_id, keys)
    written_at = await reviews.written_at(connection, run.external_id, _chunk_ids(run)) if rejected_at else {}
    left = rejecting.without_rejected(run.conflicts, run.plan, run.taken, rejected_at, written_at)
    # what is left out here takes the place of the former line about the same thing
    lines = {decision.about: decision for decision in (*run.decisions, *left.decisions)}
    changed = {"plan": left.plan, "conflicts": left.conflicts, "decisions": list(lines.values())}
    return run.model_copy(update=changed), left.rejected


def _chunk_ids(run: ResolvedRun) -> set[int]:
    ids = set(run.taken)
    ids |= {id for section in run.plan.sections for merge in section.merged for id in merge.chunk_ids}
    ids |= {id for conflict in run.conflicts.entities for id in conflict.active_entity.chunk_ids}
    return ids | {id for conflict in run.conflicts.relationships for id in conflict.active_relationship.chunk_ids}


async def parked(connection: Connection, run: ResolvedRun, reserved: Reserved) -> tuple[ResolvedRun, Parked]:
    """A run that leaves both values of what is reserved as they are, and what that is.

    What waits for a person already is not parked again, and what one has decided to keep stays so.
    """
    changes, why = reserved.changes_of(run), reserved.because
    existing = sorted({id for change in changes if change.section_id is not None for id in change.existing_ids})
    known = await reviews.about(connection, run.external_id, run.memory_id, existing)
    kept = {reviewing.key_of(change) for change in changes if any(_settles(dispute, change) for dispute in known)}
    new: Parked = [(c, why[key]) for c in changes if (key := reviewing.key_of(c)) in why and key not in kept]
    because: dict[ChangeKey, Because] = {reviewing.key_of(change): reason for change, reason in new}
    plan, decisions = reviewing.park(run.plan, run.decisions, changes, because, kept)
    return run.model_copy(update={"plan": plan, "decisions": decisions}), new


def _settles(dispute: KnownDispute, change: ProposedChange) -> bool:
    """Whether a dispute was about the same values, and is pending or has kept both."""
    same = (
        dispute.kind == change.kind
        and sorted(dispute.existing_ids) == sorted(change.existing_ids)
        and dispute.new_id == change.new_id
        and dispute.verdict.text == change.verdict.text
    )
    return same and (dispute.decision is None or dispute.decision.action == "keep_both")


async def log(
    work: RunWork, parked: Parked, entity_ids: Mapping[int, int], relationship_ids: Mapping[int, int]
) -> None:
    """Log what is left to a person, once the entities and relationships that are disputed have their ids."""
    linked = [change.existing_ids[0] for change, _ in parked if change.kind == "relationship"]
    stating = await reviews.supports(work.connection, work.external_id, [], linked)
    disputes: list[NewDispute] = []
    for change, because in parked:
        # marked: the chunks that a search is to show as disputed
        new_id, traits, marked = change.new_id, dict[str, Any](), [*change.existing_ids]
        if change.kind == "chunk":
            marked = [*change.existing_ids, *([change.new_id] if change.new_id else [])]
        elif change.kind == "entity":
            new_id, traits, marked = _entity(work, change, entity_ids)
        elif change.kind == "relationship":
            new_id, traits, marked = _relationship(work, change, relationship_ids)
            marked += [s.source.chunk_id for s in stating if s.relationship_id == change.existing_ids[0]]
        disputes.append(
            NewDispute(
                kind=change.kind,
                section_id=change.section_id,
                existing_ids=change.existing_ids,
                new_id=new_id,
                chunk_ids=sorted(set(marked)),
                verdict=change.verdict,
                traits=traits,
                because=because,
            )
        )
    work.parked = await reviews.insert(work.connection, work.external_id, work.run.memory_id, work.run.run_id, disputes)


def _entity(work: RunWork, change: ProposedChange, ids: Mapping[int, int]) -> tuple[int, Json, list[int]]:
    position = change.conflict or 0
    conflict = work.run.conflicts.entities[position]
    stored = next(entity for entity in conflict.shortterm_entities if entity.id == change.existing_ids[0])
    new = conflict.active_entity
    return ids[position], {"existing": stored.model_dump(), "new": new.model_dump()}, []


def _relationship(work: RunWork, change: ProposedChange, ids: Mapping[int, int]) -> tuple[int, Json, list[int]]:
    position = change.conflict or 0
    conflict = work.run.conflicts.relationships[position]
    stored = next(link for link in conflict.shortterm_relationships if link.id == change.existing_ids[0])
    new = conflict.active_relationship
    return ids[position], {"existing": stored.model_dump(), "new": new.model_dump()}, list(new.chunk_ids)


async def write_tombstones(work: RunWork, rejected: Sequence[RejectedChunk]) -> None:
    """End new chunks that say what a person has rejected; their other statements stay, as chunks of their own.

    An undo of the run changes nothing about that, so these are not among its changes.
    """
    if not rejected:
        return
    ids = await chunks.allocate(work.connection, len(rejected))
    leftovers = [
        RunChunk(id=id, section_id=chunk.section_id, content=chunk.leftover, origin="leftover")
        for id, chunk in zip(ids, rejected, strict=True)
        if chunk.leftover
    ]
    successors = {chunk.chunk_id: id for id, chunk in zip(ids, rejected, strict=True) if chunk.leftover}
    await chunks.supersede(
        work.connection,
        work.external_id,
        # True: although it is part of its section. Working memory keeps its text; what is remembered does not
        [(chunk.chunk_id, successors.get(chunk.chunk_id), True) for chunk in rejected],
    )
    await linking.insert_chunks(work, leftovers)
