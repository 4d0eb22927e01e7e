"""The settings of a memory, and the only reader of the environment."""

import json
import os
import re
import warnings
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from langgraph_agentmem.errors import ConfigurationError

_RENAMED = "ACTIVE_MEMORY_UPDATE_THRESHOLD"


def _older(name: str) -> AliasChoices:
    """The environment names of a setting of the older system: with the prefix, or else without."""
    return AliasChoices(f"AGENTMEM_{name}", name)


_PREFIXED = re.compile(r"AGENTMEM_(?!TEST_)")
_OTHERS = {f"AGENTMEM_{_RENAMED}", "AGENTMEM_MCP_TENANT", "AGENTMEM_MCP_TOKENS"}
"""Variables that are read elsewhere, or under another name."""
_CREDENTIALS = re.compile(r"(?<=://).*@|(?<=password=)\S+", re.DOTALL)


_LARGEST = 1_000_000_000
"""What fits into PostgreSQL's integers and intervals, and is more than anybody means."""
_FOR_A_SHELL = re.compile(r"^[\"'`]|(?:^|(?<=[/\\]))\$(?:\w+|[({])")
_UNSET = "must not be empty; leave it out (the variable unset) where none is meant, or give a value"


def variable(name: str, value: str | None) -> str | None:
    """What an environment variable that is no setting of a memory's holds, as if it was one.

    Args:
        name: Of the variable.
        value: What a reader that takes an empty variable for none has read.

    Raises:
        ConfigurationError: It is empty.
    """
    if value is None and name not in os.environ:
        return None
    if not (stripped := (value or "").strip()):
        raise ConfigurationError(f"{name} {_UNSET}")
    return stripped


def local_path(value: Path | str, what: str) -> Path:
    """A path on this machine, with the home folder that its `~` stands for.

    Raises:
        ConfigurationError: It is no path, or one as it is written for a shell, which nobody has read here.
    """
    if not isinstance(cast("object", value), str | os.PathLike) or not str(value).strip():
        raise ConfigurationError(f"{what} must be a path, not {value!r}")
    if found := _FOR_A_SHELL.search(str(value)):
        raise ConfigurationError(
            f"{what} is {str(value)!r}, in which no shell has read {found[0]!r}: write out what a variable holds, "
            "without quotes; ~ may stand for the home folder"
        )
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # of a user that there is not
        raise ConfigurationError(f"{what} is {str(value)!r}: {error}; write the folder out") from error


def _problem(error: Any, given: set[str]) -> str:
    """One problem in words; the whole input, which may hold a password, is not shown."""
    setting = ".".join(map(str, error["loc"]))
    found = _field(setting)
    if found is not None:
        setting = setting if found[0] in given else _variable(*found) or setting
    message = error["msg"].removeprefix("Value error, ")
    if found is not None and SecretStr in get_args(found[1].annotation):
        return f"{setting}: {message}"
    # an option that there is not may have been meant for one of these
    shown = _CREDENTIALS.sub("***", repr(error["input"]))
    return f"{setting}: {message} (got {shown})" if setting else message


def _field(place: str) -> tuple[str, FieldInfo] | None:
    """The setting that a place in pydantic's errors, its name or one of its variables', belongs to."""
    first = place.partition(".")[0].upper()
    for name, field in AgentMemorySettings.model_fields.items():
        if first in {name.upper(), *_variables(name, field)}:
            return name, field
    return None


