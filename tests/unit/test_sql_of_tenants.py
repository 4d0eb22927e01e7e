"""Every statement stays with one tenant, so that it runs on one server and on a cluster distributed by tenant.

The rules are checked on the text of the statements, as far as a text can show them. Each check is tried on a bad
sample, so that it is known to catch something.
"""

import re
from collections import Counter

import pytest
from sql_files import (
    BLOCK,
    COUNTS_OVER_ALL_TENANTS,
    FILES,
    FOR_EVERYONE,
    INDEXES,
    MIGRATIONS,
    READS_OF_GRANTS,
    READS_OVER_ALL_TENANTS,
    SCHEMA,
    STATEMENTS,
    TABLES,
    TENANT_TABLES,
    VIEWS,
    found,
    parts,
)

NO_ALIASES = re.compile(
    r"where|set|on|using|order|limit|join|left|cross|union|group|for|values|returning|and|or|as|with", re.I
)


# What is read here


def test_there_is_something_to_check():
    assert len(STATEMENTS) > 80
    assert all(len(parts(text)) > 20 for text in (SCHEMA, MIGRATIONS["0001_tables.sql"]))
    assert {"active_memory", "section", "memory_chunk", "entity", "relationship"} <= TENANT_TABLES
    assert len(TABLES) == len(re.findall("^CREATE TABLE", SCHEMA, re.M))
    assert len(INDEXES) > len(re.findall("^CREATE (?:UNIQUE )?INDEX", SCHEMA, re.M)) > 20
    assert len(VIEWS) == 6


@pytest.mark.parametrize("file", FILES)
def test_every_statement_is_a_named_block_with_a_description(file):
    text = FILES[file]

    assert text.startswith("-- name: ")
    assert len(BLOCK.findall(text)) == len(re.findall(r"^\s*--\s*name\b", text, re.M))
    for name, body in BLOCK.findall(text):
        assert re.match(r"-- [A-Z].*", body), f"{name} is not described"
        assert re.match(r"(?:-- .*\n|--\n)*?-- .*\.\n", body), f"the description of {name} is no sentence"


@pytest.mark.parametrize("file", FILES)
def test_every_name_is_given_once(file):
    names = Counter(name for name, _ in BLOCK.findall(FILES[file]))

    assert [name for name, count in names.items() if count > 1] == []


def test_every_block_is_one_statement():
    without_bodies = {name: re.sub(r"\$\$.*?\$\$", "", sql, flags=re.S) for name, sql in STATEMENTS.items()}

    assert [name for name, sql in without_bodies.items() if not sql or ";" in sql] == []


def test_every_table_of_the_schema_is_described():
    described = re.findall(r"^-- .*\.\nCREATE TABLE agentmem\.(\w+)", SCHEMA, re.M)

    assert described == re.findall(r"^CREATE TABLE agentmem\.(\w+)", SCHEMA, re.M)


# The tenant


def tenants_missing(sql: str) -> list[str]:
    """Aliases (or the bare table) for which a statement names the tenant less often than it refers to a tenant table."""
    sql = re.sub(r"%\(external_id\)s::text IS NULL OR (\w+\.)?external_id = %\(external_id\)s", "", sql)
    written = re.compile(r"INSERT INTO agentmem\.(\w+)(?: AS \w+)? ")
    problems = [
        f"INSERT INTO {match[1]}"
        for match in written.finditer(sql)
        if match[1] in TENANT_TABLES
        and not re.match(r"\(external_id, [^)]*\) (VALUES \(|SELECT )%\(external_id\)s,", sql[match.end() :])
    ]
    sql = written.sub("", sql)
    references = Counter(
        match[2] if match[2] and not NO_ALIASES.fullmatch(match[2]) else ""
        for match in re.finditer(r"\bagentmem\.(\w+)(?: (?:AS )?(\w+))?", sql)
        if match[1] in TENANT_TABLES | VIEWS
    )
    conditions = Counter(
        match[1] or ""
        for match in re.finditer(r"(?:\b(\w+)\.)?\bexternal_id = (?:%\(external_id\)s|ANY \(%\(external_ids\)s)", sql)
    )
    return problems + [alias or "the table" for alias, count in references.items() if conditions[alias] < count]


def test_every_reference_to_a_tenant_table_names_the_tenant():
    queries = {n: sql for n, sql in STATEMENTS.items() if not sql.startswith("CREATE ") and n not in FOR_EVERYONE}

    assert found(tenants_missing, queries) == {}


