"""What is found in German, Chinese and Japanese, by words alone: `python benchmarks/toys.py`.

In `toys/`, a language each: 72 notes and lines of dialogue, and 30 questions that say it otherwise than the line that
answers; and a smaller German one about compounds, written after the list of their parts was. These are small sets: a
question is three points and more, so they show kinds of misses rather than differences. The
package's doors have no embedder unless `--onnx` gives one; the peer, which needs one, has hashes of letters then. See
`recall.py` for the measures and the other options; `--missed` prints what is not among the first five.
"""

import asyncio
from pathlib import Path

from hashed_embeddings import INDEX
from recall import measure, parser
from server import started
from talks import Conversation, Question

from langgraph_agentmem import AgentMemorySettings

FOLDER = Path(__file__).with_name("toys")
LANGUAGES = {"german": "german", "german-compounds": "german", "chinese": "english", "japanese": "english"}
"""Sets, and the text_search_config that somebody would have for them: the default one, where none fits."""


def conversation(name: str) -> Conversation:
    """Of lines `id text`, blank lines between sessions, and `? id id | question`."""
    sessions: list[dict[str, str]] = [{}]
    questions: list[Question] = []
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        id, _, text = line.partition(" ")
        if id == "?":
            gold, _, asked = text.partition(" | ")
            questions.append(Question(asked, set(gold.split()), "all"))
        elif id:
            sessions[-1][id] = text
        else:
            sessions.append({})
    return Conversation(name, [session for session in sessions if session], questions)


async def main() -> None:
    options = parser(__doc__, ["sections", "items", "AsyncPostgresStore", "BM25"])
    options.add_argument("--sets", nargs="+", default=list(LANGUAGES))
    given, server = options.parse_args(), started()
    for name in given.sets:
        settings = AgentMemorySettings(text_search_config=LANGUAGES[name])
        await measure(name, [conversation(name)], server, given, settings=settings, instead=INDEX)


if __name__ == "__main__":
    asyncio.run(main())
