"""Whose memories come next, where those of several tenants wait."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")
Memory = tuple[str, int]
"""A tenant and the id of its memory."""


def in_turn(waiting: Mapping[str, Sequence[int]]) -> list[Memory]:
    """The memories of tenants, one of each at a time, in the tenants' order and in that of each one's memories."""
    rounds = zip_longest(*([(tenant, id) for id in ids] for tenant, ids in waiting.items()))
    return [memory for each in rounds for memory in each if memory is not None]


def rotated(waiting: Mapping[str, T], first: int) -> dict[str, T]:
    """The same, beginning with the tenant at a place, those before it last."""
    names = list(waiting)
    return {name: waiting[name] for name in names[first:] + names[:first]}
