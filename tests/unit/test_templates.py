"""Templates are read from models, dicts and YAML, and refused with what would be right."""

import pytest

from langgraph_agentmem.errors import (
    InvalidInputError,
    InvalidTemplateError,
    InvalidTextError,
    SectionNotFoundError,
)
from langgraph_agentmem.models.active import MemoryTemplate, TemplateSection
from langgraph_agentmem.policies.templates import initial_contents, read_template, unknown_section

LIMIT = 1_000
MODEL = MemoryTemplate(
    id="task",
    name="Task",
    description="One task at a time",
    sections=(
        TemplateSection(id="plan", title="The plan", description="What to do", content="- nothing yet"),
        TemplateSection(id="progress", description="What is done"),
        TemplateSection(id="notes"),
    ),
)
YAML = """
id: task
name: Task
description: One task at a time
sections:
  - id: plan
    title: The plan
    description: What to do
    content: "- nothing yet"
  - id: progress
    description: What is done
  - notes
"""
YAML_UNDER_TEMPLATE = """
template: {id: task, name: Task, description: One task at a time}
sections:
  plan: {title: The plan, description: What to do, content: "- nothing yet"}
  progress: What is done
  notes:
"""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(MODEL, id="model"),
        pytest.param(MODEL.model_dump(), id="dumped model"),
        pytest.param(MODEL.model_dump(mode="json"), id="JSON of the model"),
        pytest.param(YAML, id="YAML list"),
        pytest.param(YAML_UNDER_TEMPLATE, id="YAML mapping with a header"),
        pytest.param(MODEL.model_dump_json(), id="JSON text"),
    ],
)
def test_every_form_of_a_template_is_read_as_the_same(source):
    assert read_template(source, limit=LIMIT) == MODEL


@pytest.mark.parametrize(
    "sections",
    [
        ["plan", "progress"],
        ("plan", "progress"),
        [{"id": "plan"}, "progress"],
        {"plan": None, "progress": {}},
        {"plan": "", "progress": {"title": None}},
    ],
)
def test_all_but_the_ids_of_sections_is_optional(sections):
    template = read_template({"sections": sections}, limit=LIMIT)

    assert template.sections == (TemplateSection(id="plan"), TemplateSection(id="progress"))


def test_sections_keep_their_order():
    assert [s.id for s in read_template("sections: {c: , a: , b: }", limit=LIMIT).sections] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param("", "a dict or YAML text of one.*this is NoneType", id="empty text"),
        pytest.param("just a text", "a dict or YAML text of one.*this is the text", id="a text"),
        pytest.param("- a\n- b", "a dict or YAML text of one.*this is list", id="a YAML list"),
        pytest.param(None, "this is NoneType", id="nothing"),
        pytest.param(["plan"], "this is list", id="a list"),
        pytest.param(b"sections: [a]", "this is bytes", id="bytes"),
        pytest.param("sections: [a", "not readable as YAML", id="broken YAML"),
        pytest.param("sections: !!python/name:os.system [a]", "not readable as YAML", id="a YAML tag that is code"),
        pytest.param("sections: [{id: 2024-13-45}]", "YAML|cannot be read", id="a date that is none"),
        pytest.param({}, "has no sections; give at least one", id="an empty dict"),
        pytest.param({"name": "x"}, "has no sections; give at least one", id="no sections"),
        pytest.param({"sections": []}, "has no sections; give at least one", id="an empty list of sections"),
        pytest.param({"sections": {}}, "has no sections; give at least one", id="an empty mapping of sections"),
        pytest.param(MemoryTemplate(sections=()), "has no sections; give at least one", id="a model without sections"),
        pytest.param({"sections": 5}, "has no sections; give at least one", id="a number of sections"),
        pytest.param({"sections": "plan"}, "has no sections; give at least one", id="a text for sections"),
        pytest.param({"sections": ["plan", 5]}, "a section is an id, or a dict with an id.*this is int", id="a section that is a number"),
        pytest.param({"sections": {"plan": ["x"]}}, "a section is an id, or a dict.*this is list", id="a section that is a list"),
        pytest.param({"sections": [{"title": "x"}]}, r"sections\.0\.id: Field required", id="a section without id"),
        pytest.param({"sections": [None]}, r"sections\.0\.id: Field required", id="a section that is nothing"),
        pytest.param({"sections": [{"id": 5}]}, r"sections\.0\.id: .*string", id="an id that is a number"),
        pytest.param({"sections": {5: "x"}}, r"sections\.0\.id: .*string", id="a key that is a number"),
        pytest.param({"sections": [{"id": "a", "title": ["x"]}]}, r"sections\.0\.title: .*string", id="a title that is a list"),
        pytest.param({"sections": ["a", {"id": "b", "content": {"content": "x"}}]}, r"sections\.1\.content: .*string", id="content that is a dict"),
        pytest.param({"sections": ["b", "a", "b", "a", "c"]}, "more than once: 'b', 'a'$", id="ids twice"),
        pytest.param(MemoryTemplate(sections=(TemplateSection(id="a"),) * 2), "more than once: 'a'$", id="ids twice in a model"),
        pytest.param("sections: [a, {id: a}]", "more than once: 'a'$", id="ids twice in YAML"),
        pytest.param("sections:\n  a: first\n  b: other\n  a: second\n", "a", id="keys twice in YAML"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused_with_what_would_be(source, message):
    with pytest.raises(InvalidTemplateError, match=message):
        read_template(source, limit=LIMIT)


@pytest.mark.parametrize(
    "source", ["", "sections: 5", {"sections": []}, {"sections": [7]}, {"sections": [{"title": "x"}]}, 5]
)
def test_a_refusal_shows_what_a_template_looks_like(source):
    with pytest.raises(InvalidTemplateError, match=r'for example \{"sections": \[\{"id": "progress"'):
        read_template(source, limit=LIMIT)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"sections": ["a\0b"]}, "a section id of the template holds a NUL character at position 1"),
        ({"sections": [{"id": "a", "title": "\0"}]}, "the title of section 'a' holds a NUL"),
        ({"sections": [{"id": "a", "description": "\0"}]}, "the description of section 'a' holds a NUL"),
        ({"sections": [{"id": "a", "content": "x\0"}]}, "the content of section 'a' holds a NUL character at position 1"),
        ({"sections": ["x" * 801]}, "a section id of the template has 801 bytes in UTF-8; the limit is 800"),
        ({"sections": [{"id": "a", "content": "x" * 1001}]}, "the content of section 'a' has 1,001 characters; the limit is 1,000"),
        ({"name": "\0", "sections": ["a"]}, r"template\.name holds a NUL"),
        ({"template": {"description": "\0"}, "sections": ["a"]}, r"template\.description holds a NUL"),
        ('sections: ["a\\0b"]', "a section id of the template holds a NUL"),
        ("sections: [a]\0", "the template holds a NUL"),
    ],
)  # fmt: skip
def test_a_template_with_a_text_that_cannot_be_stored_is_refused(source, message):
    with pytest.raises(InvalidTextError, match=message):
        read_template(source, limit=LIMIT)