@pytest.mark.parametrize(
    "bad",
    [
        "SELECT * FROM agentmem.section WHERE memory_id = %(memory_id)s",
        "SELECT * FROM agentmem.section s WHERE s.memory_id = %(memory_id)s AND external_id = other.external_id",
        "SELECT * FROM agentmem.entity e JOIN agentmem.mention m ON m.entity_id = e.id WHERE e.external_id = %(external_id)s",
        "SELECT * FROM agentmem.entity e JOIN agentmem.mention m ON m.external_id = e.external_id WHERE e.external_id = %(external_id)s",
        "WITH a AS (SELECT id FROM agentmem.entity) SELECT * FROM agentmem.mention WHERE external_id = %(external_id)s",
        "SELECT * FROM agentmem.entity WHERE (%(external_id)s::text IS NULL OR external_id = %(external_id)s)",
        "SELECT * FROM agentmem.longterm_entity",
        "UPDATE agentmem.section SET revision = 1 WHERE memory_id = %(memory_id)s",
        "DELETE FROM agentmem.section WHERE memory_id = %(memory_id)s",
        "INSERT INTO agentmem.section (memory_id, external_id) VALUES (%(memory_id)s, %(external_id)s)",
        "INSERT INTO agentmem.section (external_id, memory_id) SELECT s.external_id, s.id FROM agentmem.active_memory s WHERE s.external_id = %(external_id)s",
    ],
)  # fmt: skip
def test_a_reference_without_the_tenant_is_found(bad):
    assert tenants_missing(bad)


def tables_not_joined(sql: str) -> list[str]:
    """Tables that an insert reads beside a first one without joining them by the tenant: a value for each is not enough."""
    read = re.sub(r"INSERT INTO agentmem\.\w+", "", sql) if sql.startswith("INSERT") else ""
    aliases = [m[2] for m in re.finditer(r"(?:FROM|JOIN) agentmem\.(\w+) (\w+)", read) if m[1] in TENANT_TABLES]
    joined = re.findall(r"\b(\w+)\.external_id = \w+\.external_id", read)
    branches = read.count("UNION ALL") + read.count("ARRAY(SELECT") + read.count("(SELECT") + 1
    return aliases[branches:] if len(joined) < len(aliases) - branches else []


def test_what_an_insert_reads_of_several_tables_is_joined_by_the_tenant():
    assert found(tables_not_joined, STATEMENTS) == {}


def test_a_table_that_is_not_joined_is_found():
    tenant = "external_id = %(external_id)s"
    bad = f"INSERT INTO agentmem.mention (external_id, chunk_id) SELECT %(external_id)s, c.id FROM agentmem.entity e JOIN agentmem.memory_chunk c ON c.{tenant} WHERE e.{tenant}"

    assert tables_not_joined(bad) == ["c"]
    assert not tables_not_joined(bad.replace(" WHERE", " AND c.external_id = e.external_id WHERE"))


def asked_beside_counts(sql: str) -> list[str]:
    """Subqueries in what is selected over all tenants, or over lists of the statement's own: no server can answer them alone."""
    [selected, *_] = re.split(r"\bFROM agentmem\.|\bFROM \(SELECT\b", sql, maxsplit=1)
    return re.findall(r"\(SELECT\b", selected) + re.findall(r"EXISTS \(SELECT \S+ FROM (?:jsonb_\w+|unnest)\(", sql)


def test_what_is_asked_over_all_tenants_is_asked_of_each_server_alone():
    assert found(asked_beside_counts, {name: STATEMENTS[name] for name in FOR_EVERYONE}) == {}
    assert asked_beside_counts("SELECT count(*), (SELECT count(*) FROM agentmem.section) FROM agentmem.entity")
    assert asked_beside_counts("SELECT 1 FROM agentmem.entity e WHERE EXISTS (SELECT 1 FROM jsonb_each(%(x)s))")


@pytest.mark.parametrize("name", sorted(READS_OVER_ALL_TENANTS))
def test_only_reads_without_locks_may_look_at_all_tenants(name):
    sql = STATEMENTS[name]

    assert tenants_missing(sql), "the exception is not needed any more"
    assert re.match(r"SELECT (DISTINCT )?((\w\.)?external_id\b|\(a\.namespace\b)", sql)
    assert not re.search(r"\bFOR (UPDATE|SHARE|NO KEY)|\b(UPDATE|DELETE|INSERT)\b", sql)
    assert re.search(r"\bLIMIT %\(limit\)s( OFFSET %\(offset\)s)?$", sql) or name == "sections:tenants"


@pytest.mark.parametrize("name", sorted(COUNTS_OVER_ALL_TENANTS))
def test_what_counts_over_all_tenants_returns_one_row_and_locks_nothing(name):
    sql = STATEMENTS[name]

    assert tenants_missing(sql), "the exception is not needed any more"
    assert sql.startswith("SELECT count(*)")
    assert not re.search(r"\bFOR (UPDATE|SHARE|NO KEY)|\b(UPDATE|DELETE|INSERT|GROUP BY)\b", sql)


@pytest.mark.parametrize("name", sorted(READS_OF_GRANTS))
def test_what_is_granted_to_a_tenant_is_read_by_that_tenant_and_nothing_else_is(name):
    sql = STATEMENTS[name]

    assert tenants_missing(sql), "the exception is not needed any more"
    assert re.findall(r"agentmem\.(\w+)", sql) == ["read_grant"]
    assert re.search(r"WHERE reader = %\(reader\)s( ORDER BY [\w, ]+)?$", sql)
