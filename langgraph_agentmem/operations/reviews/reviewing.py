"""Carries out what a person decides about what a run has parked."""

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import InvalidInputError, ReviewConflictError, RunNotFoundError
from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.models.graph_change import EntityMerged, RelationshipEnded, RelationshipMerged, RunRecord
from langgraph_agentmem.models.review import Dispute, ReviewDecision, ReviewReport
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.operations.reviews import disputes, relinking
from langgraph_agentmem.operations.reviews.relinking import SOURCE, ReviewWork
from langgraph_agentmem.operations.runs.claiming import new_run_id
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.operations.runs.parting import Parting
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import deciding, validation
from langgraph_agentmem.policies.deciding import ChunkOutcome, NewText
from langgraph_agentmem.redaction import Redactor
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm, reviews, runs, support
from langgraph_agentmem.storage.chunks import RunChunk
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.runs import RunRow
from langgraph_agentmem.storage.vectors import EmbeddingModel

DecidedDisputes = list[tuple[Dispute, ReviewDecision]]


@dataclass(frozen=True)
class _Prepared:
    """What a review needs apart from the database: who decides what, and vectors of the texts that it may write."""

    resources: Resources
    decisions: Sequence[ReviewDecision]
    reviewer: str | None
    vectors: dict[str, list[float]]
    model: EmbeddingModel | None


async def review(
    resources: Resources, external_id: object, run_id: object, decisions: object, reviewer: object = None
) -> ReviewReport:
    """See `Reviews.adecide`."""
    tenant, id = validation.tenant(external_id), validation.uuid(run_id, "run_id")
    choices = deciding.read_decisions(decisions, limit=resources.settings.max_content_chars)
    choices = [_redacted(resources.redactor, choice) for choice in choices]
    who = None if reviewer is None else resources.redactor.text(validation.name(reviewer, "reviewer"), "review")
    async with resources.database.transaction(tenant) as connection:
        run = await _run(connection, tenant, id)
        expected = _decided(await _disputes(connection, tenant, id), choices, id)
    # embedding takes its time, so it is done without a lock, for the texts that the disputes lead to as they are now
    prepared = await _prepared(resources, expected, choices, who)
    async with resources.database.transaction(tenant) as connection:
        # a closed memory's disputes can be decided, too
        await freshness.lock(connection, resources, tenant, run.memory_id, closed=True)
        # run and disputes again: until the lock was had, somebody else may have decided them, or undone the run
        run = await _run(connection, tenant, id)
        decided = _open(_decided(await _disputes(connection, tenant, id), choices, id), id)
        report = await _carry_out(connection, prepared, run, decided) if decided else None
        left = await _disputes(connection, tenant, id)
    for _, decision in decided:
        telemetry.decided(decision.action)
    pending = [dispute.id for dispute in left if dispute.status == "pending"]
    return ReviewReport(run_id=id, disputes=left, pending=pending, report=report)


def _redacted(redactor: Redactor, decision: ReviewDecision) -> ReviewDecision:
    texts = {"reason": redactor.text(decision.reason, "review"), "text": redactor.optional(decision.text, "review")}
    return decision.model_copy(update=texts)


async def _run(connection: Connection, external_id: str, run_id: str) -> RunRow:
    run = await runs.get(connection, external_id, run_id)
    if run is None:
        raise RunNotFoundError(f"tenant {external_id!r} has no run {run_id}")
    return run


async def _disputes(connection: Connection, external_id: str, run_id: str) -> list[Dispute]:
    return await disputes.assembled(connection, external_id, await reviews.of_runs(connection, external_id, [run_id]))


def _decided(disputes_of_run: Sequence[Dispute], decisions: Sequence[ReviewDecision], run_id: str) -> DecidedDisputes:
    """Decisions with their disputes.

    Raises:
        InvalidInputError: The run has no such dispute, or it cannot be decided so.
    """
    known = {dispute.id: dispute for dispute in disputes_of_run}
    if strangers := [decision.dispute for decision in decisions if decision.dispute not in known]:
        has = f"it has {', '.join(map(str, known))}" if known else "it has left nothing to a person"
        raise InvalidInputError(f"run {run_id} has no dispute {strangers[0]}; {has}")
    pairs = [(known[decision.dispute], decision) for decision in decisions]
    for dispute, decision in pairs:
        deciding.check(dispute, decision)
    return pairs


def _open(decided: DecidedDisputes, run_id: str) -> DecidedDisputes:
    """Those that are still to be carried out.

    Raises:
        ReviewConflictError: Some were decided otherwise, or withdrawn.
    """
    against = {dispute.id: why for dispute, decision in decided if (why := _against(dispute, decision))}
    if against:
        raise ReviewConflictError(run_id, against)
    return [(dispute, decision) for dispute, decision in decided if dispute.status == "pending"]


def _against(dispute: Dispute, decision: ReviewDecision) -> str | None:
    if dispute.status == "withdrawn":
        return "withdrawn, as the run was undone"
    if dispute.status == "decided" and dispute.decision and not decision.same(dispute.decision):
        by = f" by {dispute.reviewer!r}" if dispute.reviewer else ""
        return f"decided already{by}: {dispute.decision.action}"
    return None


async def _prepared(
    resources: Resources, decided: DecidedDisputes, decisions: Sequence[ReviewDecision], reviewer: str | None
) -> _Prepared:
    texts = [text.text for dispute, decision in decided for text in _outcome(dispute, decision).texts]
    model = await resources.embedding_model()  # before the transaction: registering it wants the tables for itself
    vectors = await resources.embedder.embed(texts) if resources.embedder and texts else []
    return _Prepared(resources, decisions, reviewer, dict(zip(texts, vectors, strict=False)), model)


