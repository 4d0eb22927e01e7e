"""Triggers that let a database fail in, or count, what the package does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

Rows = Callable[..., list[tuple[object, ...]]]


@contextmanager
def out_of_luck(rows: Rows, event: str, condition: str) -> Iterator[None]:
    """Meanwhile, the database refuses rows, e.g. an "UPDATE ON agentmem.entity" on a condition."""
    rows(
        "CREATE FUNCTION public.out_of_luck() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'out of luck'; END $$"
    )
    rows(f"CREATE TRIGGER out_of_luck BEFORE {event} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION out_of_luck()")
    yield
    rows("DROP FUNCTION public.out_of_luck() CASCADE")


PROMOTED = ("UPDATE ON agentmem.shortterm_memory", "old.metadata IS DISTINCT FROM new.metadata")
"""The last row that a promotion changes."""
APPLIED = ("UPDATE ON agentmem.consolidation_run", "new.status = 'applied'")
"""The last row that a consolidation changes."""


def setups_counted(empty_dsn: str) -> Callable[[], int]:
    """From now on, count how often an empty database is set up, also in transactions that come to nothing."""
    with psycopg.connect(empty_dsn) as connection:
        connection.execute("CREATE SEQUENCE public.setups")
        _at_setup(connection, "PERFORM nextval('public.setups')")

    def count() -> int:
        with psycopg.connect(empty_dsn) as connection:
            found = connection.execute("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM public.setups")
            return found.fetchall()[0][0]

    return count


@contextmanager
def setups_refused(empty_dsn: str) -> Iterator[None]:
    """Meanwhile, the server shuts down whenever an empty database is set up, as far as one can tell."""
    with psycopg.connect(empty_dsn) as connection:
        _at_setup(connection, "RAISE EXCEPTION 'shutting down' USING errcode = 'admin_shutdown'")
    yield
    with psycopg.connect(empty_dsn) as connection:
        connection.execute("DROP FUNCTION public.at_setup() CASCADE")


def _at_setup(connection: psycopg.Connection, does: str) -> None:
    connection.execute(
        f"CREATE FUNCTION public.at_setup() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {does}; END $$"
    )
    connection.execute(
        "CREATE EVENT TRIGGER at_setup ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION public.at_setup()"
    )
