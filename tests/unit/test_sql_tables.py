"""The rules for tables, keys and indexes: they belong to a tenant. Each check is tried on a bad sample."""

import re

import pytest
from sql_files import INDEX, INDEXES, MADE_ON_THE_WAY, PRESENT, SCRIPTS, TABLE, TABLES, TENANT_TABLES, found

DDL = [*SCRIPTS.values(), *MADE_ON_THE_WAY]
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


def unchecked_by_index(table: str, body: str, indexes) -> list[str]:
    """Foreign keys whose columns do not lead an index of all rows: whatever they refer to is removed by reading all of them."""
    led = re.findall(r"(?:PRIMARY KEY|UNIQUE(?: NULLS NOT DISTINCT)?) \(([^)]*)\)", body)
    led += [definition.strip(" ()") for _, name, definition in indexes if name == table and "WHERE" not in definition]
    return [
        key[1] for key in FOREIGN_KEY.finditer(body) if not any(f"{cols}, ".startswith(f"{key[1]}, ") for cols in led)
    ]


def test_every_foreign_key_is_checked_by_an_index():
    assert {name: keys for name in TENANT_TABLES if (keys := unchecked_by_index(name, TABLES[name], INDEXES))} == {}
    body = "external_id text, id bigint, a_id bigint, FOREIGN KEY (external_id, a_id) REFERENCES agentmem.a"
    assert unchecked_by_index("x", body, [(False, "y", " (external_id, a_id)")])
    assert unchecked_by_index("x", body, [(False, "x", " (external_id, a_id) WHERE a_id IS NOT NULL")])
    assert unchecked_by_index("x", body, [(False, "x", " (external_id, id, a_id)")])
    assert not unchecked_by_index("x", body, [(False, "x", " (external_id, a_id, id)")])


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

    assert 50 <= int(re.fullmatch(r"fillfactor = (\d+), toast_tuple_target = 8160", options)[1]) <= 70
