"""LangGraph's conformance suite for checkpointers: every capability is there, and passes."""

import json
import os
import subprocess
import sys

import pytest

RUN = """
import asyncio, json, sys
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph_agentmem import AgentMemorySaver

@checkpointer_test(name="AgentMemorySaver")
async def saver():
    async with AgentMemorySaver.from_conn_string(sys.argv[1]) as saver:
        yield saver

print(json.dumps(asyncio.run(validate(saver)).to_dict()))
"""
CAPABILITIES = {
    "put": 17, "put_writes": 10, "get_tuple": 10, "list": 16, "delete_thread": 5, "delete_for_runs": 7, "copy_thread": 8,
    "prune": 8,
}  # fmt: skip
"""With the number of tests of each."""


@pytest.mark.parametrize("strict", ["false", "true"])
def test_every_capability_is_there_and_passes(dsn: str, strict: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, dsn],
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": strict},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    report = json.loads(done.stdout)

    results = report["results"]
    assert [failure for result in results.values() for failure in result["failures"]] == []
    assert {name: result["detected"] and result["passed"] for name, result in results.items()} == dict.fromkeys(
        CAPABILITIES, True
    )
    assert all(results[name]["tests_passed"] >= count for name, count in CAPABILITIES.items())
    assert report["conformance_level"] == "FULL"
