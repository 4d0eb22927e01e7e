"""Checks of what callers pass, before anything is written."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from numbers import Integral, Real
from typing import Any, cast
from uuid import UUID

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, InvalidTextError
from langgraph_agentmem.models.base import Json, Tier

RESERVED: dict[str, Tier] = {"@shortterm": "shortterm", "@longterm": "longterm"}
"""Labels of the sub-namespaces under which a store finds a namespace's consolidated chunks."""
_LARGEST_INTEGER_BITS = 10_000
_NAME_BYTES = 800
"""What fits into an index three times."""
_DEEPEST = 240
"""Levels of JSON that every reader and writer on the way can take."""
_KEY_BYTES = 2_600
"""What fits into an index once, a tenant included."""
_LONGEST_MINUTES = 1e9
_LONGEST_DAYS = 100_000
_LONGEST_SECONDS = 86_400.0
"""What every clock on the way can wait for."""
_NAMESPACE_BYTES = 1_500
"""What fits into an index beside a tenant."""


def text(value: object, what: str, *, limit: int | None = None) -> str:
    """The value, if it is a text that PostgreSQL can hold.

    Raises:
        InvalidInputError: It is no string.
        InvalidTextError: It holds NUL or a lone surrogate, or is over the limit.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} must be a string, not {type(value).__name__} ({shown(value)})")
    if limit is not None and len(value) > limit:
        raise InvalidTextError(f"{what} has {len(value):,} characters; the limit is {limit:,}")
    if (position := value.find("\0")) >= 0:
        raise InvalidTextError(f"{what} holds a NUL character at position {position}, which PostgreSQL cannot store")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidTextError(
            f"{what} holds a lone surrogate ({value[error.start]!r}) at position {error.start}, which is no Unicode"
        ) from None
    return value


def name(value: object, what: str) -> str:
    """A text that is neither empty nor blank, of at most 800 bytes in UTF-8."""
    checked = text(value, what)
    if (size := len(checked.encode())) > _NAME_BYTES:
        raise InvalidTextError(f"{what} has {size:,} bytes in UTF-8; the limit is {_NAME_BYTES}")
    if not checked.strip():
        raise InvalidInputError(f"{what} must not be empty")
    return checked


def key(value: object, tenant: str) -> str:
    """An item's key: a name that fits into an index beside its tenant."""
    checked = text(value, "key")
    if not checked.strip():
        raise InvalidInputError("key must not be empty")
    limit = _KEY_BYTES - len(tenant.encode())
    if (size := len(checked.encode())) > limit:
        raise InvalidTextError(f"key has {size:,} bytes in UTF-8; the limit is {limit:,} for tenant {shown(tenant)}")
    return checked


def tenant(value: object) -> str:
    """An `external_id`: a non-empty string, or a UUID or integer, which become strings."""
    if isinstance(value, UUID):
        return str(value)
    if (id := whole(value)) is not None and abs(id) < 2**63:
        return str(id)
    return name(value, "external_id")


def whole(value: object) -> int | None:
    """An integer of any kind, also as arrays and data frames hold them; None of anything else, as of True."""
    return None if isinstance(value, bool) or not isinstance(value, Integral) else int(value)


