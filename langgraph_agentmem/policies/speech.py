"""What is said in a conversation, as lines that name who speaks."""

from collections.abc import Iterator

from langgraph_agentmem.policies.sentences import sentences

USER = "User"
ASSISTANT = "Assistant"
"""Labels of speech, which conflicts and searches read as who speaks."""
_LONGEST_LINE = 600
"""Shorter than chunks are, so that no chunk begins within a line, where nobody would know who speaks."""


def said(speaker: str, text: str) -> str:
    """A message in lines, each of which names its speaker, whatever lines of its own the message has."""
    return "\n".join(f"{speaker}: {line}" for line in _lines(text))


def by_assistant(text: str) -> bool:
    """Whether every line of a text is an assistant's: it tells what was answered, and nothing about anybody."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(line.startswith(f"{ASSISTANT}: ") for line in lines)


def _lines(text: str) -> Iterator[str]:
    for paragraph in text.splitlines():
        line = ""
        for part in _parts(" ".join(paragraph.split())):
            if line and len(line) + len(part) > _LONGEST_LINE:
                yield line.strip()
                line = ""
            line += part
        if line.strip():
            yield line.strip()


def _parts(line: str) -> Iterator[str]:
    """The sentences of a line; what is longer than a line may be is cut anywhere."""
    for sentence in sentences(line):
        yield from (sentence[at : at + _LONGEST_LINE] for at in range(0, len(sentence), _LONGEST_LINE))
