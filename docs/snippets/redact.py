"""Takes out of texts what nobody is to keep."""

# [secrets]
from langgraph_agentmem import AgentMemory

with AgentMemory.open(redact="secrets") as memory:
    notes = memory.create_active_memory("alice", "Notes", {"sections": ["facts"]})
    written = memory.update_active_memory_section(
        "alice", notes.id, "facts", "The staging database is postgres://ada:hunter2@db.example.org/staging."
    )
    print(written.sections["facts"].content)
    # The staging database is postgres://ada:[redacted password]@db.example.org/staging.
# [end]
assert "hunter2" not in written.sections["facts"].content

# [own]
import re

from langgraph_agentmem.errors import RedactionError
from langgraph_agentmem.redaction import secrets


def redact(text: str) -> str | None:
    if "CONFIDENTIAL" in text:
        return None  # refuses it
    return re.sub(r"\b\d{3}-\d{2}-\d{4}\b", "[redacted number]", secrets(text))


with AgentMemory.open(redact=redact) as memory:
    memory.update_active_memory_section("alice", notes.id, "facts", "Ada's number is 078-05-1120.")
    try:
        memory.update_active_memory_section("alice", notes.id, "facts", "CONFIDENTIAL: the plan")
    except RedactionError as error:
        print(error)  # a text of a section was refused by the redaction function; nothing of it was stored
# [end]
