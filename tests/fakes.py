"""What stands where a model would be: a scripted chat model and a deterministic embedder."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field

Answer = BaseModel | dict[str, Any] | str | None


class ScriptedModel(BaseChatModel):
    """A chat model that answers with what a function returns for (name of the schema, data in the prompt).

    A model or dict becomes a tool call, a string prose, None an empty message; what the function raises is raised.
    """

    answer: Callable[[str, dict[str, Any]], Answer]
    prompts: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(schema_name=tools[0].__name__)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.prompts.append(messages)
        name = kwargs["schema_name"]
        message = self._message(name, self.answer(name, data_of(messages)))
        message.usage_metadata = self.usage(messages, message)
        return ChatResult(generations=[ChatGeneration(message=message)])

    @staticmethod
    def _message(name: str, answer: Answer) -> AIMessage:
        if answer is None or isinstance(answer, str):
            return AIMessage(answer or "")
        args = answer if isinstance(answer, dict) else answer.model_dump()
        return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "1"}])

    def usage(self, asked: list[BaseMessage], answered: AIMessage) -> UsageMetadata:
        """The tokens of a call."""
        return UsageMetadata(input_tokens=100, output_tokens=10, total_tokens=110)


def data_of(messages: list[BaseMessage]) -> dict[str, Any]:
    """The data block of a prompt."""
    text = str(messages[-1].content)
    return json.loads(text.removeprefix("<memory_data>\n").removesuffix("\n</memory_data>"))


class WordEmbedder(Embeddings):
    """Hashes words into a bag of `dimensions` buckets: texts that share words are close."""

    def __init__(self, dimensions: int = 64, model: str = "words") -> None:
        self.dimensions = dimensions
        self.model = model
        self.calls: list[list[str]] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(texts)
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in text.casefold().split():
            bucket = hashlib.sha256(word.strip(".,:;!?-").encode()).digest()[0] % self.dimensions
            vector[bucket] += 1.0
        return vector


class TurnsModel(BaseChatModel):
    """A chat model that says one message after another, whatever it is asked."""

    turns: list[AIMessage]
    prompts: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "turns"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.prompts.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.turns[len(self.prompts) - 1])])


class ObligingModel(BaseChatModel):
    """A chat model that calls a tool whose arguments are given for (how the user's words begin, the tool), else says "Noted."."""

    arguments: dict[tuple[str, str], dict[str, Any]]
    prompts: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "obliging"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=[convert_to_openai_tool(tool)["function"]["name"] for tool in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        tools: Sequence[str] = (),
        **kwargs: Any,
    ) -> ChatResult:
        self.prompts.append(messages)
        message = AIMessage("Noted.")
        for (words, tool), given in self.arguments.items():
            if messages[-1].type == "human" and messages[-1].text.startswith(words) and tool in tools:
                message = calls((tool, given))
        return ChatResult(generations=[ChatGeneration(message=message)])


def calls(*tools: tuple[str, dict[str, Any]]) -> AIMessage:
    """A message that calls tools."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": name} for name, args in tools])
