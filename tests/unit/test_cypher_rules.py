"""The rules that every Cypher statement keeps to: the tenant at every node and edge, and nothing but fixed names.

Each check is tried on a bad sample, so that it is known to catch something.
"""

import ast
import re
from pathlib import Path

import pytest

import langgraph_agentmem
from langgraph_agentmem.projection.cypher_statements import TIERS, cypher, of_tier
from langgraph_agentmem.storage.driver.statements import named_blocks

PROJECTION = Path(langgraph_agentmem.__file__).parent / "projection"
FILES = {path.stem: path.read_text() for path in sorted((PROJECTION / "cypher").glob("*.cypher"))}
STATEMENTS = {f"{file}:{name}": body for file, text in FILES.items() for name, body in named_blocks(text, "//").items()}
QUERIES = {name: body for name, body in STATEMENTS.items() if not name.startswith("schema:")}
MODULES = {path.name: path.read_text() for path in sorted(PROJECTION.glob("*.py"))}
OVER_ALL_TENANTS = {"legacy:entities", "legacy:relationships"}
"""What an import reads of another system's graph, each row with whose it is."""
TENANT = "{external_id: $external_id"
NODE = re.compile(r"(?<![\w\])])\((\w*)(:[\w|]+)?(?: (\{[^}]*\}?))?\)")
EDGE = re.compile(r"-\[(\w*)(:[\w|]+)?(\*[\d.]*)?(?: (\{[^}]*\}?))?\]")
NAMES = {"ENTITY", "RELATES", "MemoryChunk", "MENTIONED_IN", "AgentMemoryProjection"}


def bare(statement: str) -> str:
    return " ".join(re.sub(r"//[^\n]*", "", statement).split())


def patterns(statement: str) -> str:
    """What stands behind MATCH and MERGE, up to the next clause."""
    clauses = re.findall(
        r"\b(?:MATCH|MERGE) (.*?)(?=\b(?:USING|WHERE|SET|WITH|RETURN|UNWIND|MATCH|OPTIONAL|MERGE|DELETE|DETACH|ORDER)\b|$)",
        bare(statement),
    )
    return " ; ".join(clauses)


def without_tenant(statement: str) -> list[str]:
    """Nodes and edges that are named for the first time, or not at all, without the tenant."""
    text, bound, problems = patterns(statement), set[str](), []
    for name, label, properties in NODE.findall(text):
        if not properties.startswith(TENANT) and (label or name not in bound):
            problems.append(f"node {name or '()'}")
        bound.add(name)
    for name, _, length, properties in EDGE.findall(text):
        checked = length and "r IN relationships(p) WHERE r.external_id = $external_id AND" in statement
        if not properties.startswith(TENANT) and not checked:
            problems.append(f"edge {name or '[]'}")
    return problems


def test_there_is_something_to_check() -> None:
    assert len(QUERIES) > 20
    assert all(NODE.findall(patterns(query)) for query in QUERIES.values())
    assert sum(len(EDGE.findall(patterns(query))) for query in QUERIES.values()) > 8


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - OVER_ALL_TENANTS))
def test_every_node_and_edge_names_the_tenant(name: str) -> None:
    assert without_tenant(QUERIES[name]) == []


@pytest.mark.parametrize("name", sorted(OVER_ALL_TENANTS))
def test_what_reads_over_all_tenants_only_reads_and_says_whose_it_is(name: str) -> None:
    query = bare(QUERIES[name])
    assert not re.search(r"\b(?:CREATE|MERGE|SET|DELETE|REMOVE)\b", query)
    assert re.search(r"\bRETURN\b.*\bexternal_id\b", query)


@pytest.mark.parametrize(
    "bad",
    [
        "MATCH (e:ENTITY) RETURN e",
        "MATCH (e:ENTITY {id: 1}) WHERE e.external_id = $external_id RETURN e",
        "MATCH (e) RETURN e",
        "MATCH (e:ENTITY {external_id: $external_id})-[r:RELATES]->(n {external_id: $external_id}) RETURN n",
        "MATCH (e:ENTITY {external_id: $external_id})-[r:RELATES {external_id: $external_id}]->(n) RETURN n",
        "MATCH (e:ENTITY {external_id: $external_id}) MATCH (e:ENTITY)-[:X {external_id: $external_id}]-() RETURN e",
        "MATCH (e:ENTITY {external_id: row.external_id}) RETURN e",
        "MERGE (e:ENTITY {id: row.id}) SET e.external_id = $external_id",
        "MATCH (a {external_id: $external_id}) MATCH p = allShortestPaths((a)-[:RELATES*..10]-(a)) RETURN p",
    ],
)
def test_a_pattern_without_the_tenant_is_found(bad: str) -> None:
    assert without_tenant(bad)


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_described_and_is_one(name: str) -> None:
    assert re.match(r"// [A-Z].*(\n// .*)*\.\n", STATEMENTS[name])
    assert ";" not in bare(STATEMENTS[name])


@pytest.mark.parametrize("name", QUERIES)
def test_labels_and_types_are_fixed_names(name: str) -> None:
    text = bare(QUERIES[name])
    assert set(re.findall(r"[(\[]\w*:(\w+)", text)) <= NAMES
    assert not re.search(r"[(\[]\w*:\s*\$|\bCALL\b|\bapoc\b|`", text)


@pytest.mark.parametrize("file", ["legacy", "project", "read"])
@pytest.mark.parametrize("tier", TIERS)
def test_a_statement_about_a_tier_names_that_tier_only(file: str, tier: str) -> None:
    other = {"shortterm": "LONGTERM|Longterm", "longterm": "SHORTTERM|Shortterm"}[tier]
    for statement in cypher(file).values():
        assert not re.search(rf"\bENTITY\b|:RELATES|{other}", bare(of_tier(statement, tier)))


def test_every_statement_is_used() -> None:
    strings = {
        node.value
        for source in MODULES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {name.partition(":")[2] for name in QUERIES} - strings == set()


CYPHER = re.compile(r"\s*(?:OPTIONAL )?(?:MATCH|MERGE|UNWIND|DETACH DELETE)\b.*[({$]", re.DOTALL)


def test_no_module_contains_cypher() -> None:
    found = {
        f"{name}:{node.lineno}"
        for name, source in MODULES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CYPHER.match(node.value)
    }
    assert found == set()
    assert CYPHER.match("MATCH (n) RETURN n")


def test_only_one_module_gives_statements_to_the_driver() -> None:
    assert [name for name, source in MODULES.items() if "import neo4j" in source] == ["neo4j_database.py"]
    assert MODULES["neo4j_database.py"].count("transaction.run(") == 1
    assert 'transaction.run(statement, {**params, "external_id": self.external_id})' in MODULES["neo4j_database.py"]
