"""The rules that every statement keeps to, so that it runs on one server and on a cluster distributed by tenant.

The rules are checked on the text of the statements, as far as a text can show them. Each check is tried on a bad
sample, so that it is known to catch something.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import langgraph_agentmem
from langgraph_agentmem.models.vectors import VectorIndex
from langgraph_agentmem.policies.ownership import Ownership

PACKAGE = Path(langgraph_agentmem.__file__).parent
STORAGE = PACKAGE / "storage"
FILES = {path.stem: path.read_text() for path in sorted((STORAGE / "sql").glob("*.sql")) if path.stem != "schema"}
SCHEMA = (STORAGE / "sql" / "schema.sql").read_text()
MIGRATIONS = {path.name: path.read_text() for path in sorted((STORAGE / "sql" / "migrations").glob("*.sql"))}
BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name:|\Z)", re.M | re.S)
READS_OVER_ALL_TENANTS = {
    "sections:all_unchunked_memories",
    "chunks:unembedded_chunks",
    "chunks:waiting_chunks",
    "sections:expired",
    "sections:namespaces",
    "sections:tenants",
    "reviews:pending_runs",
    "projection:waiting_tenants",
    "projection:known_tenants",
    "queue:dead_letters",
    "queue:due_memories",
    "queue:tenants_with_dead_letters",
    "threads:tenants_of_threads",
}
COUNTS_OVER_ALL_TENANTS = {"queue:queue_status", "reviews:count_pending"}
NO_ALIASES = re.compile(
    r"where|set|on|using|order|limit|join|left|cross|union|group|for|values|returning|and|or|as|with", re.I
)


def bare(sql: str) -> str:
    """A statement without comments and string literals, its white space made single spaces."""
    sql = re.sub(r"--[^\n]*", " ", sql)
    sql = " ".join(re.sub(r"'(?:[^']|'')*'", "''", sql).split())
    return sql.replace("( ", "(").replace(" )", ")")


def parts(text: str) -> list[str]:
    """The statements of a script."""
    return [bare(part) for part in re.sub(r"--[^\n]*", "", text).split(";") if part.strip()]


STATEMENTS = {f"{file}:{name}": bare(body) for file, text in FILES.items() for name, body in BLOCK.findall(text)}
SCRIPTS = {
    f"{file}, {number}: {sql[:60]}": sql
    for file, text in {"schema.sql": SCHEMA, **MIGRATIONS}.items()
    for number, sql in enumerate(parts(text), 1)
}
MADE_ON_THE_WAY = [sql for sql in STATEMENTS.values() if sql.startswith("CREATE ")]
DDL = [*SCRIPTS.values(), *MADE_ON_THE_WAY]
PRESENT = [*parts(SCHEMA), *MADE_ON_THE_WAY]
"""Tables, indexes and views as they are; that migrations make the same is tested on a database."""
EVERYTHING = {**STATEMENTS, **SCRIPTS}

TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?agentmem\.(\w+) \((.*?)\)(?: WITH \(([^()]*)\))?$")
INDEX = re.compile(r"CREATE (UNIQUE )?INDEX .*?\bON agentmem\.(\w+)(.*)$")
TABLES = {match[1]: match[2] for sql in PRESENT if (match := TABLE.match(sql))}
INDEXES = [(bool(match[1]), match[2], match[3]) for sql in PRESENT if (match := INDEX.match(sql))]
VIEWS = {match[1] for sql in PRESENT if (match := re.match(r"CREATE VIEW agentmem\.(\w+)", sql))}
TENANT_TABLES = {name for name, body in TABLES.items() if re.search(r"\bexternal_id\b", body)}


def found(check, statements=None) -> dict[str, list[str]]:
    """What a check finds, by statement."""
    statements = EVERYTHING if statements is None else statements
    return {name: problems for name, sql in statements.items() if (problems := check(sql))}


def closed(sql: str, start: int) -> str:
    """The text from a position up to where its first parenthesis closes."""
    depth = 0
    for position in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[position], 0)
        if depth == 0 and sql[position] == ")":
            return sql[start : position + 1]
    return sql[start:]


def changes_rows(sql: str) -> bool:
    return bool(re.search(r"\b(UPDATE agentmem|DELETE FROM)\b", sql))


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
    assert [name for name, sql in STATEMENTS.items() if not sql or ";" in sql] == []


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
    excepted = READS_OVER_ALL_TENANTS | COUNTS_OVER_ALL_TENANTS
    queries = {n: sql for n, sql in STATEMENTS.items() if not sql.startswith("CREATE ") and n not in excepted}

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


@pytest.mark.parametrize("name", sorted(READS_OVER_ALL_TENANTS))
def test_only_reads_without_locks_may_look_at_all_tenants(name):
    sql = STATEMENTS[name]

    assert tenants_missing(sql), "the exception is not needed any more"
    assert re.match(r"SELECT (DISTINCT )?((\w\.)?external_id\b|\(n\.namespace\b)", sql)
    assert not re.search(r"\bFOR (UPDATE|SHARE|NO KEY)|\b(UPDATE|DELETE|INSERT)\b", sql)
    assert re.search(r"\bLIMIT %\(limit\)s( OFFSET %\(offset\)s)?$", sql) or name == "sections:tenants"


@pytest.mark.parametrize("name", sorted(COUNTS_OVER_ALL_TENANTS))
def test_what_counts_over_all_tenants_returns_one_row_and_locks_nothing(name):
    sql = STATEMENTS[name]

    assert tenants_missing(sql), "the exception is not needed any more"
    assert sql.startswith("SELECT count(*)")
    assert not re.search(r"\bFOR (UPDATE|SHARE|NO KEY)|\b(UPDATE|DELETE|INSERT|GROUP BY)\b", sql)


# Times, volatile and stable functions


def times_out_of_place(sql: str) -> list[str]:
    """`now()` in COALESCE or CASE, or beside a column, where rows are changed."""
    if not changes_rows(sql):
        return []
    calls = [closed(sql, match.start()) for match in re.finditer(r"\b(?:coalesce|nullif)\s*\(", sql, re.I)]
    calls += [match[0] for match in re.finditer(r"\bCASE\b.*?\bEND\b", sql, re.I)]
    problems = [call for call in calls if re.search(r"\bnow\(\)|\bcurrent_timestamp\b", call, re.I)]
    problems += re.findall(r"\bnow\(\) ?[-+] ?(?!%\()\S+", sql, re.I)
    return problems + re.findall(r"\w+ ?[-+] ?now\(\)", sql, re.I)


def test_where_rows_are_changed_now_stands_alone_or_with_parameters():
    assert found(times_out_of_place) == {}


@pytest.mark.parametrize(
    "bad",
    [
        "UPDATE agentmem.active_memory SET due_at = coalesce(due_at, now()) WHERE true",
        "UPDATE agentmem.active_memory SET due_at = COALESCE(nullif(due_at, %(x)s), greatest(due_at, now()))",
        "UPDATE agentmem.active_memory SET due_at = CASE WHEN due_at IS NULL THEN now() ELSE due_at END",
        "UPDATE agentmem.section SET expires_at = now() + ttl_minutes * interval ''",
        "DELETE FROM agentmem.section WHERE updated_at < now() - ttl",
        "WITH gone AS (DELETE FROM agentmem.section WHERE coalesce(expires_at, now()) < now() RETURNING id) SELECT 1",
    ],
)
def test_a_time_out_of_place_is_found(bad):
    assert times_out_of_place(bad)


def test_times_with_parameters_and_least_are_in_place():
    good = "UPDATE agentmem.section SET expires_at = now() + %(ttl)s * interval '', due_at = LEAST(due_at, now())"

    assert times_out_of_place(good) == []


UNSTABLE = r"\b(random|clock_timestamp|statement_timestamp|timeofday|gen_random_uuid|uuidv\d|nextval|setval|to_jsonb?|row_to_json|jsonb?_build_\w+|to_char|to_timestamp|age|date_trunc|concat|concat_ws|format)\s*\("


def unstable_calls(sql: str) -> list[str]:
    return [match[0] for match in re.finditer(UNSTABLE, sql, re.I)] if changes_rows(sql) else []


def test_where_rows_are_changed_nothing_is_volatile_and_no_stable_function_touches_a_column():
    assert found(unstable_calls) == {}


@pytest.mark.parametrize(
    "call", ["random()", "clock_timestamp()", "nextval('')", "to_jsonb(title)", "concat(title, '')"]
)
def test_a_volatile_or_stable_call_is_found(call):
    assert unstable_calls(f"UPDATE agentmem.active_memory SET metadata = {call} WHERE true")


def times_on_conflict(sql: str) -> list[str]:
    return re.findall(r"ON CONFLICT\b.*?(?:\bnow\(\)|\w*_timestamp\b)", sql, re.I)


def test_on_conflict_takes_its_times_from_excluded():
    assert found(times_on_conflict) == {}
    assert times_on_conflict("INSERT INTO x (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET last_updated = now()")


def conflicts_without_tenant(sql: str) -> list[str]:
    return re.findall(
        r"ON CONFLICT \((?!external_id, |name, dimensions, )[^)]*\)|ON CONFLICT ON CONSTRAINT \w+", sql, re.I
    )


def test_a_conflict_is_about_the_tenants_own_rows():
    assert found(conflicts_without_tenant) == {}
    assert conflicts_without_tenant("INSERT INTO x (a) VALUES (1) ON CONFLICT (id) DO NOTHING")
    assert conflicts_without_tenant("INSERT INTO x (a) VALUES (1) ON CONFLICT ON CONSTRAINT x_key DO NOTHING")


def computed_returns(sql: str) -> list[str]:
    lists = re.findall(r"\bRETURNING (.*?)(?=\)|$)", sql, re.I)
    return [
        item for names in lists for item in names.split(", ") if not re.fullmatch(r"(\w+\.)?(\w+|\*)", item.strip())
    ]


def test_returning_names_plain_columns():
    assert found(computed_returns) == {}


@pytest.mark.parametrize("bad", ["id, now()", "coalesce(id, 0)", "id AS number", "(SELECT 1)", "id::text"])
def test_a_computed_return_is_found(bad):
    assert computed_returns(f"DELETE FROM agentmem.section WHERE true RETURNING {bad}")
    assert computed_returns(f"WITH d AS (DELETE FROM agentmem.section RETURNING {bad}) SELECT 1")


# What is ruled out altogether

RULED_OUT = {
    "foreign keys never set columns": (r"\bSET (NULL|DEFAULT)\b", "FOREIGN KEY (a) REFERENCES b ON DELETE SET NULL"),
    "no triggers": (r"\bTRIGGER\b", "CREATE TRIGGER x AFTER UPDATE ON agentmem.section EXECUTE FUNCTION f()"),
    "no rules": (r"\bCREATE (OR REPLACE )?RULE\b", "CREATE RULE x AS ON UPDATE TO agentmem.section DO NOTHING"),
    "no functions": (r"\bCREATE (OR REPLACE )?(FUNCTION|PROCEDURE)\b|^DO ", "CREATE FUNCTION f() RETURNS void AS ''"),
    "no MERGE": (r"\bMERGE\b", "MERGE INTO agentmem.section USING x ON true WHEN MATCHED THEN DELETE"),
    "settings by SET LOCAL, not by function": (r"\bset_config\b", "SELECT set_config('', '', true)"),
    "settings by function not for the session": (
        r"\bset_config\([^)]*(?<!, true)\)",
        "SELECT set_config('', '', false)",
    ),
    "settings by SET LOCAL, not for the session": (r"^(SET (?!LOCAL )|RESET )", "SET hnsw.ef_search = 100"),
    "no SKIP LOCKED over tenants": (
        r"^(?!.*external_id = %\(external_id\)s).*\bSKIP LOCKED\b",
        "SELECT id FROM agentmem.active_memory FOR UPDATE SKIP LOCKED",
    ),
    "no explicit table locks": (r"\bLOCK TABLE\b", "LOCK TABLE agentmem.entity IN SHARE MODE"),
    "no TRUNCATE": (r"\bTRUNCATE\b", "TRUNCATE agentmem.section"),
}


SETS_FOR_A_SEARCH = {"settings by SET LOCAL, not by function": {"item_search:set_up_search", "vectors:ann_settings"}}
"""What travels together needs no BEGIN for a setting by function, and `SET LOCAL` warns without one."""


@pytest.mark.parametrize("rule", RULED_OUT)
def test_what_is_ruled_out_is_not_there(rule):
    pattern, bad = RULED_OUT[rule]
    check = re.compile(pattern, re.I).findall

    assert check(bad)
    assert found(check).keys() <= SETS_FOR_A_SEARCH.get(rule, set())


def writes_through_views(sql: str) -> list[str]:
    return [v for v in re.findall(r"\b(?:INTO|UPDATE|DELETE FROM) agentmem\.(\w+)", sql) if v in VIEWS]


def test_nothing_is_written_through_a_view():
    assert found(writes_through_views) == {}
    assert writes_through_views("UPDATE agentmem.longterm_entity SET name = '' WHERE external_id = %(external_id)s")


def locks_with_tables(sql: str) -> list[str]:
    return (
        re.findall(r"pg_(?:try_)?advisory\w*|pg_notify", sql) if re.search(r"\b(FROM|UPDATE|INTO|WITH)\b", sql) else []
    )


def test_advisory_locks_and_notifications_are_statements_of_their_own_without_tables():
    assert found(locks_with_tables) == {}
    assert any("pg_advisory" in sql for sql in STATEMENTS.values())
    assert locks_with_tables("SELECT pg_advisory_xact_lock(id) FROM agentmem.active_memory")
    assert locks_with_tables("INSERT INTO x SELECT pg_notify('', '')")


# Tables, keys, indexes

FOREIGN_KEY = re.compile(r"(?:FOREIGN KEY \(([^)]*)\) )?REFERENCES agentmem\.(\w+)(?: \(([^)]*)\))?( ON DELETE \w+)?")


def bad_foreign_keys(sql: str) -> list[str]:
    return [
        match[0]
        for match in FOREIGN_KEY.finditer(sql)
        if not (match[1] or "").startswith("external_id, ")
        or not (match[3] or "external_id, ").startswith("external_id, ")
        or match[2] not in TENANT_TABLES
        or match[4] not in (None, " ON DELETE CASCADE")
    ]


def test_every_foreign_key_starts_with_the_tenant_and_refers_to_a_tenants_table():
    assert sum(len(FOREIGN_KEY.findall(sql)) for sql in DDL) > 10
    assert found(bad_foreign_keys, dict(enumerate(DDL))) == {}


@pytest.mark.parametrize(
    "bad",
    [
        "memory_id bigint REFERENCES agentmem.active_memory",
        "FOREIGN KEY (memory_id) REFERENCES agentmem.active_memory (id)",
        "FOREIGN KEY (memory_id, external_id) REFERENCES agentmem.active_memory",
        "FOREIGN KEY (external_id, memory_id) REFERENCES agentmem.active_memory (id, external_id)",
        "FOREIGN KEY (external_id, memory_id) REFERENCES agentmem.active_memory ON DELETE SET NULL",
        "FOREIGN KEY (external_id, memory_id) REFERENCES agentmem.active_memory ON DELETE RESTRICT",
        "FOREIGN KEY (external_id, embedding_model) REFERENCES agentmem.embedding_model",
        "embedding_model smallint REFERENCES agentmem.embedding_model",
    ],
)
def test_a_bad_foreign_key_is_found(bad):
    assert bad_foreign_keys(f"CREATE TABLE agentmem.x ({bad})")


def bad_primary_key(body: str) -> bool:
    keys = re.findall(r"PRIMARY KEY(?: \(([^)]*)\))?", body)
    return len(keys) != 1 or not keys[0].startswith("external_id, ")


def test_every_primary_key_starts_with_the_tenant():
    assert [name for name in TENANT_TABLES if bad_primary_key(TABLES[name])] == []
    assert bad_primary_key("external_id text, id bigint PRIMARY KEY")
    assert bad_primary_key("external_id text, id bigint, PRIMARY KEY (id, external_id)")
    assert bad_primary_key("external_id text, id bigint")


def test_only_the_embedding_models_and_the_migrations_belong_to_no_tenant():
    assert TABLES.keys() - TENANT_TABLES == {"embedding_model", "schema_migration"}


def test_the_tenant_is_never_absent():
    assert [name for name in TENANT_TABLES if not TABLES[name].startswith("external_id text NOT NULL")] == []


def unique_without_tenant(table: str, body: str, indexes) -> list[str]:
    keys = re.findall(r"\bUNIQUE (?:NULLS NOT DISTINCT )?\(([^)]*)\)", body)
    keys += [definition.strip(" (") for unique, name, definition in indexes if unique and name == table]
    return [key for key in keys if not key.startswith("external_id, ")] + re.findall(r"\w+ \w+ UNIQUE\b", body)


def test_whatever_is_unique_is_unique_within_its_tenant():
    assert {name: k for name in TENANT_TABLES if (k := unique_without_tenant(name, TABLES[name], INDEXES))} == {}
    assert unique_without_tenant("x", "external_id text, UNIQUE (title)", [])
    assert unique_without_tenant("x", "external_id text, title text UNIQUE", [])
    assert unique_without_tenant("x", "external_id text", [(True, "x", " (title) WHERE title IS NOT NULL")])


MOVED = {
    "tier",
    "current",
    "run_id",
    "end_date",
    "superseded_by",
    "last_updated",
    "shortterm_memory_id",
    "extraction_pending",
}


def moved_columns_indexed(definition: str) -> list[str]:
    """Columns that consolidation or promotion changes, in an index's columns or predicate."""
    return sorted(MOVED & set(re.findall(r"\w+", definition)))


