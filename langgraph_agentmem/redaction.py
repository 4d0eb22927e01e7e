"""Lets a function see each text before it is stored, embedded or logged, to take out of it what nobody is to keep."""

from collections.abc import Callable, Container
from typing import Any, Literal, TypeVar, cast

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, RedactionError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.redacting import secrets

__all__ = ["Redact", "secrets"]

T = TypeVar("T")
Redact = Callable[[str], str | None]
"""Returns a text as it may be kept, or None to refuse it."""
Door = Literal["section", "memory", "item", "checkpoint", "message", "review", "model", "error", "name"]
"""Where a text comes in: what is counted in telemetry."""
_REFUSED = "[refused]"


class Redactor:
    """Takes out of texts what nobody is to keep, or refuses them; without a function, texts are as they come.

    Args:
        function: The caller's, or `policies.redacting.secrets`.
    """

    def __init__(self, function: Redact | None = None) -> None:
        self._function = function

    @classmethod
    def of(cls, given: object) -> "Redactor":
        """From what a memory is opened with: a function, "secrets", or "off".

        Raises:
            ConfigurationError: It is something else.
        """
        if given == "off":
            return cls()
        if given == "secrets":
            return cls(secrets)
        if callable(given):
            return cls(cast("Redact", given))
        raise ConfigurationError(f"redact must be a function of text → text, 'secrets' or 'off', not {given!r}")

    def text(self, text: str, door: Door) -> str:
        """A text as it may be kept.

        Raises:
            RedactionError: It is refused, or the function fails.
        """
        if self._function is None or not text:
            return text
        try:
            redacted = self._function(text)
        except RedactionError:
            telemetry.redacted(door, "refused")
            raise
        except Exception as error:  # what was not looked at is not kept
            telemetry.redacted(door, "failed")
            what = type(error).__name__  # its own text may quote what was to be redacted
            raise RedactionError(f"the redaction function failed on a text of a {door}: {what}") from error
        if redacted is None:
            telemetry.redacted(door, "refused")
            raise RedactionError(f"a text of a {door} was refused by the redaction function; nothing of it was stored")
        if redacted != text:
            telemetry.redacted(door, "changed")
        return _checked(redacted, door)

    def optional(self, text: str | None, door: Door) -> str | None:
        """A text that may be missing, as it may be kept."""
        return None if text is None else self.text(text, door)

    def name(self, text: str, what: str) -> str:
        """A name, as it is: under another one, nobody would find what it names.

        Raises:
            RedactionError: Something of it would have to be taken out.
        """
        if self.text(text, "name") != text:
            raise RedactionError(f"{what} holds what is to be redacted; choose another one")
        return text

    def value(self, value: T, door: Door) -> T:
        """A JSON value, with all its strings and keys as they may be kept.

        Raises:
            RedactionError: One is refused, or two keys of an object become the same.
        """
        return value if self._function is None else self._value(value, lambda text: self.text(text, door))

    def written(self, value: Json, fields: Container[str]) -> Json:
        """What a model has written, with the texts under these names as they may be kept.

        What is refused is left out, and does not fail the run.
        """
        return value if self._function is None else {name: self._field(name, v, fields) for name, v in value.items()}

    def _field(self, name: str, value: Any, fields: Container[str]) -> Any:
        if name in fields:
            return self._value(value, self._left_out)
        if isinstance(value, dict):
            return self.written(cast("Json", value), fields)
        if isinstance(value, list):
            return [self._field("", item, fields) for item in cast("list[Any]", value)]
        return value

    def error(self, text: str) -> str:
        """An error's text, which may quote whatever it is about; it is kept in any case."""
        return self._left_out(text, "error")

    def _left_out(self, text: str, door: Door = "model") -> str:
        try:
            return self.text(text, door)
        except RedactionError:
            return _REFUSED

    def _value(self, value: Any, redact: Callable[[str], str]) -> Any:
        if isinstance(value, str):
            return redact(value)
        if isinstance(value, list | tuple):
            return [self._value(item, redact) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        items = cast("dict[Any, Any]", value).items()
        kept = {redact(key) if isinstance(key, str) else key: self._value(item, redact) for key, item in items}
        if len(kept) != len(items):
            raise RedactionError("two keys of a value would be the same, redacted; nothing of it was stored")
        return kept


UNREDACTED = Redactor()
"""Lets every text be as it comes."""


def _checked(redacted: object, door: Door) -> str:
    try:
        return validation.text(redacted, "it")
    except InvalidInputError as error:
        message = f"what the redaction function returned for a text of a {door} cannot be kept: {error}"
        raise RedactionError(message) from None
