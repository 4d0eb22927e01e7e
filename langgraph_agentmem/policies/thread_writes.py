"""Decides what becomes of a section when a thread's state holds another text."""

import hashlib
from typing import Literal

from langgraph_agentmem.models.active import Section
from langgraph_agentmem.models.thread import PutCheckpoint, SeenSection, ThreadSection

ThreadVerdict = Literal["same", "unchanged", "write", "conflict"]


def text_hash(text: str) -> bytes:
    """Identifies a text to the last character."""
    return hashlib.sha256(text.encode()).digest()


def seen_at(put: PutCheckpoint, text: str, known: ThreadSection) -> SeenSection | None:
    """What a thread has seen of a section when a checkpoint is stored.

    That is what was loaded for it, if the checkpoint holds that text, or comes of a step that was taken since: from the
    checkpoint at which it was loaded, or from an earlier one in a run that stores its last checkpoint only.

    Args:
        put: The checkpoint.
        text: What its state holds.
        known: The section, and what the thread has of it.
    """
    loaded = known.loaded
    if loaded is None:
        return known.seen
    since = put.of_step and put.parent_id <= loaded.checkpoint_id < put.id
    return loaded.section if since or loaded.section.text_hash == text_hash(text) else known.seen


def verdict(text: str, section: Section, seen: SeenSection | None) -> ThreadVerdict:
    """What a thread's text means for a section.

    Args:
        text: What the thread's state holds.
        section: As it stands.
        seen: What the thread has of it; None where it has never seen it.

    Returns:
        `same`: both hold the same. `unchanged`: the thread has not changed what it has, which is nothing if it has
        never seen the section. `write`: the section is as the thread has seen it, or empty, and takes the thread's
        text. `conflict`: both have changed.
    """
    if text == section.content:
        return "same"
    if seen is None:
        return "unchanged" if not text.strip() else "conflict" if section.content.strip() else "write"
    if seen.text_hash == text_hash(text):
        return "unchanged"
    return "write" if seen.revision == section.revision else "conflict"


def to_load(text: str, section: Section, seen: SeenSection | None) -> bool:
    """Whether a thread's state is to take a section's content: it has nothing of its own, or nothing newer.

    Args:
        text: What the thread's state holds; empty for nothing.
        section: As it stands.
        seen: What the thread has of it.
    """
    if text == section.content:
        return False
    if not text.strip():
        return bool(section.content.strip())
    return seen is not None and seen.text_hash == text_hash(text)
