"""What the queue offers: of each tenant in turn what has waited longest."""

import random

from langgraph_agentmem.policies import taking_turns
from langgraph_agentmem.policies.taking_turns import Memory
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import queue
from langgraph_agentmem.storage.driver.tenants import EVERYONE

_TENANTS = 1_000


class Offers:
    """Memories that are due, as one worker takes them.

    Tenants have their turns by name, from a place drawn by chance, so that several workers rarely want the same memory;
    and who looks again goes on where it was, so that each tenant has its turn, however many there are.

    Args:
        resources: The open memory's.
        external_id: Only this tenant's; all tenants' if None.
    """

    def __init__(self, resources: Resources, external_id: str | None) -> None:
        self._resources = resources
        self._tenant = external_id
        self._last: str | None = None

    async def next(self, limit: int) -> list[Memory]:
        """Some memories that wait for a run, in the order in which they are to be taken; none if there are none."""
        tenants = [self._tenant] if self._tenant is not None else await self._tenants()
        # of the first ones, all may be held by others or wait after a failure
        for start in range(0, len(tenants), limit):
            having_turns = tenants[start : start + limit]
            offered = await self._of(having_turns, taking_turns.share(limit, len(having_turns)))
            self._last = having_turns[-1]
            if offered:
                return offered[:limit]
        return []

    async def _tenants(self) -> list[str]:
        last = self._last or ""
        async with self._resources.database.connection(EVERYONE) as connection:
            after = await queue.due_tenants(connection, last, _TENANTS)
            complete = len(after) < _TENANTS
            before = await queue.due_tenants(connection, "", _TENANTS) if complete and last else []
        tenants = taking_turns.next_tenants(after, before, last)
        if self._last is not None or not tenants:
            return tenants
        first = random.randrange(len(tenants))
        # where there are more, those before the first have their turns once the last one has had one
        return tenants[first:] + (tenants[:first] if complete else [])

    async def _of(self, tenants: list[str], each: int) -> list[Memory]:
        async with self._resources.database.transaction(EVERYONE) as connection:
            answers = {tenant: await queue.send_due(connection, tenant, each) for tenant in tenants}
        waiting = {tenant: await answer() for tenant, answer in answers.items()}
        for ids in waiting.values():
            random.shuffle(ids)  # several workers look at once
        return taking_turns.in_turn(waiting)
