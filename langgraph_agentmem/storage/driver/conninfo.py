"""Connection strings, and the configurations that change them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.policies import validation
from langgraph_agentmem.settings import AgentMemorySettings

_OWN_ARGUMENTS = {"autocommit", "prepare_threshold", "row_factory"}
"""Arguments of connections that are ours to set."""
_LIKE = "it looks like postgresql://user:password@host:5432/database"
_OTHERS_PARAMETERS = (
    "channelBinding", "charset", "connection_limit", "currentSchema", "pgbouncer", "pool_size", "pool_timeout",
    "prepareThreshold", "prepared_statement_cache_size", "schema", "server_settings", "single_use_connections",
    "socket_timeout", "ssl", "sslaccept", "sslidentity", "statement_cache_size", "stringtype", "supa",
)  # fmt: skip
"""Of URLs as Prisma, SQLAlchemy, asyncpg and JDBC take them, which hosting services hand out."""
_OTHERS_PARAMETER = re.compile(rf"[?&]({'|'.join(_OTHERS_PARAMETERS)})=")
_UNFILLED = re.compile(r"[$%]|\w+://(?:[^/]*@)?\$\{")
"""A variable that nobody has read, in the place of the whole or of the host."""
_SCHEME = re.compile(r"\s*([\w+:.-]+)://")
_PART = re.compile(r'"([^"]*)"')
_ANY_PART = re.compile(r'"(=)"|".*"', re.DOTALL)
_NUMBERS = {
    "connect_timeout", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout",
}  # fmt: skip
_NOWHERE = "/nowhere/agentmem"
_UNLESS_GIVEN = {
    # a connection that died without a word is found out within a minute where nothing is asked, and else within half
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""For connections over TCP; libpq leaves this to the system, which waits for hours."""


def with_pool_config(
    dsn: str | None, settings: AgentMemorySettings, pool: Mapping[str, Any] | None
) -> tuple[str | None, AgentMemorySettings]:
    """A DSN and settings with a pool configuration as LangGraph's PostgreSQL stores take it.

    Raises:
        ConfigurationError: It has an option that does not apply, or connection options without a DSN.
    """
    options = _mapping(pool, "pool_config", '{"max_size": 20}')
    kwargs = _mapping(options.pop("kwargs", None), "kwargs of pool_config", '{"application_name": "agent"}')
    size = options.pop("max_size", None)
    options.pop("min_size", None)  # connections are opened as they are needed
    if options:
        raise ConfigurationError(f"pool_config has no option {next(iter(options))!r}; it has max_size and kwargs")
    if size is not None:
        settings = settings.model_copy(update={"pool_size": validation.positive(size, "max_size")})
    settings, arguments = _own(settings, kwargs)
    if not arguments:
        return dsn, settings
    given = settings.dsn.get_secret_value() if dsn is None and settings.dsn else dsn
    if given is None:
        raise ConfigurationError("pool_config's kwargs are for a server of your own; give its connection string")
    given = readable(given)
    if problem := _problem(given, arguments):
        raise ConfigurationError(
            f"kwargs of pool_config are not what libpq takes ({problem}): {', '.join(arguments)}; "
            "it takes connection parameters such as application_name"
        )
    return make_conninfo(given, **arguments), settings


def _own(settings: AgentMemorySettings, kwargs: dict[str, Any]) -> tuple[AgentMemorySettings, dict[str, Any]]:
    """The settings with those arguments of psycopg's connections that are ours to set, and the other arguments."""
    if not kwargs.get("autocommit", True):
        raise ConfigurationError(
            f"autocommit of pool_config's kwargs must be True, or be left out, not {kwargs['autocommit']!r}"
        )
    if "prepare_threshold" in kwargs and kwargs["prepare_threshold"] is None:
        # what is said of PgBouncer everywhere, and means no more than that
        settings = settings.model_copy(update={"pooler": "transaction"})
    return settings, {name: value for name, value in kwargs.items() if name not in _OWN_ARGUMENTS}


def _mapping(given: object, what: str, example: str) -> dict[str, Any]:
    if not isinstance(given, Mapping | None):
        raise ConfigurationError(f"{what} must be a dict, e.g. {example}, not {given!r}")
    return dict(cast("Mapping[str, Any]", given or {}))


