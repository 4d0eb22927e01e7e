"""What can be seen from outside: the log of runs, spans, metrics, traces, logs; and that none of it quotes memory."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from fakes import ScriptedModel, TurnsModel, WordEmbedder
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from waiting import until_waiting

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware, MemoryWorker, telemetry
from langgraph_agentmem.errors import EmbeddingError, RunsFailedError
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.operations.queue import measuring

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]
NODES = ["claim", "extract", "conflicts", "resolve", "apply"]
CANARY = "Zanzibar"
OLD, NEW = f"The {CANARY} venue is the town hall.", f"The {CANARY} venue was booked in Rome."


def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Finds the canary as an entity; keeps what is in question."""
    if name == "Extraction":
        ids = [chunk["id"] for chunk in data["chunks"]]
        return {"entities": [{"name": CANARY, "types": ["place"], "description": f"{CANARY}!", "chunk_ids": ids}]}
    return {}


async def story(memory: AgentMemory, tenant: str = "alice") -> list[str]:
    """Two consolidations of one memory, the second with an open question; the runs' ids."""
    created = await memory.acreate_active_memory(tenant, "Project", {"sections": ["notes"]})
    found: list[str] = []
    for content in (OLD, NEW):
        await memory.aupdate_active_memory_section(tenant, created.id, "notes", content)
        found.append(str((await memory.aconsolidate(tenant, created.id)).run_id))
    return found


# The log of runs


async def test_runs_tell_timings_lag_tokens_cost_and_what_changed(opened: Open) -> None:
    prices = {"input_token_price": 2.0, "output_token_price": 10.0, "avg_section_update_count": 1}
    memory = opened(model=ScriptedModel(answer=answer), settings={**prices, "shortterm_update_threshold": 2})
    _, second = await story(memory)
    run = next(run for run in await memory.runs.alist("alice") if run.id == second)
    assert run.report is not None
    assert set(run.report.timings) == {*NODES, "promote"}
    assert all(seconds > 0 for seconds in run.report.timings.values())
    assert run.report.lag_seconds is not None
    assert run.report.lag_seconds > 0
    assert (run.usage.calls, run.usage.input_tokens, run.usage.output_tokens) == (2, 200, 20)
    assert run.usage.cost == pytest.approx((200 * 2 + 20 * 10) / 1e6)
    assert run.changed is not None
    assert len(run.changed.superseded) == run.report.chunks_superseded == 0
    assert run.report.chunks_unclear == 1
    assert len(run.changed.entities_merged) == run.report.entities_merged == 1


async def test_a_run_of_a_memory_that_was_not_due_has_no_lag_and_without_prices_no_cost(opened: Open) -> None:
    memory = opened(model=ScriptedModel(answer=answer))
    run = next(run for run in await memory.runs.alist("alice") if run.id) if await story(memory) else None
    assert run is not None
    assert run.report is not None
    assert (run.report.lag_seconds, run.usage.cost) == (None, None)


def test_a_cost_is_known_if_all_calls_have_one() -> None:
    known, unknown = ModelUsage(calls=1, cost=0.5), ModelUsage(calls=1)
    assert (ModelUsage() + known + known).cost == 1.0
    assert (known + unknown).cost is None
    assert ModelUsage().cost is None
    assert known.priced(1, 1).cost == 0.5
    assert ModelUsage(calls=1, input_tokens=1_000_000, output_tokens=500_000).priced(2, 4).cost == 4.0
    assert ModelUsage(calls=1, input_tokens=1).priced(2, None).cost is None


# OpenTelemetry


def points(otel: SimpleNamespace) -> dict[str, list[Any]]:
    """The data points of the package's metrics, by name."""
    data = otel.reader.get_metrics_data()
    if data is None:
        return {}
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    ours = [scope for scope in scopes if scope.scope.name == "langgraph_agentmem"]
    return {metric.name: list(metric.data.data_points) for scope in ours for metric in scope.metrics}


def total(otel: SimpleNamespace, name: str) -> float:
    """The sum, or the number of observations, of a metric over its attributes."""
    return sum(getattr(point, "count", None) or getattr(point, "value", 0) for point in points(otel).get(name, []))


