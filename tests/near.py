"""The tests near to what has changed, within a budget: `make check` runs these beside the unit tests.

A table says what is near, for each part of the package; nothing is traced. Integration tests go through the public
methods, so by imports, or by the lines that they run, nearly all of them would be near to nearly everything, and tracing
costs more than what it saves. Run as a script, this prints the files; `--record REPORT` takes down how long each took.
"""

import argparse
import fnmatch
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
TESTS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("integration", "acceptance")
    for path in (ROOT / "tests" / folder).glob("test_*.py")
)
NAMES = {Path(test).stem: test for test in TESTS}
DURATIONS = Path(__file__).with_name("durations.json")
"""Seconds per file, without what is marked as slow; a file that is not there counts as UNKNOWN."""
UNKNOWN = 10.0
BUDGET = 30.0
"""Seconds of tests, which two workers share; the unit tests and pyright take most of the 90 seconds."""

SMOKE = "writers updates consolidation retrieval promotion undo active_memory checkpoints_of_langgraph store_tiers"
"""Something of everything, for changes that are near to nothing in particular."""

_CHECKPOINTS = "checkpoints_in_one_round_trip state_written* threads_that_start* tenants_of_checkpoints *checkpoint*"
_THREADS = "pruning_threads deleting_and_copying* time_travel*"
_REVIEWS = "parked_disputes review_decisions reviews_*"
_RUNS = "consolidation unclear_pairs undo promotion checkpointed_runs models models_that_fail namesakes odd_orders"
_SEARCHES = "retrieval search_* reranking filtering store_tiers store_all_tiers"
_SECTIONS = "writers updates items_are_sections stale_sections puts_without_vectors"
_GRAPH = "reading_graphs projection* projecting* cypher*"

