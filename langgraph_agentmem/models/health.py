"""What is found out about a database, and what would be right."""

from datetime import datetime
from typing import Literal

from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.models.base import Value

Severity = Literal["ok", "warning", "error"]


class Finding(Value):
    """What a check has found.

    Attributes:
        severity: `error` where something does not work, `warning` where it will not, or not well, unless somebody acts.
        check: What was looked at, e.g. `dead letters`.
        found: What there is.
        advice: What would be right, or what to do; empty where nothing is to be done.

    Examples:
        >>> [finding.found for finding in memory.diagnose() if finding.check == "dead letters"]
        ['no memory is set aside']
    """

    severity: Severity
    check: str
    found: str
    advice: str = ""

    @classmethod
    def of_error(cls, check: str, error: AgentMemoryError) -> "Finding":
        """From an error, whose message says what is wrong and then what would be right."""
        found, _, advice = str(error).partition("; ")
        return cls(severity="error", check=check, found=found, advice=advice)


class FailingModel(Value):
    """A memory whose model, or extractor, has failed in its last runs; they were applied without it.

    Attributes:
        failures: Runs in which it has failed, one after the other.
        since: When the first of them began; None where the log does not tell any more.
        retry_at: Runs from the queue ask it again from then on.
        resting: Whether that is still to come.
        errors: What the last of these runs said of it.
    """

    external_id: str
    memory_id: int
    title: str
    failures: int
    since: datetime | None
    retry_at: datetime | None
    resting: bool
    errors: list[str]


class Counts(Value):
    """How many of something there are, and since when the oldest."""

    count: int
    since: datetime | None = None


class ProjectionHealth(Value):
    """How far the entity graphs of a database are projected.

    Attributes:
        tenants: Whose graph was ever projected.
        rebuilding: Of these, those with a rebuild that is not complete.
        pending: Changes that wait.
        dead: Changes that were set aside.
        lag_seconds: For how long the oldest change waits; 0 if none does.
    """

    tenants: int
    rebuilding: int
    pending: int
    dead: int
    lag_seconds: float


class RowSecurity(Value):
    """What row-level security a database has, and what the role that asks is to it.

    Attributes:
        tables: That have tenants.
        unguarded: Those of them that lack a policy, or have others besides.
        open_views: Views to which no policy applies.
        role: Who asks.
        held: Whether the policies apply to this role in all these tables.
        looks: Whether it may look over all tenants.
        inherits: Whether it could do so all the time, so that the policies would hold nothing back from it.
    """

    tables: list[str]
    unguarded: list[str]
    open_views: list[str]
    role: str
    held: bool
    looks: bool
    inherits: bool


class TenantTable(Value):
    """A table that has tenants.

    Attributes:
        by: The column by which it is distributed; None where it is not.
        guarded: Whether row-level security holds it.
    """

    name: str
    by: str | None
    guarded: bool


class Distribution(Value):
    """How a database is distributed over the servers of a cluster.

    Attributes:
        version: Of Citus.
        coordinator: Whether the coordinator is one of its own cluster's servers.
        nodes: Servers that take rows.
        tables: That have tenants, each behind those that it refers to.
        unmanaged: LangGraph's checkpoint tables of which Citus does not know.
    """

    version: str
    coordinator: bool
    nodes: int
    tables: list[TenantTable]
    unmanaged: list[str]

    @property
    def distributed(self) -> bool:
        """Whether any of them is."""
        return any(table.by is not None for table in self.tables)

    @property
    def local(self) -> list[str]:
        """The names of those that are not."""
        return [table.name for table in self.tables if table.by is None]


class Permissions(Value):
    """What a role may do with a database's tables.

    Attributes:
        role: Who asks.
        standby: Whether the server is one that only follows another.
        reads_only: Whether the role's transactions only read, by a setting.
        relations: How many tables and views are read.
        writable: How many of them are written.
        unread: Those that the role cannot read.
        unwritten: Those of the writable that it cannot insert into, update, or delete from.
        undrawn: Sequences of which it cannot draw numbers.
    """

    role: str
    standby: bool
    reads_only: bool
    relations: int
    writable: int
    unread: list[str]
    unwritten: list[str]
    undrawn: list[str]


class Indexes(Value):
    """What a database has of the indexes that it should have.

    Attributes:
        wanted: How many it should have.
        missing: The statements that make those that are not there, by name.
        broken: Those that are there, but that no search may use, as when their building was broken off.
    """

    wanted: int
    missing: dict[str, str]
    broken: list[str]


class TenantIndex(Value):
    """An index on chunks that one tenant has for itself.

    Attributes:
        name: The index's.
        external_id: The tenant; None where there is no such tenant any more, or where it was not asked for.
        tenant: The number that stands for it in the index's definition.
        usable: Whether searches may use it; not while it is built, or when that was broken off.
        bytes: Its size.
        owned: Whether the connection's role may drop it.
    """

    name: str
    external_id: str | None = None
    tenant: int
    usable: bool
    bytes: int
    owned: bool


class TenantShare(Value):
    """A tenant with many of a database's chunks.

    Attributes:
        external_id: The tenant.
        chunks: How many it has, about.
        share: Of all chunks, 0 to 1.
        indexed: Whether it has indexes for itself, also of the vectors of the model in use.
    """

    external_id: str
    chunks: int
    share: float
    indexed: bool