@pytest.mark.parametrize(
    "source",
    [
        "sections: [a\ud800]",
        {"sections": [{"id": "a", "content": "\udfff"}]},
        MemoryTemplate.model_construct(id="", name="", description="\ud800", sections=(TemplateSection(id="a"),)),
    ],
)
def test_a_template_with_a_lone_surrogate_is_refused(source):
    with pytest.raises(InvalidInputError, match="surrogate"):
        read_template(source, limit=LIMIT)


@pytest.mark.parametrize("id", ["", "  ", "\n"])
def test_a_section_needs_a_name(id):
    with pytest.raises(InvalidInputError, match="a section id of the template must not be empty"):
        read_template({"sections": [id]}, limit=LIMIT)


# First contents


def test_a_memory_starts_with_its_templates_contents():
    assert initial_contents(MODEL, None, limit=LIMIT) == {"plan": "- nothing yet", "progress": "", "notes": ""}
    assert initial_contents(MODEL, {}, limit=LIMIT) == initial_contents(MODEL, None, limit=LIMIT)


def test_given_contents_take_the_templates_place_as_texts_or_as_values():
    given = {"plan": {"content": "- ship it"}, "notes": "none"}

    assert initial_contents(MODEL, given, limit=LIMIT) == {"plan": "- ship it", "progress": "", "notes": "none"}


def test_content_for_an_unknown_section_is_refused_with_the_known_ones():
    with pytest.raises(
        SectionNotFoundError, match=r"unknown section 'plans'; this memory has 'plan', 'progress', 'notes'$"
    ):
        initial_contents(MODEL, {"plans": "x"}, limit=LIMIT)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["plan"], InvalidInputError, "initial_sections must be a dict of contents by section id, not list"),
        ([], InvalidInputError, "initial_sections must be a dict of contents by section id, not list"),
        ("plan", InvalidInputError, "initial_sections must be a dict of contents by section id, not str"),
        ({"plan": 5}, InvalidInputError, r"the content of section 'plan' must be a string, not int \(5\)"),
        ({"plan": None}, InvalidInputError, "the content of section 'plan' must be a string, not NoneType"),
        ({"plan": ["x"]}, InvalidInputError, "the content of section 'plan' must be a string, not list"),
        ({"plan": {"text": "x"}}, InvalidInputError, "the content of section 'plan' must be a string, not NoneType"),
        ({"plan": {"content": 5}}, InvalidInputError, r"the content of section 'plan' must be a string, not int \(5\)"),
        ({"plan": "\0"}, InvalidTextError, "the content of section 'plan' holds a NUL"),
        ({"plan": "\ud800"}, InvalidTextError, "the content of section 'plan' holds a lone surrogate"),
        ({"plan": "x" * 1001}, InvalidTextError, "the content of section 'plan' has 1,001 characters; the limit is 1,000"),
    ],
)  # fmt: skip
def test_first_contents_that_cannot_be_stored_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        initial_contents(MODEL, given, limit=LIMIT)


def test_a_memory_without_sections_says_so():
    assert unknown_section("plan", {}) == "unknown section 'plan'; this memory has none"
