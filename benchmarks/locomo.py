"""What is found of long dialogues: `python benchmarks/locomo.py locomo10.json`, or a part of that file.

The conversations (LoCoMo, Maharana et al., 2024, CC BY-NC 4.0: `data/locomo10.json` of `snap-research/locomo`) are not
part of this repository. A text is a turn, as `(date of the session) speaker: text [caption]`; questions without an
answer are left out. See `recall.py` for what is measured, and the options.
"""

import asyncio
from typing import Any

from chats import read
from recall import measure, parser
from server import started
from talks import Conversation, Question

ADVERSARIAL = 5
"""The category of questions without an answer."""


def conversation(one: dict[str, Any]) -> Conversation:
    talk = one["conversation"]
    numbers = sorted(int(key.split("_")[1]) for key in talk if key.startswith("session_") and key.count("_") == 1)
    sessions = [
        {turn["dia_id"]: _line(talk.get(f"session_{n}_date_time", ""), turn) for turn in talk[f"session_{n}"]}
        for n in numbers
    ]
    known = {id for session in sessions for id in session}
    questions = [
        Question(qa["question"], set(qa["evidence"]) & known, f"category {qa['category']}")
        for qa in one["qa"]
        if qa["category"] != ADVERSARIAL and set(qa["evidence"]) & known
    ]
    return Conversation(one["sample_id"], sessions, questions)


def _line(date: str, turn: dict[str, Any]) -> str:
    caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return f"({date}) {turn['speaker']}: {' '.join(turn['text'].split())}{caption}"


async def main() -> None:
    options = parser(__doc__)
    options.add_argument("data", help="path of the conversations")
    given = options.parse_args()
    await measure("LoCoMo", [conversation(one) for one in read(given.data)], started(), given)


if __name__ == "__main__":
    asyncio.run(main())
