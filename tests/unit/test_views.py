"""What people see of values: a line as text, tables and pictures in a notebook, and never anything but text of a text."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.active import ActiveMemory, Section
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.models.context import MemoryContext, OpenDispute
from langgraph_agentmem.models.conversation import AddReport
from langgraph_agentmem.models.entity import Entity, Relationship
from langgraph_agentmem.models.graph import GraphEntity, GraphPath, GraphRelationship, Neighborhood
from langgraph_agentmem.models.review import Dispute, PendingReview, ReviewReport
from langgraph_agentmem.models.run import ConsolidationReport, ConsolidationRun, PromotionReport
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.views import as_html, draw, pages
from langgraph_agentmem.views.chart import Point, confidence
from langgraph_agentmem.views.entities import history
from langgraph_agentmem.views.layout import placed, settled

MAY, JUNE = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
FORGED = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</title></svg><iframe srcdoc='x'>",
    "]]><![CDATA[<!--",
    "&lt;b&gt; &#60;i&#62;",
    "\x00\x1b[31m\u202e\ufffe",
]


def of_text(value: str) -> dict[str, Any]:
    """A value of every kind with its texts all the same."""
    times = {"created_at": MAY, "updated_at": MAY}
    section = {"section_id": value, "title": value, "description": value, "value": {"content": value}, "source": value}
    section |= {"revision": 2, "update_count": 1, "total_updates": 2, **times}
    other = section | {"value": {value: value}, "section_id": "other"}
    info = {"total_update_count": 3, "threshold": 10.0, "will_consolidate": True}
    memory = {"external_id": value, "id": 1, "title": value, "namespace": [value], "template": {"sections": []}}
    hit = {"chunk_id": 1, "content": value, "score": 0.5, "arms": {}, "tier": "shortterm", "memory_id": 1}
    hit |= {"memory_title": value, "section_id": value, "section_revision": 1, "chunk_order": 0, "current": False}
    hit |= {"origin": "section", "source": value, "entities": [value], "start_date": MAY, "end_date": JUNE}
    hit |= {"superseded_by": 2, "unclear_with": [3], "disputed": True, "metadata": {"headings": [value]}}
    ends = {"types": [value], "description": value, "confidence": 0.5, "strength": 0.5, "start_date": MAY}
    link = {
        "id": 1,
        "tier": "shortterm",
        "source_id": 1,
        "target_id": 2,
        "source": value,
        "target": value,
        "revision": 1,
    }
    changes = [
        {"timestamp": MAY.isoformat(), "action": value, "types": [value], "confidence": 0.5, "source": value},
        {
            "timestamp": JUNE.isoformat(),
            "new_confidence": 0.7,
            "old_confidence": 0.5,
            "new_types": value,
            "run_id": value,
        },
        {"timestamp": value, "new_confidence": value},
    ]
    entity = {"id": 1, "tier": "longterm", "name": value, "types": [value], "description": value, "confidence": 0.7}
    entity |= {
        "importance": 0.5,
        "first_seen": MAY,
        "last_seen": JUNE,
        "revision": 2,
        "disputed": True,
        "namesakes": [4],
    }
    decision = {
        "about": About.chunk(value, 1),
        "action": value,
        "decided_by": "model",
        "reason": value,
        "refused": value,
    }
    usage = {"calls": 1, "input_tokens": 10}
    promotion = {"status": "promoted", "chunks_added": 1, "decisions": [decision]}
    report = {"status": "applied", "sections": [value], "updates_consumed": 1, "decisions": [decision], "usage": usage}
    report |= {"failures": [value], "promotion": promotion}
    run = {"id": value, "external_id": value, "memory_id": 1, "status": "failed", "resolver": value, "snapshot": []}
    run |= {"report": report, "error": value, "worker": value, "started_at": MAY, "usage": usage}
    disputed = {"id": 1, "content": value, "section_id": value, "source": value, "start_date": MAY}
    dispute = {"id": 7, "external_id": value, "run_id": value, "memory_id": 1, "kind": "chunk", "section_id": value}
    dispute |= {"existing": [disputed], "new": disputed, "new_now": disputed | {"valid": False}, "changed": True}
    dispute |= {"verdict": {"action": "merge", "reason": value, "text": value}, "created_at": MAY, "status": "decided"}
    dispute |= {"decision": {"dispute": 7, "action": "override", "text": value, "reason": value}, "reviewer": value}
    open_dispute = {
        "id": 7,
        "run_id": value,
        "memory_id": 1,
        "memory_title": value,
        "kind": "chunk",
        "existing": [value],
    }
    fact = {"section_id": value, "fact": value}
    node = {
        "tier": "shortterm",
        "name": value,
        "types": [value],
        "description": value,
        "confidence": 1,
        "importance": 1,
    }
    nodes = [node | {"id": 1}, node | {"id": 2, "name": f"2{value}"}]
    edge = ends | {"id": 1, "tier": "shortterm", "source_id": 1, "target_id": 2}
    return {
        "memory": ActiveMemory.model_validate(
            {**memory, **times, "consolidation_info": info, "section_count": 9, "sections": {"a": section, "b": other}}
        ),
        "section": Section.model_validate(section),
        "hit": SearchHit.model_validate(hit),
        "context": MemoryContext(
            sections=value,
            recalled=value,
            hits=[SearchHit.model_validate(hit)],
            disputes=[OpenDispute.model_validate({**open_dispute, "new": value, "chunk_ids": [1], "created_at": MAY})],
        ),
        "addition": AddReport.model_validate(
            {
                "memory_id": 1,
                "facts": [{**fact, "corrected": value}],
                "refused": [{**fact, "reason": value}],
                "failures": [value],
            }
        ),
        "entity": Entity.model_validate(
            {**entity, "relationships": [link | ends], "metadata": {"state_history": changes}}
        ),
        "relationship": Relationship.model_validate({**link, **ends, "disputed": True}),
        "run": ConsolidationRun.model_validate(run),
        "report": ConsolidationReport.model_validate(report),
        "promotion": PromotionReport.model_validate(promotion),
        "dispute": Dispute.model_validate(dispute),
        "pending": PendingReview(
            external_id=value, run_id=value, memory_id=1, memory_title=value, disputes=[Dispute.model_validate(dispute)]
        ),
        "reviewed": ReviewReport.model_validate(
            {"run_id": value, "disputes": [dispute], "pending": [7], "report": report}
        ),
        "neighborhood": Neighborhood.model_validate({"entities": nodes, "relationships": [edge]}),
        "path": GraphPath.model_validate({"entities": nodes, "relationships": [edge]}),
    }


KINDS = list(of_text(""))
TAGS = {"div", "span", "b", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}
TAGS |= {"svg", "g", "title", "rect", "path", "circle", "line", "polygon", "text"}


class Seen(HTMLParser):
    """What a browser makes of markup: tags, attributes, and the texts that a person sees."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.add("comment")

    def unknown_decl(self, data: str) -> None:
        self.tags.add("declaration")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("forged", FORGED)