NEAR = {
    "__main__": "command_line",
    "claude_memory": "claude_memory",
    "mcp/": "mcp_tools mcp_conflicts mcp_command",
    "inspector/": "inspector inspect_command",
    "middleware/": "middleware remembered_turns middleware_in_deep_agents",
    "tooling": "memory_tools tool_standards claude_memory",
    "tools": "memory_tools tool_standards",
    "bridge": "sync_and_async first_calls notebooks",
    "callers": "notebooks",
    "chat": "asking_over* models_over* models lying_model",
    "checkpoint/": f"{_CHECKPOINTS} {_THREADS}",
    "cli/db": "db_command tenant_indexes",
    "cli/forget": "forgetting_command",
    "cli/threads": "retention",
    "cli/": "command_line reviews_on_the_command_line worker_command memory_commands import_commands",
    "cli/mcp": "mcp_command",
    "embedding": "store_failing_embedders puts_without_vectors long_vectors reembedding_crashes",
    "extraction": "models",
    "graphs": "consolidation checkpointed_runs reviews_in_graphs promotion",
    "langgraph_server": "store_from_environment langgraph_server",
    "local/": "docs reference",
    "cli/grants": "memory_commands",
    "memory/grants": "grants",
    "operations/granting": "grants",
    "operations/retrieval/shared": "grants",
    "storage/grants": "grants",
    "memory/": "active_memory sync_and_async opening queue undo review_decisions",
    "nodes/": f"{_RUNS} reviews_in_graphs",
    "nodes/hydrate": "threads_that_start*",
    "operations/": "statement_counts",
    "operations/conversations/": "conversations",
    "operations/deletion/retention": "retention",
    "operations/deletion/": "receipts forgetting_elsewhere forgetting_command",
    "operations/health/indexing": "tenant_indexes db_command",
    "operations/imports/": "imports_of_* import_commands import_crashes",
    "operations/transfer/": "exports",
    "operations/queue/": "queue queue_of_many_tenants worker",
    "operations/retrieval/": _SEARCHES,
    "operations/retrieval/drawing": "drawings",
    "operations/retrieval/recalling": "contexts_for_prompts",
    "operations/reviews/": _REVIEWS,
    "operations/runs/": f"{_RUNS} parked_disputes crashes",
    "operations/sections/": f"{_SECTIONS} chunk_writing deleted_items expired_items active_memory store_costs",
    "operations/sections/reembedding": "reembedding_crashes",
    "operations/sections/threads": f"{_CHECKPOINTS}",
    "policies/answers": "asking_over* models_over* models",
    "policies/transfer": "exports",
    "policies/asking": _SEARCHES,
    "policies/context": "contexts_for_prompts",
    "policies/cutting": "contexts_for_prompts",
    "policies/delimiting": "contexts_for_prompts models",
    "policies/importing": "imports_of_*",
    "policies/legacy": "imports_of_older_tables",
    "policies/legacy_graph": "imports_of_an_older_graph",
    "storage/legacy": "imports_of_older_tables",
    "storage/legacy_graph": "imports_of_an_older_graph",
    "policies/noting": "conversations",
    "policies/transcripts": "conversations",
    "policies/frequencies": _SEARCHES,
    "policies/ranking": _SEARCHES,
    "policies/validation": "mistaken_arguments",
    "policies/weighing": _SEARCHES,
    "policies/spelling": _SEARCHES,
    "policies/words": _SEARCHES,
    "policies/receipts": "receipts",
    "policies/taking_turns": "queue_of_many_tenants",
    "policies/thread_writes": "state_written* threads_that_start*",
    "policies/filters": "filtering",
    "projection/": _GRAPH,
    "projection/legacy": "imports_of_an_older_graph",
    "redaction": "redaction",
    "policies/redacting": "redaction",
    "reranker": "reranking",
    "resources": "opening first_calls",
    "retriever": "retriever",
    "serving": "inspect_command mcp_command",
    "settings": "store_from_environment opening extreme_settings",
    "storage/": "statement_counts",
    "storage/tenant_indexes": "tenant_indexes receipts",
    "storage/imports": "imports_of_*",
    "storage/checkpoints": _CHECKPOINTS,
    "storage/chunks": "chunk_histories chunk_writing stale_sections puts_without_vectors",
    "storage/conversations": "conversations",
    "storage/retention": "retention",
    "storage/deletion": "receipts forgetting_elsewhere",
    "storage/driver/": "row_security transactions waiting_calls opening first_calls store_lost* store_cancelled* store_pools*",
    "storage/filters": "filtering",
    "storage/graph": "consolidation reviews_of_entities undo reading_graphs",
    "storage/items": "items_are_sections expired_items deleted_items",
    "storage/langgraph/": f"{_CHECKPOINTS} {_THREADS}",
    "storage/listening": "worker",
    "storage/longterm": "promotion",
    "storage/memories": "active_memory updates",
    "storage/migrat": "opening schema first_calls",
    "storage/outbox": "projecting* projection",
    "storage/projection": "projecting* projection",
    "storage/queue": "queue queue_of_many_tenants worker",
    "storage/reembedding": "reembedding_crashes",
    "storage/reading": "retrieval active_memory observability",
    "storage/reviews": _REVIEWS,
    "storage/runs": "consolidation undo queue",
    "storage/schema": "schema",
    "storage/search": _SEARCHES,
    "storage/sections": f"{_SECTIONS} active_memory",
    "storage/support": "undo reviews_of_entities",
    "storage/threads": "threads_that_start* state_written* pruning_threads",
    "storage/values": f"{_SECTIONS} row_round_trips",
    "storage/vectors": "long_vectors search_indexes",
    "store/": "items_are_sections store_tiers store_regressions stores* store_* filtering first_calls expired_items",
    "telemetry": "observability",
    "testing/": "store_conformance",
    "vectorstore": "vectorstore",
    "views/": "drawings reference",
    "worker/callbacks": "callbacks",
    "worker/running": "dry_runs callbacks",
    "worker/": "worker queue worker_command worker_crashes",
}
"""For the beginning of a module's path within the package: names of tests, the nearest first."""
ELSEWHERE = {
    "README.md": "docs pages",
    "CHANGELOG.md": "docs",
    "CONTRIBUTING.md": "docs",
    "docs/": "docs pages",
    "examples/": "examples docs",
    "examples/server/": "langgraph_server",
    "examples/web_app": "web_application",
    "notebooks/": "notebooks",
}


