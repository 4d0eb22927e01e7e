"""What the queue offers: of each tenant in turn what has waited longest."""

import random

from langgraph_agentmem.policies.taking_turns import Memory, in_turn, rotated
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import queue
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.tenants import tenant_or_everyone

_PAGES = 16
"""Of one look. A page shows one tenant with a long backlog, or many with short ones."""

Waiting = dict[str, list[int]]
"""Memories that wait, by tenant."""


class Offers:
    """Memories that are due, as one worker takes them.

    Tenants have their turns by name, and who looks again goes on behind the last one that had a turn, so that each has
    its turn, however many there are. That is the last one that was offered, unless it is said which one was taken last.
    Where one begins is drawn by chance, so that several workers rarely want the same memory; of more tenants than one
    look shows, the one comes first that waits longest.

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
        async with self._resources.database.connection(tenant_or_everyone(self._tenant)) as connection:
            if self._tenant is not None:
                waiting = {self._tenant: await queue.due(connection, self._tenant, limit)}
            elif self._last is None:
                waiting = await self._first(connection, limit)
            else:
                waiting, _ = await _look(connection, self._last, limit)
        waiting = dict(list(waiting.items())[:limit])
        self._last = next(reversed(waiting), None)
        each = -(-limit // max(1, len(waiting)))
        for ids in waiting.values():
            del ids[each:]
            random.shuffle(ids)  # several workers look at once
        return in_turn(waiting)[:limit]

    def go_on_behind(self, external_id: str) -> None:
        """Let the next look begin behind the tenant of the memory that was taken last, though others were offered.

        Whoever takes two of a hundred, as runs take long, would otherwise pass over the rest.
        """
        self._last = external_id

    async def _first(self, connection: Connection, limit: int) -> Waiting:
        waiting, complete = await _look(connection, "", limit)
        if complete:
            return rotated(waiting, random.randrange(len(waiting))) if waiting else {}
        longest = await queue.longest_waiting(connection)
        if longest is None:
            return waiting
        following, _ = await _look(connection, longest, limit)
        return {longest: await queue.due(connection, longest, limit), **following}


async def _look(connection: Connection, after: str, limit: int) -> tuple[Waiting, bool]:
    """What waits of the tenants behind one of them, and whether those are all that there are.

    Behind the last one, the first one comes again.
    """
    waiting, last, from_first = Waiting(), after, not after
    for _ in range(_PAGES):
        found = Waiting()
        page = await queue.due_after(connection, last, limit)
        for tenant, id in page:
            found.setdefault(tenant, []).append(id)
        # what is seen twice has been gone around
        complete = bool(found.keys() & waiting.keys()) or (from_first and len(page) < limit)
        waiting |= {tenant: ids for tenant, ids in found.items() if tenant not in waiting}
        if complete or len(waiting) >= limit:
            return waiting, complete
        last = page[-1][0] if len(page) == limit else ""
        from_first = from_first or not last
    return waiting, False
