"""Store items as they are found."""

from datetime import datetime
from typing import Any

from langgraph_agentmem.models.base import Json, Tier, Value

Namespace = tuple[str, ...]
ItemKey = tuple[Namespace, str]
"""Where an item is: its namespace and key."""


class StoredItem(Value):
    """An item as it is stored.

    Attributes:
        ttl_minutes: How long it lives after it was written or read; None if it does not expire.
        score: How well it answers a query, 0 to 1; None if it was not searched, or has nothing to be searched.
    """

    namespace: Namespace
    key: str
    value: Json
    created_at: datetime
    updated_at: datetime
    revision: int
    ttl_minutes: float | None = None
    score: float | None = None


class FoundItem(StoredItem):
    """An item, or a consolidated chunk, that was found.

    Attributes:
        document: The chunk's id; None for an item.
        rerank_score: What a reranker says of it; None without one, or where it says nothing of this item.
        read_inconsistent: Whether the item was found by an earlier value, as it was written while the search began.
    """

    document: int | None = None
    rerank_score: float | None = None
    read_inconsistent: bool = False


class ItemSearch(Value):
    """A search for items.

    Attributes:
        prefix: Of the namespaces that are searched.
        query: None lists, the newest first.
        filter: As `policies.filters` reads it.
        tiers: `active` for items, the others for consolidated chunks.
    """

    prefix: Namespace
    query: str | None = None
    filter: dict[str, Any] | None = None
    tiers: tuple[Tier, ...] = ("active",)
    omit_expired: bool = False
    limit: int = 10
    offset: int = 0


class NamespaceListing(Value):
    """A search for namespaces that have items.

    Attributes:
        conditions: (`prefix` or `suffix`, labels, of which `*` stands for any).
        max_depth: Longer namespaces are cut to so many labels.
    """

    conditions: tuple[tuple[str, Namespace], ...] = ()
    max_depth: int | None = None
    omit_expired: bool = False
    limit: int = 100
    offset: int = 0
