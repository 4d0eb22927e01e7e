"""Asks chat models for structured answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel

from langgraph_agentmem.errors import ConfigurationError, MissingDependencyError, ModelError
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.policies import delimiting
from langgraph_agentmem.policies.validation import storable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

T = TypeVar("T", bound=BaseModel)


def chat_model(model: "BaseChatModel | str") -> "BaseChatModel":
    """A chat model, from LangChain's object or a "provider:model" string.

    Raises:
        MissingDependencyError: LangChain or the provider's integration is not installed.
        ConfigurationError: The provider is unknown, or lacks its settings (an API key, for instance).
    """
    from langchain_core.language_models import BaseChatModel  # noqa: PLC0415 - as long to import as all of this package

    if isinstance(model, BaseChatModel):
        return model
    if not isinstance(cast("object", model), str):
        raise ConfigurationError(f'a model must be "provider:model" or a LangChain chat model, not {model!r}')
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415

        return init_chat_model(model)
    except ImportError as error:
        raise MissingDependencyError(
            f'model {model!r} needs packages that are not installed: pip install "langgraph-agentmem[langchain]" '
            f"and the provider's integration ({error})"
        ) from error
    except Exception as error:
        raise ConfigurationError(f"model {model!r} cannot be used: {error}") from error


async def ask(
    model: "BaseChatModel",
    schema: type[T],
    instructions: str,
    data: Any,
    *,
    read: Callable[[object], T] | None = None,
) -> tuple[T, ModelUsage]:
    """A model's structured answer about some data, and what it cost.

    The data reaches the prompt as JSON inside a delimited block that it cannot close, never as instructions.

    Args:
        model: A model with structured output.
        schema: What to answer.
        instructions: What to do with the data.
        data: JSON-serialisable.
        read: Reads what the model has written; by default, an answer is taken as a whole or not at all. It raises a
            `ValueError` where nothing can be read.

    Raises:
        ModelError: The model fails, or answers with something else; it carries what the call has cost.
    """
    messages = [
        SystemMessage(f"{instructions}\n\n{delimiting.warning('memory_data')}"),
        HumanMessage(delimiting.json_block("memory_data", data)),
    ]
    try:
        named: Any = {"run_name": f"agentmem {schema.__name__}"}
        answer = cast("dict[str, Any]", await _structured(model, schema).ainvoke(messages, named))
    except Exception as error:
        raise ModelError(f"the chat model failed: {error}", calls=1) from error
    usage = _usage(answer["raw"])
    parsed = answer["parsed"]
    if read is not None:
        try:
            parsed = read(_written(answer["raw"], parsed))
        except ValueError as error:
            raise usage.failing(ModelError(f"the chat model's answer is no {schema.__name__}: {error}")) from error
    if not isinstance(parsed, schema):
        problem = answer["parsing_error"] or answer["raw"].content
        raise usage.failing(ModelError(f"the chat model's answer is no {schema.__name__}: {problem!r}"))
    # models do write NUL and lone surrogates, which PostgreSQL cannot hold
    return schema.model_validate(storable(parsed.model_dump())), usage


def _written(message: AIMessage, parsed: object) -> object:
    """What a model has written, whether or not it fits the schema."""
    calls = [call["args"] for call in (*message.tool_calls, *message.invalid_tool_calls)]
    if calls:
        return calls[0] if len(calls) == 1 else calls
    return parsed.model_dump() if isinstance(parsed, BaseModel) else message.content


def _structured(model: "BaseChatModel", schema: type[BaseModel]) -> Any:
    # strict JSON schemas, which some providers default to, refuse the defaults in ours
    return cast("Any", model).with_structured_output(schema, include_raw=True, method="function_calling")


def _usage(message: AIMessage) -> ModelUsage:
    usage = message.usage_metadata
    tokens = (usage["input_tokens"], usage["output_tokens"]) if usage else (0, 0)
    return ModelUsage(calls=1, input_tokens=tokens[0], output_tokens=tokens[1], cost=_cost(message))


def _cost(message: AIMessage) -> float | None:
    """What a call cost, where the provider says so."""
    usage = cast("dict[str, Any]", message.response_metadata.get("token_usage") or {})
    cost = usage.get("cost")
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None