def readable(dsn: str) -> str:
    """The DSN without white space around it, if libpq can read it; no error shows what may be a password.

    Raises:
        ConfigurationError: It cannot.
    """
    if not isinstance(cast("object", dsn), str):
        raise ConfigurationError(f"the DSN must be a text, not {type(dsn).__name__}; {_LIKE}")
    if not dsn.strip():
        raise ConfigurationError(
            f"the DSN is empty; {_LIKE}, or is left out altogether (AGENTMEM_DSN unset) for the embedded server"
        )
    if "\0" in dsn:  # libpq would read what stands before it
        raise ConfigurationError(f"the DSN is malformed (it holds a NUL character); {_LIKE}")
    dsn = dsn.strip()  # a file of a secret ends with a new line
    if problem := _foreign(dsn) or _problem(dsn, {}) or _misplaced(dsn) or _unusable(dsn):
        raise ConfigurationError(f"the DSN is malformed ({problem}); {_LIKE}")
    return dsn


@lru_cache(maxsize=64)
def complete(dsn: str, connect_seconds: float) -> str:
    """A DSN with what it does not say itself: how long to wait, and how to notice connections that died silently."""
    unless_given = _UNLESS_GIVEN | {"connect_timeout": max(2, round(connect_seconds))}
    missing: dict[str, Any] = {name: value for name, value in unless_given.items() if name not in conninfo_to_dict(dsn)}
    # the driver reads and writes texts in this one, whatever the role's or the environment's is
    return make_conninfo(dsn, **missing, client_encoding="UTF8")


def _foreign(dsn: str) -> str | None:
    """What is wrong with what is written as another program takes it."""
    if dsn[0] in "\"'`":
        return "leave out the quotes around it"
    if _UNFILLED.match(dsn):
        return "a variable in it was not filled in"
    scheme = _SCHEME.match(dsn)
    if scheme is None:
        return None if "=" in dsn else "it has no postgresql:// at its beginning"
    if scheme[1] in ("postgresql", "postgres"):
        others = _OTHERS_PARAMETER.search(dsn)
        return f"{others[1]} is a parameter of other drivers' URLs; leave it out" if others else None
    if scheme[1].lower() in ("postgresql", "postgres"):
        return f"{scheme[1]}:// is written in small letters"
    if re.match(r"postgres(ql)?\+\w+$", scheme[1]):
        return f"{scheme[1]}:// is SQLAlchemy's way to name a driver; leave {scheme[1][scheme[1].index('+') :]!r} out"
    return f"{scheme[1]}:// is no scheme of PostgreSQL's"


def _problem(dsn: str, arguments: dict[str, Any]) -> str | None:
    """What libpq has against a DSN with arguments, without the parts of them that it quotes."""
    try:
        conninfo_to_dict(make_conninfo(dsn, **arguments))
    except UnicodeError:
        return "it holds what is no UTF-8, in which also %-encoded characters are written"
    except psycopg.Error as error:
        return _without_parts(str(error), f"{dsn} {arguments}")
    return None


def _without_parts(problem: str, given: str) -> str:
    """What libpq says, without what it quotes of what was given, but for the names of its options."""
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"="}
    # quotes within it would end a part early
    parts = _ANY_PART if '"' in given or "%22" in given else _PART
    return parts.sub(lambda part: part[0] if part[1] in known else '"…"', problem.strip())


def _unusable(dsn: str) -> str | None:
    """What libpq has against the values of a DSN, which it tells when it connects, and before it looks for a server."""
    options = conninfo_to_dict(dsn)
    for name in ("host", "hostaddr", "port", "dbname", "user"):
        if ";" in (value := str(options.get(name) or "")) and "=" in value:
            return "its parts are separated by spaces, not by semicolons"
    for name in _NUMBERS & options.keys():
        if not re.fullmatch(r"\s*-?\d+\s*", str(options[name])):
            return f"{name} must be a number"
    # to a socket that there cannot be: what libpq tells of that one, it has nothing against
    attempt = PGconn.connect_start(
        make_conninfo(dsn, host=_NOWHERE, hostaddr="", port="1", gssencmode="disable").encode()
    )
    problem = attempt.get_error_message()
    attempt.finish()
    return None if _NOWHERE in problem else _without_parts(problem, dsn)


def _misplaced(dsn: str) -> str | None:
    """What is wrong with a URL whose user or password has characters in it that stand for something in a URL."""
    authority = re.match(r"\s*\w+://([^/?#]*)", dsn)
    encoded = "characters such as @ / ? # : % in a user or password are written as %40 %2F %3F %23 %3A %25"
    if authority and authority[1].count("@") > 1:
        return encoded
    port = str(conninfo_to_dict(dsn).get("port") or "")
    ports = [part.strip() for part in port.split(",") if part.strip()]
    if not all(part.isdecimal() and int(part) < 2**16 for part in ports):
        return f"its port is no number up to 65535; {encoded}"
    return None
