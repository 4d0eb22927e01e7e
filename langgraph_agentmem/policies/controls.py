"""Control statements: what shows whether a model that resolves conflicts can be trusted with them.

Among what a model is asked about stands, in each section, a statement that is true whatever happens. A model that reads
keeps it. One that ends it ends what it is shown, so that its decisions on chunks cannot be trusted.
"""

from langgraph_agentmem.models.conflict import (
    ConflictChunk,
    ConflictSection,
    ConsolidationConflicts,
    ConsolidationPlan,
    Replacement,
)

ALWAYS_TRUE = (
    "Water freezes at 0 °C.", "A week has seven days.", "The Earth orbits the Sun.", "A triangle has three corners.",
    "Paper is made from wood fibres.", "Gold is a metal.", "A minute has sixty seconds.",
)  # fmt: skip


def with_controls(conflicts: ConsolidationConflicts) -> tuple[ConsolidationConflicts, set[int]]:
    """Conflicts with a control statement in each section, and the ids that these have."""
    chunks = (c for s in conflicts.sections for c in (*s.existing_chunks, *s.new_chunks))
    first = max((chunk.id for chunk in chunks), default=0) + 1
    sections = [_with_control(section, first + number) for number, section in enumerate(conflicts.sections)]
    return conflicts.model_copy(update={"sections": sections}), set(range(first, first + len(sections)))


def _with_control(section: ConflictSection, id: int) -> ConflictSection:
    text = ALWAYS_TRUE[id % len(ALWAYS_TRUE)]
    control = Replacement(chunk_id=id, replaced_by=section.replacements[0].replaced_by, relation="unrelated")
    return section.model_copy(
        update={
            "existing_chunks": [*section.existing_chunks, ConflictChunk(id=id, content=text)],
            "replacements": [*section.replacements, control],
        }
    )


def broken(proposed: ConsolidationPlan, controls: set[int]) -> bool:
    """Whether a model's answer ends a control statement."""
    superseded = {d.chunk_id for s in proposed.sections for d in s.decisions if d.action == "supersede"}
    merged = {id for s in proposed.sections for merge in s.merged for id in merge.chunk_ids}
    return bool(controls & (superseded | merged))


def without_controls(proposed: ConsolidationPlan, controls: set[int]) -> ConsolidationPlan:
    """A model's answer to the conflicts alone."""
    sections = [
        section.model_copy(update={"decisions": [d for d in section.decisions if d.chunk_id not in controls]})
        for section in proposed.sections
    ]
    return proposed.model_copy(update={"sections": sections})
