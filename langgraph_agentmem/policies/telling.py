"""Memory in words, as tools show it to a model."""

from collections.abc import Iterable, Sequence

from langgraph_agentmem.models.active import ActiveMemory, Section, is_empty
from langgraph_agentmem.models.search import SearchHit

NOTHING_FOUND = "Nothing is known about that."
NO_MEMORIES = "There is no memory yet; create_memory makes one."


def hits(found: Sequence[SearchHit]) -> str:
    """Hits, best first, each with where it stands, since when it holds, and what speaks against it."""
    return "\n".join(f"{place}. {_hit(hit)}" for place, hit in enumerate(found, 1)) or NOTHING_FOUND


def outlines(memories: Sequence[ActiveMemory]) -> str:
    """Memories with the names of their sections, without texts."""
    return "\n\n".join(_outline(memory) for memory in memories) or NO_MEMORIES


def memory(shown: ActiveMemory) -> str:
    """A memory with the texts of its sections."""
    return "\n\n".join([_title(shown), *(section(each) for each in shown.sections.values())])


def written(after: ActiveMemory, section_ids: Iterable[str]) -> str:
    """That a batch was written, and where sections are now."""
    named = ", ".join(f"{id!r} is at revision {after.sections[id].revision}" for id in section_ids)
    return f"Written: in memory {after.id} ({after.title!r}), {named}."


def present(shown: ActiveMemory, section_ids: Iterable[str]) -> str:
    """The sections that an edit does not fit, as they are."""
    texts = [section(shown.sections[id]) for id in section_ids if id in shown.sections]
    return "\n\n".join(["Nothing was written. As it stands now:", *texts])


def section(shown: Section) -> str:
    """A section with its revision and its text."""
    about = f": {shown.description}" if shown.description else ""
    return f"## {shown.section_id} (revision {shown.revision}){about}\n{shown.content or _other(shown)}"


def _other(shown: Section) -> str:
    return "(empty)" if is_empty(shown.value) else str(shown.value)


def _title(shown: ActiveMemory) -> str:
    return f"# Memory {shown.id}: {shown.title}"


def _outline(shown: ActiveMemory) -> str:
    left_out = shown.section_count - len(shown.sections)
    lines = [
        f"- {each.section_id} (revision {each.revision}, {len(each.content):,} characters)"
        + (f": {each.description}" if each.description else "")
        for each in shown.sections.values()
    ]
    return "\n".join([_title(shown), *lines, *[f"- and {left_out} more sections"] * (left_out > 0)])


def _hit(hit: SearchHit) -> str:
    where = f"[{hit.memory_title} / {hit.section_id}, since {hit.start_date:%Y-%m-%d}]"
    return f"{where} {hit.content.strip()}" + "".join(f" ({doubt})" for doubt in _doubts(hit))


def _doubts(hit: SearchHit) -> list[str]:
    doubts = {
        "two values are disputed, and a person is to decide": hit.disputed,
        "a later one, above, has perhaps taken its place": bool(hit.behind),
        "it is not sure whether this still holds": bool(hit.unclear_with) and not hit.behind,
        f"until {hit.end_date:%Y-%m-%d}" if hit.end_date else "": hit.end_date is not None,
    }
    return [doubt for doubt, holds in doubts.items() if holds]
