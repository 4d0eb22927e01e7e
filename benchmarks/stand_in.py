"""A chat model's stand-in for consolidations, which answers at once or after a set time, and estimates tokens."""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatResult

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from fakes import ScriptedModel


def _answer(schema: str, data: dict[str, Any]) -> dict[str, Any]:
    if schema == "Extraction":
        found = [(name, chunk["id"]) for chunk in data["chunks"] for name in re.findall(r"[A-Z]\w+", chunk["content"])]
        entities = [{"name": name, "types": ["person"], "chunk_ids": [id]} for name, id in found]
        return {"entities": entities, "relationships": []}
    kept = [
        {
            "section_id": section["section_id"],
            "decisions": [{"chunk_id": r["chunk_id"], "action": "keep"} for r in section["replacements"]],
        }
        for section in data["sections"]
    ]
    return {"sections": kept}


class StandInModel(ScriptedModel):
    """Finds capitalised names as entities, keeps both sides of conflicts, and takes a set time for it."""

    answer: Callable[[str, dict[str, Any]], dict[str, Any]] = _answer
    seconds: float = 0.0

    def usage(self, asked: list[BaseMessage], answered: AIMessage) -> UsageMetadata:
        read = len("".join(str(message.content) for message in asked)) // 4
        written = len(json.dumps(answered.tool_calls[0]["args"])) // 4
        return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.seconds)
        return self._generate(messages, stop, **kwargs)
