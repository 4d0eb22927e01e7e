"""What tenants let each other search."""

import builtins
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.grant import Grant
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.operations import granting
from langgraph_agentmem.operations.retrieval import shared
from langgraph_agentmem.resources import Resources


class Grants:
    """What tenants let each other search, and searching it, as `memory.grants`.

    A grant opens what the owner's open memories hold under a prefix of their namespaces, in all tiers, those that are
    made later, too. It is for searching: everything else of a tenant stays its own.

    Every method comes twice, as `await memory.grants.agive(...)` and as `memory.grants.give(...)`.

    Examples:
        >>> grant = memory.grants.give("alice", "bob", ("alice", "Apollo"))
        >>> [(hit.shared_by, hit.content) for hit in memory.grants.search("bob", "budget", shared_by="alice", limit=1)]
        [('alice', '- Budget: 5000')]
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def agive(
        self, owner: str, reader: str, namespace: Sequence[str], *, expires_at: datetime | None = None
    ) -> Grant:
        """Let another tenant search a part of a tenant's memory; given twice, a grant is one, and expires as last said.

        Args:
            owner: The tenant whose memory it is.
            reader: The tenant who may search it; it need not have any memory.
            namespace: The first labels of the namespaces that are opened, as `ActiveMemory.namespace` has them, the
                tenant's label included: `("alice", "notes")` opens `("alice", "notes")` and `("alice", "notes",
                "2026")`, not `("alice", "notesx")`. `()` opens all.
            expires_at: Until when, by the database's clock (with a time zone); until it is revoked by default.

        Raises:
            InvalidInputError: An argument cannot be accepted, or `expires_at` has passed.

        Examples:
            >>> grant = await memory.grants.agive("alice", "bob", apollo.namespace)
            >>> grant == await memory.grants.agive("alice", "bob", apollo.namespace)
            True
        """
        return await granting.give(self._resources, owner, reader, namespace, expires_at)

    async def arevoke(self, owner: str, reader: str, namespace: Sequence[str] | None = None) -> int:
        """Take a grant back, or all grants to a reader; returns how many those were.

        It holds at once: no search that begins afterwards finds anything by them. What another grant opens as well,
        as one of a shorter prefix, stays open.

        Args:
            owner: The tenant who has given it.
            reader: The tenant who has received it.
            namespace: The prefix of the grant; those of all prefixes by default.

        Raises:
            InvalidInputError: An argument cannot be accepted.

        Examples:
            >>> grant = await memory.grants.agive("alice", "bob", ())
            >>> await memory.grants.arevoke("alice", "bob"), await memory.grants.arevoke("alice", "bob")
            (1, 0)
        """
        return await granting.revoke(self._resources, owner, reader, namespace)

    async def alist(self, owner: str) -> builtins.list[Grant]:
        """Who may search what of a tenant's memory, by reader and prefix; without what has expired.

        Examples:
            >>> grant = await memory.grants.agive("alice", "bob", apollo.namespace)
            >>> [(grant.reader, grant.namespace) for grant in await memory.grants.alist("alice")]
            [('bob', ('alice', 'Apollo'))]
        """
        return await granting.given(self._resources, owner)

    async def areceived(self, reader: str) -> builtins.list[Grant]:
        """What a tenant may search of others, by owner and prefix; without what has expired.

        Examples:
            >>> grant = await memory.grants.agive("alice", "bob", apollo.namespace)
            >>> [(grant.owner, grant.namespace) for grant in await memory.grants.areceived("bob")]
            [('alice', ('alice', 'Apollo'))]
        """
        return await granting.received(self._resources, reader)

    async def asearch(
        self,
        reader: str,
        query: str,
        *,
        shared_by: str,
        tiers: Sequence[Tier] | None = None,
        limit: int = 10,
        now: datetime | None = None,
    ) -> builtins.list[SearchHit]:
        """What another tenant has granted says about something, best first.

        Words weigh what they do within what is granted, and the owner's entities take no part: nothing else that the
        owner remembers shows in scores. What held earlier, and what came from memories that are closed, is not shared.

        Args:
            reader: The tenant who asks.
            query: In natural language.
            shared_by: The owner.
            tiers: Of `active`, `shortterm`, `longterm`; all by default.
            limit: The most hits.
            now: When the query is asked, as for `AgentMemory.asearch`.

        Returns:
            Hits whose `shared_by` is the owner, without their `entities`.

        Raises:
            NotGrantedError: The owner lets the reader search nothing, or no longer; also where there is no such owner.
            InvalidInputError: An argument cannot be accepted.
            EmbeddingError: The query cannot be embedded.

        Examples:
            >>> grant = await memory.grants.agive("alice", "bob", apollo.namespace)
            >>> hits = await memory.grants.asearch("bob", "What is the budget?", shared_by="alice", limit=1)
            >>> [(hit.shared_by, hit.content) for hit in hits]
            [('alice', '- Budget: 5000')]
        """
        return await shared.search(
            self._resources, reader, query, shared_by=shared_by, tiers=tiers, limit=limit, now=now
        )

    give: Final = blocking(agive)
    revoke: Final = blocking(arevoke)
    list: Final = blocking(alist)
    received: Final = blocking(areceived)
    search: Final = blocking(asearch)
