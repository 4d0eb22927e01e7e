"""What of memory goes into a prompt: what fits, in which order, and what is left out."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.context import OpenDispute
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.policies import delimiting
from langgraph_agentmem.policies.cutting import shortened

Counter = Callable[[str], int]
"""How many tokens a text has."""
SECTIONS_SHARE = 0.7
"""Of the budget, that the sections may take. It is the same with a query and without, so that their bytes are."""
_LEAST = 80
"""Characters below which a text is rather left out than cut."""
_LONGEST_DISPUTED = 300
_SECTIONS = "memory_sections"
_RECALLED = "memory_recalled"


class ShownSection(Value):
    """A section with its text.

    Attributes:
        position: In its memory's template.
        source: Who wrote it last, as the writer said.
    """

    memory_id: int
    memory_title: str
    section_id: str
    title: str = ""
    position: int
    text: str
    source: str | None = None
    updated_at: datetime


class SectionsBlock(NamedTuple):
    """The block of the sections, and the texts that it shows."""

    text: str
    shown: Sequence[ShownSection] = ()


def by_four(text: str) -> int:
    """About how many tokens a text has, where nobody counts them: one for four characters."""
    return -(-len(text) // 4)


# Sections


def sections_block(sections: Sequence[ShownSection], budget: int, count: Counter) -> SectionsBlock:
    """As many sections as fit, in the order of memories and templates.

    Where not all fit, long ones are cut, all to the same length; where that does not help, those that were written last
    are shown. Empty ones are named, as a model can fill only what it knows of, and are the first to be left out.

    Args:
        sections: Those that were written last first.
        budget: The most tokens.
        count: Counts them.
    """
    listed = sorted(sections, key=lambda section: not section.text.strip())  # stable: the newest first in both parts

    def block(number: int, size: int) -> SectionsBlock:
        kept = sorted(listed[:number], key=lambda section: (section.memory_id, section.position, section.section_id))
        shown = [section.model_copy(update={"text": shortened(section.text, size)}) for section in kept]
        lengths = [len(section.text) for section in kept]
        return SectionsBlock(_sections(shown, lengths, len(listed) - len(kept)), shown)

    number = _most(0, len(listed), lambda number: count(block(number, _LEAST).text) <= budget)
    if number == 0:
        return SectionsBlock("")
    longest = max([_LEAST, *(len(section.text) for section in listed)])
    return block(number, _most(_LEAST, longest, lambda size: count(block(number, size).text) <= budget))


def _sections(shown: Sequence[ShownSection], lengths: Sequence[int], left_out: int) -> str:
    about = "What is in memory" + (f", without {left_out} sections for which there is no room." if left_out else ".")
    parts = [_section(section, length) for section, length in zip(shown, lengths, strict=True)]
    return delimiting.block(_SECTIONS, about, parts)


def _section(section: ShownSection, length: int) -> str:
    named = {
        "memory": section.memory_title,
        "memory_id": str(section.memory_id),
        "section_id": section.section_id,
        "title": section.title if section.title != section.section_id else None,
    }
    if not section.text.strip():
        return delimiting.element("section", named | {"empty": "true"}, [])
    attributes = {
        **named,
        "updated": _day(section.updated_at),
        "by": section.source,
        "cut": f"from {length} characters" if len(section.text) < length else None,
    }
    return delimiting.element("section", attributes, [delimiting.safe(section.text.strip("\n"))])


# Hits


def recalled_block(
    hits: Sequence[SearchHit], disputes: Sequence[OpenDispute], sections: SectionsBlock, budget: int, count: Counter
) -> str:
    """The best hits that fit and do not stand in the sections, then disputes that hits are about.

    Where not even the best hit fits, it is cut.

    Args:
        hits: Best first.
        disputes: All.
        sections: Their block, which comes before.
        budget: The most tokens, of both blocks together.
        count: Counts them.
    """
    fresh = without_repeats(hits, sections.shown)
    found = {hit.chunk_id for hit in hits}
    about = [dispute for dispute in disputes if found.intersection(dispute.chunk_ids)]

    def fits(block: str) -> bool:
        return count("\n\n".join(filter(None, [sections.text, block]))) <= budget

    def cut(size: int) -> list[SearchHit]:
        return [hit.model_copy(update={"content": shortened(hit.content, size)}) for hit in fresh[:1] if size >= _LEAST]

    number = _most(0, len(fresh), lambda number: fits(_recalled(fresh[:number], ())))
    kept = fresh[:number] or cut(
        _most(0, len(fresh[0].content) if fresh else 0, lambda size: fits(_recalled(cut(size), ())))
    )
    further = _most(0, len(about), lambda number: fits(_recalled(kept, about[:number])))
    return _recalled(kept, about[:further])


def without_repeats(hits: Sequence[SearchHit], shown: Sequence[ShownSection]) -> list[SearchHit]:
    """Hits that neither a better one nor a section says already.

    A section says what a part of its present value says, and whatever else stands there line by line: *May 1* within
    *May 15* is not the same.
    """
    values = {(section.memory_id, section.section_id): " ".join(section.text.split()) for section in shown}
    lines = [frozenset(_lines(section.text)) for section in shown]
    kept: dict[str, SearchHit] = {}
    for hit in hits:
        text = " ".join(hit.content.split())
        here = hit.current and text in values.get((hit.memory_id, hit.section_id), "")
        if text and not here and not any(known.issuperset(_lines(hit.content)) for known in lines):
            kept.setdefault(text, hit)
    return list(kept.values())


def _lines(text: str) -> list[str]:
    return [line for each in text.splitlines() if (line := " ".join(each.split()))]


def excerpts(hits: Sequence[SearchHit]) -> list[list[SearchHit]]:
    """Hits, those that are next to each other in a section together, in its order, where the best of them stands."""
    found: list[list[SearchHit]] = []
    for hit in hits:
        near = [excerpt for excerpt in found if any(_neighbours(hit, other) for other in excerpt)]
        joined = sorted([hit, *(other for excerpt in near for other in excerpt)], key=lambda each: each.chunk_order)
        place = found.index(near[0]) if near else len(found)
        found[place : place + bool(near)] = [joined]
        found = [excerpt for excerpt in found if excerpt not in near[1:]]
    return found


def _neighbours(one: SearchHit, other: SearchHit) -> bool:
    """Whether two hits follow each other in a section's value: its present one, or the one that has brought both."""
    return (
        (one.memory_id, one.section_id, one.current) == (other.memory_id, other.section_id, other.current)
        and abs(one.chunk_order - other.chunk_order) == 1
        and (one.current or one.section_revision == other.section_revision)
        and _state(one) == _state(other)
        and one.source == other.source
    )


