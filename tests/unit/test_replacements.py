"""Which new chunk replaces which, by what both say."""

from hypothesis import given
from planning import CONFLICTS, PRECISION, chunks

from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.policies.planning import replacements


def test_a_chunk_is_replaced_by_the_new_one_that_says_it_anew():
    (found,) = replacements(
        chunks(c1="- Deadline: Friday"), chunks(c10="- Budget: 5000", c11="- Deadline: Monday"), PRECISION
    )

    assert (found.chunk_id, found.replaced_by, found.replaced, found.leftover) == (1, 11, 1, "")


def test_what_a_replaced_chunk_said_besides_is_left_over():
    (found,) = replacements(
        chunks(c1="Deadline: Friday\nBudget: 5000"), chunks(c10="Deadline: Monday\nOwner: Bob"), PRECISION
    )

    assert (found.replaced_by, found.leftover) == (10, "Budget: 5000")


def test_the_new_chunk_that_says_most_of_it_anew_replaces_it():
    existing = chunks(c1="Deadline: Friday\nBudget: 5000")
    new = chunks(c10="Deadline: Friday", c11="Deadline: Monday\nBudget: 6000")

    assert [found.replaced_by for found in replacements(existing, new, PRECISION)] == [11]


def test_of_equal_new_chunks_the_first_replaces():
    new = chunks(c12="Deadline: Monday", c11="Deadline: Monday")

    assert [found.replaced_by for found in replacements(chunks(c1="Deadline: Friday"), new, PRECISION)] == [11]


def test_a_chunk_that_was_merely_removed_is_replaced_by_nothing():
    assert replacements(chunks(c1="The office is in Berlin"), chunks(c10="Ship the importer"), PRECISION) == []
    assert replacements(chunks(c1="The office is in Berlin"), [], PRECISION) == []


def test_among_many_new_chunks_the_one_about_the_same_thing_is_found():
    new = [ConflictChunk(id=100 + n, content=f"- Ticket {n} was closed by the importer team") for n in range(60)]
    new.insert(30, ConflictChunk(id=99, content="- Deadline of the launch: Monday"))

    (found,) = replacements(chunks(c1="- Deadline of the launch: Friday"), new, PRECISION)

    assert found.replaced_by == 99


@given(all_of=CONFLICTS)
def test_replacements_name_only_chunks_of_their_section_and_each_existing_one_once(all_of):
    for part in all_of.sections:
        replaced = [r.chunk_id for r in part.replacements]

        assert len(replaced) == len(set(replaced))
        assert set(replaced) <= {chunk.id for chunk in part.existing_chunks}
        assert {r.replaced_by for r in part.replacements} <= {chunk.id for chunk in part.new_chunks}
        assert all(0 <= r.similarity <= 1 for r in part.replacements)
