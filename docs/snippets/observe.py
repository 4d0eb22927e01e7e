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