def test_no_text_becomes_markup(kind: str, forged: str) -> None:
    value = of_text(forged)[kind]
    plain, seen = Seen(value.model_copy()._repr_html_()), Seen(as_html([value, value]))
    assert plain.tags | seen.tags <= TAGS
    assert not {name for name in seen.attributes if name.startswith("on") or name in {"href", "src", "srcdoc"}}
    assert seen.attributes == Seen(as_html([of_text("harmless")[kind]] * 2)).attributes
    if forged.isprintable() and kind not in {"neighborhood", "path"}:  # there, long names are cut
        assert forged in plain.texts or any(forged in text for text in plain.texts)


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_shown_and_can_be_read_on_any_ground(kind: str) -> None:
    markup = of_text("harmless")[kind]._repr_html_()
    assert "harmless" in markup
    # a ground of our own always comes with a colour of the letters on it
    for style in re.findall(r'style="([^"]*)"', markup):
        assert ("background:#" in style) == (re.search(r"(?<!-)color:#", style) is not None)
    assert "url(" not in markup
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", markup)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_xml(kind: str) -> None:
    for forged in FORGED:
        ElementTree.fromstring(f"<div>{of_text(forged)[kind]._repr_html_()}</div>")


@given(st.text(max_size=40))
def test_any_text_is_xml_and_shows_as_it_is(text: str) -> None:
    markup = of_text(f"{text}.")["hit"]._repr_html_()
    ElementTree.fromstring(markup)
    assert Seen(markup).tags <= TAGS


def test_every_view_is_tried_here() -> None:
    assert {type(value) for value in of_text("x").values()} == set(pages._VIEWS)


# As text


@pytest.mark.parametrize("kind", [*KINDS, "open"])
def test_a_value_is_told_in_a_line_or_two(kind: str) -> None:
    texts = of_text("line\n\x1b[31m" + "long " * 2_000)
    value = texts["context"].disputes[0] if kind == "open" else texts[kind]
    assert len(repr(value)) < 400
    assert repr(value).isprintable()
    assert type(value).__name__ in repr(value)
    assert str(value) == repr(value) or kind == "context"
    assert type(value).model_validate(value.model_dump()) == value  # nothing is lost but in what is told


def test_a_list_of_hits_can_be_read() -> None:
    hit = of_text("The engine is late.")["hit"]
    assert repr([hit]) == (
        "[<SearchHit 0.50 shortterm 'The engine is late.' of 'The engine is late.' until 2026-06-01, disputed: "
        "'The engine is late.'>]"
    )


