"""Working with an AgentMemory: from creating it to undoing a run."""

# [create]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()  # AGENTMEM_DSN, or an embedded PostgreSQL
apollo = memory.create_active_memory(
    "bob",
    "Apollo",
    {"sections": {"plan": "What is to be done, until when", "team": "Who does what"}},
    initial_sections={"plan": "- Deadline: May 1\n- Budget: 5000"},
    metadata={"project": 7},
)
print(apollo.id, apollo.sections["plan"].content)
# [end]
assert apollo.sections["team"].content == ""
assert apollo.sections["plan"].description == "What is to be done, until when"
assert apollo.metadata == {"project": 7}
assert apollo.consolidation_info.total_update_count == 0

# [templates]
from langgraph_agentmem import MemoryTemplate, TemplateSection

as_yaml = """
name: Project
sections:
  - id: plan
    title: The plan
    description: What is to be done, until when
    content: Nothing is planned yet.
  - id: team
"""
as_model = MemoryTemplate(name="Project", sections=(TemplateSection(id="plan"), TemplateSection(id="team")))
as_ids = {"sections": ["plan", "team"]}
for number, template in enumerate([as_yaml, as_model, as_ids]):
    project = memory.create_active_memory("bob", f"Project {number}", template)
    print(list(project.sections), repr(project.sections["plan"].content))
# [end]
assert list(project.sections) == ["plan", "team"]
assert memory.get_active_memories("bob")[1].sections["plan"].content == "Nothing is planned yet."

# [again]
again = memory.create_active_memory("bob", "Apollo", as_ids, exist_ok=True)  # the one that there is
print(again.id == apollo.id, [each.title for each in memory.get_active_memories("bob")])
# [end]
assert again.id == apollo.id

# [edit]
edits = [
    {"section_id": "plan", "old_content": "May 1", "new_content": "June 1"},  # an excerpt that occurs exactly once
    {"section_id": "team", "new_content": "- Ada writes the engine."},  # the whole section
]
apollo = memory.update_active_memory_sections("bob", apollo.id, edits, source="Ada")
edits = [
    {"section_id": "team", "action": "insert", "new_content": "- Bo tests it."},  # at the end
    {"section_id": "plan", "action": "insert", "old_content": "June 1", "new_content": ", noon"},  # behind the excerpt
]
apollo = memory.update_active_memory_sections("bob", apollo.id, edits)
print(apollo.sections["plan"].content)  # - Deadline: June 1, noon ...
# [end]
assert apollo.sections["plan"].content == "- Deadline: June 1, noon\n- Budget: 5000"
assert apollo.sections["team"].content == "- Ada writes the engine.\n- Bo tests it."

# [refused]
from langgraph_agentmem.errors import ContentMismatchError

try:
    memory.update_active_memory_section("bob", apollo.id, "plan", "July 1", old_content="May 1")
except ContentMismatchError as error:
    print(error)  # the section does not hold it any more; nothing was written
    # [end]
    refused = str(error)
assert "plan" in refused

# [revision]
from langgraph_agentmem.errors import RevisionConflictError


def shorten(text: str) -> str:
    return text.replace(", noon", "")


seen = memory.get_active_memory("bob", apollo.id).sections["plan"]
while True:
    try:
        apollo = memory.update_active_memory_section(
            "bob", apollo.id, "plan", shorten(seen.content), expected_revision=seen.revision
        )
        break
    except RevisionConflictError:  # somebody else was first: the error carries what there is now, too
        seen = memory.get_active_memory("bob", apollo.id).sections["plan"]
# [end]
assert apollo.sections["plan"].content == "- Deadline: June 1\n- Budget: 5000"

# [due]
info = apollo.consolidation_info
print(info.total_update_count, "of", info.threshold, info.will_consolidate)  # 5 of 10.0 False
report = memory.consolidate("bob", apollo.id)  # now, instead of when it is due
print(report.status, report.updates_consumed, report.chunks_added)  # applied 5 4
# [end]
assert (info.total_update_count, info.threshold, info.will_consolidate) == (5, 10.0, False)
assert (report.status, report.updates_consumed, report.chunks_added) == ("applied", 5, 4)

# [search]
from datetime import UTC, datetime

before = datetime.now(UTC)
memory.update_active_memory_section("bob", apollo.id, "plan", "July 1", old_content="June 1")
report = memory.consolidate("bob", apollo.id)
for hit in memory.search("bob", "When is the deadline?", limit=3):
    print(f"{hit.score:.2f} {hit.tier} {hit.memory_title}/{hit.section_id}: {hit.content.strip()}")
then = memory.search("bob", "When is the deadline?", as_of=before)[0]
print(then.content.strip(), "until", then.end_date)  # - Deadline: June 1 until ...
print(then.explain())  # why it was found, and what holds of it
# [end]
assert memory.search("bob", "When is the deadline?")[0].content.strip() == "- Deadline: July 1"
assert then.content.strip() == "- Deadline: June 1"
assert then.end_date is not None

# [narrow]
memory.search("bob", "deadline", tiers=["longterm"])
memory.search("bob", "deadline", memory_ids=[apollo.id])
memory.retrieve_memories("bob", "deadline", search_shortterm=True, search_longterm=True)  # all but active memory
# [end]
assert memory.search("bob", "deadline", tiers=["longterm"]) == []

# [history]
for run in memory.runs.list("bob", apollo.id):  # the newest first
    print(run.status, run.report.updates_consumed, run.report.chunks_superseded, run.resolver)
section = memory.get_active_memory("bob", apollo.id).sections["plan"]
print(section.revision, section.total_updates, section.update_count, section.source)
# [end]
assert [run.report.chunks_superseded for run in memory.runs.list("bob", apollo.id)] == [1, 0]

# [undo]
undone = memory.runs.undo("bob", report.run_id)
valid = {hit.content.strip() for hit in memory.search("bob", "deadline", memory_ids=[apollo.id])}
print(undone.status, {"- Deadline: June 1", "- Deadline: July 1"} <= valid)  # undone True
# [end]
assert undone.status == "undone"
assert {"- Deadline: June 1", "- Deadline: July 1"} <= valid

# [promote]
promotion = memory.promote("bob", apollo.id, force=True)  # by itself after `shortterm_update_threshold` consolidations
print(promotion.status, promotion.chunks_added)
memory.delete_active_memory("bob", apollo.id)  # closes it: what it gave to memory stays
print({hit.tier for hit in memory.search("bob", "deadline", memory_ids=[apollo.id])})  # {'longterm'}
memory.delete_active_memory("bob", apollo.id, forget=True)  # removes that, too
memory.close()
# [end]
with memory:
    assert memory.search("bob", "deadline", memory_ids=[apollo.id]) == []