def _real(value: object) -> float | None:
    """A number of any kind, as a float; None of anything else, as of True."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def count(value: object, what: str) -> int:
    """A count of at least 0."""
    return _integer(value, what, 0)


def namespace(value: object) -> tuple[str, ...]:
    """The labels of a namespace, each a name that is not reserved.

    Together they are of at most 1,500 bytes in UTF-8, as they stand in an index.
    """
    if not isinstance(value, list | tuple) or not value:
        raise InvalidInputError(f"namespace must be a non-empty tuple of labels, not {shown(cast('object', value))}")
    labels = tuple(name(label, "a label of the namespace") for label in cast("list[object]", value))
    if (size := sum(len(label.encode()) for label in labels)) > _NAMESPACE_BYTES:
        raise InvalidTextError(f"namespace has {size:,} bytes in UTF-8; the limit is {_NAMESPACE_BYTES:,}")
    not_reserved(labels)
    return labels


def two_tenants(owner: object, reader: object) -> tuple[str, str]:
    """Who grants something, and to whom: two different tenants."""
    giver, receiver = tenant(owner), tenant(reader)
    if giver == receiver:
        raise InvalidInputError(f"a grant is to another tenant, not from {giver!r} to itself; who may search all of it")
    return giver, receiver


def granted_prefix(value: object, owner: str, reader: str) -> tuple[str, ...]:
    """The first labels of the namespaces that are granted; none for all. It fits into an index beside both tenants."""
    if not isinstance(value, list | tuple):
        raise InvalidInputError(f"namespace must be a tuple of labels, () for all memories, not {shown(value)}")
    labels = namespace(cast("object", value)) if value else ()
    limit = _KEY_BYTES - len(owner.encode()) - len(reader.encode())
    # an array keeps up to eight bytes more of each label
    if (size := sum(len(label.encode()) + 8 for label in labels)) > limit:
        raise InvalidTextError(
            f"namespace takes {size:,} bytes; the limit is {limit:,} for {shown(owner)} and {shown(reader)}: grant a "
            "shorter prefix"
        )
    return labels


def not_reserved(labels: tuple[object, ...]) -> None:
    """Refuse labels under which stores find what was consolidated: a memory there could be neither read nor written."""
    for label in labels:
        if isinstance(label, str) and label in RESERVED:
            raise InvalidInputError(
                f"namespace {shown(labels)} holds the label {label!r}, under which stores find what was consolidated; "
                "choose another one"
            )


def identifier(value: object, what: str) -> int:
    """A positive row id."""
    if (id := whole(value)) is None:
        raise InvalidInputError(f"{what} must be an integer, not {type(value).__name__} ({shown(value)})")
    if not 0 < id < 2**63:
        raise InvalidInputError(f"{what} must be a positive 64-bit integer, not {shown(id)}")
    return id


def identifier_in(text: str) -> int | None:
    """The row id that a text can be: as many digits as one can have, none of other scripts."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**63)) else None


def uuid(value: object, what: str) -> str:
    """A UUID, in its usual form."""
    try:
        return str(value if isinstance(value, UUID) else UUID(str(value)))
    except ValueError:
        raise InvalidInputError(f"{what} must be a UUID, not {shown(value)}") from None


def positive(value: object, what: str) -> int:
    """A count of at least 1."""
    return _integer(value, what, 1)


def flag(value: object, what: str) -> bool:
    """Whether something is wanted; no text, of which "no" and "false" would be true."""
    if not isinstance(value, bool):
        raise InvalidInputError(f"{what} must be True or False, not {shown(value)}")
    return value


def instance(value: object, what: str) -> None:
    """Refuse a class where what it makes is wanted; it can be called, too, and would be taken for a function."""
    if isinstance(value, type):
        raise ConfigurationError(
            f"{what} is the class {value.__name__}; give what it makes, as in {value.__name__}(...)"
        )


def several(value: object, what: str) -> Iterable[object]:
    """What can be gone through one by one; neither a text, whose letters that would be, nor the keys of a mapping."""
    given = value  # as it is told of, whatever is narrowed below
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | type | Mapping):
        raise InvalidInputError(f"{what} must be a list, not {type(given).__name__} ({shown(given)})")
    return cast("Iterable[object]", value)


def text_id(value: object, what: str) -> str:
    """An id of another system's, as of a thread: a text, or a UUID or integer, which become texts."""
    if isinstance(value, UUID):
        return str(value)
    if (id := whole(value)) is not None and abs(id) < 2**63:
        return str(id)
    return text(value, what)


def text_ids(value: object, what: str) -> list[str]:
    """Such ids, each once."""
    return list(dict.fromkeys(text_id(id, f"an id of {what}") for id in several(value, what)))


def function(value: object, what: str) -> None:
    """Refuse what is given in a function's place; None is given where nothing is to be called."""
    if value is not None and not callable(value):
        raise InvalidInputError(f"{what} must be a function, not {shown(value)}")


