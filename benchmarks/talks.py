"""What is written and asked by the benchmarks of searching: conversations, and questions with what answers them."""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        gold: Ids of the texts that answer it.
        category: What kind of question it is.
    """

    text: str
    gold: set[str]
    category: str


@dataclass(frozen=True)
class Conversation:
    """All that a tenant has: sessions of texts by id, and questions about them.

    Attributes:
        name: The tenant's.
        joined_by: What stands between the texts of a session where that is one text.
    """

    name: str
    sessions: list[dict[str, str]]
    questions: list[Question] = field(default_factory=list[Question])
    joined_by: str = "\n"

    @property
    def texts(self) -> dict[str, str]:
        return {id: text for session in self.sessions for id, text in session.items()}


class Hit(NamedTuple):
    """A text that was found, and how many characters of it a caller gets."""

    id: str
    size: int
