"""What an import writes, what it leaves, and how it tells that all of it has arrived."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, cast

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.conversation import Said
from langgraph_agentmem.models.imported import PresentItem
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.policies import validation

SOURCE = "import"
"""Who writes, as it is kept with sections: what others have written since is told by it."""
Fate = Literal["new", "newer", "same", "left"]
"""`newer`: the source has another value than an import wrote. `left`: it stays as it stands here."""
_SAME = 0.99
"""Cosine from which two vectors of a text come from one model: its own differ by rounding only, others' by far more."""
_HEAD = re.compile(r"(\[[^\]]{16}\] )?[^:]*: ")
"""What a line of a transcript begins with."""
_MODULUS = 1 << 256


def fate(value: Json, updated_at: datetime | None, present: PresentItem | None) -> Fate:
    """What becomes of an item, beside what stands here.

    What is missing is written, and what an import wrote last is brought up to date. What anybody else has written since
    stays, and so does what is older in the source.

    Args:
        value: As it is to stand here.
        updated_at: When it was written there; None where nobody knows, and then it counts as later.
        present: What stands here; None for nothing.
    """
    if present is None:
        return "new"
    if fingerprint(value) == fingerprint(present.value):
        return "same"
    if present.source != SOURCE:
        return "left"
    return "left" if updated_at is not None and updated_at < present.updated_at else "newer"


def fingerprint(value: object) -> bytes:
    """Identifies a JSON value, in whichever order its keys are; a number counts as what it is written as."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


class Digest:
    """A hash of many values, in whichever order they come, that holds none of them."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, *parts: object) -> None:
        """Count in one value, as what it consists of."""
        self._sum = (self._sum + int.from_bytes(fingerprint(parts))) % _MODULUS

    def __str__(self) -> str:
        return f"{self._sum:064x}"


def tenant_of(rule: object, given: object, default: str, what: str) -> str:
    """Whose a session or a document is.

    Args:
        rule: A tenant's name, a function of what is given that returns one, or None.
        given: What the function is asked about.
        default: Without a rule.
        what: Is asked about, for the error.

    Raises:
        InvalidInputError: The rule gives no tenant for this one.
    """
    named = cast("Callable[[object], object]", rule)(given) if callable(rule) else rule
    if named is None and callable(rule):
        raise InvalidInputError(f"tenant= gives no tenant for {what}")
    return validation.tenant(default if named is None else named)


def checked_rule(rule: object) -> None:
    """Refuse what says nothing of tenants.

    Raises:
        ConfigurationError: The rule is neither a name nor a function.
    """
    if not (rule is None or isinstance(rule, str) or callable(rule)):
        raise ConfigurationError(f"tenant must be a tenant's name or a function that returns one, not {rule!r}")


# LangGraph's store


def namespace_of(prefix: str) -> Namespace:
    """A namespace of LangGraph's store, which keeps it as one text; no label of it has a dot."""
    return tuple(prefix.split("."))


def lifetime(row: Mapping[str, Any]) -> float | None:
    """The minutes that an item of LangGraph's lives; it rounds them to whole ones, so the end tells short lives."""
    if row["expires_at"] is None:
        return None
    since = row["updated_at"] or row["expires_at"]
    return row["ttl_minutes"] or max((row["expires_at"] - since).total_seconds() / 60, 0.01)


# Vectors


def alike(ours: Sequence[float], theirs: Sequence[float], *, lengths_count: bool) -> bool:
    """Whether two vectors of one text come from one model.

    Args:
        ours: Of a number of dimensions.
        theirs: Of the same number.
        lengths_count: Whether their lengths have to be the same as well, as where they are not compared by cosines.
    """
    own, other = math.hypot(*ours), math.hypot(*theirs)
    if not own or not other or (lengths_count and not _SAME <= own / other <= 1 / _SAME):
        return False
    return sum(x * y for x, y in zip(ours, theirs, strict=True)) / (own * other) >= _SAME


# Messages


def message(row: Mapping[str, Any], table: str) -> Json:
    """A row of langchain-postgres' history as a message that can be added, known by its row.

    Args:
        row: With `id`, `message` (as LangChain writes one, as JSON text) and `created_at`.
        table: The history's.

    Raises:
        InvalidInputError: It holds no message.
    """
    try:
        stored = json.loads(row["message"])
        data = stored["data"]
        role = data["role"] if stored["type"].lower().startswith("chat") else stored["type"]
        kept: Json = {name: data.get(name) for name in ("content", "name", "tool_calls")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f'it is no message as LangChain stores one, like {{"type": "human", "data": {{...}}}}: {error!r}'
        ) from error
    return kept | {"role": role, "id": f"{table}:{row['id']}", "time": row["created_at"].astimezone(UTC)}


def kept_as(part: Json, said: Said) -> Said | None:
    """A message as a part of a transcript holds it; None where it does not.

    Lines are compared without white space, as a text of many is one line there, or several, whatever a chunk's size is.
    """
    entry = next((entry for entry in part.get("messages", []) if entry["id"] == said.id), None)
    if entry is None:
        return None
    flat = " ".join(said.text.split())
    text = entry.get("text", flat)
    there = "".join(_HEAD.sub("", line, count=1) for line in str(part.get("content", "")).splitlines())
    if "".join(flat.split()) not in "".join(there.split()):
        text = ""
    return Said(id=said.id, role=entry["role"], speaker=entry["speaker"], text=text, time=entry.get("time", ""))
