"""Connections to Neo4j: transactions, the tenant's parameter, set-up, error translation."""

import functools
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Literal, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

import anyio.to_thread

from langgraph_agentmem.errors import (
    AgentMemoryError,
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    MissingDependencyError,
    OutageError,
    StorageError,
)
from langgraph_agentmem.projection.cypher_statements import cypher
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver.handles import OfThisProcess

T = TypeVar("T")
Rows = list[dict[str, Any]]
_ATTEMPTS = 6
_WAIT = 0.05
_LIKE = "it looks like bolt://localhost:7687 or neo4j+s://db.example.org"
_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
_CREDENTIALS = re.compile(r"(?:(?<=://)|\A(?!.*://)).*@", re.DOTALL)


class Neo4jTransaction:
    """A transaction for one tenant: every statement gets `$external_id` here, and nowhere else."""

    def __init__(self, transaction: Any, external_id: str) -> None:
        self._transaction = transaction
        self.external_id = external_id

    def run(self, statement: str, /, **params: Any) -> Rows:
        """The rows that a statement returns."""
        return self.first(None, statement, **params)

    def first(self, max_rows: int | None, statement: str, /, **params: Any) -> Rows:
        """So many of the rows that a statement returns."""
        return [dict(record) for record in islice(self._sent(statement, params), max_rows)]

    def batches(self, size: int, statement: str, /, **params: Any) -> Iterator[Rows]:
        """The rows that a statement returns, so many at a time; no more than these are held."""
        rows = iter(self._sent(statement, params))
        while batch := [dict(record) for record in islice(rows, size)]:
            yield batch

    def explain(self, statement: str, /, **params: Any) -> tuple[str | None, dict[str, Any]]:
        """(kind, plan) of a statement, which is not carried out."""
        summary = self._sent(f"EXPLAIN {statement}", params).consume()
        return summary.query_type, summary.plan or {}

    def _sent(self, statement: str, params: dict[str, Any]) -> Any:
        if "external_id" in params:
            raise InvalidInputError("external_id is the tenant's parameter and cannot be given as another one")
        try:
            return self._transaction.run(statement, {**params, "external_id": self.external_id})
        except (TypeError, ValueError, OverflowError) as error:
            raise StorageError(f"Neo4j cannot take a value: {error}") from error


