"""Forgets, keeps the receipt, and looks again."""

from works_on import WorksOn

# [memory]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(extractor=WorksOn())
apollo = memory.create_active_memory("bob", "Apollo", {"sections": ["team"]})
memory.update_active_memory_section("bob", apollo.id, "team", "- Ada works on Engine.")
memory.consolidate("bob", apollo.id)

receipt = memory.delete_active_memory("bob", apollo.id, forget=True)
print(receipt.removed["memory_chunk"], receipt.removed["entity"])  # 1 2
# [end]
assert receipt is not None
assert (receipt.removed["memory_chunk"], receipt.removed["entity"]) == (1, 2)

# [tenant]
from pathlib import Path

memory.create_active_memory("bob", "Borealis", {"sections": ["team"]}, {"team": "- Bo works on Docs."})
receipt = memory.forget_tenant("bob")
print(receipt.removed["active_memory"], receipt.removed["memory_chunk"], receipt.removed["section"])  # 1 1 1
for left in receipt.remains:
    print(left.where, left.count, left.why)

Path("bob.json").write_text(receipt.model_dump_json())
# [end]
assert [receipt.removed[name] for name in ("active_memory", "memory_chunk", "section")] == [1, 1, 1]

# [verify]
check = memory.verify_receipt(Path("bob.json").read_text())
print(check.gone, check.intact, check.found)  # True True {}
# [end]
assert (check.gone, check.intact, check.found) == (True, True, {})
memory.close()

# [sweep]
from langgraph_agentmem import AgentMemorySettings

settings = AgentMemorySettings(run_log_retention_days=90, history_retention_days=365, checkpoint_retention_days=30)
with AgentMemory.open(settings=settings) as memory:
    report = memory.sweep()
    print(report.runs, report.chunks, report.history, report.threads)  # 0 0 0 0
# [end]
assert (report.runs, report.chunks, report.history, report.threads) == (0, 0, 0, 0)
