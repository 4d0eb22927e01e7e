"""What is found of long chats with an assistant: `python benchmarks/beam.py FILE`.

The chats (`mohammadtavakoli78/BEAM`; see `chats.py` for the form of the file) are not part of this repository. A text
is a message, as it is, or, with `--speakers`, behind who says it (`User: `, `Assistant: `); the messages of a session
are joined by blank lines where they are one text. Of the questions, those of five abilities are about finding. See
`recall.py` for what is measured, and the options. Thereafter follows which of two statements comes first where one has
taken the other's place (`currency.py`; `--currency` for that alone).
"""

import asyncio
from typing import Any

import currency
from chats import read
from recall import measure, parser
from server import started
from talks import Conversation, Question

ABILITIES = {
    "contradiction_resolution", "information_extraction", "knowledge_update", "multi_session_reasoning",
    "temporal_reasoning",
}  # fmt: skip
"""Those that are about finding."""


def conversation(chat: dict[str, Any], speakers: bool = False) -> Conversation:
    sessions: dict[Any, dict[str, str]] = {}
    for message in chat["messages"]:
        speaker = f"{message['role'].capitalize()}: " if speakers else ""
        sessions.setdefault(message.get("session"), {})[str(message["id"])] = speaker + message["text"]
    known = {id for session in sessions.values() for id in session}
    questions = [
        Question(asked["question"], gold, asked["ability"])
        for asked in chat["questions"]
        if asked["ability"] in ABILITIES and (gold := {str(id) for id in asked["gold"]} & known)
    ]
    return Conversation(str(chat["chat"]), list(sessions.values()), questions, "\n\n")


async def main() -> None:
    options = parser(__doc__)
    options.add_argument("data", help="path of the chats")
    options.add_argument("--currency", action="store_true", help="only which of two statements comes first")
    options.add_argument("--speakers", action="store_true", help="write each message behind who says it")
    given = options.parse_args()
    chats, server = read(given.data), started()
    talks = [conversation(chat, given.speakers) for chat in chats]
    if not given.currency:
        await measure("BEAM", talks, server, given)
    await currency.measure(chats, talks, server, given)


if __name__ == "__main__":
    asyncio.run(main())
