"""Who the tenant is: the one rule for tools, middleware and checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.policies import validation

USER_ID = "user_id"
"""What names the tenant in a run's context, and in its config's `configurable`."""
PLACES = (
    "external_id= gives none, the run's context has no user_id, its config's configurable has no user_id, and no user "
    "of a LangGraph server is known"
)
"""Where nothing was found."""


def in_configurable(configurable: Mapping[str, Any], keys: Sequence[str] = (USER_ID,)) -> Any:
    """What a config's `configurable` has under the first of these keys that is there; None where none is."""
    return next((configurable[key] for key in keys if configurable.get(key) is not None), None)


def of_run(runtime: Any, configurable: Mapping[str, Any], named: Callable[[Any], object] | None = None) -> str | None:
    """The tenant of a run; None where nothing names one.

    Args:
        runtime: LangGraph's, of a node or a tool, whose `context` and `server_info` are looked at; None outside graphs.
        configurable: Of the run's config.
        named: Asked first, with the runtime; where it returns None, the other places are looked at.

    Raises:
        ConfigurationError: What is found cannot be a tenant.
    """
    places = (
        lambda: None if named is None else named(runtime),
        lambda: _member(getattr(runtime, "context", None), USER_ID),
        lambda: in_configurable(configurable),
        # a server that authenticates nobody has a user whose identity is ""
        lambda: _member(_member(getattr(runtime, "server_info", None), "user"), "identity") or None,
    )
    found = next((value for place in places if (value := place()) is not None), None)
    try:
        return None if found is None else validation.tenant(found)
    except InvalidInputError as error:  # nothing that a model, or a user, could mend
        raise ConfigurationError(f"the run names a tenant that cannot be one: {error}") from error


def known(tenant: str | None) -> str:
    """The tenant, if there is one.

    Raises:
        ConfigurationError: There is none.
    """
    if tenant is None:
        raise ConfigurationError(
            f"it is not known whose memory this is: {PLACES}; invoke the agent with "
            '{"configurable": {"user_id": "alice"}}, for instance'
        )
    return tenant


def _member(holder: object, name: str) -> object:
    """What a dict or an object has under a name."""
    if isinstance(holder, Mapping):
        return cast("Mapping[str, object]", holder).get(name)
    return getattr(holder, name, None)
