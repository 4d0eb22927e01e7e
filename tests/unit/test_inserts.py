"""What LangGraph's checkpointer inserts by several statements is inserted by one, or as it says where that cannot be."""

from typing import Any

from langgraph.checkpoint.postgres.base import BasePostgresSaver

from langgraph_agentmem.storage.langgraph.inserts import as_one, ctes

BLOBS = BasePostgresSaver.UPSERT_CHECKPOINT_BLOBS_SQL
CHECKPOINTS = BasePostgresSaver.UPSERT_CHECKPOINTS_SQL
UPSERTS = BasePostgresSaver.UPSERT_CHECKPOINT_WRITES_SQL
WRITES = BasePostgresSaver.INSERT_CHECKPOINT_WRITES_SQL
CHECKPOINT = ("thread", "", "1", None, "{}", "{}")


def blob(channel: str) -> tuple[Any, ...]:
    return ("thread", "", channel, "1", "msgpack", b"")


def write(index: int, channel: str = "messages") -> tuple[Any, ...]:
    return ("thread", "", "1", "task", "", index, channel, "msgpack", b"")


def test_all_statements_that_langgraph_inserts_with_are_understood() -> None:
    for query, row in ((BLOBS, blob("a")), (CHECKPOINTS, CHECKPOINT), (UPSERTS, write(-1)), (WRITES, write(0))):
        assert as_one([(query, [row])]) is not None


def test_rows_of_several_tables_are_one_statement_with_their_values_in_order() -> None:
    one = as_one([(BLOBS, [blob("a"), blob("b")]), (CHECKPOINTS, [CHECKPOINT])])

    assert one is not None
    assert one.shape == ((BLOBS, 2), (CHECKPOINTS, 1))
    assert list(one.params.values()) == [*blob("a"), *blob("b"), *CHECKPOINT]
    text = ctes(one.shape).as_string(None)
    assert text.count("INSERT INTO checkpoint_blobs") == text.count("INSERT INTO checkpoints") == 1
    assert [name for name in one.params if f"%({name})s" not in text] == []
    assert "%(value5)s), (%(value6)s" in text
    assert ";" not in text


def test_what_writes_nothing_is_left_out() -> None:
    assert as_one([(BLOBS, []), (CHECKPOINTS, [CHECKPOINT])]) == as_one([(CHECKPOINTS, [CHECKPOINT])])
    assert as_one([(WRITES, [])]) is None


def test_a_row_that_is_written_twice_is_written_one_after_the_other() -> None:
    assert as_one([(UPSERTS, [write(-1), write(-2)])]) is not None
    assert as_one([(UPSERTS, [write(-1, "__error__"), write(-1, "__interrupt__")])]) is None
    assert as_one([(WRITES, [write(0)]), (UPSERTS, [write(0)])]) is None


def test_many_rows_and_other_statements_are_sent_as_they_are() -> None:
    assert as_one([(WRITES, [write(index) for index in range(16)])]) is not None
    assert as_one([(WRITES, [write(index) for index in range(17)])]) is None
    assert as_one([("DELETE FROM checkpoints WHERE thread_id = %s", [("thread",)])]) is None
    assert (
        as_one([(CHECKPOINTS, [CHECKPOINT]), ("DELETE FROM checkpoints WHERE thread_id = %s", [("thread",)])]) is None
    )
