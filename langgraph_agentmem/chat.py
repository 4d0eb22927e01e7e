"""Asks chat models for structured answers."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables.config import merge_configs
from pydantic import BaseModel

from langgraph_agentmem.errors import ConfigurationError, MissingDependencyError, ModelError
from langgraph_agentmem.models.run import ModelUsage, StructuredOutput
from langgraph_agentmem.policies import answers, delimiting, retrying
from langgraph_agentmem.policies.validation import storable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

T = TypeVar("T", bound=BaseModel)

Asking = Literal["auto"] | StructuredOutput
"""How a model is asked for data; `auto` finds out which way it takes."""

_found_ways: dict[int, StructuredOutput] = {}
"""By the ids of models whose answer was prose once, or that have refused the request: how each is asked since then."""


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
    if not (model := model.strip()):
        raise ConfigurationError('the model is an empty text; give "provider:model", or leave it out for none')
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
    structured_output: Asking = "auto",
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
        structured_output: How to ask. `auto` starts with what the model's profile says; where the answer is prose, or
            the server does not take the request, it tries the other way, once in the life of the model object, and
            goes on with that one if its answer can be read.
        read: Reads what the model has written; by default, an answer is taken as a whole or not at all. It raises a
            `ValueError` where nothing can be read.

    Raises:
        ModelError: The model fails, or answers with something else; it carries what the calls have cost.
    """
    messages: list[BaseMessage] = [
        SystemMessage(f"{instructions}\n\n{delimiting.warning('memory_data')}"),
        HumanMessage(delimiting.json_block("memory_data", data)),
    ]
    question = _Question(model, schema, messages, read)
    found, way = id(model) in _found_ways, _way(model, structured_output)
    try:
        return await question.asked(way)
    except _OtherWayError as error:
        # as it was before the call: others that were under way fall back as well, while the first one finds out
        if found or structured_output != "auto" or not _knows_both_ways(model):
            raise
        return await _asked_otherwise(question, way, error)


def _way(model: "BaseChatModel", structured_output: Asking) -> StructuredOutput:
    if not _knows_both_ways(model):
        return "function_calling"
    if structured_output != "auto":
        return structured_output
    return _found_ways.get(id(model)) or answers.first_way(getattr(model, "profile", None))


def _knows_both_ways(model: "BaseChatModel") -> bool:
    """Whether a model's class has structured output of its own; LangChain's knows tool calls only."""
    from langchain_core.language_models import BaseChatModel  # noqa: PLC0415 - as above

    return type(model).with_structured_output is not BaseChatModel.with_structured_output


async def _asked_otherwise(question: "_Question[T]", way: StructuredOutput, error: ModelError) -> tuple[T, ModelUsage]:
    other = answers.other_way(way)
    try:
        answer, usage = await question.asked(other)
    except ModelError as again:
        if isinstance(again, _OtherWayError):
            _goes_on(question.model, way, unless_known=True)
        elif again.output_tokens:  # no good answer, but one of the kind that was asked for; else it was not heard
            _goes_on(question.model, other, unless_known=True)
        spent = ModelUsage.of_failure(error) + ModelUsage.of_failure(again)
        both = ModelError(f"{again} (asked by {other}; by {way}: {error})", retry_after=again.retry_after)
        raise spent.failing(both) from again
    _goes_on(question.model, other)
    return answer, ModelUsage.of_failure(error) + usage


def _goes_on(model: "BaseChatModel", way: StructuredOutput, *, unless_known: bool = False) -> None:
    known = id(model) in _found_ways
    if not known:
        weakref.finalize(model, _found_ways.pop, id(model), None)  # another model may get its id
    if not (known and unless_known):
        _found_ways[id(model)] = way


class _OtherWayError(ModelError):
    """Asking in the other way may help."""


class _Account(AsyncCallbackHandler):
    """Hears what a call has cost, and whether it has brought an answer, even if LangChain can make no message of it."""

    def __init__(self) -> None:
        self.usage: object = None
        self.empty = False

    async def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        self.usage = (response.llm_output or {}).get("token_usage")
        self.empty = not any(response.generations)


