"""Whose memories come next, where those of several tenants wait."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

Memory = tuple[str, int]
"""A tenant and the id of its memory."""


def share(limit: int, tenants: int) -> int:
    """How many memories of each tenant are asked for, so that there are enough together, one at least."""
    return max(1, -(-limit // max(1, tenants)))


def next_tenants(after: Sequence[str], before: Sequence[str], last: str) -> list[str]:
    """Tenants in the order of their turns.

    Args:
        after: Those whose names come after the last one that had a turn.
        before: The first ones by name, where the former are all that there are.
        last: The one that had the last turn; its own comes after all others.
    """
    return [*after, *(tenant for tenant in before if tenant <= last)]


def in_turn(waiting: Mapping[str, Sequence[int]]) -> list[Memory]:
    """The memories of tenants, one of each at a time, in the tenants' order and in that of each one's memories."""
    rounds = zip_longest(*([(tenant, id) for id in ids] for tenant, ids in waiting.items()))
    return [memory for each in rounds for memory in each if memory is not None]
