"""What each store does not do, exactly: ours nothing, and when one of LangGraph's mends something, this notices.

The page docs/reference/store-conformance.md shows the same.
"""

import asyncio
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from langgraph_agentmem.testing.store_conformance import Report, Result, capabilities, check, run

DOCS = Path(__file__).parents[2] / "docs"
GENERATOR = runpy.run_path(str(DOCS / "generate_store_conformance.py"))
STORES = GENERATOR["STORES"]

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")

FAILING = {
    "AgentMemoryStore": {},
    "InMemoryStore": {
        "failed": """
            put-keeps-created-at list-namespaces-emptied list-namespaces-only-written wordless-query
            offset-over-unembedded-items dropped-field-forgotten shrunk-array-forgotten
            unindexed-text-forgotten wrong-dimensions-refused nan-vectors-refused
            filter-true-is-not-one filter-dotted-paths filter-and filter-or filter-not
            non-mapping-refused later-changes-not-stored changes-of-results-not-stored
        """,
        "error": """
            equal-texts-in-one-batch equal-texts-in-one-item filter-string-order filter-iso-dates
            filter-by-datetime filter-order-other-types filter-nested-operators
        """,
        "unsupported": """
            filter-in filter-nin filter-exists filter-contains expired-not-read expired-not-searched
            expired-not-found-by-query expired-not-listed get-refreshes-ttl search-refreshes-ttl
            put-refreshes-ttl refresh-ttl-false refresh-on-read-false refresh-ttl-true default-ttl
            ttl-none-stays put-without-ttl-stays put-over-expired sweeper-deletes
            refusal-names-the-place set-up-at-once two-stores-share-data stores-crossing-batches
            data-outlives-store put-if-absent put-if-unchanged put-if-sees-other-writes
            put-if-revision-in-search put-if-one-winner
        """,
    },
    "AsyncPostgresStore": {
        "failed": """
            keys-become-text search-pages-after-batch limit-filled-in-shared-store
            limit-filled-despite-many-parts offset-with-query pages-of-equal-scores wordless-text
            wordless-query unembedded-items-last offset-over-unembedded-items
            dropped-field-forgotten shrunk-array-forgotten unindexed-text-forgotten
            missing-vectors-refused filter-ne-missing filter-numeric-order filter-by-datetime
            filter-order-other-types filter-none filter-dotted-paths filter-and filter-or
            get-refreshes-ttl search-refreshes-ttl refresh-ttl-true put-over-expired
            nan-and-infinity nul-characters nul-in-key lone-surrogates field-names-of-other-types
            floats-stay-floats long-keys refusal-names-the-place non-mapping-refused bad-put-alone
            bad-search-alone slow-embedding-delays-no-get slow-embedding-delays-no-put
            slow-query-delays-no-get failing-embedding-alone second-event-loop set-up-at-once
            stores-crossing-batches
        """,
        "error": """
            filter-nested filter-nested-operators
        """,
        "unsupported": """
            filter-in filter-nin filter-exists filter-contains filter-not put-if-absent
            put-if-unchanged put-if-sees-other-writes put-if-revision-in-search put-if-one-winner
        """,
    },
}


@pytest.fixture(autouse=True)
def _no_database_is_left() -> Iterator[None]:
    """A server of one's own outlives its tests."""
    yield
    GENERATOR["drop_databases"]()


@pytest.fixture
def report_of(server: str, shared_folder: Path) -> Callable[[str], Report]:
    """Runs the suite against a store, once per test run."""

    def report(name: str) -> Report:
        kept = shared_folder / f"conformance-{name}.json"
        with FileLock(kept.with_suffix(".lock")):
            if not kept.exists():
                made = asyncio.run(run(STORES[name](server), at_once=GENERATOR["AT_ONCE"], seconds=300))
                kept.write_text(json.dumps([[r.capability.name, r.status, r.detail] for r in made.results]))
        known = {capability.name: capability for capability in capabilities()}
        found = json.loads(kept.read_text())
        return Report(tuple(Result(capability=known[name], status=status, detail=d) for name, status, d in found))

    return report


@pytest.mark.parametrize("name", STORES)
def test_a_store_fails_exactly_these(name: str, report_of: Callable[[str], Report]) -> None:
    report = report_of(name)
    statuses = ("failed", "error", "unsupported")
    found = {status: [r.capability.name for r in report.results if r.status == status] for status in statuses}

    assert found == {status: FAILING[name].get(status, "").split() for status in statuses}, report.table()


def test_the_page_of_the_conformance_suite_is_up_to_date(report_of: Callable[[str], Report]) -> None:
    reports = {name: report_of(name) for name in STORES}
    page = GENERATOR["PAGE"].read_text(encoding="utf-8")

    assert GENERATOR["page"](page, reports) == page, "run python docs/generate_store_conformance.py"
    assert GENERATOR["table"](reports) in page


async def test_a_fault_of_a_store_in_a_database_is_found(server: str) -> None:
    class LosesUpdates(GENERATOR["AsyncPostgresStore"]):
        MIGRATIONS = (
            *GENERATOR["AsyncPostgresStore"].MIGRATIONS,
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END'",
            "CREATE TRIGGER keep BEFORE UPDATE ON store FOR EACH ROW EXECUTE FUNCTION keep()",
        )

    class Faulty(GENERATOR["Postgres"]):
        kind = LosesUpdates

    results = [await check("put-replaces", make(server)) for make in (GENERATOR["Postgres"], Faulty)]

    assert [result.status for result in results] == ["passed", "failed"]
    assert "'a': 1" in results[1].detail