def test_no_index_on_chunks_mentions_a_column_that_moving_a_chunk_changes():
    definitions = [definition for _, table, definition in INDEXES if table == "memory_chunk"]
    definitions += re.findall(r"(?:PRIMARY KEY|UNIQUE|EXCLUDE)[^,(]*\([^)]*\)", TABLES["memory_chunk"])

    assert len(definitions) >= 5
    assert {definition: columns for definition in definitions if (columns := moved_columns_indexed(definition))} == {}


@pytest.mark.parametrize(
    "bad", [" (external_id, tier)", " USING gin (text_search) WHERE end_date IS NULL", " (id) INCLUDE (current)"]
)
def test_an_index_that_moving_a_chunk_would_touch_is_found(bad):
    _, _, definition = INDEX.match(f"CREATE INDEX x ON agentmem.memory_chunk{bad}").groups()

    assert moved_columns_indexed(definition)


def test_pages_of_chunks_have_room_for_a_moved_chunk():
    (options,) = [match[3] for sql in PRESENT if (match := TABLE.match(sql)) and match[1] == "memory_chunk"]

    assert 50 <= int(re.fullmatch(r"fillfactor = (\d+)", options)[1]) <= 70


# Statements and the code that runs them


def loads(tree: ast.Module) -> set[str]:
    """The files whose statements a module loads."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return {
        c.args[0].value
        for c in calls
        if c.func.id in {"statements", "template"} and isinstance(c.args[0], ast.Constant)
    }


def names_subscripted(tree: ast.Module) -> set[str]:
    """The literal names under which a module looks up statements."""
    subscripts = [n.slice for n in ast.walk(tree) if isinstance(n, ast.Subscript) and ast.unparse(n.value) == "_SQL"]
    looked_up = [part for s in subscripts for part in ([s.body, s.orelse] if isinstance(s, ast.IfExp) else [s])]
    looked_up += [
        node.args[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "template"
    ]
    return {part.value for part in looked_up if isinstance(part, ast.Constant)}


def strings(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


MODULES = {path.name: ast.parse(path.read_text()) for path in sorted(STORAGE.rglob("*.py"))}
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


@pytest.mark.parametrize("file", FILES)
def test_every_parameter_is_given_somewhere_in_the_code(file):
    known = {word for tree in MODULES.values() for string in strings(tree) for word in string.split()}
    known |= {
        keyword.arg for tree in MODULES.values() for keyword in ast.walk(tree) if isinstance(keyword, ast.keyword)
    }
    known |= {*VectorIndex.model_fields, *Ownership.model_fields}  # given as a whole
    wanted = {name: parameters(STATEMENTS[f"{file}:{name}"]) - known for name in NAMES[file]}

    assert {name: missing for name, missing in wanted.items() if missing} == {}


# SQL is text in its own files

SQL = re.compile(
    r"\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|(create|alter|drop)\s+(table|index|view)\s|with\s+\w+\s+as\s*(materialized\s*)?\()",
    re.I | re.S,
)  # fmt: skip


def sql_strings(source: str) -> list[int]:
    """The lines with SQL in string literals, f-strings included."""
    return sorted({node.lineno for node in ast.walk(ast.parse(source)) if SQL.match(literal(node))})


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
    modules = {str(path.relative_to(PACKAGE)): sql_strings(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}

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
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "constraint_name"
    }

    assert attributes == set()


SYNCHRONIZES = {"transaction", "pipeline", "sync", "commit", "rollback", "stream", "copy"}
"""What the driver's connections, cursors and pipelines offer, and what would commit in the middle of a transaction."""
ENDS_TRANSACTIONS = {
    "storage/driver/connections.py",
    "storage/driver/database.py",
    "storage/driver/migrate.py",  # on a connection of its own
    "storage/vectors.py",  # on one that is in no pipeline
}


def synchronizing(source: str) -> list[str]:
    return [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SYNCHRONIZES
        and ast.unparse(node.func.value).split(".")[-1] in {"connection", "cursor", "pipeline"}
    ]


def test_nothing_ends_a_transaction_but_its_block():
    found = {str(path.relative_to(PACKAGE)): synchronizing(path.read_text()) for path in PACKAGE.rglob("*.py")}
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
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"connection", "transaction"}
        and ast.unparse(node.func.value).split(".")[-1] not in NO_DOORS
        and not node.args
    ]


def test_every_connection_is_taken_for_a_tenant_or_for_everyone():
    found = {str(path.relative_to(PACKAGE)): for_nobody(path.read_text()) for path in PACKAGE.rglob("*.py")}

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
