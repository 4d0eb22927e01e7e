"""Which tenant a namespace belongs to."""

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
