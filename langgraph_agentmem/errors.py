"""Every error this package raises, under one root.

::

    AgentMemoryError
    ├── InvalidInputError (ValueError)         a value that cannot be accepted
    │   ├── InvalidTemplateError               a template without sections, with duplicates, not readable
    │   ├── InvalidTextError                   NUL, a lone surrogate, too long
    │   ├── ContentMismatchError               old_content does not occur, or not exactly once
    │   └── RedactionError                     a text was refused by the redaction function
    ├── NotFoundError (LookupError)            nothing of that id belongs to this tenant
    │   ├── MemoryNotFoundError
    │   ├── SectionNotFoundError
    │   ├── RunNotFoundError
    │   └── EntityNotFoundError
    ├── ForeignThreadError                     a thread of LangGraph's is another tenant's
    ├── NotGrantedError                        another tenant shares nothing with this one
    ├── ConflictError                          somebody else was first
    │   ├── DuplicateTitleError
    │   ├── RevisionConflictError              carries the current revision and content
    │   ├── MemoryBusyError                    another run holds the memory's lease
    │   ├── LeaseLostError                     this run's lease went to another run
    │   ├── StateConflictError                 carries what a thread's state and its sections hold
    │   ├── UndoConflictError                  carries the runs that changed the same things since
    │   ├── ReviewConflictError                carries the disputes that somebody else has decided, or that changed
    │   └── CheckpointInUseError               carries the threads that cannot be read without a checkpoint
    ├── ConfigurationError                     what to change is in the message
    │   ├── MissingDependencyError (ImportError)
    │   ├── AuthenticationError
    │   ├── ServerTooOldError
    │   ├── PgvectorError
    │   ├── SchemaTooNewError
    │   ├── SchemaMismatchError
    │   └── EmbeddingMismatchError
    ├── TooManyCallsError                      more calls wait for a connection than may
    ├── EmbeddingError                         the embedder failed, or returned what cannot be vectors
    ├── ModelError                             the chat model failed, or answered nonsense
    ├── RunsFailedError                        some of several runs failed; carries their errors
    ├── ImportMismatchError                    what was imported is not what the source holds; carries the report
    ├── StorageError                           PostgreSQL or Neo4j refused a statement
    │   ├── OutageError                        either cannot be reached, or went away; may be retried
    │   └── StaleGraphError                    Neo4j does not hold what was projected into it
    └── SyncCallError (RuntimeError)           a blocking method was called on a running event loop
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal


class AgentMemoryError(Exception):
    """The root of every error of this package."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by message and attributes, whatever a subclass is made from."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[AgentMemoryError], args: tuple[object, ...], attributes: dict[str, object]
) -> AgentMemoryError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class InvalidInputError(AgentMemoryError, ValueError):
    """A value cannot be accepted; nothing was written."""


class InvalidTemplateError(InvalidInputError):
    """A memory template is unreadable, has no sections, or names one twice."""


class InvalidTextError(InvalidInputError):
    """A text holds what PostgreSQL or UTF-8 cannot, or is over the limit."""


class ContentMismatchError(InvalidInputError):
    """`old_content` does not occur in the section, or occurs more than once."""


class RedactionError(InvalidInputError):
    """A text is refused by the function given as `redact`, which may raise this itself; nothing of it was stored."""


class NotFoundError(AgentMemoryError, LookupError):
    """Nothing with that id belongs to this tenant."""


class MemoryNotFoundError(NotFoundError):
    """The tenant has no active memory with that id."""


class SectionNotFoundError(NotFoundError):
    """The memory has no section with that id; the message lists the known ones."""


class RunNotFoundError(NotFoundError):
    """The tenant has no consolidation run with that id."""


class EntityNotFoundError(NotFoundError):
    """The tenant has no entity with that name or id."""


class ForeignThreadError(AgentMemoryError):
    """A thread has a checkpoint that names another tenant; nothing of it was read or written.

    Attributes:
        thread_id: The thread.
    """

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"thread {thread_id!r} is another tenant's; give each tenant threads of its own, with ids that nobody "
            "guesses"
        )
        self.thread_id = thread_id


class NotGrantedError(AgentMemoryError):
    """A tenant may search nothing of another one, who has granted nothing, or no longer, or whom there is not."""


class ConflictError(AgentMemoryError):
    """Somebody else was first."""


class DuplicateTitleError(ConflictError):
    """The tenant already has an open memory with that title."""


class RevisionConflictError(ConflictError):
    """A section has moved on since the caller read it.

    Attributes:
        section_id: The section that was to be written.
        expected: The revision that the caller expected.
        revision: The section's current revision.
        content: The section's current text.
    """

    def __init__(self, section_id: str, expected: int, revision: int, content: str) -> None:
        super().__init__(
            f"section {section_id!r} is at revision {revision}, not at the expected {expected}; "
            "read it again and repeat the edit on its present content"
        )
        self.section_id = section_id
        self.expected = expected
        self.revision = revision
        self.content = content


class StateConflictError(ConflictError):
    """Sections that a thread's state changes were changed by others since the thread has seen them.

    Attributes:
        conflicts: A `SectionConflict` each, with both texts.
    """

    def __init__(self, conflicts: Sequence[Any]) -> None:
        sections = ", ".join(repr(conflict.section_id) for conflict in conflicts)
        super().__init__(
            f"others have changed the sections {sections} since thread {conflicts[0].thread_id!r} has seen them; let a "
            "hydrate_node take what they hold, or give the checkpointer a function as on_conflict that merges"
        )
        self.conflicts: list[Any] = list(conflicts)


