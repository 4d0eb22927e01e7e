"""The graph that the server serves: an agent of `create_agent` whose users each have a memory."""

import os

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware


def chat_model() -> str | BaseChatModel:
    """What AGENTMEM_MODEL names, as openai:gpt-5; without it a scripted model, so that no key is needed."""
    if name := os.environ.get("AGENTMEM_MODEL"):
        return name
    from scripted_model import ScriptedAssistant  # noqa: PLC0415 - of the folder above, needed without a model only

    return ScriptedAssistant()


# Opening does not connect yet: app.py sets it up when the server starts, and closes it when that ends. The worker in
# the background consolidates what has piled up.
memory = AgentMemory.open(background=True)
agent = create_agent(
    chat_model(),
    system_prompt="You are a friendly assistant. Keep what the user says about themselves in memory.",
    # Whose memory it is: configurable["user_id"] of the run, which here a client may choose. Where users log in:
    # external_id=lambda runtime: runtime.server_info.user.identity
    middleware=[AgentMemoryMiddleware(memory)],
)