class Neo4jDatabase(OfThisProcess):
    """One Neo4j database, usable from any number of threads and event loops.

    Args:
        uri: As in `bolt://localhost:7687` or `neo4j+s://db.example.org`.
        username: Neo4j's user.
        password: Its password; None connects without one, where the server asks for none.
        database: Neo4j's name of the database.
        connect_timeout: Seconds to wait for a connection before that counts as an outage.

    Raises:
        ConfigurationError: The address is none of Neo4j's, or holds a user, a password or a database.

    Examples:
        >>> neo4j = Neo4jDatabase("bolt://localhost:7687", password="development")
        >>> memory = AgentMemory.open(graph=neo4j)
    """

    def __init__(
        self,
        uri: str,
        *,
        username: str = "neo4j",
        password: str | None = None,
        database: str = "neo4j",
        connect_timeout: float = 15.0,
    ) -> None:
        self.uri: str = _readable(uri)
        self.database = database
        self._username = username
        self._auth = None if password is None else (username, password)
        self._connect_timeout = connect_timeout
        self._lock = threading.Lock()
        self._driver: Any = None
        self._closing: weakref.finalize[..., Neo4jDatabase] | None = None
        self._ready = False

    @classmethod
    def of(cls, settings: AgentMemorySettings) -> "Neo4jDatabase":
        """The database that the settings name.

        Raises:
            ConfigurationError: They name none.

        Examples:
            >>> Neo4jDatabase.of(AgentMemorySettings(neo4j_uri="bolt://localhost:7687")).uri
            'bolt://localhost:7687'
        """
        if settings.neo4j_uri is None:
            raise ConfigurationError("no Neo4j is configured; set NEO4J_URI, as in bolt://localhost:7687")
        return cls(
            settings.neo4j_uri,
            username=settings.neo4j_username,
            password=settings.neo4j_password.get_secret_value() if settings.neo4j_password else None,
            database=settings.neo4j_database,
            connect_timeout=settings.connect_timeout_seconds,
        )

    async def write(self, external_id: str, work: Callable[[Neo4jTransaction], T]) -> T:
        """Carry out work in one transaction for a tenant; again, where it failed for a reason that passes.

        Examples:
            >>> query = "RETURN $external_id = $wanted AS same"
            >>> await projector.neo4j.write(tenant, lambda tx: tx.run(query, wanted=tenant))
            [{'same': True}]
        """
        return await self._in_thread(functools.partial(self._transact, external_id, work, "WRITE"))

    async def read(self, external_id: str, work: Callable[[Neo4jTransaction], T], *, seconds: float | None = None) -> T:
        """Carry out work that the server lets only read, and ends after so many seconds.

        Examples:
            >>> count = "MATCH (e:ShorttermEntity {external_id: $external_id}) RETURN count(e) AS entities"
            >>> await projector.neo4j.read(tenant, lambda tx: tx.run(count))
            [{'entities': 3}]
        """
        return await self._in_thread(functools.partial(self._transact, external_id, work, "READ", seconds))

    async def version(self) -> str:
        """The server's version, as in `5.26.0`.

        Raises:
            OutageError: The server cannot be reached.
            AuthenticationError: It refuses the user, the password or the database.

        Examples:
            >>> (await projector.neo4j.version()).split(".")[0] >= "5"
            True
        """
        return await self._in_thread(self._version)

    async def setup(self) -> None:
        """Create the constraints and indexes, once for this object; any number of processes may do so at once.

        Raises:
            OutageError: The server cannot be reached.
            AuthenticationError: It refuses the user, the password or the database.

        Examples:
            >>> await projector.neo4j.setup()
        """
        if not self._ready:
            await self._in_thread(self._set_up)
            self._ready = True

    async def close(self) -> None:
        """Close the connections; the object can be used again afterwards.

        Examples:
            >>> await projector.neo4j.close()
        """
        with self._lock:
            closing, self._driver, self._closing, self._ready = self._closing, None, None, False
        if closing is not None:
            await anyio.to_thread.run_sync(closing)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        with self._translated():
            return await anyio.to_thread.run_sync(work)

    def _version(self) -> str:
        # one round trip more: the greeting tells the version before anybody has asked for the database
        with self._connected().session(database=self.database) as session:
            agent: str = session.run("RETURN 1").consume().server.agent
        return agent.removeprefix("Neo4j/")

    def _set_up(self) -> None:
        for statement in cypher("schema").values():
            self._retried(functools.partial(self._change_schema, statement))
        with self._connected().session(database=self.database) as session:
            session.run("CALL db.awaitIndexes(60)").consume()

    def _change_schema(self, statement: str) -> None:
        try:
            with self._connected().session(database=self.database) as session:
                session.run(statement).consume()
        except _library().exceptions.ClientError as error:
            if error.code != "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists":
                raise  # else somebody else has created it at the same time, in spite of IF NOT EXISTS

    def _transact(
        self,
        external_id: str,
        work: Callable[[Neo4jTransaction], T],
        mode: Literal["READ", "WRITE"],
        seconds: float | None = None,
    ) -> T:
        def attempt() -> T:
            with (
                self._connected().session(database=self.database, default_access_mode=mode) as session,
                session.begin_transaction(timeout=seconds) as transaction,
            ):
                done = work(Neo4jTransaction(transaction, external_id))
                transaction.commit()
                return done

        return self._retried(attempt)

    def _retried(self, attempt: Callable[[], T]) -> T:
        from neo4j.exceptions import TransientError  # noqa: PLC0415

        for number in range(1, _ATTEMPTS):
            with suppress(TransientError):  # the last attempt's error is raised
                return attempt()
            time.sleep(_WAIT * 2**number)
        return attempt()

    def _connected(self) -> Any:
        with self._lock:
            if self._driver is None:
                library = _library()
                self._driver = library.GraphDatabase.driver(
                    self.uri,
                    auth=self._auth,
                    connection_timeout=self._connect_timeout,
                    connection_acquisition_timeout=self._connect_timeout + 5,
                    # pooled connections that a restart has left dead are found before a statement is sent on one
                    liveness_check_timeout=1.0,
                    # the driver would log the server's hints about our own statements
                    notifications_min_severity="OFF",
                    user_agent="langgraph-agentmem",
                )
                # a driver that is collected without being closed warns of it
                self._closing = weakref.finalize(self, self._driver.close)
            return self._driver

    @contextmanager
    def _translated(self) -> Generator[None]:
        """Translate the driver's errors into this package's, chained."""
        library = _library()
        known = (library.exceptions.Neo4jError, library.exceptions.DriverError, ValueError, OSError)
        try:
            yield
        except AgentMemoryError:
            raise
        except known as error:
            raise self._translate(error, library.exceptions) from error

    def _translate(self, error: Exception, exceptions: Any) -> AgentMemoryError:
        message = str(getattr(error, "message", None) or error).strip()
        code = str(getattr(error, "code", None) or "")
        if isinstance(error, exceptions.AuthError) or ".Security." in code:
            return AuthenticationError(
                f"Neo4j at {self.uri} refused user {self._username!r}; check NEO4J_USERNAME and NEO4J_PASSWORD: "
                f"{message}"
            )
        if "DatabaseNotFound" in code:
            return AuthenticationError(f"Neo4j at {self.uri} has no database {self.database!r}; check NEO4J_DATABASE")
        if isinstance(error, exceptions.Neo4jError) and not isinstance(error, exceptions.TransientError):
            return StorageError(f"Neo4j refused a statement ({code}): {message}")
        if isinstance(error, exceptions.ConfigurationError) or type(error) is ValueError:
            return ConfigurationError(
                f"Neo4j's address {self.uri!r} or its use is wrong ({message}); it looks like bolt://localhost:7687"
            )
        return OutageError(f"Neo4j at {self.uri} cannot be reached, or went away: {message}")


