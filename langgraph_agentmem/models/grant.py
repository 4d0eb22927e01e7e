"""What a tenant lets another one search."""

from datetime import datetime

from langgraph_agentmem.models.base import Value


class Grant(Value):
    """What a tenant lets another one search: what its open memories hold under a prefix of their namespaces.

    Attributes:
        owner: Whose memories these are.
        reader: Who may search them.
        namespace: The prefix, label by label, with the tenant's label where the namespaces have one; empty for all.
        expires_at: Until when, by the database's clock; None for as long as it is not revoked.
        created_at: Since when.

    Examples:
        >>> grant = memory.grants.give("alice", "bob", ("alice", "Apollo"))
        >>> grant.reader, grant.namespace, grant.expires_at
        ('bob', ('alice', 'Apollo'), None)
    """

    owner: str
    reader: str
    namespace: tuple[str, ...]
    expires_at: datetime | None
    created_at: datetime
