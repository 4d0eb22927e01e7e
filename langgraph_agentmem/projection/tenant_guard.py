"""Lets a Cypher query see one tenant only.

Edges never lead from one tenant to another. So a query sees one tenant only if every place at which it *enters* the
graph is bound to that tenant; from there on it may go along edges. Where a query enters shows in its plan: at its
leaves. What a query means does not depend on the plan that the server chooses, so if one plan of it is bound to the
tenant, the query is.
"""

import re
from collections.abc import Iterator
from typing import Any

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.projection.neo4j_database import Neo4jTransaction

_INNER_NAMES = """
    ProduceResults Projection Filter Distinct OrderedDistinct Union OrderedUnion Apply SemiApply AntiSemiApply
    SelectOrSemiApply SelectOrAntiSemiApply LetSemiApply LetAntiSemiApply LetSelectOrSemiApply LetSelectOrAntiSemiApply
    ConditionalApply AntiConditionalApply RollUpApply CartesianProduct NodeHashJoin ValueHashJoin LeftOuterHashJoin
    RightOuterHashJoin NodeLeftOuterHashJoin NodeRightOuterHashJoin TriadicSelection TriadicBuild TriadicFilter
    Expand(All) Expand(Into) OptionalExpand(All) OptionalExpand(Into) VarLengthExpand(All) VarLengthExpand(Into)
    VarLengthExpand(Pruning) VarLengthExpand(Pruning,BFS,All) VarLengthExpand(Pruning,BFS,Into) ShortestPath
    StatefulShortestPath(All,Trail) StatefulShortestPath(Into,Trail) Repeat(Trail) BidirectionalRepeat(Trail)
    ProjectEndpoints Optional Sort PartialSort Top PartialTop Top1WithTies Limit ExhaustiveLimit Skip
    EagerAggregation OrderedAggregation Eager UnwindCollection Unwind CacheProperties EmptyResult Argument
    AssertSameNode
"""
_INNER = frozenset(_INNER_NAMES.split())
"""What goes on from what was entered, or needs no graph."""

_SEEK = re.compile(
    r"(?:RANGE INDEX|UNIQUE) "
    r"(?:\w+:\w+|\(\w+\)<?-\[\w+:\w+)\(external_id(?:, \w+)*\)(?:\]->?\(\w+\))?"
    r" WHERE external_id = \$external_id(?:,| AND |$)"
)
_SEEKS = {
    "NodeIndexSeek",
    "NodeUniqueIndexSeek",
    "DirectedRelationshipIndexSeek",
    "DirectedRelationshipUniqueIndexSeek",
    "UndirectedRelationshipIndexSeek",
    "UndirectedRelationshipUniqueIndexSeek",
}
_SCANNED = {
    "AllNodesScan": re.compile(r"(\w+)$"),
    "NodeByLabelScan": re.compile(r"(\w+):\w+$"),
    "UnionNodeByLabelsScan": re.compile(r"(\w+):\w+(?:\|\w+)*$"),
    "NodeIndexScan": re.compile(r"RANGE INDEX (\w+):\w+\("),
    "NodeIndexSeek": re.compile(r"RANGE INDEX (\w+):\w+\("),
    "DirectedRelationshipTypeScan": re.compile(r"\(\w+\)-\[(\w+):\w+\]->\(\w+\)$"),
    "UndirectedRelationshipTypeScan": re.compile(r"\(\w+\)-\[(\w+):\w+\]-\(\w+\)$"),
    "DirectedRelationshipIndexScan": re.compile(r"RANGE INDEX \(\w+\)-\[(\w+):\w+\("),
    "UndirectedRelationshipIndexScan": re.compile(r"RANGE INDEX \(\w+\)-\[(\w+):\w+\("),
}
"""Scans that are bound to the tenant by a filter right above them, and how they call what they scan."""

_NESTED = re.compile(r"\b(?:COUNT|EXISTS|COLLECT)\s*\{|\bMATCH\b", re.IGNORECASE)
_FORBIDDEN = re.compile(r"`|\\u|/\*|//|\b(?:USE|EXPLAIN|PROFILE|CYPHER)\b", re.IGNORECASE)
_FUNCTION = re.compile(r"\b([A-Za-z]\w*)(?:\s*\.\s*\w+)+\s*\(")
_NAMESPACES = {"date", "datetime", "duration", "localdatetime", "localtime", "point", "time", "vector"}
"""Of functions that come with Neo4j and read nothing; those of plugins may run queries of their own."""


def check(transaction: Neo4jTransaction, query: str, params: Json) -> None:
    """Refuse a query that could write, or could see more than the transaction's tenant.

    Raises:
        InvalidInputError: It says what stands in the way.
    """
    if forbidden := _FORBIDDEN.search(query):
        raise InvalidInputError(
            f"the query holds {forbidden[0]!r}; quoted identifiers, escapes, comments, USE, EXPLAIN and PROFILE cannot "
            "be checked, and values belong into params"
        )
    for function in _FUNCTION.finditer(query):
        if function[1].lower() not in _NAMESPACES:
            raise InvalidInputError(f"the query calls {function[0].rstrip('(')}, a function that cannot be checked")
    kind, plan = transaction.explain(query, **params)
    if kind != "r" or not plan:
        raise InvalidInputError("the query is not one that only reads")
    for problem in _problems(plan, None):
        raise InvalidInputError(
            f"the query could see another tenant: {problem}. Enter the graph only at nodes or relationships with "
            "external_id: $external_id, as in MATCH (e:LongtermEntity {external_id: $external_id})"
        )


def _problems(step: dict[str, Any], above: dict[str, Any] | None) -> Iterator[str]:
    name = str(step["operatorType"]).partition("@")[0]
    details = str(step.get("args", {}).get("Details", ""))
    if _NESTED.search(details):
        yield "it has a subquery within an expression; write CALL (...) { ... } or OPTIONAL MATCH instead"
    elif name not in _INNER and not _bound(name, details, above):
        yield f"{name} ({details})"
    for child in step.get("children", []):
        yield from _problems(child, step)


def _bound(name: str, details: str, above: dict[str, Any] | None) -> bool:
    """Whether a leaf yields only what belongs to the tenant."""
    if name in _SEEKS and _SEEK.match(details):
        return True
    scanned = _SCANNED[name].match(details) if name in _SCANNED else None
    if scanned is None or above is None or not str(above["operatorType"]).startswith("Filter@"):
        return False
    wanted = f"{scanned[1]}.external_id = $external_id"
    parts = _conjuncts(str(above.get("args", {}).get("Details", "")))
    # a property that the plan has read before is written `cache[...]`
    return any(part in (wanted, f"cache[{wanted.replace(' = ', '] = ', 1)}") for part in parts)


def _conjuncts(condition: str) -> list[str]:
    """The parts of a condition that are joined by AND; empty where anything else joins them."""
    if re.search(r"(?<!\w)(?:X?OR|CASE)(?!\w)", condition):
        return []
    depth, start, parts = 0, 0, list[str]()
    for position, sign in enumerate(condition):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and condition.startswith(" AND ", position):
            parts.append(condition[start:position])
            start = position + len(" AND ")
    if parts:
        return [*parts, condition[start:]]
    enclosed = condition.startswith("(") and condition.endswith(")") and _closes_last(condition)
    return _conjuncts(condition[1:-1]) if enclosed else [condition]


def _closes_last(condition: str) -> bool:
    """Whether the first parenthesis is closed by the last one."""
    depth = 0
    for position, sign in enumerate(condition):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return position == len(condition) - 1
    return False
