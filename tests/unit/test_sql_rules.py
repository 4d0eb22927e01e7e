"""What no statement does, because it would fail, block or differ on a cluster distributed by tenant.

Each check is tried on a bad sample, so that it is known to catch something.
"""

import re

import pytest
from sql_files import STATEMENTS, VIEWS, found


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


def sums_on_conflict(sql: str) -> list[str]:
    """Times with zones plus intervals: they depend on the session's zone, and what is updated on a conflict may not."""
    return re.findall(r"ON CONFLICT\b.*?\b\w+_at \+", sql, re.I)


def test_on_conflict_nothing_depends_on_the_sessions_time_zone():
    assert found(sums_on_conflict) == {}
    assert sums_on_conflict(
        "INSERT INTO x (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.b_at + interval ''"
    )


def arrays_read_of_columns(sql: str) -> list[str]:
    """Casts of columns to arrays, which is stable, beside rows that are changed; what is inserted is read before."""
    return re.findall(r"\b\w+\.\w+::\w+\[\]", sql) if re.match("UPDATE|DELETE", sql) else []


def test_where_rows_are_changed_no_text_is_read_as_an_array():
    assert found(arrays_read_of_columns) == {}
    assert arrays_read_of_columns("UPDATE agentmem.section s SET text_fields = u.fields::text[] FROM u WHERE true")


def bare_elements_set(sql: str) -> list[str]:
    """Elements of arrays as what is set: Citus takes such for the place that is set, and its server crashes."""
    element = r"\b\w+ = (?:[\w.]+|\((?:[^()]|\([^()]*\))*\))\["
    return [
        one for changed in re.findall(r"\bSET (.*?)(?= FROM | WHERE |$)", sql) for one in re.findall(element, changed)
    ]


def test_nothing_is_set_to_a_bare_element_of_an_array():
    assert found(bare_elements_set) == {}
    assert bare_elements_set("UPDATE x SET a = (%(b)s::bytea[])[array_position(%(c)s::text[], x.d)] WHERE true")
    assert bare_elements_set("UPDATE x SET a = 1, b = x.c[1] FROM y WHERE true")
    assert not bare_elements_set("UPDATE x SET a = coalesce((%(b)s::bytea[])[x.c], x.a) WHERE true")


def numbers_with_tables(sql: str) -> list[str]:
    """Numbers drawn where a table is read: that may be on another server, which has sequences of its own."""
    return re.findall(r"\b(?:nextval|setval)\(", sql) if re.search(r"\bagentmem\.|\{table\}", sql) else []


def test_no_statement_that_reads_a_table_draws_numbers():
    assert found(numbers_with_tables) == {}
    assert numbers_with_tables("SELECT setval('', max(t.id)) FROM agentmem.entity t")
    assert numbers_with_tables("SELECT setval('', max(t.id)) FROM {table} t")


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
SETS_FOR_A_SEARCH = {
    "settings by SET LOCAL, not by function": {
        "session:setting",
        "vectors:set_up_vector_view",
        "session:set_up_session",
        "row_security:serve_tenant",
        "row_security:serve",
        "migrating:take_time",
    },
    "settings by function not for the session": {"session:set_up_session"},
    "no functions": {"row_security:words_function"},
}
"""What travels together needs no BEGIN for a setting by function, and `SET LOCAL` warns without one. That of the session is
sent only where a session is known to be one's own. That of a migration are about waiting on this server. The functions are made only where row-level security is wanted, for what
policies keep from an index."""


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


# Namespaces


def namespaces_without_hash(sql: str) -> list[str]:
    """A look for memories by namespace that policies would keep from the index."""
    compared = re.findall(r"(?:\b\w\.|\bAND )namespace = (?:%\(|ANY\b|[nu]\.).*?(?= AND |$)", sql)
    reads = "agentmem.active_memory" in sql and not re.search(r"\ba\.id = ", sql)
    return compared if reads and "namespace_hash = " not in sql else []


def test_memories_are_looked_up_by_the_hash_of_their_namespace_first():
    assert found(namespaces_without_hash) == {}


@pytest.mark.parametrize(
    "compared", ["m.namespace = n.namespace", "namespace = %(n)s", "a.namespace = ANY (SELECT 1)",
                 "a.namespace = u.namespace::text[]"],
)  # fmt: skip
def test_a_look_without_it_is_found(compared):
    assert namespaces_without_hash(f"SELECT 1 FROM agentmem.active_memory a WHERE external_id = 1 AND {compared}")