@dataclass(frozen=True)
class _Question(Generic[T]):
    """What a model is asked, in one way or the other."""

    model: "BaseChatModel"
    schema: type[T]
    messages: list[BaseMessage]
    read: Callable[[object], T] | None

    async def asked(self, way: StructuredOutput) -> tuple[T, ModelUsage]:
        """The answer, and what it cost.

        Raises:
            _OtherWayError: The answer is prose, or the server does not take the request.
            ModelError: The model fails, or its answer cannot be read.
        """
        account = _Account()
        config = merge_configs({}, {"run_name": f"agentmem {self.schema.__name__}", "callbacks": [account]})
        try:
            answer = cast("dict[str, Any]", await self._runnable(way).ainvoke(self.messages, config))
        except Exception as error:
            raise _failure(error, account, way) from error
        usage = _usage(answer["raw"], account, way)
        try:
            read = (self.read or self.schema.model_validate)(_written(answer["raw"], answer["parsed"]))
        except ValueError as error:
            raise self._unreadable(answer, error, usage) from error
        # models do write NUL and lone surrogates, which PostgreSQL cannot hold
        return self.schema.model_validate(storable(read.model_dump())), usage

    def _runnable(self, way: StructuredOutput) -> Any:
        # as a dict, the schema is not made a strict one, which refuses the defaults in ours, and what does not fit it
        # is still there to be read
        asked = self.schema.model_json_schema() if way == "json_schema" else self.schema
        return cast("Any", self.model).with_structured_output(asked, include_raw=True, method=way)

    def _unreadable(self, answer: dict[str, Any], error: ValueError, usage: ModelUsage) -> ModelError:
        message: AIMessage = answer["raw"]
        refusal, ended = message.additional_kwargs.get("refusal"), _ended(message)
        problem = answer["parsing_error"] if answer["parsing_error"] and not self.read else error
        said = f"the chat model's answer is no {self.schema.__name__}: {problem}"
        called = message.tool_calls or message.invalid_tool_calls
        prose = not called and not refusal and answers.is_prose(str(message.text), ended)
        kind = _OtherWayError if prose else ModelError
        return kind(said + answers.why_unreadable(ended, refusal), **usage.model_dump())


def _failure(error: Exception, account: _Account, way: StructuredOutput) -> ModelError:
    """What a call has cost that has failed, and whether and when it may be made again."""
    response: Any = getattr(error, "response", None)
    paid = answers.tokens(account.usage or _told(response))
    kind = _OtherWayError if answers.is_refused_as_such(getattr(error, "status_code", None)) else ModelError
    return kind(
        f"the chat model failed: {'it sent no answer' if account.empty else error}{_sent(response)}",
        calls=1,
        input_tokens=paid[0],
        output_tokens=paid[1],
        structured_output=[way],
        retry_after=retrying.asked_wait(_headers(response), datetime.now(UTC)),
    )


def _told(response: Any) -> object:
    """A server's account of a call whose answer the provider's client did not take."""
    try:
        return response.json().get("usage")
    except Exception:  # no response, or not of this kind: it tells nothing
        return None


def _sent(response: Any) -> str:
    """Of what kind an answer is that the provider's client could not read, as it is no JSON; an error tells more."""
    kind = _headers(response).get("content-type", "") if getattr(response, "status_code", None) == 200 else ""
    return f" (the server sent {kind})" if kind and "json" not in kind else ""


def _headers(response: Any) -> Mapping[str, str]:
    return getattr(response, "headers", None) or {}


def _written(message: AIMessage, parsed: object) -> object:
    """What a model has written, whether or not it fits the schema."""
    calls = [call["args"] for call in (*message.tool_calls, *message.invalid_tool_calls)]
    if calls:
        return calls[0] if len(calls) == 1 else calls
    # but for an object of the schema, not what LangChain has parsed: it completes what was cut off
    return parsed.model_dump() if isinstance(parsed, BaseModel) else answers.from_json(str(message.text))


def _ended(message: AIMessage) -> object:
    told = message.response_metadata
    return told.get("finish_reason") or told.get("stop_reason")


def _usage(message: AIMessage, account: _Account, way: StructuredOutput) -> ModelUsage:
    # not every integration brings a provider's account into LangChain's form
    usage = answers.tokens(message.usage_metadata or message.response_metadata.get("token_usage") or account.usage)
    return ModelUsage(
        calls=1, input_tokens=usage[0], output_tokens=usage[1], cost=_cost(message), structured_output=[way]
    )


def _cost(message: AIMessage) -> float | None:
    """What a call cost, where the provider says so."""
    usage = cast("dict[str, Any]", message.response_metadata.get("token_usage") or {})
    cost = usage.get("cost")
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None