def _recalled(hits: Sequence[SearchHit], disputes: Sequence[OpenDispute]) -> str:
    parts = [*map(_excerpt, excerpts(hits)), *map(_dispute, disputes)]
    if not parts:
        return ""
    return delimiting.block(_RECALLED, "What was found in memory, the best first.", parts)


def _excerpt(hits: Sequence[SearchHit]) -> str:
    first = hits[0]
    days = sorted({_day(hit.start_date) for hit in hits})
    attributes = {
        "memory": first.memory_title,
        "section_id": first.section_id,
        "under": " > ".join([*first.metadata.get("headings", []), *first.metadata.get("parents", [])]),
        "date": days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}",
        "by": first.source,
        "state": _state(first),
    }
    return delimiting.element("excerpt", attributes, [delimiting.safe(_joined(hits))])


def _joined(hits: Sequence[SearchHit]) -> str:
    """Chunks as the text that they were cut from; they keep the white space between them, but not between texts."""
    text = hits[0].content
    for hit in hits[1:]:
        apart = text[-1:].isspace() or hit.content[:1].isspace()
        text += hit.content if apart else f"\n{hit.content}"
    return text.strip("\n")


def _state(hit: SearchHit) -> str:
    """What makes a hit less certain than what stands in a section."""
    said = {
        "no longer in its section": not hit.current,
        "perhaps replaced by what comes before": bool(hit.behind),
        "unclear whether it still holds": bool(hit.unclear_with) and not hit.behind,
        "disputed": hit.disputed,
    }
    return ", ".join(text for text, holds in said.items() if holds)


def _dispute(dispute: OpenDispute) -> str:
    attributes = {"memory": dispute.memory_title, "section_id": dispute.section_id, "date": _day(dispute.created_at)}
    values = [("remembered", text) for text in dispute.existing] + [("new", dispute.new)]
    parts = [
        delimiting.element(name, {}, [delimiting.safe(shortened(text.strip(), _LONGEST_DISPUTED))])
        for name, text in values
    ]
    return delimiting.element("undecided", attributes, parts)


def _day(moment: datetime) -> str:
    """A day in UTC, whatever the time zone of the session that has read it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _most(least: int, most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `most` that fits, as far as fitting is a matter of size; `least` if none does."""
    if most <= least or fits(most):
        return max(least, most)
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least
