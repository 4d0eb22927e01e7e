"""Searches items."""

from collections.abc import Sequence

from langgraph_agentmem.models.base import Tier, Value
from langgraph_agentmem.models.item import FoundItem, ItemSearch, Namespace, StoredItem
from langgraph_agentmem.policies.filters import Condition, read_filter
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources, WordFrequencies
from langgraph_agentmem.storage import item_search, items
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.driver.tenants import EVERYONE

_LAST = float("inf")


class PreparedSearch(Value):
    """A search whose filter is read and whose query is embedded."""

    search: ItemSearch
    condition: Condition | None
    vector: list[float] | None

    @property
    def plain(self) -> bool:
        """Whether it only lists items."""
        return self.search.query is None and self.search.tiers == ("active",)


async def prepared(resources: Resources, search: ItemSearch) -> PreparedSearch:
    """A search that is ready to be carried out.

    Raises:
        InvalidInputError: Its filter cannot be read.
        EmbeddingError: Its query cannot be embedded.
    """
    condition = read_filter(search.filter) if search.filter else None
    vector = None
    if search.query is not None and resources.embedder is not None:
        # first: how the database keeps vectors says whether the embedder is to scale them
        await resources.embedding_model()
        vector = await resources.embedder.embed_query(search.query)
    return PreparedSearch(search=search, condition=condition, vector=vector)


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
    if wanted.plain:
        return await items.send_list(connection, ownership, tenant, wanted.search, wanted.condition)
    return await item_search.send_search(
        connection,
        ownership,
        tenant,
        wanted.search,
        wanted.condition,
        vector=wanted.vector,
        model=await resources.embedding_model() if wanted.vector else None,
        config=resources.settings.text_search_config,
        frequent=resources.word_frequencies.of(wanted.search.query or ""),
        rare=resources.word_frequencies.rare,
    )


async def send_document(
    connection: Connection, ownership: Ownership, namespace: Namespace, tier: Tier, key: str
) -> Deferred[StoredItem | None]:
    """Ask for a consolidated chunk by the reserved namespace and key under which a search finds it."""
    # a key that cannot be a chunk's id stands for none: no chunk has the id 0
    chunk_id = int(key) if key.isdecimal() and len(key) < 19 else 0
    tenant = ownership.tenant(namespace[:-1])
    return await item_search.send_document(connection, tenant, namespace, tier, chunk_id)


async def learn_frequencies(resources: Resources, searches: Sequence[PreparedSearch]) -> None:
    """Look up how frequent words are, if a search needs it and it was not done lately."""
    if any(wanted.search.query for wanted in searches) and resources.word_frequencies.old:
        async with resources.database.connection(EVERYONE) as connection:
            resources.word_frequencies = WordFrequencies(await item_search.word_frequencies(connection))
