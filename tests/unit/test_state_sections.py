"""Channels that are marked as sections, and how their values become texts and come back."""

import operator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels import UntrackedValue
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.message import add_messages
from langgraph.types import Overwrite
from pydantic import BaseModel

from langgraph_agentmem import MemorySection
from langgraph_agentmem.checkpoint.channels import StateSection, of_template, state_sections
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, InvalidTextError


class Goal(BaseModel):
    text: str
    due: date | None = None


class Typed(TypedDict, total=False):
    progress: Annotated[str, MemorySection("What is done", title="Progress")]
    facts: NotRequired[Annotated[list[str], MemorySection(id="what is known"), operator.add]]
    notes: Annotated[NotRequired[list[str]], MemorySection(), DeltaChannel(lambda state, writes: [*state, *writes])]
    messages: Annotated[list[AnyMessage], MemorySection(), add_messages]
    steps: int


@dataclass
class Data:
    goal: Annotated[Goal | None, MemorySection("What is wanted")] = None
    steps: int = 0


class Model(BaseModel):
    goals: Annotated[list[Goal], MemorySection("What is wanted")] = []
    steps: int = 0


def test_the_channels_that_a_schema_marks_are_sections():
    found = state_sections(Typed, None)

    assert {name: mapped.id for name, mapped in found.items()} == {
        "progress": "progress", "facts": "what is known", "notes": "notes", "messages": "messages"
    }  # fmt: skip
    sections = of_template(found)
    assert (sections[0].id, sections[0].title, sections[0].description) == ("progress", "Progress", "What is done")


@pytest.mark.parametrize(("schema", "channel"), [(Data, "goal"), (Model, "goals")])
def test_dataclasses_and_pydantic_models_mark_channels_as_well(schema, channel):
    assert [mapped.section.description for mapped in state_sections(schema, None).values()] == ["What is wanted"]
    assert state_sections(schema, None).keys() == {channel}


def test_sections_that_are_given_count_instead_of_the_marks():
    found = state_sections(Typed, {"steps": "counter", "facts": MemorySection("Known")})

    assert {name: (m.id, m.type) for name, m in found.items()} == {
        "steps": ("counter", int), "facts": ("facts", list[str])
    }  # fmt: skip


def test_without_a_schema_the_channels_hold_texts():
    assert state_sections(None, {"progress": "done"})["progress"] == StateSection("progress", MemorySection(id="done"))
    assert state_sections(None, None) == {}


class Late(TypedDict):
    facts: Annotated[list[str], operator.add, MemorySection()]


class Twice(TypedDict):
    a: Annotated[str, MemorySection(id="notes")]
    notes: Annotated[str, MemorySection()]


class Blank(TypedDict):
    a: Annotated[str, MemorySection(id=" ")]


class Unmarked(TypedDict):
    a: str


class Inside(TypedDict):
    a: Annotated[str, MemorySection()]
    b: Annotated[str, MemorySection()] | None


class Untracked(TypedDict):
    a: Annotated[str, MemorySection(), UntrackedValue]


@pytest.mark.parametrize(
    ("schema", "sections", "message"),
    [
        (Late, None, "channel 'facts' of Late: LangGraph sees a reducer only where it comes last"),
        (Twice, None, "several channels are mapped to the section 'notes'"),
        (Blank, None, "section of channel 'a' must not be empty"),
        (Unmarked, None, "Unmarked marks no channel as a section"),
        (Inside, None, "channel 'b' of Inside: MemorySection marks a whole channel"),
        (Untracked, None, "channel 'a' of Untracked is untracked: no checkpoint holds it"),
        (Unmarked, {"b": "b"}, "Unmarked has no channel 'b'; it has a"),
        (7, None, "state_schema 7 is no state of a graph"),
    ],
)
def test_what_cannot_be_mapped_is_refused(schema, sections, message):
    with pytest.raises(ConfigurationError, match=message):
        state_sections(schema, sections)


TEXTS = st.text() | st.text("a \n\r\t\x85\u2028:-#'\"|>&*!%@`{}[],?~0.1e", max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(TEXTS, inner, min_size=1),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON.filter(bool))
def test_whatever_json_holds_comes_back_from_its_text(value):
    mapped = StateSection("x", MemorySection(), Any)

    assert mapped.value(mapped.text(value)) == value


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_text_is_its_own_text(text):
    mapped = StateSection("x", MemorySection())

    assert mapped.text(text) == text
    assert mapped.value(text) == text


class Mood(StrEnum):
    ON = "on"
    OFF = "off"


