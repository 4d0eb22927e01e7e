"""Which tenant a namespace belongs to."""

from collections.abc import Sequence

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.item import Namespace


class Ownership(Value):
    """Where namespaces name their tenant.

    Attributes:
        owner: The position of the label that is the tenant.
        default_tenant: The tenant of namespaces that are too short to name one.
    """

    owner: int = 0
    default_tenant: str = "default"

    def tenant(self, namespace: Namespace) -> str:
        """The tenant that a namespace belongs to."""
        return namespace[self.owner] if len(namespace) > self.owner else self.default_tenant

    def scope(self, prefix: Namespace) -> str | None:
        """The tenant that everything under a prefix belongs to; None where it may be several."""
        return prefix[self.owner] if len(prefix) > self.owner else None

    def title(self, namespace: Namespace) -> str:
        """What people read: the labels without the tenant's."""
        labels = [label for position, label in enumerate(namespace) if position != self.owner]
        return "/".join(labels or namespace)

    def default(self, tenant: str, title: str) -> Namespace:
        """The namespace of a tenant's memory if nothing is said; `("memories", ...)` fills what else is missing."""
        labels = [*["memories"] * (self.owner - 1), title]
        labels.insert(self.owner, tenant)
        return tuple(labels)

    def owners_instead(self, written: Sequence[tuple[str, Namespace]]) -> list[int]:
        """Where the tenants of what is stored stand, if nothing of it could have been written by this ownership.

        Args:
            written: Tenants with namespaces of theirs.

        Returns:
            Positions at which each namespace has its tenant; none where this one is as good as any.
        """
        # where a namespace is too short to name one, its tenant says nothing about the position
        telling = [(tenant, namespace) for tenant, namespace in written if tenant in namespace]
        if any(self.tenant(namespace) == tenant for tenant, namespace in telling):
            return []
        longest = max((len(namespace) for _, namespace in telling), default=0)
        return [place for place in range(longest) if all(n[place : place + 1] == (t,) for t, n in telling)]
