"""Looks at runs, and reports to OpenTelemetry."""

# [runs]
from langgraph_agentmem import AgentMemory

with AgentMemory.open() as memory:
    notes = memory.create_active_memory("alice", "Notes", {"sections": ["facts"]})
    for deadline in ("May 1", "June 1"):
        memory.update_active_memory_section("alice", notes.id, "facts", f"- Deadline: {deadline}")
        memory.consolidate("alice", notes.id)
    for run in memory.runs.list("alice"):  # the newest first
        print(run.id, run.status, run.resolver, run.usage.input_tokens, run.usage.cost)
        print(run.report.timings, run.report.lag_seconds, run.changed.superseded)
        for decision in run.report.decisions:
            print(decision.about, decision.action, decision.decided_by, decision.reason, decision.refused)
# [end]

# [dry_run]
with AgentMemory.open() as memory:
    memory.update_active_memory_section("alice", notes.id, "facts", "- Deadline: July 1")
    shown = memory.consolidate("alice", notes.id, dry_run=True)
    print(shown.status, shown.chunks_superseded, shown.usage.calls)  # dry_run 1 0
    print(shown.preview.conflicts.sections, shown.preview.plan, shown.preview.changes.superseded)
# [end]
assert (shown.status, shown.chunks_superseded) == ("dry_run", 1)

# [callbacks]
from langgraph_agentmem.models.run import ConsolidationRun


def on_run(run: ConsolidationRun) -> None:
    print(run.external_id, run.memory_id, run.status, run.error or run.report.updates_consumed)


async def on_dispute(review) -> None:
    print("somebody is to decide:", [dispute.verdict.reason for dispute in review.disputes])


with AgentMemory.open(on_run=on_run, on_dispute=on_dispute, review="manual") as memory:
    memory.consolidate("alice", notes.id)
# [end]

# [otel]
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

reader = InMemoryMetricReader()  # in an application: an exporter, or the agent that sets these up for you
metrics.set_meter_provider(MeterProvider([reader]))
trace.set_tracer_provider(TracerProvider())
# [end]
reader.get_metrics_data()
