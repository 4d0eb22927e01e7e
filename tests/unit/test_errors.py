"""One root for all errors, and a tree in the documentation that is the tree in the code."""

import ast
import builtins
import inspect
import pickle
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import langgraph_agentmem
from langgraph_agentmem import errors
from langgraph_agentmem.models.imported import ImportReport, Remark

PACKAGE = Path(langgraph_agentmem.__file__).parent
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__ == errors.__name__
}
LINE = re.compile(
    r"^    (?P<branches>(?:│   |    )*(?:├── |└── )?)(?P<name>\w+Error)(?: \((?P<builtin>\w+)\))?(?:  |$)", re.M
)


SIGNALS = [
    "case.py: NotMet",  # outcomes of a check of the conformance suite, which reports them
    "case.py: Unsupported",
    "chat.py: _OtherWayError",  # the question is asked in the other way; who asks sees the error that it is
    "translation.py: RefusedError",  # a write is made again, behind the lock
    "upstream.py: _Unanswered",  # answered, and never seen
]


def drawn_tree() -> dict[str, tuple[str, ...]]:
    """The names of each class's bases, as the docstring draws them."""
    tree: dict[str, tuple[str, ...]] = {}
    path: list[str] = []
    for match in LINE.finditer(errors.__doc__):
        path[len(match["branches"]) // 4 :] = [match["name"]]
        parent = path[-2] if len(path) > 1 else "Exception"
        assert match["name"] not in tree, f"{match['name']} is drawn twice"
        tree[match["name"]] = (parent, match["builtin"]) if match["builtin"] else (parent,)
    return tree


def test_every_error_derives_from_the_root():
    assert [name for name, error in CLASSES.items() if not issubclass(error, errors.AgentMemoryError)] == []
    assert errors.AgentMemoryError.__bases__ == (Exception,)


def test_the_tree_in_the_documentation_lists_every_error_under_its_parents():
    assert drawn_tree() == {name: tuple(base.__name__ for base in error.__bases__) for name, error in CLASSES.items()}


def test_every_error_is_described():
    assert [name for name, error in CLASSES.items() if not (error.__doc__ or "").strip()] == []


def test_no_module_has_errors_of_its_own():
    known = {*CLASSES, *(n for n, v in vars(builtins).items() if inspect.isclass(v) and issubclass(v, BaseException))}
    strangers = [
        f"{path.name}: {node.name}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any((ast.unparse(base).rpartition(".")[2]) in known for base in node.bases)
    ]

    assert sorted(strangers) == SIGNALS


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.InvalidInputError, ValueError),
        (errors.NotFoundError, LookupError),
        (errors.MissingDependencyError, ImportError),
        (errors.SyncCallError, RuntimeError),
    ],
)
def test_an_error_can_be_caught_as_the_builtin_that_it_is_a_case_of(error, builtin):
    with pytest.raises(builtin, match="why"):
        raise error("why")


def test_a_revision_conflict_carries_what_is_needed_to_repeat_the_edit():
    error = errors.RevisionConflictError("plan", 3, 5, "present text")

    assert (error.section_id, error.expected, error.revision, error.content) == ("plan", 3, 5, "present text")
    assert str(error).startswith("section 'plan' is at revision 5, not at the expected 3")


def test_a_busy_memory_says_until_when():
    until = datetime(2025, 1, 1, 12, tzinfo=UTC)

    error = errors.MemoryBusyError(7, until)

    assert error.lease_expires_at == until
    assert f"memory 7 is being consolidated by another run until {until}" in str(error)


@pytest.mark.parametrize(("later", "named"), [(["run-2", "run-3"], "run-2, run-3"), ([], "another writer")])
def test_a_refused_undo_names_the_runs_to_undo_first(later, named):
    error = errors.UndoConflictError("run-1", later)

    assert error.run_ids == later
    assert "run run-1 cannot be undone" in str(error)
    assert f"changed since by {named}; undo those runs first" in str(error)


def test_failed_runs_are_named_with_their_errors():
    outage = errors.OutageError("the server is gone")

    error = errors.RunsFailedError({("acme", 7): outage, ("initech", 8): errors.ModelError("nonsense")})

    assert error.errors["acme", 7] is outage
    assert str(error).startswith("2 consolidation runs failed")
    assert "memory 7 of 'acme': the server is gone; memory 8 of 'initech': nonsense" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.RevisionConflictError("plan", 1, 2, "now"),
        errors.MemoryBusyError(1, None),
        errors.UndoConflictError("a", ["b"]),
        errors.RunsFailedError({("alice", 1): ValueError("x")}),
        errors.ImportMismatchError(ImportReport(read=2, differences=[Remark(place="a", reason="b")]), 1),
        errors.InvalidInputError("plain"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_pickling_with_its_attributes(error):
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy).keys()) == (type(error), str(error), vars(error).keys())
