"""Whose memory a request is about: it comes from how the server was started, or from the token, never from a model."""

from collections.abc import Callable

from mcp.server.auth.middleware.auth_context import get_access_token

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies import validation

_SOURCE = "mcp"


class Caller(Value):
    """Who has sent a request.

    Attributes:
        tenant: Whose memory it is about.
        name: What is kept with what the request writes.
    """

    tenant: str
    name: str = _SOURCE


NamesCaller = Callable[[], Caller]
"""Gives who has sent the request that is being answered."""


def always(tenant: str) -> NamesCaller:
    """One tenant, whoever asks.

    Raises:
        InvalidInputError: It cannot be one.
    """
    caller = Caller(tenant=validation.tenant(tenant))
    return lambda: caller


def by_token() -> Caller:
    """The tenant of the request's token: its subject.

    Raises:
        ConfigurationError: The request has no token, as over stdio, or its token names no tenant.
    """
    token = get_access_token()
    if token is None:
        raise ConfigurationError("this server knows tenants by their tokens, and the request came without one")
    try:
        return Caller(tenant=validation.tenant(token.subject), name=token.client_id or _SOURCE)
    except InvalidInputError as error:
        raise ConfigurationError(f"the token's subject cannot be a tenant: {error}") from error