class MemoryBusyError(ConflictError):
    """Another run holds the memory's lease.

    Attributes:
        lease_expires_at: When the lease ends unless it is renewed (database clock).
    """

    def __init__(self, memory_id: int, lease_expires_at: datetime | None) -> None:
        super().__init__(
            f"memory {memory_id} is being consolidated by another run until {lease_expires_at}; try again later"
        )
        self.lease_expires_at = lease_expires_at


class LeaseLostError(ConflictError):
    """This run's lease expired and went to another run; nothing of this run was applied."""


class UndoConflictError(ConflictError):
    """A run cannot be undone because later runs changed the same things.

    Attributes:
        run_ids: The later runs, oldest first; undo them first.
    """

    def __init__(self, run_id: str, run_ids: list[str]) -> None:
        super().__init__(
            f"run {run_id} cannot be undone: what it superseded or merged was changed since by "
            f"{', '.join(run_ids) or 'another writer'}; undo those runs first, newest first"
        )
        self.run_ids = run_ids


class ReviewConflictError(ConflictError):
    """A dispute was decided otherwise, or withdrawn, or what it is about changed so that a decision does not fit.

    Attributes:
        run_id: The run that was to be reviewed.
        disputes: The ids of these disputes, with what stands in the way of each.
    """

    def __init__(self, run_id: str, disputes: dict[int, str]) -> None:
        named = "; ".join(f"dispute {id}: {why}" for id, why in disputes.items())
        super().__init__(f"nothing of this review of run {run_id} was carried out: {named}")
        self.run_id = run_id
        self.disputes = disputes


class CheckpointInUseError(ConflictError):
    """Checkpoints cannot be deleted because later ones are rebuilt from them; nothing was deleted.

    Attributes:
        thread_ids: The threads of these later checkpoints.
    """

    def __init__(self, thread_ids: list[str]) -> None:
        super().__init__(
            f"later checkpoints of {', '.join(map(repr, thread_ids))} rebuild their delta channels from these runs; "
            "delete the later runs as well, or the whole thread, or prune it"
        )
        self.thread_ids = thread_ids


class ConfigurationError(AgentMemoryError):
    """The set-up is wrong; the message says what to change."""


class MissingDependencyError(ConfigurationError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class AuthenticationError(ConfigurationError):
    """PostgreSQL or Neo4j refused the user, the password or the database."""


class ServerTooOldError(ConfigurationError):
    """The PostgreSQL server is older than this package supports."""


class PgvectorError(ConfigurationError):
    """The server lacks pgvector, or has one that is too old."""


class SchemaTooNewError(ConfigurationError):
    """The database was migrated by a newer version of this package."""


class SchemaMismatchError(ConfigurationError):
    """The database's tables were made by other migrations than this package's, as by an unreleased version of it."""


class EmbeddingMismatchError(ConfigurationError):
    """The database's vectors come from another embedding model or have another dimension."""


class TooManyCallsError(AgentMemoryError):
    """More calls wait for a connection than `max_waiting_calls`; this one has done nothing, and may be repeated."""


class EmbeddingError(AgentMemoryError):
    """The embedder failed, or returned the wrong number of vectors, a wrong dimension or NaN."""


class ModelError(AgentMemoryError):
    """The chat model failed, or its answer could not be read as what was asked for.

    Attributes:
        calls: Calls that were made in vain; they count in the run's usage, as do their tokens.
        input_tokens: Of these calls, where the answer tells them.
        output_tokens: Likewise.
        cost: What they cost; None where nobody knows.
        structured_output: How the answers were asked for, as in `ModelUsage`.
        retry_after: Seconds after which the provider wants to be asked again; None where it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        calls: int = 0,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cost: float | None = None,
        structured_output: Sequence[Literal["json_schema", "function_calling"]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.calls = calls
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cost = cost
        self.structured_output = structured_output
        self.retry_after = retry_after


class RunsFailedError(AgentMemoryError):
    """Some of several consolidation runs failed; the others were carried out.

    Attributes:
        errors: By (external_id, memory id).
    """

    def __init__(self, errors: dict[tuple[str, int], Exception]) -> None:
        named = "; ".join(f"memory {id} of {tenant!r}: {error}" for (tenant, id), error in errors.items())
        super().__init__(f"{len(errors)} consolidation runs failed, their memories stay due: {named}")
        self.errors = errors


class ImportMismatchError(AgentMemoryError):
    """What was imported is not, or not any more, as the source holds it; what is the same stays.

    Attributes:
        report: An `ImportReport`, whose `differences` say what is not the same.
    """

    def __init__(self, report: Any, count: int) -> None:
        first = report.differences[0]
        super().__init__(
            f"{count:,} of {report.read:,} rows are not here as the source has them, the first of them "
            f"{first.place}: {first.reason}; if somebody else has written or deleted meanwhile, import again"
        )
        self.report: Any = report


class StorageError(AgentMemoryError):
    """PostgreSQL or Neo4j refused a statement; the driver's error is the cause."""


class OutageError(StorageError):
    """PostgreSQL or Neo4j cannot be reached, or went away during the call; it may be retried."""


class StaleGraphError(StorageError):
    """Neo4j does not hold what was projected into it: emptied, restored, or another's; a rebuild mends it."""


class SyncCallError(AgentMemoryError, RuntimeError):
    """A blocking method was called on an application's running event loop; the message names the async twin."""
