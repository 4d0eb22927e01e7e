"""SQL is text in its own files, of which the code uses every statement, and only through its doors."""

import ast
import re
from functools import cache

import pytest
from sql_files import BLOCK, FILES, PACKAGE, STATEMENTS, STORAGE

from langgraph_agentmem.models.vectors import VectorIndex
from langgraph_agentmem.policies.ownership import Ownership

# Statements and the code that runs them


@cache
def nodes(tree: ast.Module) -> list[ast.AST]:
    """All nodes of a tree, walked through once for all that is asked of them."""
    return list(ast.walk(tree))


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


@cache
def loads(tree: ast.Module) -> set[str]:
    """The files whose statements a module loads."""
    calls = (node for node in nodes(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return {
        c.args[0].value
        for c in calls
        if c.func.id in {"statements", "template"} and isinstance(c.args[0], ast.Constant)
    }


def names_subscripted(tree: ast.Module) -> set[str]:
    """The literal names under which a module looks up statements."""
    subscripts = [n.slice for n in nodes(tree) if isinstance(n, ast.Subscript) and ast.unparse(n.value) == "_SQL"]
    looked_up = [part for s in subscripts for part in ([s.body, s.orelse] if isinstance(s, ast.IfExp) else [s])]
    looked_up += [
        node.args[1]
        for node in nodes(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "template"
    ]
    return {part.value for part in looked_up if isinstance(part, ast.Constant)}


@cache
def strings(tree: ast.Module) -> set[str]:
    return {node.value for node in nodes(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


SOURCES = {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {path.name: parsed(SOURCES[str(path.relative_to(PACKAGE))]) for path in sorted(STORAGE.rglob("*.py"))}
NAMES = {file: {name for name, _ in BLOCK.findall(text)} for file, text in FILES.items()}


@pytest.mark.parametrize("file", FILES)
def test_every_statement_is_used(file):
    used = {string for tree in MODULES.values() if file in loads(tree) for string in strings(tree)}

    assert NAMES[file] - used == set()


@pytest.mark.parametrize("module", [name for name, tree in MODULES.items() if loads(tree) and name != "statements.py"])
def test_every_statement_that_is_used_exists(module):
    tree = MODULES[module]
    known = {name for file in loads(tree) for name in NAMES[file]}

    assert names_subscripted(tree), "the check finds nothing to check"
    assert names_subscripted(tree) - known == set()


def test_a_statement_that_does_not_exist_would_be_found():
    tree = ast.parse(
        '_SQL = statements("memories")\nx = _SQL["gone" if lock else "memory"]\ntemplate("search", "lost")'
    )

    assert loads(tree) == {"memories", "search"}
    assert names_subscripted(tree) == {"gone", "memory", "lost"}


def parameters(sql: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", sql))


def test_every_parameter_is_named_and_every_percent_sign_is_a_parameter():
    assert {n: sql for n, sql in STATEMENTS.items() if re.search(r"%(?!\(\w+\)s)", sql)} == {}


@cache
def given() -> set[str | None]:
    """What may be the name of a parameter in the code."""
    words = {word for tree in MODULES.values() for string in strings(tree) for word in string.split()}
    keywords = {node.arg for tree in MODULES.values() for node in nodes(tree) if isinstance(node, ast.keyword)}
    return {*words, *keywords, *VectorIndex.model_fields, *Ownership.model_fields}  # the last are given as a whole


@pytest.mark.parametrize("file", FILES)
def test_every_parameter_is_given_somewhere_in_the_code(file):
    wanted = {name: parameters(STATEMENTS[f"{file}:{name}"]) - given() for name in NAMES[file]}

    assert {name: missing for name, missing in wanted.items() if missing} == {}


# SQL is text in its own files


SQL = re.compile(
    r"\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|(create|alter|drop)\s+(table|index|view)\s|with\s+\w+\s+as\s*(materialized\s*)?\()",
    re.I | re.S,
)  # fmt: skip


def sql_strings(source: str) -> list[int]:
    """The lines with SQL in string literals, f-strings included."""
    return sorted({node.lineno for node in nodes(parsed(source)) if SQL.match(literal(node))})


def literal(node: ast.AST) -> str:
    """The text of a literal; what an f-string fills in is shown as a name."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=bytes() as text):
            return text.decode(errors="replace")
        case ast.JoinedStr():
            return "".join(literal(part) if isinstance(part, ast.Constant) else "name" for part in node.values)
    return ""


def test_no_module_contains_sql():
    modules = {name: sql_strings(source) for name, source in SOURCES.items()}

    assert len(modules) > 40
    assert {name: lines for name, lines in modules.items() if lines} == {}


@pytest.mark.parametrize(
    "bad",
    [
        '"SELECT id FROM agentmem.section"',
        'b"delete from agentmem.section where true"',
        'f"update {table} set x = 1"',
        'f"INSERT INTO {table} (a) VALUES (1)"',
        '"""\\n  WITH a AS (SELECT 1) SELECT * FROM a"""',
        '"CREATE TABLE x (id int)"',
    ],
)
def test_sql_in_a_module_is_found(bad):
    assert sql_strings(f"query = {bad}") == [1]


def test_errors_are_told_apart_by_sqlstate_not_by_the_names_of_constraints():
    attributes = {
        f"{name}:{node.lineno}"
        for name, source in SOURCES.items()
        for node in nodes(parsed(source))
        if isinstance(node, ast.Attribute) and node.attr == "constraint_name"
    }

    assert attributes == set()


SYNCHRONIZES = {"transaction", "pipeline", "sync", "commit", "rollback", "stream", "copy"}
"""What the driver's connections, cursors and pipelines offer, and what would commit in the middle of a transaction."""
ENDS_TRANSACTIONS = {
    "storage/driver/connections.py",
    "storage/driver/database.py",
    "storage/driver/migrate.py",  # on a connection of its own
    "storage/driver/row_security.py",  # so as well
    "storage/driver/session.py",  # so as well, to find out whether it can
    "storage/langgraph/checkpoints.py",  # so as well
    "storage/vectors.py",  # on one that is in no pipeline
}


def synchronizing(source: str) -> list[str]:
    return [
        ast.unparse(node.func)
        for node in nodes(parsed(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SYNCHRONIZES
        and ast.unparse(node.func.value).split(".")[-1] in {"connection", "cursor", "pipeline"}
    ]


def test_nothing_ends_a_transaction_but_its_block():
    found = {name: synchronizing(source) for name, source in SOURCES.items()}
    assert {module for module, calls in found.items() if calls} == ENDS_TRANSACTIONS

    assert synchronizing("async with connection.transaction(): pass") == ["connection.transaction"]
    assert synchronizing("await pipeline.sync()") == ["pipeline.sync"]
    assert synchronizing("async with resources.database.transaction() as connection: pass") == []


NO_DOORS = {"connection", "pool"}
"""What has a `transaction()` or a `connection()` of its own: the driver's connections, and what lies behind the door."""


def for_nobody(source: str) -> list[str]:
    """The calls that take a connection or a transaction without saying for whom."""
    return [
        ast.unparse(node)
        for node in nodes(parsed(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"connection", "transaction"}
        and ast.unparse(node.func.value).split(".")[-1] not in NO_DOORS
        and not node.args
    ]


def test_every_connection_is_taken_for_a_tenant_or_for_everyone():
    found = {name: for_nobody(source) for name, source in SOURCES.items()}

    assert {module: calls for module, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "bad",
    [
        "database.connection()",
        "resources.database.transaction()",
        "self._database.connection()",
        "self._tables.transaction()",
        "self.transaction()",
        "self.memory.resources.database.connection()",
        "db.connection()",
    ],
)
def test_a_connection_for_nobody_is_found(bad):
    assert for_nobody(f"async def read():\n    async with {bad} as connection:\n        pass") == [bad]
    assert for_nobody(bad.replace("()", "(EVERYONE)")) == []


def test_what_lies_behind_the_door_asks_for_nobody():
    assert for_nobody("connection.transaction()") == for_nobody("pool.connection()") == []
