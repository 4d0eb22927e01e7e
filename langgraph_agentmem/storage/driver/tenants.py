"""For whom a connection is taken."""

from enum import Enum
from typing import Final

from langgraph_agentmem.errors import InvalidInputError


class Everyone(Enum):
    """All tenants together. A type of its own, so that no tenant's name can be taken for it."""

    EVERYONE = "everyone"


EVERYONE: Final = Everyone.EVERYONE
"""Whoever reads or writes across tenants, or what belongs to none, says so by this name."""


def tenant_or_everyone(tenant: str | None) -> str | Everyone:
    """A tenant, or everyone where none is named."""
    return EVERYONE if tenant is None else tenant


def known(tenant: object) -> str | Everyone:
    """For whom, checked: a tenant's name, or `EVERYONE`.

    Raises:
        InvalidInputError: It is neither.
    """
    if tenant is EVERYONE or (isinstance(tenant, str) and tenant):
        return tenant
    raise InvalidInputError(f"a connection is taken for a tenant, by its name, or for EVERYONE; not for {tenant!r}")