def _readable(uri: str) -> str:
    """The address without white space around it; no error shows what may be a password.

    Raises:
        ConfigurationError: The driver could not use it, or would not use all of it.
    """
    if not isinstance(cast("object", uri), str):
        raise ConfigurationError(f"Neo4j's address must be a text, not {type(uri).__name__}; {_LIKE}")
    uri = uri.strip()
    try:
        problem = _problem(urlsplit(uri), uri)
    except ValueError as error:  # of a host in brackets that is no address
        problem = str(error)
    if problem is not None:
        raise ConfigurationError(f"Neo4j's address {_CREDENTIALS.sub('***@', uri)!r} is wrong ({problem}); {_LIKE}")
    return uri


def _problem(parts: SplitResult, uri: str) -> str | None:
    if "@" in uri:
        return "user and password do not belong into it; give them as NEO4J_USERNAME and NEO4J_PASSWORD"
    if parts.scheme not in _SCHEMES or "://" not in uri:
        named = f"{parts.scheme}:// is no scheme of its protocol" if "://" in uri else "it names no scheme"
        return f"{named}, of which there are {', '.join(_SCHEMES)}"
    if not parts.hostname or re.search(r"\s", uri):
        return "it names no host" if not parts.hostname else "there is white space in it"
    port = parts.netloc.rpartition("]")[2].partition(":")[2]
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        return "its port is no number from 1 to 65535"
    if parts.query and parts.scheme.startswith("bolt"):
        return "only neo4j:// takes what stands behind a question mark"
    if parts.path.strip("/"):
        return "the database does not belong into it; give it as NEO4J_DATABASE"
    return None


def _library() -> Any:
    try:
        import neo4j  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError(
            'Neo4j\'s driver is not installed: pip install "langgraph-agentmem[neo4j]"'
        ) from error
    return neo4j
