"""What to do with errors."""

# [handle]
from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import AgentMemoryError, ConflictError, InvalidInputError, OutageError


def note(memory: AgentMemory, memory_id: int, text: str, revision: int) -> str:
    try:
        memory.update_active_memory_section("alice", memory_id, "facts", text, expected_revision=revision)
    except InvalidInputError as error:  # a ValueError, too: the call is wrong, and nothing was written
        return f"refused: {error}"
    except ConflictError as error:  # somebody else was first: look again, and decide anew
        return f"too late: {error}"
    except OutageError as error:  # may be repeated; with a revision, it is written at most once
        return f"later: {error}"
    except AgentMemoryError as error:  # all that the package raises
        return f"failed: {error}"
    return "written"


# [end]

with AgentMemory.open() as memory:
    notes = memory.create_active_memory("alice", "Notes", {"sections": ["facts"]})
    assert note(memory, notes.id, "Ada is away.", 1) == "written"
    assert note(memory, notes.id, "Bo is away.", 1).startswith("too late: section 'facts' is at revision 2")
    assert note(memory, notes.id, "\0", 2).startswith("refused: ")
    assert note(memory, notes.id + 1, "Cy is away.", 1).startswith("failed: ")

nowhere = AgentMemory.open("postgresql://postgres@127.0.0.1:1/postgres")
assert note(nowhere, 1, "Di is away.", 1).startswith("later: ")
