"""The page that shows today's tables, `storage/sql/schema.sql`, is true: the migrations make the same."""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import psycopg

from langgraph_agentmem.storage.driver.database import Database

SHOWN = files("langgraph_agentmem.storage") / "sql" / "schema.sql"
# some servers, as PostgreSQL 15.20, stamp each column with a version that is theirs alone, `pg_attver`
CATALOG = {
    "relations": "SELECT relname, relkind, relpersistence, reloptions FROM pg_class WHERE relnamespace = 'agentmem'::regnamespace",
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
               attcollation::regcollation::text, attstorage, attcompression, attstattarget,
               ARRAY(SELECT option FROM unnest(attoptions) AS option WHERE option NOT LIKE 'pg\\_attver=%'),
               pg_get_expr(adbin, adrelid)
        FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'agentmem'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
    """,
    "identities": """
        SELECT sequencename, data_type::text, start_value, min_value, max_value, increment_by, cycle, cache_size
        FROM pg_sequences WHERE schemaname = 'agentmem'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'agentmem'::regnamespace
    """,
    "indexes": """
        SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid
        FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'agentmem'::regnamespace
    """,
    "views": """
        SELECT c.oid::regclass::text, trim(part, ' ,;')
        FROM pg_class c, regexp_split_to_table(regexp_replace(pg_get_viewdef(c.oid, true), '^ *SELECT', ''), '\n') AS part
        WHERE relnamespace = 'agentmem'::regnamespace AND relkind = 'v'
    """,
}
"""What a database is, as rows without an order: columns that were added later may be shown where they belong."""

CHANGES = [
    "ALTER TABLE agentmem.section ADD COLUMN added int",
    "ALTER TABLE agentmem.section DROP COLUMN source",
    "ALTER TABLE agentmem.section ALTER COLUMN position TYPE bigint",
    "ALTER TABLE agentmem.section ALTER COLUMN position SET DEFAULT 0",
    "ALTER TABLE agentmem.section ALTER COLUMN position DROP NOT NULL",
    "ALTER TABLE agentmem.section ALTER COLUMN title DROP DEFAULT",
    "ALTER TABLE agentmem.section ALTER COLUMN value SET STORAGE EXTERNAL",
    'ALTER TABLE agentmem.section ALTER COLUMN section_id TYPE text COLLATE "C"',
    "ALTER TABLE agentmem.section ADD CHECK (position >= 0)",
    "ALTER TABLE agentmem.section DROP CONSTRAINT section_update_count_check",
    "ALTER TABLE agentmem.mention DROP CONSTRAINT mention_external_id_chunk_id_fkey"
    ", ADD CONSTRAINT mention_external_id_chunk_id_fkey FOREIGN KEY (external_id, chunk_id) REFERENCES agentmem.memory_chunk",
    "ALTER TABLE agentmem.memory_chunk SET (fillfactor = 60)",
    "ALTER TABLE agentmem.memory_chunk ALTER COLUMN id SET GENERATED ALWAYS",
    "ALTER TABLE agentmem.memory_chunk ALTER COLUMN id SET CACHE 10",
    "ALTER TABLE agentmem.graph_outbox SET UNLOGGED",
    "ALTER INDEX agentmem.memory_chunk_words SET (gin_pending_list_limit = 128)",
    "DROP INDEX agentmem.section_newest",
    "DROP INDEX agentmem.section_expiry; CREATE INDEX section_expiry ON agentmem.section (expires_at)",
    "CREATE INDEX added ON agentmem.section (external_id, position)",
    "CREATE OR REPLACE VIEW agentmem.longterm_entity AS SELECT * FROM agentmem.entity WHERE tier <> 'shortterm'",
    "DROP VIEW agentmem.longterm_entity",
    "CREATE TABLE agentmem.added (id int)",
]  # fmt: skip


def catalog(connection: psycopg.Connection[Any]) -> dict[str, set[str]]:
    """What the schema of a database consists of."""
    return {part: {str(row) for row in connection.execute(query)} for part, query in CATALOG.items()}


def differences(one: dict[str, set[str]], other: dict[str, set[str]]) -> dict[str, list[str]]:
    """What is in only one of two databases."""
    return {part: sorted(one[part] ^ other[part]) for part in one if one[part] != other[part]}


def test_the_migrations_make_what_the_schema_shows(new_database: Callable[[], str]) -> None:
    dsn, empty = new_database(), new_database()
    asyncio.run(Database(dsn).start())
    with psycopg.connect(dsn) as migrated, psycopg.connect(empty) as shown:
        shown.execute(SHOWN.read_bytes())
        assert all(catalog(migrated).values()), "there is something to compare"
        assert differences(catalog(migrated), catalog(shown)) == {}


def test_every_difference_would_be_found(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        before = catalog(connection)
        for change in CHANGES:
            connection.execute(change.encode())
            assert differences(before, catalog(connection)), change
            connection.rollback()
        assert differences(before, catalog(connection)) == {}
