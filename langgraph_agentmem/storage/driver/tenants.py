"""For whom a connection is taken."""

from enum import Enum
from typing import Final, TypeAlias

from langgraph_agentmem.errors import InvalidInputError


class Everyone(Enum):
    """All tenants together. A type of its own, so that no tenant's name can be taken for it."""

    EVERYONE = "everyone"


class Nobody(Enum):
    """No tenant. A type of its own as well."""

    NOBODY = "nobody"


ForWhom: TypeAlias = str | Everyone | Nobody
EVERYONE: Final = Everyone.EVERYONE
"""Whoever looks over all tenants says so by this name; ids, counts and states are all that may be read so."""
NOBODY: Final = Nobody.NOBODY
"""For what belongs to no tenant, as LangGraph's tables do, and where tenants are named one after the other."""


def tenant_or_everyone(tenant: str | None) -> str | Everyone:
    """A tenant, or everyone where none is named."""
    return EVERYONE if tenant is None else tenant


def known(tenant: object) -> ForWhom:
    """For whom, checked: a tenant's name, `EVERYONE` or `NOBODY`.

    Raises:
        InvalidInputError: It is none of them.
    """
    if tenant is EVERYONE or tenant is NOBODY or (isinstance(tenant, str) and tenant):
        return tenant
    raise InvalidInputError(
        f"a connection is taken for a tenant, by its name, or for EVERYONE or NOBODY; not for {tenant!r}"
    )