def gauges(otel: SimpleNamespace, memory: AgentMemory) -> dict[str, float]:
    """The gauges of a memory's database."""
    name = memory.resources.database.name
    return {
        metric: point.value
        for metric, found in points(otel).items()
        for point in found
        if point.attributes.get("db.namespace") == name
    }


async def test_spans_name_the_nodes_and_the_run(opened: Open, otel: SimpleNamespace) -> None:
    memory = opened(model=ScriptedModel(answer=answer))
    _, run = await story(memory)
    spans = [span for span in otel.spans.get_finished_spans() if span.attributes.get("agentmem.run_id") == run]
    root = next(span for span in spans if span.name == "agentmem.consolidation")
    assert dict(root.attributes) == {
        "agentmem.external_id": "alice", "agentmem.memory_id": 1, "agentmem.run_id": run, "agentmem.status": "applied",
        "agentmem.updates": 1, "agentmem.parked": 0,
    }  # fmt: skip
    children = [span.name for span in spans if span.parent and span.parent.span_id == root.context.span_id]
    assert sorted(children) == sorted(f"agentmem.{name}" for name in [*NODES, "promote"])


async def test_metrics_count_runs_lags_failures_tokens_and_disputes(opened: Open, otel: SimpleNamespace) -> None:
    names = [
        "agentmem.run.duration", "agentmem.run.lag", "agentmem.run.failures", "agentmem.model.tokens",
        "agentmem.dispute.parked", "agentmem.dispute.decided", "agentmem.memory.set_aside",
    ]  # fmt: skip
    before = {name: total(otel, name) for name in names}

    def policy(change: Any) -> bool:
        if "fails" in change.new:
            raise RuntimeError("policy down")
        return True

    settings = {"avg_section_update_count": 1, "max_attempts": 1}
    memory = opened(model=ScriptedModel(answer=answer), review=policy, settings=settings)
    _, run = await story(memory)
    [dispute] = [d for review in await memory.reviews.apending() for d in review.disputes]
    await measuring.measure(memory.resources)
    assert gauges(otel, memory)["agentmem.disputes.pending"] == 1
    await memory.reviews.adecide("alice", run, [{"dispute": dispute.id, "action": "accept"}])
    await memory.aupdate_active_memory_section("alice", 1, "notes", f"The {CANARY} venue is whatever fails us.")
    with pytest.raises(RunsFailedError):
        await memory.queue.arun_due()  # the memory is set aside at once
    other = await memory.acreate_active_memory("alice", "Other", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", other.id, "notes", "x")
    await measuring.measure(memory.resources)
    after = {name: total(otel, name) - before[name] for name in names}
    assert after == dict(zip(names, [2, 2, 1, 440 - 110, 1, 1, 1], strict=True))
    values = gauges(otel, memory)
    assert values.pop("agentmem.memories.oldest_due") > 0
    assert values == {
        "agentmem.disputes.pending": 0,
        "agentmem.memories.due": 1, "agentmem.memories.running": 0, "agentmem.memories.waiting": 0, "agentmem.memories.dead": 1,
    }  # fmt: skip


async def test_a_write_that_somebody_else_comes_in_between_is_counted_and_made_again(
    memory: AgentMemory, otel: SimpleNamespace, rows: Callable[..., Any], dsn: str
) -> None:
    """The edit has looked, and waits for the memory; whoever holds it writes the section meanwhile."""
    made = await memory.acreate_active_memory("alice", "Project", {"sections": [{"id": "notes", "content": "one"}]})
    before = total(otel, "agentmem.write.refused")
    async with await psycopg.AsyncConnection.connect(dsn) as other:
        await other.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        insert = {"section_id": "notes", "new_content": "three", "action": "insert"}
        edit = asyncio.create_task(memory.aupdate_active_memory_sections("alice", made.id, [insert]))
        await until_waiting(rows)
        await other.execute(
            """UPDATE agentmem.section SET value = '{"content": "one\\ntwo"}', revision = revision + 1"""
        )
        await other.commit()
        edited = await edit

    assert edited.sections["notes"].content == "one\ntwo\nthree"
    assert edited.sections["notes"].revision == 3
    refused = [
        point for point in points(otel)["agentmem.write.refused"] if point.attributes["agentmem.writer"] == "edit"
    ]
    assert total(otel, "agentmem.write.refused") == before + 1
    assert len(refused) == 1


async def test_workers_count_the_queue_for_the_gauges(opened: Open, otel: SimpleNamespace) -> None:
    memory = opened(settings={"avg_section_update_count": 1})
    worker = MemoryWorker(memory, poll_seconds=0.05)
    task = asyncio.ensure_future(worker.arun())
    while not gauges(otel, memory):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    worker.stop()
    await task
    await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", 1, "notes", "x")
    await measuring.measure(memory.resources)
    assert gauges(otel, memory)["agentmem.memories.due"] == 1
    await MemoryWorker(memory).arun_until_idle()
    assert gauges(otel, memory)["agentmem.memories.due"] == 0


async def test_gauges_that_nobody_counts_any_more_are_not_reported(memory: AgentMemory, otel: SimpleNamespace) -> None:
    await measuring.measure(memory.resources)
    found = {name.removeprefix("agentmem."): value for name, value in gauges(otel, memory).items()}
    assert "memories.due" in found
    for age, reported in ((110, found.keys()), (130, set())):
        telemetry.counted(memory.resources.database.name, found, at=time.monotonic() - age)
        assert {name.removeprefix("agentmem.") for name in gauges(otel, memory)} == reported


async def test_an_interrupt_for_a_review_is_no_error(opened: Open, otel: SimpleNamespace) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    from langgraph_agentmem import create_consolidation_graph

    memory = opened(review="always")
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    graph = create_consolidation_graph(memory).compile(checkpointer=InMemorySaver())
    for content in (OLD, NEW):
        await memory.aupdate_active_memory_section("alice", created.id, "notes", content)
        state = await graph.ainvoke(
            {"external_id": "alice", "memory_id": created.id}, {"configurable": {"thread_id": "1"}}
        )
    assert "__interrupt__" in state
    [span] = [span for span in otel.spans.get_finished_spans() if span.name == "agentmem.review"]
    assert span.status.is_ok or span.status.status_code.name == "UNSET"


def test_without_opentelemetry_everything_works(dsn: str) -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import os, psycopg
from langgraph_agentmem import AgentMemory, AgentMemorySettings, MemoryWorker, telemetry
with AgentMemory.open(review="always") as memory:
    for content in ("Deadline: May 1", "Deadline: June 1"):
        created = memory.create_active_memory("alice", "P", {"sections": ["notes"]}, exist_ok=True)
        memory.update_active_memory_section("alice", created.id, "notes", content)
        report = memory.consolidate("alice", created.id)
    memory.reviews.decide("alice", report.run_id, [{"dispute": report.parked[0], "action": "accept"}])
    measured = MemoryWorker(memory).run_until_idle()
    print(telemetry.installed(), report.status, measured.failed, "opentelemetry" in sys.modules)
with psycopg.connect(os.environ["AGENTMEM_DSN"]) as connection:
    connection.execute("ALTER TABLE agentmem.consolidation_run ADD CHECK (status <> 'applied') NOT VALID")
with AgentMemory.open(settings=AgentMemorySettings(max_attempts=1, avg_section_update_count=0.1)) as memory:
    memory.update_active_memory_section("alice", created.id, "notes", "Deadline: July 1")
    print(MemoryWorker(memory).run_until_idle().failed, memory.queue.status().dead)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AGENTMEM_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split() == ["False", "applied", "0", "False", "1", "1"], done.stderr


# Nothing of it quotes memory


class Recorder(logging.Handler):
    """Keeps all that could be printed of log records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        self.said.append(f"{record.getMessage()} {record.__dict__!r} {trace}")


@pytest.fixture
def logs() -> Iterator[Recorder]:
    logger, recorder = logging.getLogger("langgraph_agentmem"), Recorder()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(recorder)
    yield recorder
    logger.removeHandler(recorder)
    logger.setLevel(level)


class QuotingEmbedder(WordEmbedder):
    """Fails, once it is told to, with an error that quotes the texts."""

    down = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.down and any(CANARY in text for text in texts):
            raise RuntimeError(f"cannot embed {texts!r}")
        return super().embed_documents(texts)


def quoting(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """A model that answers about half of what it is asked, and else fails with what it was shown."""
    if name == "ConsolidationPlan":
        raise RuntimeError(f"cannot resolve {data!r}")
    return answer(name, data)


async def test_no_log_record_span_or_metric_quotes_memory_whatever_fails(
    opened: Open, otel: SimpleNamespace, logs: Recorder, rows: Rows
) -> None:
    embedder = QuotingEmbedder()
    settings = {"avg_section_update_count": 1, "model_attempts": 1}
    memory = opened(model=ScriptedModel(answer=quoting), index=embedder, review="always", settings=settings)
    _, run = await story(memory)
    disputes = [d for review in await memory.reviews.apending() for d in review.disputes]
    decisions = [{"dispute": d.id, "action": "override", "text": f"{CANARY} it is", "reason": CANARY} for d in disputes]
    embedder.down = True
    with pytest.raises(EmbeddingError):
        await memory.reviews.adecide("alice", run, decisions)
    rows("UPDATE agentmem.memory_chunk SET embedding = NULL, embedding_model = NULL")
    created = await memory.acreate_active_memory("alice", "Other", {"sections": ["notes"]})
    later = opened(index=embedder, settings={"embed": "background", "avg_section_update_count": 1})
    await later.aupdate_active_memory_section("alice", created.id, "notes", OLD)
    await later.aconsolidate("alice", created.id)  # chunks stay without vectors, which is logged
    with pytest.raises(EmbeddingError):
        await later.queue.aembed_pending()
    embedder.down = False
    await memory.reviews.adecide("alice", run, decisions)
    await measuring.measure(memory.resources)

    assert logs.said
    assert [said for said in logs.said if CANARY in said] == []
    spans = [span.to_json() for span in otel.spans.get_finished_spans()]
    assert len(spans) > 10
    assert [span for span in spans if CANARY in span] == []
    assert CANARY not in otel.reader.get_metrics_data().to_json() if otel.reader.get_metrics_data() else True


async def test_an_error_in_a_span_is_named_by_its_type_only(opened: Open, otel: SimpleNamespace) -> None:
    embedder = QuotingEmbedder()
    memory = opened(model=ScriptedModel(answer=answer), index=embedder, settings={"embed": "background"})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", OLD)
    embedder.down = True
    with pytest.raises(EmbeddingError):
        await memory.aconsolidate("alice", created.id)
    failed = [s for s in otel.spans.get_finished_spans() if s.status.status_code.name == "ERROR"]
    assert {span.name for span in failed} == {"agentmem.conflicts", "agentmem.consolidation"}
    assert {span.attributes["error.type"] for span in failed} == {"EmbeddingError"}
    assert not any(span.events for span in failed)


async def test_a_turn_that_goes_on_without_memory_is_counted(otel: SimpleNamespace) -> None:
    nowhere = AgentMemory.open("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    agent = create_agent(TurnsModel(turns=[AIMessage("Hello.")]), middleware=[AgentMemoryMiddleware(nowhere)])

    def outages() -> float:
        # the reader keeps what other tests have counted, under whatever types of errors those were
        found = points(otel).get("agentmem.recall.failed", [])
        return sum(point.value for point in found if point.attributes["error.type"] == "OutageError")

    before = outages(), total(otel, "agentmem.recall.failed")

    await agent.ainvoke({"messages": [("user", "Hello!")]}, {"configurable": {"user_id": "alice"}})

    assert (outages(), total(otel, "agentmem.recall.failed")) == (before[0] + 1, before[1] + 1)


# LangSmith

TRACED = """
import sys
sys.path.insert(0, {tests!r})
from fakes import ScriptedModel
from langgraph_agentmem import AgentMemory

def answer(name, data):
    return {{}}

with AgentMemory.open(model=ScriptedModel(answer=answer)) as memory:
    created = memory.create_active_memory("alice", "Project", {{"sections": ["notes"]}})
    memory.update_active_memory_section("alice", created.id, "notes", "x")
    print(memory.consolidate("alice", created.id).run_id)
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
"""


@pytest.fixture
def langsmith() -> Iterator[SimpleNamespace]:
    """A server that takes LangSmith's posts."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer({})

        do_PATCH = do_POST

        def do_GET(self) -> None:
            threads = {"scale_up_qsize_trigger": 1000, "scale_up_nthreads_limit": 16, "scale_down_nempty_trigger": 4}
            sizes = {"size_limit": 100, "size_limit_bytes": 20_971_520}
            self._answer({"batch_ingest_config": {"use_multipart_endpoint": False, **threads, **sizes}})

        def _answer(self, body: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", bodies=bodies)
    server.shutdown()
    thread.join()
    server.server_close()


def traced(code: str, dsn: str, langsmith: SimpleNamespace) -> tuple[str, list[dict[str, Any]]]:
    """What a program prints, and the runs that it posts to LangSmith, as they were when they ended."""
    here = os.path.dirname(os.path.dirname(__file__))
    environment = {
        "AGENTMEM_DSN": dsn, "LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": langsmith.url, "LANGSMITH_API_KEY": "lsv2_x",
        "LANGSMITH_PROJECT": "p", "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code.format(tests=here)],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bodies = [json.loads(body) for body in langsmith.bodies]
    ended = {run["id"]: run for body in bodies for run in body.get("patch", [])}
    posted = [run for body in bodies for run in body.get("post", [])]
    return done.stdout.strip(), [run | ended.get(run["id"], {}) for run in posted]


def test_langsmith_traces_come_by_themselves_with_nodes_by_name_and_ids_as_metadata(
    dsn: str, langsmith: SimpleNamespace
) -> None:
    printed, posted = traced(TRACED, dsn, langsmith)
    named = {run["name"] for run in posted}
    assert {
        "agentmem consolidation",
        "claim",
        "extract",
        "conflicts",
        "apply",
        "promote",
        "agentmem Extraction",
    } <= named
    root = next(run for run in posted if run["name"] == "agentmem consolidation")
    metadata = root["extra"]["metadata"]
    ours = {name: value for name, value in metadata.items() if name.startswith("agentmem")}
    assert ours == {
        "agentmem_external_id": "alice", "agentmem_memory_id": 1, "agentmem_run_id": printed,
    }  # fmt: skip
    assert root.get("parent_run_id") is None


TRACED_AGENT = """
import sys
sys.path.insert(0, {tests!r})
from fakes import TurnsModel
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware

with AgentMemory.open() as memory:
    memory.create_active_memory("alice", "Notes", {{"sections": ["a"]}}, {{"a": "The canary's name is Zanzibar."}})
    middleware = AgentMemoryMiddleware(memory, remember_turns=True, hide_from_traces=HIDDEN)
    agent = create_agent(TurnsModel(turns=[AIMessage("Zanzibar")]), middleware=[middleware])
    agent.invoke({{"messages": [("user", "Zanzibar?")]}}, {{"configurable": {{"user_id": "alice"}}}})
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
"""


@pytest.mark.parametrize("hidden", [False, True])
def test_the_spans_of_the_middlewares_hooks_are_without_memory_and_words_if_asked(
    dsn: str, langsmith: SimpleNamespace, hidden: bool
) -> None:
    _, posted = traced(TRACED_AGENT.replace("HIDDEN", str(hidden)), dsn, langsmith)

    hooks = [run for run in posted if run["name"].startswith("AgentMemoryMiddleware.")]
    assert len(hooks) == 3  # one before the turn, one around the model's call, one after
    assert [CANARY in json.dumps([run.get("inputs"), run.get("outputs")]) for run in hooks] == [not hidden] * 3