def test_what_matters_is_told() -> None:
    told = {kind: repr(value) for kind, value in of_text("x").items()}
    assert told["memory"] == "<ActiveMemory 1 'x' of 'x': 'a', 'b'; 3 of 10 updates, due>"
    assert told["section"] == "<Section 'x', revision 2, 1 update pending: 'x'>"
    assert told["entity"] == "<Entity 1 'x' ('x'), longterm, confidence 0.70, disputed: 1 relationship>"
    assert told["dispute"] == "<Dispute 7 chunk (override): 'x' or 'x'>"
    assert told["report"] == "<ConsolidationReport applied: 1 update of 'x'; 1 failure made up for>"
    assert told["run"] == "<ConsolidationRun 'x' failed by 'x', memory 1, 2026-05-01 12:00: 'x'>"
    assert told["neighborhood"] == "<Neighborhood of 2 entities, 1 relationship: 'x', '2x'>"


def test_what_adding_has_come_to_is_told_in_words() -> None:
    one, many = of_text("x")["addition"], AddReport(memory_id=1, added=["a", "b"], inferred=True, failures=["x", "y"])
    assert repr(one.model_copy(update={"inferred": True})).endswith("1 fact noted, 1 refused; the model failed 1 time>")
    assert many.summary == "2 messages kept, 0 known, 0 skipped; 0 facts noted, 0 refused; the model failed 2 times"


def test_an_open_memory_says_where_it_is_but_no_password() -> None:
    shown = repr(AgentMemory.open("postgresql://agent:hunter2@db.example.org:6543/agents?sslpassword=hunter3"))
    assert shown == "<AgentMemory on host=db.example.org port=6543 dbname=agents user=agent; no embedder, no model>"
    assert (
        repr(AgentMemory.open(data_dir="x"))
        == "<AgentMemory on an embedded server, not started; no embedder, no model>"
    )


def test_values_without_a_view_show_all_their_fields() -> None:
    value = Decision(about=About.chunk("plan", 1), action="keep", decided_by="rules")
    assert value._repr_html_() is None
    assert repr(value).startswith("Decision(about=About(")


# As pages


def test_values_of_one_kind_share_a_table() -> None:
    hit, entity = of_text("x")["hit"], of_text("x")["entity"]
    assert as_html([hit, hit, entity]).count(">Score<") == 1
    assert as_html([hit, entity, hit]).count(">Score<") == 2
    assert as_html(hit) == as_html([hit]) == hit._repr_html_()
    assert as_html(iter(())) == as_html([])
    assert Seen(as_html([])).texts == ["nothing"]


@pytest.mark.parametrize(
    "wrong", [7, None, ["text"], [Decision(about=About.chunk("a", 1), action="", decided_by="rules")]]
)
def test_what_has_no_view_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"takes a value of memory|there is no view for"):
        as_html(wrong)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert "… (400 more characters)" in of_text("y" * 1_000)["section"]._repr_html_()


def test_a_bar_ends_where_validity_does() -> None:
    hit = of_text("x")["hit"]
    ended, valid = hit._repr_html_(), hit.model_copy(update={"end_date": None})._repr_html_()
    assert "2026-05-01 12:00 – 2026-06-01 00:00" in ended
    assert "2026-05-01 12:00:00 – now" in valid
    assert (ended.count("<path"), valid.count("<path")) == (0, 1)


def test_confidence_is_drawn_step_by_step_oldest_first() -> None:
    changes = [{"timestamp": (MAY + timedelta(days=day)).isoformat(), "new_confidence": day / 10} for day in (3, 1, 2)]
    points = history([*changes, {"timestamp": "2026-05-01T00:00:00", "confidence": 1.0}, {"timestamp": 7}, {}])
    assert [point.confidence for point in points] == [0.1, 0.2, 0.3]
    drawn = ElementTree.fromstring(confidence(points))
    heights = [float(circle.attrib["cy"]) for circle in drawn.iter("{http://www.w3.org/2000/svg}circle")]
    assert heights == sorted(heights, reverse=True)
    assert confidence([]) == ""


def test_many_changes_at_one_moment_stay_apart_and_within_the_picture() -> None:
    drawn = ElementTree.fromstring(confidence([Point(MAY, 0.5)] * 40))
    places = [float(circle.attrib["cx"]) for circle in drawn.iter("{http://www.w3.org/2000/svg}circle")]
    assert all(b - a > 5 for a, b in pairwise(places))
    assert places[-1] < float(drawn.attrib["width"])


# The graph


def graph(count: int, links: list[tuple[int, int]], **more: Any) -> Neighborhood:
    made = {"tier": "longterm", "confidence": 1.0, "importance": 0.5}
    nodes = [
        GraphEntity(id=i, name=f"Entity no. {i}", types=[f"kind{i % 3}"], **{**made, **more}) for i in range(count)
    ]
    edge = {"tier": "longterm", "types": ["is_known_to"], "confidence": 1.0, "strength": 0.5, "start_date": MAY}
    edges = [GraphRelationship(id=i, source_id=a, target_id=b, **edge) for i, (a, b) in enumerate(links)]
    return Neighborhood(entities=nodes, relationships=edges)


