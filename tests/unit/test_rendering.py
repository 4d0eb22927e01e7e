"""How values of a state's channels read as texts."""

from dataclasses import dataclass, field

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import TypeAdapter

from langgraph_agentmem.checkpoint.rendering import first_valid, rendered


@dataclass
class Plan:
    goal: str
    tags: set[str] = field(default_factory=set)


@pytest.mark.parametrize(
    ("type_", "empty"), [(int | None, None), (str, ""), (list[int], []), (dict[str, int], {}), (Plan | None, None)]
)
def test_an_empty_text_stands_for_the_emptiest_value_of_a_type(type_, empty):
    assert first_valid(TypeAdapter(type_)) == empty


def test_where_no_value_is_empty_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="the text is empty"):
        first_valid(TypeAdapter(int))


def test_a_message_reads_like_one_of_a_list():
    said = HumanMessage("Where is Ada?")

    assert rendered([said, AIMessage("At home.")], plain=False).splitlines()[0] == rendered(said, plain=False)
    assert "Where is Ada?" in rendered(said, plain=False)


def test_a_dataclass_reads_like_a_dict_with_sets_in_one_order():
    plan = Plan("ship", {"c", "a", "b"})

    assert rendered(plan, plain=False) == rendered({"goal": "ship", "tags": ["a", "b", "c"]}, plain=False)
