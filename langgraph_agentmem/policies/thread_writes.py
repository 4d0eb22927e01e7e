"""Decides what becomes of a section when a thread's state holds another text."""

import hashlib
from typing import Literal

from langgraph_agentmem.models.active import Section
from langgraph_agentmem.models.thread import SeenSection

Verdict = Literal["same", "unchanged", "write", "conflict"]


def text_hash(text: str) -> bytes:
    """Identifies a text to the last character."""
    return hashlib.sha256(text.encode()).digest()


def verdict(text: str, section: Section, seen: SeenSection | None) -> Verdict:
    """What a thread's text means for a section.

    Args:
        text: What the thread's state holds.
        section: As it stands.
        seen: What the thread has of it; None where it has never seen it.

    Returns:
        `same`: both hold the same. `unchanged`: the thread has not changed what it has; somebody else has. `write`: the
        section is as the thread has seen it, or was never written, and takes the thread's text. `conflict`: both have
        changed.
    """
    if text == section.content:
        return "same"
    if seen is None:
        return "conflict" if section.total_updates else "write"
    if seen.text_hash == text_hash(text):
        return "unchanged"
    return "write" if seen.revision == section.revision else "conflict"


def to_load(text: str | None, section: Section, seen: SeenSection | None) -> bool:
    """Whether a thread's state is to take a section's content: it has nothing of its own, or nothing newer.

    Args:
        text: What the thread's state holds; None for nothing.
        section: As it stands.
        seen: What the thread has of it.
    """
    if not section.content.strip() or text == section.content:
        return False
    return not text or (seen is not None and seen.text_hash == text_hash(text))
