"""For operators: which tenant is looked at, found by a part of the name."""

from nicegui import ui

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.operations.retrieval import reading

_SHOWN = 25


async def choose(visit: Visit, path: str) -> None:
    """The chosen tenant, or those that can be chosen."""
    if visit.chosen is not None:
        with parts.line():
            parts.note(f"Tenant {visit.chosen}")
            parts.link("Another tenant", path)
        return
    await _Choice(visit, path).show()


class _Choice:
    """A field that narrows a list down while somebody types."""

    def __init__(self, visit: Visit, path: str) -> None:
        self._visit, self._path = visit, path

    async def show(self) -> None:
        self._part = ui.input("Find a tenant").classes("w-full").props("debounce=200 autofocus clearable")
        self._part.on_value_change(self._narrow).on("keydown.enter", parts.told(self._take))
        self._list = parts.Region()
        await self._narrow()

    async def _narrow(self) -> None:
        await self._list.show(lambda: self._found(_SHOWN + 1), self._listed)

    async def _found(self, limit: int) -> list[str]:
        return await reading.tenants(self._visit.memory.resources, self._part.value or "", limit)

    def _listed(self, found: list[str]) -> None:
        more = len(found) > _SHOWN
        parts.note(f"The first {_SHOWN} by name; a part of the name finds others." if more else "")
        parts.note("" if found else "No tenant with memories has this in its name.")
        with parts.line():
            for name in found[:_SHOWN]:
                parts.link(name, self._visit.link(self._path, tenant=name))

    async def _take(self) -> None:
        """Enter takes what was typed as a whole name, or the only one that is left."""
        part, found = self._part.value or "", await self._found(_SHOWN)
        if part in found or len(found) == 1:
            parts.go(self._visit.link(self._path, tenant=part if part in found else found[0]))
