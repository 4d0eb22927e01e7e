"""A real model of little judgement: nothing is lost, and every refusal is on record. `make test-model` runs this."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import small_model
from langchain_core.callbacks import AsyncCallbackHandler

from langgraph_agentmem import AgentMemory, ConsolidationReport

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(3600)]

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]
PEOPLE = ["Ada", "Bo", "Cy", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jo"]
CITIES = ["Paris", "Rome", "Oslo", "Lima", "Cairo"]
GOALS = [
    "hire somebody for the importer",
    "use PostgreSQL for everything",
    "move to a new office in spring",
    "ship the exporter to the first customers",
    "find out why the nightly job is slow",
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if absent := small_model.missing():
        pytest.skip(f"not installed: {', '.join(absent)}; `make test-model` installs them")
    with small_model.running() as url:
        yield url


class Calls(AsyncCallbackHandler):
    """Counts the calls of a model, and those that failed."""

    def __init__(self) -> None:
        self.made = self.failed = 0

    async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.made += 1

    async def on_llm_error(self, *_: Any, **__: Any) -> None:
        self.failed += 1


def text(person: int, step: int) -> str:
    name = PEOPLE[person]
    return f"- {name} lives in {CITIES[(person + step) % 5]}\n- {name} wants to {GOALS[(person + 2 * step) % 5]}"


async def test_in_fifty_consolidations_nothing_is_lost_and_every_refusal_is_on_record(
    opened: Open, rows: Rows, url: str
) -> None:
    from langchain_openai import ChatOpenAI

    calls = Calls()
    model = ChatOpenAI(
        base_url=url, api_key="none", model="smollm2", seed=1, max_tokens=100, timeout=120, max_retries=0,
        frequency_penalty=1.0,  # else it says one thing again and again, and no answer is whole
        callbacks=[calls],
    )  # fmt: skip
    memory = opened(model=model, settings={"model_attempts": 1})
    began, reports = time.monotonic(), list[ConsolidationReport]()
    for person, name in enumerate(PEOPLE):
        created = await memory.acreate_active_memory("alice", name, {"sections": ["notes"]})
        for step in range(5):
            await memory.aupdate_active_memory_section("alice", created.id, "notes", text(person, step))
            reports.append(await memory.aconsolidate("alice", created.id))
    tell(reports, calls, time.monotonic() - began)

    # every run is applied, and its row tells what its report tells
    assert [report.status for report in reports] == ["applied"] * 50
    runs = {run.id: run for run in await memory.runs.alist("alice", limit=100)}
    assert [runs[str(report.run_id)].usage for report in reports] == [report.usage for report in reports]

    # nothing is lost: each statement stands in a chunk, and what was ended was ended by a decision
    kept = "\n".join(str(content) for (content,) in rows("SELECT content FROM agentmem.memory_chunk"))
    said = [line.removeprefix("- ") for p in range(len(PEOPLE)) for s in range(5) for line in text(p, s).splitlines()]
    assert [line for line in said if line not in kept] == []
    for report in reports:
        changed = runs[str(report.run_id)].changed
        decided = {
            id for d in report.decisions if d.action in {"supersede", "merge"} and d.reason for id in d.about.ids
        }
        assert {id for id, _ in (changed.superseded if changed else [])} <= decided

    # every call counts, and every failure is on record
    assert sum(report.usage.calls for report in reports) == calls.made
    assert calls.failed <= sum(len(report.failures) for report in reports) + 1  # one may have been asked otherwise
    assert all(report.failures for report in reports if report.model_failures)
    assert reports[0].usage.structured_output == ["function_calling", "json_schema"]
    assert all(report.usage.structured_output in ([], ["json_schema"]) for report in reports[1:])

    # what could not be extracted waits for a later run
    missed = {str(report.run_id) for report in reports if any("extraction failed" in f for f in report.failures)}
    waiting = rows("SELECT count(*) FROM agentmem.memory_chunk WHERE extraction_pending")
    assert missed or waiting == [(0,)]


def tell(reports: list[ConsolidationReport], calls: Calls, seconds: float) -> None:
    """Print what happened, for whoever runs this with -s."""
    usages = [report.usage for report in reports]
    refused = [d.refused for report in reports for d in report.decisions if d.refused]
    failures = Counter(failure.split(":")[0] for report in reports for failure in report.failures)
    print(f"\n{len(reports)} consolidations in {seconds:.0f} s: {calls.made} calls, {calls.failed} failed")
    print(f"tokens: {sum(u.input_tokens for u in usages)} in, {sum(u.output_tokens for u in usages)} out")
    print(f"asked by: {Counter(', '.join(usage.structured_output) for usage in usages)}")
    print(f"failures made up for: {dict(failures)}; parts refused: {len(refused)}")
    for example in [f for report in reports for f in report.failures][:3] + refused[:3]:
        print(f"  {example[:240]!r}")
    found = sum(report.entities_created for report in reports)
    ended = sum(report.chunks_superseded for report in reports)
    print(f"entities: {found}; chunks ended: {ended}, unclear: {sum(report.chunks_unclear for report in reports)}")
