"""`make check` finds the tests near to a change, whatever it is, and keeps to its budget."""

import json

import guarded
import near
import pytest

PACKAGE = near.ROOT / "langgraph_agentmem"
DURATIONS = json.loads(near.DURATIONS.read_text(encoding="utf-8"))
WRITERS, UNDO = "tests/integration/test_writers.py", "tests/integration/test_undo.py"


def test_every_name_in_the_tables_is_that_of_a_test():
    names = " ".join([near.SMOKE, *near.NEAR.values(), *near.ELSEWHERE.values()]).split()
    assert [name for name in names if not near.named(name)] == []


def test_no_two_test_files_have_the_same_name():
    """The table names them without their folders, and pytest imports them so."""
    names = [path.name for path in (near.ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_what_runs_with_row_level_security_is_half_of_the_integration_tests():
    integration = {path.stem for path in (near.ROOT / "tests" / "integration").glob("test_*.py")}
    assert integration >= guarded.MODULES
    seconds = {test.rpartition("/")[2].removesuffix(".py"): taken for test, taken in DURATIONS.items()}
    held, whole = (sum(seconds.get(name, 0) for name in names) for names in (guarded.MODULES, integration))
    assert held > 0.3 * whole


def test_every_part_that_the_table_names_is_there():
    modules = [near._module(str(path.relative_to(near.ROOT))) for path in PACKAGE.rglob("*.*")]
    assert [part for part in near.NEAR if not any(module.startswith(part) for module in modules)] == []


def test_every_room_of_the_package_but_the_pure_ones_has_tests_of_its_own():
    pure = {"__init__", "errors", "models", "policies", "py"}
    rooms = {near._module(str(path.relative_to(near.ROOT))).split("/")[0] for path in PACKAGE.rglob("*.py")}
    assert {room for room in rooms - pure if not any(part.startswith(room) for part in near.NEAR)} == set()


def test_statements_are_near_to_what_is_near_to_their_module():
    of_statements = near.near_to("langgraph_agentmem/storage/sql/search.sql")
    assert of_statements == near.near_to("langgraph_agentmem/storage/search.py")
    assert of_statements[0] == "tests/integration/test_retrieval.py"


def test_the_nearest_tests_come_first_and_of_each_change_in_turn():
    changed = ["langgraph_agentmem/telemetry.py", "langgraph_agentmem/storage/values.py", UNDO]
    chosen, _ = near.near(changed, {}, budget=30)
    assert chosen == [UNDO, "tests/integration/test_observability.py", WRITERS]


def test_a_helper_of_tests_is_near_to_those_that_import_it():
    chosen, _ = near.near(["tests/people.py"], {}, budget=10_000)
    assert chosen
    assert all("people" in (near.ROOT / test).read_text(encoding="utf-8") for test in chosen)


@pytest.mark.parametrize("changed", [[], ["pyproject.toml"], ["tests/conftest.py"], ["langgraph_agentmem/errors.py"]])
def test_without_anything_near_something_of_everything_is_chosen(changed):
    assert near.near(changed, {}, budget=10_000) == (near.named(near.SMOKE), [])


def test_what_does_not_fit_is_left_out_and_said():
    durations = {WRITERS: 50.0, UNDO: 20.0}
    assert near.near([WRITERS, UNDO], durations, budget=60) == ([WRITERS], [UNDO])


def test_whatever_changes_the_budget_is_kept_and_something_is_run():
    for path in PACKAGE.rglob("*.py"):
        chosen, _ = near.near([str(path.relative_to(near.ROOT))], DURATIONS, near.BUDGET)
        assert chosen, path
        assert sum(DURATIONS.get(test, near.UNKNOWN) for test in chosen) <= near.BUDGET, path


def test_durations_are_those_of_files_that_there_are():
    assert set(DURATIONS) <= set(near.TESTS)


def test_durations_come_from_a_report(tmp_path):
    report = tmp_path / "report.xml"
    case = '<testcase classname="tests.{}" name="test" time="{}"/>'
    cases = [case.format("integration.test_undo", 1.5), case.format("integration.test_undo", 2), case.format("x", 9)]
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert near.recorded(report) == {UNDO: 3.5}