def seconds(value: object, what: str, *, least: float = 0.0) -> float:
    """A number of seconds, fractions too, at least so many."""
    number = _real(value)
    if number is None or not least <= number <= _LONGEST_SECONDS:
        raise InvalidInputError(
            f"{what} must be a number of seconds from {least:g} to {_LONGEST_SECONDS:,.0f}, not {shown(value)}"
        )
    return number


def days(value: object, what: str) -> timedelta:
    """How long something is to last: a number of days, fractions too, whose end is a time that can be written."""
    number = _real(value)
    if number is None or not 0 < number < _LONGEST_DAYS:
        raise InvalidInputError(f"{what} must be more than 0 and less than {_LONGEST_DAYS:,}, not {shown(value)}")
    return timedelta(days=number)


def moments(**values: object) -> None:
    """Refuse, by name, what is no time with a time zone; None is given where none is meant.

    It has a year in every other time zone as well, as it is read back in the session's.
    """
    for what, value in values.items():
        if value is None:
            continue
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise InvalidInputError(f"{what} must be a datetime with a time zone, not {shown(value)}")
        if not MINYEAR < value.year < MAXYEAR:
            raise InvalidInputError(
                f"{what} must be within the years {MINYEAR + 1} to {MAXYEAR - 1}, not {value}; leave it out for none"
            )


def length(characters: int, what: str, *, limit: int) -> None:
    """Refuse what is over a limit."""
    if characters > limit:
        raise InvalidTextError(f"{what} has {characters:,} characters of text; the limit is {limit:,}")


def minutes(value: object, what: str = "ttl") -> float | None:
    """A time to live, or between two sweeps: a positive number of minutes, fractions too, or None."""
    if value is None:
        return None
    number = _real(value)
    if number is None or not 0 < number <= _LONGEST_MINUTES:
        raise InvalidInputError(
            f"{what} must be a positive number of minutes, up to {_LONGEST_MINUTES:,.0f}, not {shown(value)}"
        )
    return number


def json_object(value: object, what: str) -> Json:
    """A JSON object that PostgreSQL can hold; an error names the path of what it cannot."""
    if not isinstance(value, dict):
        raise InvalidInputError(f"{what} must be a dict, not {type(value).__name__} ({shown(value)})")
    _check_json(cast("Json", value), what, 0)
    return cast("Json", value)


def storable(value: Any) -> Any:
    """A JSON value that a model wrote, without what PostgreSQL cannot hold: NUL and lone surrogates are taken out."""
    if isinstance(value, str):
        return value.encode(errors="ignore").decode().replace("\0", "")
    if isinstance(value, list):
        return [storable(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _check_json(value: object, path: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise InvalidInputError(f"{path[:80]}... is nested more than {_DEEPEST} levels deep, or holds itself")
    if isinstance(value, bool | int | float):
        _check_number(value, path)
    elif isinstance(value, str):
        text(value, path)
    elif isinstance(value, list | tuple | dict):
        for place, item in _parts(cast("Any", value), path):
            _check_json(item, place, depth + 1)
    elif value is not None:
        raise InvalidInputError(f"{path} is a {type(value).__name__}, which JSON cannot hold")


def _parts(value: list[object] | tuple[object, ...] | dict[object, object], path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}.{text(key, f'a key of {path}')}", item
    else:
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item


def _check_number(value: float, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError(f"{path} is {value}, which JSON cannot hold")
    if isinstance(value, int) and value.bit_length() > _LARGEST_INTEGER_BITS:
        raise InvalidInputError(f"{path} is an integer of more than {_LARGEST_INTEGER_BITS:,} bits")


def _integer(value: object, what: str, least: int) -> int:
    number = whole(value)
    if number is None or not least <= number < 2**31:
        raise InvalidInputError(f"{what} must be an integer of at least {least}, not {shown(value)}")
    return number


def shown(value: object) -> str:
    """What a refusal shows of a value, whatever that is: at most 80 characters."""
    if isinstance(value, int) and value.bit_length() >= 1_000:
        return "a huge integer"
    try:
        written = repr(value)
    except Exception:  # as of what is nested too deep, or cannot be written at all; the refusal stands nevertheless
        return f"a {type(value).__name__} that cannot be shown"
    return written if len(written) <= 80 else f"{written[:77]}..."
