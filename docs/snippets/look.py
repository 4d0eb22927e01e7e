"""Looking at what is remembered: lines, tables and drawings."""

from works_on import WorksOn

# [short]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(extractor=WorksOn())  # a chat model finds entities in prose: model="provider:model"
apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan", "team"]}, exist_ok=True)
plan = {"section_id": "plan", "new_content": "- Deadline: May 1\n- Budget: 5000"}
team = {"section_id": "team", "new_content": "- Ada works on Engine.\n- Bo works on Engine."}
apollo = memory.update_active_memory_sections("alice", apollo.id, [plan, team])
print(apollo)  # <ActiveMemory 1 'Apollo' of 'alice': 'plan', 'team'; 2 of 10 updates>
print(memory.consolidate("alice", apollo.id))
print(memory.search("alice", "budget"))  # [<SearchHit 1.00 shortterm 'plan' of 'Apollo': '- Budget: 5000'>]
# [end]
assert str(apollo) == "<ActiveMemory 1 'Apollo' of 'alice': 'plan', 'team'; 2 of 10 updates>"
assert str(memory.search("alice", "budget")) == "[<SearchHit 1.00 shortterm 'plan' of 'Apollo': '- Budget: 5000'>]"

# [html]
from pathlib import Path

from langgraph_agentmem.views import as_html

hits = memory.search("alice", "Who works on the engine?")
as_html(hits)  # the last line of a notebook's cell: one table, on one axis of time
Path("hits.html").write_text(as_html(hits), encoding="utf-8")
# [end]
assert as_html(hits).count("<table") == 1

# [draw]
drawing = memory.draw_entities("alice")  # in a notebook's cell, the last line shows it
Path("entities.svg").write_text(drawing.svg, encoding="utf-8")
print(drawing.mermaid)
# [end]
assert drawing.entities == ["Engine", "Ada", "Bo"]

# [around]
drawing = memory.draw_entities("alice", ["Ada"], depth=2, limit=30)
print(drawing.entities, drawing.left_out)  # ['Ada', 'Engine', 'Bo'] 0
# [end]
assert (drawing.entities, drawing.left_out) == (["Ada", "Engine", "Bo"], 0)
memory.close()