GRAPHS = {
    "a ring": [(i, (i + 1) % 20) for i in range(20)],
    "a star": [(0, i) for i in range(1, 20)],
    "a tree with cross links": [(i, i // 2) for i in range(1, 20)] + [(i, (i * 7 + 3) % 20) for i in range(0, 20, 2)],
    "both ways": [(i, i + 1) for i in range(19)] + [(i + 1, i) for i in range(19)],
    "nothing linked": [],
    "to itself": [(0, 0), (1, 2)],
}


def rectangles(svg: str) -> Iterator[tuple[float, float, float, float]]:
    for rect in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"):
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        yield x, y, x + width, y + height


@pytest.mark.parametrize("links", GRAPHS.values(), ids=GRAPHS)
def test_twenty_entities_are_drawn_without_overlaps_the_same_each_time(links: list[tuple[int, int]]) -> None:
    drawing = draw(graph(20, links))
    found = list(rectangles(drawing.svg))
    assert len(found) == 20 + len(set(links))
    overlapping = [
        (a, b)
        for at, a in enumerate(found)
        for b in found[:at]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert overlapping == []
    assert draw(graph(20, links)) == drawing
    assert (len(drawing.entities), drawing.left_out) == (20, 0)


def test_what_is_left_out_is_said_in_both_forms() -> None:
    drawing = draw(graph(30, GRAPHS["a star"]), limit=5)
    assert drawing.entities[0] == "Entity no. 0"
    assert (len(drawing.entities), drawing.left_out) == (5, 25)
    assert "25 more entities are left out" in drawing.svg
    assert "25 more entities are left out" in drawing.mermaid
    assert repr(drawing).startswith("<EntityDrawing of 5 entities, 25 left out: 'Entity no. 0'")


def test_what_was_promoted_is_drawn_once() -> None:
    short, long = graph(3, [(0, 1)], tier="shortterm"), graph(2, [(0, 1)])
    moved = [entity.model_copy(update={"id": entity.id + 10}) for entity in long.entities]
    edges = [edge.model_copy(update={"source_id": 10, "target_id": 11}) for edge in long.relationships]
    both = Neighborhood(entities=[*short.entities, *moved], relationships=[*short.relationships, *edges])
    drawing = draw(both)
    assert sorted(drawing.entities) == ["Entity no. 0", "Entity no. 1", "Entity no. 2"]
    assert (drawing.mermaid.count("-->"), drawing.svg.count("stroke-dasharray")) == (1, 1)


def test_things_of_one_name_and_different_kinds_stay_apart() -> None:
    found = graph(2, [])
    apples = [entity.model_copy(update={"name": "Apple"}) for entity in found.entities]
    assert draw(Neighborhood(entities=apples)).entities == ["Apple", "Apple"]


def test_an_empty_graph_says_so() -> None:
    drawing = draw(Neighborhood())
    assert "no entities" in drawing.svg
    assert "no entities" in drawing.mermaid
    assert drawing._repr_svg_() == drawing.svg
    assert drawing._repr_html_() is None
    assert repr(drawing) == "<EntityDrawing of 0 entities>"


@pytest.mark.parametrize(
    "forged", [*FORGED, '"] --> x; click e0 "javascript:alert(1)"', "```\n# end", "end", "a`b`", "%%"]
)
def test_no_name_is_more_than_a_label_of_mermaid(forged: str) -> None:
    found = of_text(forged)["neighborhood"]
    lines = draw(found).mermaid.splitlines()
    label = r"[\w .,:+/()#;…-]*?"
    node, link = rf'    e\d\["{label}(<br>{label})?"\]:::short', rf'    e\d -->\|"{label}"\| e\d'
    assert lines[0] == "flowchart LR"
    assert [line for line in lines[1:-2] if not re.fullmatch(f"{node}|{link}", line)] == []
    assert len(lines) == 6


@pytest.mark.parametrize("limit", [0, -1, 61, True, "20", 2.5, None])
def test_a_limit_that_cannot_be_drawn_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidInputError, match="limit must be from 1 to 60"):
        draw(Neighborhood(), limit=limit)


def test_layouts_part_boxes_of_any_size() -> None:
    ends = [(0, 1), (1, 1)]
    boxes = placed(settled(3, ends), [(300.0, 40.0), (20.0, 200.0), (20.0, 20.0)], ends)
    assert not any(a.meets(b) for at, a in enumerate(boxes) for b in boxes[:at])
    assert placed(settled(0, []), [], []) == []