def _outcome(dispute: Dispute, decision: ReviewDecision) -> ChunkOutcome:
    return deciding.outcome(dispute, decision) if dispute.kind in {"chunk", "merge"} else ChunkOutcome()


async def _carry_out(
    connection: Connection, prepared: _Prepared, run: RunRow, decided: DecidedDisputes
) -> ConsolidationReport:
    shortterm = await longterm.shortterm(connection, run.external_id, run.memory_id)
    assert shortterm is not None  # the run that parked something has made it
    review_run_id = new_run_id()
    work = ReviewWork(
        connection=connection,
        external_id=run.external_id,
        memory_id=run.memory_id,
        run_id=review_run_id,
        recorder=await _recorder(connection, prepared.resources, run.external_id, review_run_id),
    )
    await _carry_out_on_chunks(work, prepared, decided, shortterm.id)
    rows = {row.id: row for row in await reviews.of_runs(connection, run.external_id, [run.id])}
    await relinking.record(work, [(rows[dispute.id], decision) for dispute, decision in decided])
    if work.outdated:
        raise ReviewConflictError(run.id, work.outdated)
    await work.recorder.write()
    await _keep_apart(work, prepared.resources)
    record = RunRecord(superseded=work.superseded, written=work.written, graph=work.recorder.changes)
    report = _report(work.run_id, record, run.id, decided, shortterm.id)
    await runs.log_review(connection, run, work.run_id, report=report, changes=record, worker=prepared.reviewer)
    choices = [decision for _, decision in decided]
    await reviews.close(connection, run.external_id, choices, reviewer=prepared.reviewer, review_run_id=work.run_id)
    await reviews.write_tombstones(connection, run.external_id, run.memory_id, work.rejected)
    return report


async def _keep_apart(work: ReviewWork, resources: Resources) -> None:
    """Keep promotions from making one what a person keeps apart, and part what they have made one."""
    await longterm.keep_apart(work.connection, work.external_id, work.apart)
    rows, _ = await graph.by_id(work.connection, work.external_id, [id for pair in work.apart for id in pair], [])
    joined = [
        new
        for new, existing in work.apart
        if rows[new].longterm_id is not None and rows[new].longterm_id == rows[existing].longterm_id
    ]
    parting = Parting(work.connection, resources, work.external_id, source=SOURCE, run_id=work.run_id)
    await parting.follow(apart=joined)


async def _recorder(connection: Connection, resources: Resources, external_id: str, run_id: str) -> GraphRecorder:
    by = Authorship(SOURCE, {"run_id": run_id}, await graph.transaction_time(connection), run_id)
    return GraphRecorder(connection, external_id, by, language=resources.settings.text_search_config)


async def _carry_out_on_chunks(
    work: ReviewWork, prepared: _Prepared, decided: DecidedDisputes, shortterm_memory_id: int
) -> None:
    outcomes = {dispute.id: _outcome(dispute, decision) for dispute, decision in decided}
    work.outdated |= {id: outcome.outdated for id, outcome in outcomes.items() if outcome.outdated}
    work.rejected += [(id, key) for id, outcome in outcomes.items() for key in outcome.rejected]
    texts = [text for outcome in outcomes.values() for text in outcome.texts]
    ids = await chunks.allocate(work.connection, len(texts))
    pairs: list[tuple[int, int | None, bool]] = [
        (old, new, True) for outcome in outcomes.values() for old, new in outcome.superseded
    ]
    pairs += [(old, id, True) for id, text in zip(ids, texts, strict=True) for old in text.replaces]
    first = {old: (old, new, forced) for old, new, forced in reversed(pairs)}  # two disputes may end the same chunk
    ended = await chunks.supersede(work.connection, work.external_id, list(first.values()))
    await _write(work, prepared, dict(zip(ids, texts, strict=True)), shortterm_memory_id)
    work.superseded += ended
    work.written += ids


async def _write(work: ReviewWork, prepared: _Prepared, texts: dict[int, NewText], shortterm_memory_id: int) -> None:
    new = [
        RunChunk(
            id=id,
            section_id=text.section_id,
            content=text.text,
            origin=text.origin,
            embedding=prepared.vectors.get(text.text),
        )
        for id, text in texts.items()
    ]
    await chunks.insert(
        work.connection,
        work.external_id,
        work.memory_id,
        new,
        run_id=work.run_id,
        shortterm_memory_id=shortterm_memory_id,
        source=prepared.reviewer or SOURCE,
        language=prepared.resources.settings.text_search_config,
        model=prepared.model,
    )
    inherited = [(source, id, text.text) for id, text in texts.items() for source in text.sources]
    await support.inherit_mentions(work.connection, work.external_id, inherited)


def _report(
    review_run_id: str, record: RunRecord, run_id: str, decided: DecidedDisputes, shortterm_memory_id: int
) -> ConsolidationReport:
    return ConsolidationReport(
        status="applied",
        run_id=review_run_id,
        shortterm_memory_id=shortterm_memory_id,
        review_of=run_id,
        sections=sorted({dispute.section_id for dispute, _ in decided if dispute.section_id is not None}),
        chunks_superseded=len(record.superseded),
        chunks_merged=len(record.written),
        entities_merged=len(record.of(EntityMerged)),
        relationships_merged=len(record.of(RelationshipMerged)),
        relationships_ended=len(record.of(RelationshipEnded)),
        decisions=[
            Decision(about=_about(dispute), action=decision.action, decided_by="person", reason=decision.reason)
            for dispute, decision in decided
        ],
    )


def _about(dispute: Dispute) -> About:
    ids = tuple(value.id for value in dispute.existing if value.id is not None)
    return About(kind=dispute.kind, section_id=dispute.section_id, ids=ids, dispute=dispute.id)
