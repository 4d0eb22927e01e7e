"""Each program that measures still runs, and prints its table: with the smallest sizes, on the tests' server."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import forking
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
CHATS = [
    {
        "chat": 1,
        "messages": [
            {"id": 1, "session": 1, "role": "user", "text": "Ada lives in Rome.", "time": "May-01-2026"},
            {"id": 2, "session": 1, "role": "assistant", "text": "Noted, Rome it is.", "time": "May-01-2026"},
            {"id": 3, "session": 2, "role": "user", "text": "Ada lives in Oslo.", "time": "May-02-2026"},
        ],
        "questions": [
            {"ability": "knowledge_update", "question": "Where does Ada live?", "gold": [1, 3]},
            {"ability": "information_extraction", "question": "Who lives in Rome?", "gold": [1]},
        ],
    }
]
"""In the form of BEAM's."""
DIALOGUES = [
    {
        "sample_id": "one",
        "conversation": {
            "session_1_date_time": "1 May 2026",
            "session_1": [
                {"dia_id": "D1:1", "speaker": "Ada", "text": "I moved to Oslo."},
                {"dia_id": "D1:2", "speaker": "Bo", "text": "How is the weather there?"},
            ],
        },
        "qa": [{"question": "Where did Ada move?", "answer": "Oslo", "evidence": ["D1:1"], "category": 1}],
    }
]
"""In the form of LoCoMo's."""
DOORS = ("--doors", "sections", "replaced", "items", "BM25")
PROGRAMS: dict[str, list[str]] = {
    "beam.py": ["CHATS", *DOORS],
    "checkpointer.py": ["1", "--warm-up", "0"],
    "claims.py": ["--due", "30", "--claims", "5"],
    "conflicts.py": ["--kinds", "names", "--ways", "replaced", "--locomo", "DIALOGUES"],
    "consolidation.py": ["0.02", "transactions", "lag"],
    "fleet.py": ["--tenants", "1000", "--seconds", "1", "--workers", "20", "--backlog", "200", "--small", "20",
                 "--checked-backlog", "20", "--checked-small", "5"],
    "floors.py": ["1", "--warm-up", "0"],
    "locomo.py": ["DIALOGUES", *DOORS],
    "middleware.py": ["6"],
    "neighbours.py": ["--large", "20", "--small", "3", "--each", "3", "--searches", "3"],
    "receipts.py": ["--chunks", "20", "--memory", "10"],
    "search.py": ["--sizes", "60", "--rounds", "1", "--doors", "items", "AsyncPostgresStore"],
    "store.py": ["40", "--rounds", "1", "--layouts", "1 namespace"],
    "tenants.py": ["--items", "20", "--share", "0.01"],
    "toys.py": ["--sets", "german-compounds", *DOORS],
    "updates.py": ["--sizes", "1", "--rounds", "1", "--memories", "2"],
}  # fmt: skip
"""With arguments; names in capitals are files of theirs."""
SOAK = [
    "--operations",
    "60",
    "--consolidations",
    "4",
    "--tenants",
    "3",
    "--workers",
    "1",
    "--rate",
    "0",
    "--every",
    "1",
]
MODULES = {
    "chats.py", "currency.py", "doors.py", "folders.py", "hashed_embeddings.py", "judging.py", "peers.py", "plotting.py",
    "recall.py", "resolvers.py", "sampling.py", "server.py", "stand_in.py", "talks.py", "writing.py",
}  # fmt: skip
"""Which the programs have in common."""
OTHERS = {"graph.py", "soak.py", "turns.py"}
"""They have tests of their own, below."""


@pytest.fixture
def folder(shared_folder: Path) -> Path:
    """One that a server of root's may enter, as the programs that start their own need."""
    made = shared_folder / uuid4().hex
    made.mkdir()
    return made


def printed(name: str, arguments: list[str], folder: Path, **variables: str) -> str:
    """What a program prints that ends well."""
    files = {"CHATS": folder / "chats.json", "DIALOGUES": folder / "dialogues.json"}
    for path, data in zip(files.values(), (CHATS, DIALOGUES), strict=True):
        path.write_text(json.dumps(data), encoding="utf-8")
    given = [str(files.get(argument, argument)) for argument in arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), **variables}
    done = forking.run(FOLDER / name, *given, env=environment, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]


def test_there_is_no_other_program() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == PROGRAMS.keys() | MODULES | OTHERS


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_measures_and_prints_a_table(name: str, server: str, folder: Path) -> None:
    text = printed(name, PROGRAMS[name], folder, BENCH_SERVER=server)
    assert len(rows(text)) > 2 or " ms ×" in text, text


@pytest.mark.slow
def test_a_soak_writes_what_it_has_seen_and_loses_nothing(server: str, folder: Path) -> None:
    text = printed("soak.py", SOAK, folder, BENCH_SERVER=server)
    samples: list[Mapping[str, Any]] = [json.loads(line) for line in (folder / "soak.jsonl").read_text().splitlines()]
    assert samples[-1]["done"] >= 60
    assert samples[-1]["applied"] >= 4
    assert samples[-1]["queue"]["due"] == samples[-1]["queue"]["running"] == 0
    assert (folder / "soak.svg").read_text().count("<polyline") > 10
    assert "nothing is lost" in text


@pytest.mark.slow
def test_a_checkout_is_compared_with_another(folder: Path) -> None:
    text = printed("turns.py", [str(ROOT), "edit, with", "--turns", "1"], folder)
    assert re.search(r"^edit, with vectors +\d+\.\d\d( +\d+\.\d\d){4}$", text, re.MULTILINE), text


@pytest.mark.slow
@pytest.mark.neo4j
def test_the_graphs_are_measured(neo4j_settings: dict[str, Any], folder: Path) -> None:
    named = {name.upper(): str(value) for name, value in neo4j_settings.items()}
    text = printed("graph.py", ["--entities", "60", "--questions", "2"], folder, **named)
    assert len(rows(text)) > 6