def near(changed: Iterable[str], durations: dict[str, float], budget: float) -> tuple[list[str], list[str]]:
    """The test files near to changed ones, the nearest first, and those for which no time is left."""
    chosen: list[str] = []
    left_out: list[str] = []
    for test in _candidates(list(changed)):
        cost = durations.get(test, UNKNOWN)
        fits = cost <= budget
        budget -= cost * fits
        (chosen if fits else left_out).append(test)
    # where all that is near takes too long, something of everything is better than nothing
    return chosen or near(named(SMOKE), durations, budget)[0], left_out


def _candidates(changed: list[str]) -> list[str]:
    """Tests that have changed themselves, then those near to every other change in turn; else something of everything."""
    rounds = [[path] for path in changed if path in TESTS] + _in_turn([near_to(path) for path in changed])
    found = [test for tests in rounds for test in tests]
    return list(dict.fromkeys(found)) or named(SMOKE)


def _in_turn(lists: list[list[str]]) -> list[list[str]]:
    """First what is nearest to each, then what is second, so that no change uses up the budget of the others."""
    return [[tests[at] for tests in lists if at < len(tests)] for at in range(max(map(len, lists), default=0))]


def near_to(path: str) -> list[str]:
    """The tests near to one file, the nearest first."""
    if found := re.fullmatch(r"tests/(\w+)\.py", path):
        return [test for test in TESTS if _imports(test, found[1])]
    if not path.startswith("langgraph_agentmem/"):
        return [test for prefix, names in ELSEWHERE.items() if path.startswith(prefix) for test in named(names)]
    prefixes = sorted((prefix for prefix in NEAR if _module(path).startswith(prefix)), key=len, reverse=True)
    return [test for prefix in prefixes for test in named(NEAR[prefix])] or named(SMOKE)


def _module(path: str) -> str:
    """A module's path within the package; statements are near to what is near to the module of that name."""
    return re.sub(r"^langgraph_agentmem/|(?<=/)(sql|cypher)/|\.\w+$", "", path)


def _imports(test: str, module: str) -> bool:
    text = (ROOT / test).read_text(encoding="utf-8")
    return re.search(rf"^ *(from|import) {module}\b", text, re.MULTILINE) is not None


def named(names: str) -> list[str]:
    """The test files of these names, which may have wildcards, in this order."""
    return [NAMES[stem] for name in names.split() for stem in fnmatch.filter(NAMES, f"test_{name}")]


def changed_files() -> list[str]:
    """What differs from where this branch has left the main one, committed or not, and what is new."""
    bases = [_git("merge-base", "HEAD", main) for main in ("origin/HEAD", "origin/main", "main")]
    base = next(filter(None, bases), ["HEAD"])
    return _git("diff", "--name-only", *base) + _git("ls-files", "--others", "--exclude-standard")


def _git(*arguments: str) -> list[str]:
    """The lines that git says; none where it fails, so that without a repository everything counts as unchanged."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


def recorded(report: Path) -> dict[str, float]:
    """Seconds per file, of a report that `pytest --junit-xml` wrote."""
    seconds: dict[str, float] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        test = case.get("classname", "").replace(".", "/") + ".py"
        if test in TESTS:
            seconds[test] = round(seconds.get(test, 0) + float(case.get("time", 0)), 1)
    return dict(sorted(seconds.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, metavar="REPORT", help="take down the durations of pytest's --junit-xml")
    report = parser.parse_args().record
    if report:
        DURATIONS.write_text(json.dumps(recorded(report), indent=0) + "\n", encoding="utf-8")
        return
    chosen, left_out = near(changed_files(), json.loads(DURATIONS.read_text(encoding="utf-8")), BUDGET)
    print(*chosen)
    if left_out:
        print(f"Near as well, but there is no time for {len(left_out)} files:", *left_out[:5], "...", file=sys.stderr)


if __name__ == "__main__":
    main()
