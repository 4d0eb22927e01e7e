"""Conversations: what is said, what of it is noted, and what adding it has come to."""

from typing import Literal

from pydantic import BaseModel, Field

from langgraph_agentmem.models.base import Value, counted
from langgraph_agentmem.models.run import ModelUsage

Role = Literal["user", "assistant", "tool"]


class Said(Value):
    """A message as it is kept.

    Attributes:
        id: Its own, or one that is made of its content and its position; see `policies.transcripts`.
        role: Whose words these are.
        speaker: By which name it is found.
        text: What is said; blocks that are no text are named.
        time: When, to the minute, as the message tells it; empty where it does not.
    """

    id: str
    role: Role
    speaker: str
    text: str
    time: str = ""


class ProposedFact(BaseModel):
    """One fact that the user has told, or one that they correct.

    Attributes:
        section_id: The section that it belongs to.
        fact: One short sentence that can be understood by itself.
        corrects: The line of that section that does not hold any more, word for word; null for what is new.
        messages: The numbers of the user's messages that say so.
    """

    section_id: str
    fact: str
    corrects: str | None = None
    messages: list[int] = Field(default_factory=list[int])


class ProposedFacts(BaseModel):
    """What a model has found in messages.

    Attributes:
        facts: What is new, and what is corrected; empty where there is nothing.
    """

    facts: list[ProposedFact] = Field(default_factory=list[ProposedFact])


class NotedFact(Value):
    """A fact that was written into a section.

    Attributes:
        section_id: Where.
        fact: The line that stands there now.
        corrected: The line in whose place it was put; None for a new one.
        message_ids: The user's messages that say so.
    """

    section_id: str
    fact: str
    corrected: str | None = None
    message_ids: tuple[str, ...] = ()


class RefusedFact(Value):
    """What a model proposed and code has refused.

    Attributes:
        section_id: For which section.
        fact: What it proposed.
        reason: Why it was not written.
    """

    section_id: str
    fact: str
    reason: str


class AddReport(Value):
    """What adding messages has come to.

    Attributes:
        memory_id: The memory with the sections of facts.
        transcript_id: The memory that holds the messages, word for word; None where there were none to keep.
        added: The ids of the messages that were kept by this call, in order.
        known: How many were there already, and were passed over.
        skipped: How many hold nothing to keep: system messages, and empty ones.
        inferred: Whether a model was asked for facts. False without a model, and with `infer=False`: then messages
            are kept and found, and nothing is inferred from them.
        facts: What was written into sections.
        refused: What a model proposed and code has refused.
        failures: Why a model could not be asked about some messages; these were kept all the same.
        usage: What the model has cost.
        will_consolidate: Whether the memory or its transcript is due.

    Examples:
        >>> report = memory.add("alice", [{"role": "user", "content": "I moved to Oslo.", "id": "m1"}])
        >>> report.added, report.inferred
        (['m1'], False)
        >>> print(report.summary)
        1 message kept, 0 known, 0 skipped; without a model, nothing was inferred
    """

    memory_id: int
    transcript_id: int | None = None
    added: list[str] = Field(default_factory=list)
    known: int = 0
    skipped: int = 0
    inferred: bool = False
    facts: list[NotedFact] = Field(default_factory=list[NotedFact])
    refused: list[RefusedFact] = Field(default_factory=list[RefusedFact])
    failures: list[str] = Field(default_factory=list)
    usage: ModelUsage = ModelUsage()
    will_consolidate: bool = False

    @property
    def summary(self) -> str:
        """In one line: what was kept, and what was inferred from it."""
        kept = f"{counted(len(self.added), 'message')} kept"
        inferred = (
            f"{counted(len(self.facts), 'fact')} noted, {len(self.refused)} refused"
            if self.inferred
            else "without a model, nothing was inferred"
        )
        failed = f"; the model failed {counted(len(self.failures), 'time')}" if self.failures else ""
        return f"{kept}, {self.known} known, {self.skipped} skipped; {inferred}{failed}"

    def _told(self) -> str:
        return f"memory {self.memory_id}: {self.summary}"
