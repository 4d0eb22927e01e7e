"""The project conversation that the quickstart works through; its text is in `conversation.yaml`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

Speaker = Literal["user", "agent"]

_FILE = Path(__file__).with_name("conversation.yaml")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one side says; an agent's turn carries the section edits that go with it."""

    speaker: Speaker
    text: str
    edits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, kw_only=True)
class Session:
    """One sitting: user and agent turns in alternation."""

    number: int
    date: str
    title: str
    turns: list[Turn]

    @property
    def exchanges(self) -> list[tuple[Turn, Turn]]:
        """The turns as pairs of what the user says and what the agent answers."""
        return list(zip(self.turns[::2], self.turns[1::2], strict=True))


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question at the end, and what its best hit has to contain; `before` asks for the state before a session."""

    ask: str
    expect: str
    before: int | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Everything that the demo tells; `sections` maps section ids to descriptions."""

    sections: dict[str, str]
    sessions: list[Session]
    questions: list[Question]
    earlier: Question
    entities: list[str]

    @property
    def turn_count(self) -> int:
        """Turns of all sessions."""
        return sum(len(session.turns) for session in self.sessions)


def load_conversation(path: Path = _FILE) -> Conversation:
    """The conversation in a YAML file."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Conversation(
        sections=data["sections"],
        sessions=[_session(number, item) for number, item in enumerate(data["sessions"], start=1)],
        questions=[Question(**item) for item in data["questions"]],
        earlier=Question(**data["earlier"]),
        entities=data["entities"],
    )


def _session(number: int, item: dict[str, Any]) -> Session:
    return Session(number=number, date=item["date"], title=item["title"], turns=[_turn(turn) for turn in item["turns"]])


def _turn(item: dict[str, Any]) -> Turn:
    speaker: Speaker = "user" if "user" in item else "agent"
    return Turn(speaker=speaker, text=item[speaker], edits=item.get("edits", []))
