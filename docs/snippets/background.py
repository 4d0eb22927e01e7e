"""A worker within the application, and one of its own that is looked after by code."""

# [open]
import time

from langgraph_agentmem import AgentMemory, AgentMemorySettings, MemoryWorker

settings = AgentMemorySettings(avg_section_update_count=1)
with AgentMemory.open(background=True, settings=settings) as memory:
    notes = memory.create_active_memory("alice", "Notes", {"sections": ["facts"]}, exist_ok=True)
    memory.update_active_memory_section("alice", notes.id, "facts", "- Ada writes the engine.")
    # [end]
    while not memory.runs.list("alice", status="applied"):
        time.sleep(0.05)


# [worker]
async def work(memory: AgentMemory) -> None:
    worker = MemoryWorker(memory, concurrency=8)  # worker.stop() lets arun() come to an end
    await worker.arun()


# [end]
# [dead]
def look(memory: AgentMemory) -> None:
    status = memory.queue.status()
    print(f"{status.due} due for up to {status.lag_seconds:.0f} s, {status.running} running, {status.dead} set aside")
    for letter in memory.queue.dead_letters():
        print(letter.external_id, letter.memory_id, letter.attempts, letter.error)
    memory.queue.retry("alice")  # or one: retry("alice", memory_id)


# [end]
# [doctor]
def sick(memory: AgentMemory) -> list[str]:
    return [f"{finding.check}: {finding.found}" for finding in memory.diagnose() if finding.severity == "error"]


# [end]
with AgentMemory.open() as memory:
    look(memory)
    assert sick(memory) == []
