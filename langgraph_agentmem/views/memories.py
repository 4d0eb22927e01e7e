"""Active memories, what was added to them, and what searches find."""

from collections.abc import Sequence
from typing import Final

from langgraph_agentmem.models.active import ActiveMemory, Section
from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.context import MemoryContext, OpenDispute
from langgraph_agentmem.models.conversation import AddReport
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.views.markup import Html, badge, block, element, joined, moment, note, prose, table
from langgraph_agentmem.views.timeline import VALID, Axis, Validity, bar

TIERS: Final = {"active": "#cfe8d0", "shortterm": "#cfe0f7", "longterm": "#e6d8f5"}
"""The colour of each tier."""


def memories(found: Sequence[ActiveMemory]) -> Html:
    """Each memory: how far it is from its next consolidation, and its sections."""
    return joined(*map(_memory, found))


def _memory(memory: ActiveMemory) -> Html:
    left_out = memory.section_count - len(memory.sections)
    return block(
        f"{memory.title} – memory {memory.id} of {memory.external_id}",
        _pending(memory),
        sections(list(memory.sections.values())),
        note(f"{counted(left_out, 'more section')} not listed here" if left_out > 0 else ""),
    )


def _pending(memory: ActiveMemory) -> Html:
    info = memory.consolidation_info
    share = min(info.total_update_count / info.threshold, 1.0) if info.threshold else 1.0
    due = "; a consolidation is due" if info.will_consolidate else ""
    said = f"{info.total_update_count} of {info.threshold:g} updates until it consolidates{due}"
    track = element("rect", width=120, height=8, rx=4, fill="#808080", fill_opacity="0.35")
    done = element("rect", width=120 * share, height=8, rx=4, fill=VALID)
    gauge = element("svg", track, done, xmlns="http://www.w3.org/2000/svg", width=120, height=8, viewBox="0 0 120 8")
    return element("div", gauge, f" {said}", style="margin:2px 0 6px")


def sections(found: Sequence[Section]) -> Html:
    """A table of sections."""
    return table(
        ["Section", "Text", "Revision", "Pending", "Written"],
        [[_named(each), prose(each.content or _value(each)), *_written(each)] for each in found],
    )


def _named(section: Section) -> Html:
    title = section.title if section.title != section.section_id else ""
    return joined(element("b", section.section_id), note(title), note(section.description))


def _value(section: Section) -> str:
    return str(section.value) if section.value.keys() - {"content"} else ""


def _written(section: Section) -> list[str]:
    by = f" by {section.source}" if section.source else ""
    return [str(section.revision), str(section.update_count), f"{moment(section.updated_at)}{by}"]


def hits(found: Sequence[SearchHit]) -> Html:
    """A table of hits, their validity on one axis of time."""
    axis = Axis.of([_span(hit) for hit in found])
    headers = ["Score", "Tier", "Text", "Section", axis.heading]
    return block(counted(len(found), "hit"), table(headers, [_hit(hit, axis) for hit in found]))


def _span(hit: SearchHit) -> Validity:
    return Validity(hit.start_date, hit.end_date)


def _hit(hit: SearchHit, axis: Axis) -> list[str]:
    return [
        f"{hit.score:.2f}",
        badge(hit.tier, TIERS[hit.tier]),
        joined(prose(hit.content), note(_state(hit))),
        joined(element("b", hit.section_id), note(hit.memory_title)),
        bar(_span(hit), axis),
    ]


def _state(hit: SearchHit) -> str:
    others = ", ".join(map(str, hit.unclear_with))
    said = [
        f"replaced by chunk {hit.superseded_by}" if hit.superseded_by else "",
        "waits for a person's review" if hit.disputed else "",
        f"perhaps in place of, or replaced by, chunk {others}" if others else "",
        f"mentions {', '.join(hit.entities[:8])}" if hit.entities else "",
    ]
    return "; ".join(filter(None, said))


def contexts(found: Sequence[MemoryContext]) -> Html:
    """What goes into a prompt, word for word, and the hits behind it."""
    return joined(*map(_context, found))


def _context(context: MemoryContext) -> Html:
    return block(
        f"{counted(context.tokens, 'token')} for a prompt",
        *(_verbatim(text) for text in (context.sections, context.recalled) if text),
        hits(context.hits) if context.hits else note("no hits"),
        table(["Dispute", "Existing", "New"], [_open(dispute) for dispute in context.disputes]),
    )


def _verbatim(text: str) -> Html:
    style = "white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid rgba(128,128,128,.5);padding:2px 10px"
    return element("pre", text, style=f"{style};margin:6px 0;background:none;color:inherit;font-size:12px")


def _open(dispute: OpenDispute) -> list[str]:
    return [f"{dispute.id} in {dispute.memory_title}", prose("\n".join(dispute.existing)), prose(dispute.new)]


def additions(found: Sequence[AddReport]) -> Html:
    """What adding messages has come to: facts noted, and refused."""
    return joined(*map(_addition, found))


def _addition(report: AddReport) -> Html:
    noted = [["noted", fact.section_id, prose(fact.fact), prose(fact.corrected or "")] for fact in report.facts]
    refused = [["refused", fact.section_id, prose(fact.fact), fact.reason] for fact in report.refused]
    facts = table(["", "Section", "Fact", "In place of, or why not"], [*noted, *refused])
    return block(report.summary, facts, *map(note, report.failures))
