"""Connection strings, and the configurations that change them."""

from collections.abc import Mapping
from typing import Any, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.policies import validation
from langgraph_agentmem.settings import AgentMemorySettings

_OWN_ARGUMENTS = {"autocommit", "prepare_threshold", "row_factory"}
"""Arguments of connections that are ours to set."""


def with_pool_config(
    dsn: str | None, settings: AgentMemorySettings, pool: Mapping[str, Any] | None
) -> tuple[str | None, AgentMemorySettings]:
    """A DSN and settings with a pool configuration as LangGraph's PostgreSQL stores take it.

    Raises:
        ConfigurationError: It has an option that does not apply, or connection options without a DSN.
    """
    options = _mapping(pool, "pool_config", '{"max_size": 20}')
    kwargs = _mapping(options.pop("kwargs", None), "kwargs of pool_config", '{"application_name": "agent"}')
    arguments = {name: value for name, value in kwargs.items() if name not in _OWN_ARGUMENTS}
    size = options.pop("max_size", None)
    options.pop("min_size", None)  # connections are opened as they are needed
    if options:
        raise ConfigurationError(f"pool_config has no option {next(iter(options))!r}; it has max_size and kwargs")
    if size is not None:
        settings = settings.model_copy(update={"pool_size": validation.positive(size, "max_size")})
    if not arguments:
        return dsn, settings
    given = dsn or (settings.dsn.get_secret_value() if settings.dsn else None)
    if given is None:
        raise ConfigurationError("pool_config's kwargs are for a server of your own; give its connection string")
    try:
        return make_conninfo(readable(given), **arguments), settings
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"kwargs of pool_config are not what libpq takes ({str(error).strip()}): {', '.join(arguments)}; "
            "it takes connection parameters such as application_name"
        ) from error


def _mapping(given: object, what: str, example: str) -> dict[str, Any]:
    if not isinstance(given, Mapping | None):
        raise ConfigurationError(f"{what} must be a dict, e.g. {example}, not {given!r}")
    return dict(cast("Mapping[str, Any]", given or {}))


def readable(dsn: str) -> str:
    """The DSN, if libpq can read it.

    Raises:
        ConfigurationError: It cannot.
    """
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"the DSN is malformed ({str(error).strip()}); it looks like postgresql://user:password@host:5432/database"
        ) from error
    return dsn
