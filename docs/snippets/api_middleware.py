"""What the example of the middleware begins with."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from api import memory
from fakes import TurnsModel

# [begin]
from langchain.agents import create_agent
from langchain_core.messages import AIMessage

model = TurnsModel(turns=[AIMessage("On May 1.")])  # a chat model that keeps what it was sent, in `prompts`
# [end]

if __name__ == "__main__":
    assert create_agent(model).invoke({"messages": [("user", "When?")]})["messages"][-1].text == "On May 1."
    memory.close()
