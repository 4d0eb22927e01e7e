"""Searches items."""

from pydantic import SkipValidation

from langgraph_agentmem.models.base import Tier, Value
from langgraph_agentmem.models.item import FoundItem, ItemSearch, Namespace, StoredItem
from langgraph_agentmem.operations.retrieval import asking, reranking
from langgraph_agentmem.operations.retrieval.asking import NOTHING, Asked
from langgraph_agentmem.operations.sections import texts
from langgraph_agentmem.policies.filters import Condition, read_filter
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import items
from langgraph_agentmem.storage import search as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred

_LAST = float("inf")


class PreparedSearch(Value):
    """A search whose filter is read and whose query is embedded.

    Attributes:
        search: What is searched; of a page that is to be ordered anew, all that the first stage has to find for it.
        page: Where the page begins, and ends.
    """

    search: ItemSearch
    page: tuple[int, int]
    condition: Condition | None
    asked: SkipValidation[Asked]

    @property
    def plain(self) -> bool:
        """Whether it only lists items."""
        return self.search.query is None and self.search.tiers == ("active",)


async def prepared(resources: Resources, ownership: Ownership, search: ItemSearch) -> PreparedSearch:
    """A search that is ready to be carried out.

    Raises:
        InvalidInputError: Its filter cannot be read.
        EmbeddingError: Its query cannot be embedded.
    """
    condition = read_filter(search.filter) if search.filter else None
    asked = NOTHING
    if search.query is not None:
        asked = await asking.asked(resources, ownership.scope(search.prefix), search.query)
    page = (search.offset, search.offset + search.limit)
    if search.query is not None and resources.reranker is not None:
        search = search.model_copy(update={"offset": 0, "limit": reranking.wanted(resources, page[1])})
    return PreparedSearch(search=search, page=page, condition=condition, asked=asked)


async def page(resources: Resources, prepared: PreparedSearch, found: list[FoundItem]) -> list[FoundItem]:
    """The page that was asked for, of what was found."""
    query = prepared.search.query
    if query is None or resources.reranker is None:
        return found
    scored = [item for item in found if item.score is not None]  # what has nothing to be searched comes behind
    best = await reranking.reranked(resources, query, scored, _text)
    return [*best, *found[len(scored) :]][slice(*prepared.page)]


def _text(item: FoundItem) -> str:
    return item.value["content"] if item.document is not None else texts.texts(item.value, None)[0]


async def send_search(
    resources: Resources, connection: Connection, ownership: Ownership, wanted: PreparedSearch
) -> Deferred[list[FoundItem]]:
    """Ask for a page of items: best first, or the newest first without a query.

    Where the prefix names no tenant, each tenant is searched by itself.
    """
    scope = ownership.scope(wanted.search.prefix)
    if scope is not None:
        return await _send(resources, connection, ownership, scope, wanted)
    # any one tenant may fill the page by itself, so each is asked for all of it
    whole = {"limit": wanted.search.limit + wanted.search.offset, "offset": 0}
    every = wanted.model_copy(update={"search": wanted.search.model_copy(update=whole)})
    tenants = await items.tenants(connection, ownership, wanted.search.prefix)
    sent = [(tenant, await _send(resources, connection, ownership, tenant, every)) for tenant in tenants]

    async def received() -> list[FoundItem]:
        merged = [
            (_rank(wanted, item), tenant, place, item)
            for tenant, answer in sent
            for place, item in enumerate(await answer())
        ]
        merged.sort(key=lambda entry: entry[:3])
        return [item for *_, item in merged[wanted.search.offset :][: wanted.search.limit]]

    return received


async def tenants(connection: Connection, ownership: Ownership, wanted: PreparedSearch) -> list[str]:
    """The tenants whose items are searched."""
    scope = ownership.scope(wanted.search.prefix)
    return await items.tenants(connection, ownership, wanted.search.prefix) if scope is None else [scope]


def _rank(wanted: PreparedSearch, item: FoundItem) -> float:
    """What tenants' items are merged by; those of one tenant come in their order already."""
    if wanted.search.query is None:
        return -item.updated_at.timestamp()
    return _LAST if item.score is None else -item.score


async def _send(
    resources: Resources, connection: Connection, ownership: Ownership, tenant: str, wanted: PreparedSearch
) -> Deferred[list[FoundItem]]:
    connection.serve(tenant)
    if wanted.plain:
        return await items.send_list(connection, ownership, tenant, wanted.search, wanted.condition)
    compared = await asking.compared(resources, connection, tenant, wanted.asked)
    return await storage.send_items(connection, ownership, tenant, wanted.search, wanted.condition, compared)


async def send_document(
    connection: Connection, ownership: Ownership, namespace: Namespace, tier: Tier, key: str
) -> Deferred[StoredItem | None]:
    """Ask for a consolidated chunk by the reserved namespace and key under which a search finds it."""
    # a key that cannot be a chunk's id stands for none: no chunk has the id 0
    chunk_id = int(key) if key.isdecimal() and len(key) < 19 else 0
    tenant = ownership.tenant(namespace[:-1])
    return await storage.send_document(connection, tenant, namespace, tier, chunk_id)
