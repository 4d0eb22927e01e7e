"""The capabilities: what each is called, why it matters, who promises it, and the check that tries it."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langgraph_agentmem.testing.store_conformance.case import Case

Check: TypeAlias = Callable[[Case], Awaitable[None]]

_CAPABILITIES: dict[str, "Capability"] = {}


@dataclass(frozen=True, kw_only=True)
class Capability:
    """Something that a store can do.

    Attributes:
        name: In kebab-case, unique.
        group: contract, search, filter, ttl, values, concurrency or extras.
        promised: Whether LangGraph's documentation promises it; otherwise it is what users expect beyond that.
        reason: Why it matters.
        check: Tries it; raises `NotMet` or `Unsupported`.
        fields: The fields that the check's store embeds; none for no index, "$" for whole values.
        ttl: The TTL configuration of the check's store.
        opens: Whether a store is opened for the check; otherwise it opens its own.

    Examples:
        >>> report = await run(stores, ["put-replaces"])
        >>> report.results[0].capability.group, report.results[0].capability.promised
        ('contract', True)
    """

    name: str
    group: str
    promised: bool
    reason: str
    check: Check
    fields: tuple[str, ...] = ()
    ttl: dict[str, Any] | None = None
    opens: bool = True


class Group:
    """Registers the checks of one group.

    Args:
        name: The group's name.
        fields: What the stores of its checks embed, unless a check says otherwise.
    """

    def __init__(self, name: str, *, fields: Sequence[str] = ()) -> None:
        self.name = name
        self.fields: tuple[str, ...] = tuple(fields)

    def promised(self, name: str, **options: Any) -> Callable[[Check], Check]:
        """Register a check of what LangGraph's documentation promises."""
        return self._register(name, promised=True, **options)

    def expected(self, name: str, **options: Any) -> Callable[[Check], Check]:
        """Register a check of what users expect beyond LangGraph's documentation."""
        return self._register(name, promised=False, **options)

    def _register(self, name: str, **options: Any) -> Callable[[Check], Check]:
        def register(check: Check) -> Check:
            if name in _CAPABILITIES:
                raise ValueError(f"there are two capabilities {name!r}")
            reason = " ".join((inspect.getdoc(check) or "").split())
            if not reason:
                raise ValueError(f"the check of {name!r} needs a docstring that says why it matters")
            fields = tuple(options.pop("fields", self.fields))
            _CAPABILITIES[name] = Capability(
                name=name, group=self.name, reason=reason, check=check, fields=fields, **options
            )
            return check

        return register


def capabilities() -> list[Capability]:
    """All capabilities, group by group.

    Examples:
        >>> sorted({capability.group for capability in capabilities()})
        ['concurrency', 'contract', 'extras', 'filter', 'search', 'ttl', 'values']
    """
    return list(_CAPABILITIES.values())


def capability(name: str) -> Capability:
    """The capability of a name.

    Raises:
        ValueError: There is none.
    """
    if name not in _CAPABILITIES:
        raise ValueError(f"there is no capability {name!r}; capabilities() lists them")
    return _CAPABILITIES[name]
