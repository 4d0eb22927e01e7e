"""Values of memory as people look at them: tables, timelines and drawings, without a database.

A notebook shows memories, hits, entities, runs and disputes by these views; `as_html` makes a page of several.
"""

from langgraph_agentmem.models.graph import EntityDrawing
from langgraph_agentmem.views.drawing import draw
from langgraph_agentmem.views.markup import Html
from langgraph_agentmem.views.pages import as_html

__all__ = ["EntityDrawing", "Html", "as_html", "draw"]