ODD = [
    "hello # world",
    "line one\nline two",
    "'quoted'",
    " padded ",
    "Next: call Bob",
    "yes",
    "12",
    "- tea",
    "# Plan\n- a",
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("kind", [str | None, Optional[str], Any, str | int, str | list[str]])  # noqa: UP045
def test_texts_of_channels_that_may_hold_something_else_come_back_as_well(kind, text):
    mapped = StateSection("x", MemorySection(), kind)

    assert mapped.value(mapped.text(text)) == text


def test_texts_of_channels_that_hold_nothing_else_are_not_quoted():
    assert [StateSection("x", MemorySection(), kind).text("yes: no") for kind in (str, str | None)] == ["yes: no"] * 2
    mood = StateSection("x", MemorySection(), Mood)
    assert (mood.text(Mood.ON), mood.value("on")) == ("on", Mood.ON)
    choice = StateSection("x", MemorySection(), Literal["on", "off"])
    assert choice.value(choice.text("off")) == "off"


@pytest.mark.parametrize(
    ("kind", "value"),
    [(list[str], []), (dict[str, int], {}), (set[int], set()), (str, ""), (int | None, None), (str | None, None)],
)
def test_an_empty_text_is_an_empty_value(kind, value):
    assert StateSection("x", MemorySection(), kind).value("") == value


def test_sets_have_one_text_whatever_their_order():
    mapped = StateSection("x", MemorySection(), set[int])

    assert mapped.text({8, 0, 16}) == mapped.text({16, 8, 0}) == "- 0\n- 16\n- 8"
    assert mapped.value(mapped.text({8, 0, 16})) == {0, 8, 16}
    assert StateSection("x", MemorySection()).text({"a": [{"d", "b", "c"}]}) == "a:\n- - b\n  - c\n  - d"


def test_values_are_readable_texts():
    assert StateSection("x", MemorySection()).text(["tea", "no: coffee", "one\ntwo"]) == (
        "- tea\n- 'no: coffee'\n- |-\n  one\n  two"
    )
    assert StateSection("x", MemorySection()).text(Goal(text="swim", due=date(2026, 1, 2))) == (
        "text: swim\ndue: '2026-01-02'"
    )
    assert StateSection("x", MemorySection()).text(7) == "7"
    assert [StateSection("x", MemorySection()).text(empty) for empty in (None, [], {}, "")] == ["", "", "", ""]


def test_models_come_back_as_models():
    mapped = state_sections(Model, None)["goals"]
    goals = [Goal(text="swim", due=date(2026, 1, 2)), Goal(text="run")]

    assert mapped.value(mapped.text(goals)) == goals
    assert mapped.value("- text: swim\n  due: 2026-01-02") == goals[:1]  # as a person would write it


def test_messages_are_who_said_what_and_do_not_come_back():
    mapped = state_sections(Typed, None)["messages"]

    assert mapped.text([HumanMessage("Hi"), AIMessage([{"type": "text", "text": "Hello"}])]) == "human: Hi\nai: Hello"
    assert not mapped.hydrates


def test_functions_of_ones_own_make_texts_and_values():
    mapped = StateSection("x", MemorySection(render=", ".join, parse=lambda text: text.split(", ")))

    assert mapped.text(["a", "b"]) == "a, b"
    assert mapped.value("a, b") == ["a", "b"]
    assert mapped.hydrates
    assert not StateSection("x", MemorySection()).hydrates, "nothing tells the type"
    assert state_sections(Typed, None)["facts"].hydrates
    assert not StateSection("x", MemorySection(render=", ".join)).hydrates
    assert not StateSection("x", MemorySection(hydrate=False)).hydrates


def test_what_has_no_text_is_refused():
    with pytest.raises(InvalidInputError, match=r"channel 'x' \(object\) cannot be made a text.*render"):
        StateSection("x", MemorySection()).text(object())
    with pytest.raises(InvalidInputError, match="channel 'x' must be a string, not int"):
        StateSection("x", MemorySection(render=len)).text("abc")
    with pytest.raises(InvalidTextError, match="channel 'x' holds a NUL"):
        StateSection("x", MemorySection()).text("a\0b")


@pytest.mark.parametrize("text", ["just words", "- [", "- 1\n- !!python/object:os.system {}"])
def test_a_text_that_is_no_such_value_is_refused(text):
    with pytest.raises(
        InvalidInputError, match=r"(?s)section 'facts' cannot be read as a value of channel 'facts'.*parse"
    ):
        StateSection("facts", MemorySection(), list[str]).value(text)


def test_a_channel_with_a_reducer_is_set_past_it():
    found = state_sections(Typed, None)

    assert found["progress"].update("a") == "a"
    assert [found[name].update(["a"]) for name in ("facts", "notes")] == [Overwrite(["a"]), Overwrite(["a"])]
