"""Sections edited in batches, all or nothing; and an edit of a text that somebody else has changed meanwhile.

pip install "langgraph-agentmem[embedded]"
python examples/batch_update.py                                   on an embedded PostgreSQL
python examples/batch_update.py --dsn postgresql://user@host/db   on your own

No model takes part: in an agent, the edits are what its model asks for (see chatbot.py), by the same rules.
"""

import argparse
import sys

from langgraph_agentmem import AgentMemory, AgentMemoryError
from langgraph_agentmem.errors import ContentMismatchError, RevisionConflictError

TENANT = "batch-update-example"  # whose memory it is: a user, a team, an agent
TEMPLATE = {"sections": {"plan": "What is to be done, until when", "team": "Who does what"}}


def tell(memory: AgentMemory) -> None:
    for earlier in memory.get_active_memories(TENANT):  # so that each run of the example tells the same
        memory.delete_active_memory(TENANT, earlier.id, forget=True)
    apollo = memory.create_active_memory(TENANT, "Apollo", TEMPLATE)

    heading("A batch: two sections, one transaction")
    edits = [
        {"section_id": "plan", "new_content": "- Deadline: May 1\n- Budget: 5000"},  # the whole section
        {"section_id": "team", "new_content": "- Ada writes the engine."},
    ]
    apollo = memory.update_active_memory_sections(TENANT, apollo.id, edits, source="Ada")
    show(memory, apollo.id)
    info = apollo.consolidation_info
    print(f"  {info.total_update_count} updates; at {info.threshold:.0f}, the memory is due to be consolidated.")

    heading("Excerpts: one is replaced, one is added behind another")
    edits = [
        {"section_id": "plan", "old_content": "May 1", "new_content": "June 1"},
        {"section_id": "team", "action": "insert", "new_content": "- Bo tests it."},  # no old_content: at the end
    ]
    memory.update_active_memory_sections(TENANT, apollo.id, edits, source="Bo")
    show(memory, apollo.id)

    heading("All or nothing: the second edit does not fit, so the first is not written either")
    edits = [
        {"section_id": "team", "new_content": "- Nobody does anything."},
        {"section_id": "plan", "old_content": "May 1", "new_content": "July 1"},  # it has said June 1 for a while
    ]
    try:
        memory.update_active_memory_sections(TENANT, apollo.id, edits)
    except ContentMismatchError as error:
        print(f"  refused: {error}")
    show(memory, apollo.id)

    heading("A stale edit: between reading and writing, somebody else has written")
    seen = memory.get_active_memory(TENANT, apollo.id).sections["plan"]
    memory.update_active_memory_section(TENANT, apollo.id, "plan", "6000", old_content="5000", source="Ada")
    while True:
        plan = {"section_id": "plan", "new_content": f"{seen.content}\n- Launch: at noon"}
        try:
            # expected_revision: write only if the section is still what was read
            edits = [plan | {"expected_revision": seen.revision}]
            memory.update_active_memory_sections(TENANT, apollo.id, edits, source="Bo")
            break
        except RevisionConflictError as error:
            print(f"  refused: {error}\n  the error carries revision {error.revision}, which says:")
            print_text(error.content)
            seen = memory.get_active_memory(TENANT, apollo.id).sections["plan"]  # and once more, from there
    print("  Repeated from there, nothing of Ada's is lost:")
    show(memory, apollo.id)


def show(memory: AgentMemory, memory_id: int) -> None:
    for id, section in memory.get_active_memory(TENANT, memory_id).sections.items():
        print(f"  {id}, revision {section.revision}, last written by {section.source}:")
        print_text(section.content)


def print_text(text: str) -> None:
    print("\n".join(f"      {line}" for line in text.splitlines()))


def heading(text: str) -> None:
    print(f"\n{text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; by default AGENTMEM_DSN, else an embedded server")
    try:
        with AgentMemory.open(parser.parse_args().dsn) as opened:
            tell(opened)
    except AgentMemoryError as error:
        sys.exit(f"batch_update: {error}")