def _variables(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return list(map(str, alias.choices)) if isinstance(alias, AliasChoices) else [f"AGENTMEM_{name.upper()}"]


def _variable(name: str, field: FieldInfo) -> str | None:
    """The variable that a setting was read from."""
    known = {each.upper() for each in os.environ}
    return next((each for each in _variables(name, field) if each in known), None)


def _warn_of_unknown() -> None:
    """Say which variables look like settings and are none, as one that is misspelt."""
    known = {f"AGENTMEM_{name.upper()}" for name in AgentMemorySettings.model_fields} | _OTHERS
    for name in filter(_PREFIXED.match, map(str.upper, os.environ)):
        if name not in known:
            import difflib  # noqa: PLC0415 - for whom misspells one

            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; is {near[0]} meant?" if near else ""
            warnings.warn(f"the variable {name} is no setting, and has no effect{meant}", UserWarning, stacklevel=3)


class AgentMemorySettings(BaseSettings):
    """Settings of a memory, from arguments or from the environment (prefix `AGENTMEM_`).

    Raises:
        ConfigurationError: A value is out of range; the message names the setting and the value.

    Examples:
        >>> settings = AgentMemorySettings(avg_section_update_count=3, max_pending_minutes=None)
        >>> with AgentMemory.open(settings=settings) as memory:
        ...     memory.get_active_memory("alice", apollo.id).consolidation_info.threshold
        6.0
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="AGENTMEM_", frozen=True, populate_by_name=True, extra="forbid", case_sensitive=False
    )

    dsn: SecretStr | None = Field(
        None, description="PostgreSQL connection string; without one an embedded server is used."
    )
    data_dir: Path | None = Field(
        None, description="Folder of the embedded server's data; without one a per-user data folder."
    )
    model: str | None = Field(None, description='Chat model as "provider:model", for extraction and conflicts.')
    embeddings: str | None = Field(
        None, description='Embedding model for vector search: `local`, `local:model` or "provider:model".'
    )

    avg_section_update_count: float = Field(
        5.0,
        gt=0,
        validation_alias=_older("AVG_SECTION_UPDATE_COUNT"),
        description="Average updates per section after which a memory is consolidated.",
    )
    max_pending_updates: int = Field(
        100, ge=1, description="Pending updates that always make a memory due, however many sections it has."
    )
    max_pending_minutes: float | None = Field(
        1440.0,
        gt=0,
        le=1e9,
        description="Minutes after which pending updates make a memory due, however few they are; `off` for never.",
    )
    shortterm_update_threshold: int = Field(
        10,
        ge=1,
        validation_alias=_older("SHORTTERM_UPDATE_THRESHOLD"),
        description="Consolidations after which a short-term memory is promoted.",
    )
    chunk_size_chars: int = Field(
        800,
        ge=20,
        le=50_000,
        validation_alias=AliasChoices("AGENTMEM_CHUNK_SIZE_CHARS", "CHUNK_SIZE"),
        description="Longest chunk, in characters.",
    )
    chunk_overlap_chars: int = Field(
        80,
        ge=0,
        validation_alias=AliasChoices("AGENTMEM_CHUNK_OVERLAP_CHARS", "CHUNK_OVERLAP"),
        description="Characters of the preceding chunk that are embedded along with a continued one.",
    )
    entity_similarity_threshold: float = Field(
        0.85,
        ge=0,
        le=1,
        validation_alias=_older("ENTITY_SIMILARITY_THRESHOLD"),
        description="Similarity from which two names may mean the same thing.",
    )
    entity_overlap_threshold: float = Field(
        0.7,
        ge=0,
        le=1,
        validation_alias=_older("ENTITY_OVERLAP_THRESHOLD"),
        description="Overlap coefficient of types from which entities of one name, or relationships, are the same.",
    )
    conflict_precision: float = Field(
        0.98,
        ge=0.5,
        le=1,
        description=(
            "How often what a rule ends must have been untrue, as measured by benchmarks/conflicts.py, for the rule to "
            "be followed; 1 leaves every statement that is not merely said again to a model or a person."
        ),
    )
    merge_survival_share: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Share of the sources' distinct words and numbers that a merged text must keep.",
    )
    redact: Literal["off", "secrets"] = Field(
        "off",
        description="What is taken out of texts before they are stored: `secrets` that can be told by their form, or "
        "nothing.",
    )
    review: Literal["never", "manual", "always"] = Field(
        "never",
        description="Which conflicts a run leaves to a person: none, those that the rules are not sure about, or all.",
    )
    max_superseded_per_run: int = Field(
        500, ge=0, description="How much one run may supersede by itself; what exceeds that is left to a person."
    )
    max_content_chars: int = Field(1_000_000, ge=1, description="Longest content of one section, in characters.")

    embed: Literal["now", "background"] = Field(
        "now", description="Embed before a write returns, or later (until then found by its words)."
    )
    max_unchunked_writes: int = Field(
        1000,
        ge=1,
        description="Writes of a memory without their chunks, after which who writes cuts them, so no search waits.",
    )
    lease_seconds: float = Field(
        300.0, gt=0, le=86_400, description="How long a run holds a memory without renewing it."
    )
    max_attempts: int = Field(
        12, ge=1, description="Runs of a due memory that may fail, or die, one after the other, until it is set aside."
    )
    background: bool = Field(False, description="Whether an open memory runs a worker of its own.")
    worker_concurrency: int = Field(4, ge=1, description="Memories that a worker consolidates at once.")
    worker_poll_seconds: float = Field(
        5.0, gt=0, le=86_400, description="How often a worker looks for work of which it was not told."
    )
    worker_grace_seconds: float = Field(
        30.0, ge=0, le=86_400, description="How long a worker that is stopped goes on with what it has begun."
    )
    recall_timeout_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="How long an agent's turn waits for what the middleware recalls; then it goes on without memory.",
    )
    model_attempts: int = Field(3, ge=1, description="Calls of the chat model before the rules take over.")
    structured_output: Literal["auto", "json_schema", "function_calling"] = Field(
        "auto",
        description="How the chat model is asked for data: by a schema that its answer keeps to, or by a tool that it "
        "has to call; `auto` does what the model's profile says, and the other where the answer is prose.",
    )
    input_token_price: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Price of a million input tokens, for the cost of runs."
    )
    output_token_price: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Price of a million output tokens."
    )
    extraction_token_budget: int = Field(
        8_000, ge=100, description="Estimated tokens of chunks in one extraction call; more are split."
    )
    text_search_config: str = Field(
        "english",
        description="Language whose word endings are known, as PostgreSQL calls it: english, german, …; `simple` for "
        "none; the same for all writers of a database.",
    )
    exact_search_rows: int = Field(
        4_000, ge=0, description="Up to so many chunks are all compared with a question; of more, candidates."
    )
    recency_half_life_days: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="After so many days a found chunk's score counts half, down to 0.3 of it; none if not set.",
    )
    pool_size: int = Field(10, ge=1, description="Most connections per event loop.")
    connect_timeout_seconds: float = Field(
        15.0, gt=0, le=86_400, description="How long to wait for the server before it counts as an outage."
    )
    answer_timeout_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="How long to wait for each of the server's answers, until the connection is given up as lost.",
    )
    max_waiting_calls: int = Field(
        100_000, ge=1, description="Most calls per event loop that wait for a connection; one more is refused."
    )
    pooler: Literal["auto", "transaction", "session"] = Field(
        "auto",
        description="Whether sessions last as long as connections: not behind a pooler in `transaction` mode, where "
        "nothing is prepared, set or listened for; `auto` takes any pooler that it notices for such a one.",
    )
    listen_dsn: SecretStr | None = Field(
        None,
        description="Connection string past a pooler, by which workers hear of memories that are due; without one "
        "they look for them.",
    )
    row_security: Literal["off", "on"] = Field(
        "off",
        description="Whether the database itself holds tenants apart, by the tenant that each transaction names to it; "
        "`agentmem db migrate --row-security` and `agentmem db roles` prepare it for that.",
    )

    store_owner: int = Field(
        0, ge=0, description="Position of the label that is the tenant in a store's namespaces, from 0."
    )
    store_default_tenant: str = Field(
        "default", min_length=1, description="Tenant of a store's namespaces that are too short to name one."
    )
    store_tiers: Annotated[tuple[Literal["active", "shortterm", "longterm"], ...], NoDecode] = Field(
        ("active",),
        min_length=1,
        description="What a store's searches look through: `active`, `shortterm`, `longterm`, separated by commas.",
    )
    store_fields: Annotated[tuple[Annotated[str, Field(min_length=1)], ...] | None, NoDecode] = Field(
        None,
        description="Paths of a store's values whose texts are searched and consolidated, separated by commas or as a "
        "JSON list; without them all texts.",
    )
    store_ttl_minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Minutes that a store's items live if nothing else is said."
    )
    store_ttl_refresh_on_read: bool | None = Field(
        None, description="Whether reading a store's item starts its time anew; without it, it does."
    )
    store_ttl_omit_expired: bool | None = Field(
        None, description="Whether what has expired is hidden before it is removed; without it, it is not."
    )
    store_ttl_sweep_minutes: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="How often a store removes what has expired; every 5 minutes where another TTL setting is given.",
    )
    checkpoint_tenant_keys: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], NoDecode] = Field(
        ("agent_id", "user_id"),
        min_length=1,
        description="Names in a run's `configurable`, separated by commas; the first that is there names the tenant in "
        "whose memory a checkpointer keeps the state's sections.",
    )
    checkpoint_bind_threads: bool = Field(
        False,
        description="Whether a checkpointer lets a tenant use only threads whose checkpoints name no other tenant; "
        "every config then has to name one.",
    )
    checkpoint_title: str = Field(
        "Agent state",
        min_length=1,
        description="Title of that memory; `{name}` stands for what `configurable` holds, as in `Thread {thread_id}`.",
    )
    checkpoint_state_schema: str | None = Field(
        None,
        description="Where a LangGraph server's checkpointer finds the state whose channels are marked as sections: "
        "`package.module:State`.",
    )
    run_log_retention_days: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="Days after which runs leave the log, and cannot be undone any more; without it, they stay. Workers"
        " and `memory.sweep` see to it, and to the following two.",
    )
    history_retention_days: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="Days after which superseded texts, and entries of the state history, are removed: `as_of` finds "
        "nothing older; without it, they stay.",
    )
    checkpoint_retention_days: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="Days without a new checkpoint after which a thread's checkpoints are removed, whoever uses it; "
        "without it, they stay.",
    )
    graph: Literal["postgres", "neo4j"] = Field(
        "postgres", description="What reads the entity graph; `neo4j` also lets `memory.queue` project into it."
    )
    neo4j_uri: str | None = Field(
        None,
        repr=False,  # it may hold a password, which is refused where it is used
        validation_alias=_older("NEO4J_URI"),
        description="Neo4j's address, as in bolt://localhost:7687.",
    )
    neo4j_username: str = Field("neo4j", validation_alias=_older("NEO4J_USERNAME"), description="Neo4j's user.")
    neo4j_password: SecretStr | None = Field(
        None, validation_alias=_older("NEO4J_PASSWORD"), description="Its password; without one, none is sent."
    )
    neo4j_database: str = Field("neo4j", validation_alias=_older("NEO4J_DATABASE"), description="Neo4j's database.")

    inspector_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="What whoever opens the inspector enters; without one, it listens on loopback addresses only.",
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            given = {name.lower() for name in values}
            problems = [_problem(each, given) for each in error.errors()]
            raise ConfigurationError(f"invalid settings: {'; '.join(problems)}") from None
        _warn_of_unknown()

    @field_validator("max_pending_minutes", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() == "off" else value

    @field_validator("store_tiers", "store_fields", "checkpoint_tenant_keys", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        listed = value.strip()
        return json.loads(listed) if listed.startswith("[") else [part.strip() for part in listed.split(",")]

    @field_validator("*", mode="before")  # the last one before is the first to see a value
    @classmethod
    def _stripped(cls, value: Any) -> Any:
        """A text without the white space around it, as a file's last line break, or those of Windows, leave it."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str):
            return value
        if not text.strip():  # a variable that was not filled in is no wish for a default
            raise ValueError(_UNSET)
        return text.strip()

    @field_validator("*", mode="after")
    @classmethod
    def _bounded(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
            raise ValueError(f"must be a number up to {_LARGEST:,}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _accept_renamed(cls, values: dict[str, Any]) -> dict[str, Any]:
        names = (f"AGENTMEM_{_RENAMED}", _RENAMED)
        given = [values.pop(_RENAMED.lower(), None), *(os.environ.get(name) for name in names)]
        old = next((value for value in given if value is not None), None)
        if old is None:
            return values
        warnings.warn(
            f"{_RENAMED} is deprecated; set AVG_SECTION_UPDATE_COUNT (average updates per section) instead",
            DeprecationWarning,
            stacklevel=2,
        )
        known = {"avg_section_update_count", "AVG_SECTION_UPDATE_COUNT", "AGENTMEM_AVG_SECTION_UPDATE_COUNT"}
        return values if known & values.keys() else {**values, "avg_section_update_count": old}

    @model_validator(mode="after")
    def _overlap_below_size(self) -> "AgentMemorySettings":
        if self.chunk_overlap_chars >= self.chunk_size_chars:
            raise ValueError(
                f"chunk_overlap_chars ({self.chunk_overlap_chars}) must be smaller than "
                f"chunk_size_chars ({self.chunk_size_chars})"
            )
        return self
