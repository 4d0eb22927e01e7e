"""Writes, reads and deletes sections as items of a store."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import AgentMemoryError, OutageError, RevisionConflictError, StorageError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import Vectors
from langgraph_agentmem.models.item import ChunkedItem, ItemKey, ItemWrite, Namespace, NamespaceListing, StoredItem
from langgraph_agentmem.operations.queue import queueing
from langgraph_agentmem.operations.sections import chunks as writing
from langgraph_agentmem.operations.sections.texts import pieces, texts
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import longterm, support
from langgraph_agentmem.storage import sections as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, as_json
from langgraph_agentmem.storage.driver.tenants import EVERYONE

_SOURCE = "store"
_SWEPT_AT_ONCE = 500
_MOST_ALONE = 200
"""Items that are put without their chunks; who puts more at once is not in a hurry."""
_MANY_UNCHUNKED = 1000
"""Stale items of a memory, which its next search would have to wait for."""
_logger = logging.getLogger(__name__)


def checked(
    resources: Resources,
    ownership: Ownership,
    place: ItemKey,
    value: object,
    fields: Sequence[str] | None,
    ttl_minutes: float | None,
) -> ItemWrite:
    """An item that can be written, neither cut nor embedded yet.

    Raises:
        InvalidInputError: Its namespace, key or value cannot be stored; the message names the path in the value.
    """
    namespace = validation.namespace(place[0])
    key = validation.key(place[1], validation.tenant(ownership.tenant(namespace)))
    json: Json = validation.json_object(value, "value")
    validation.length(sum(map(len, texts(json, fields))), "value", limit=resources.settings.max_content_chars)
    return ItemWrite(
        namespace=namespace,
        section_id=key,
        value=json,
        json_text=as_json(json),
        fields=None if fields is None else tuple(fields),
        ttl_minutes=validation.minutes(ttl_minutes),
    )


async def embedded(resources: Resources, ownership: Ownership, items: Sequence[ItemWrite]) -> list[ItemWrite]:
    """Items with the vectors of their chunks, in one call of the embedder; as they are, if that is for later.

    Raises:
        EmbeddingError: The embedder fails.
    """
    if resources.embedder_now is None:
        return list(items)
    cut = [_cut(item, resources.settings) for item in items]
    known = await _known(resources, ownership, [item for item in cut if len(item.chunks) > 1])
    vectors = await writing.vectors_for(resources, [item.chunks for item in cut], known)
    return [item.model_copy(update={"vectors": vectors}) for item in cut]


def _cut(item: ItemWrite, settings: AgentMemorySettings) -> ChunkedItem:
    if isinstance(item, ChunkedItem):
        return item
    return ChunkedItem(**item.__dict__, chunks=pieces(item.value, item.fields, settings), vectors={})


async def _known(resources: Resources, ownership: Ownership, items: Sequence[ItemWrite]) -> set[bytes]:
    """Chunks of long items that have a vector already; short items are not worth the question."""
    known: set[bytes] = set()
    model = await resources.embedding_model() if items else None
    for tenant, places in by_tenant(ownership, [item.place for item in items]).items():
        async with resources.database.connection(tenant) as connection:
            known |= await storage.embedded_hashes(connection, tenant, places, model.id if model else 0)
    return known


def by_tenant(ownership: Ownership, places: Iterable[ItemKey]) -> dict[str, list[ItemKey]]:
    """Places by tenant, in an order that is the same for every writer."""
    found: dict[str, list[ItemKey]] = {}
    for place in places:
        found.setdefault(ownership.tenant(place[0]), []).append(place)
    return dict(sorted(found.items()))


async def write(
    connection: Connection,
    resources: Resources,
    ownership: Ownership,
    puts: Collection[ItemWrite],
    deletes: Collection[ItemKey] = (),
    *,
    mortal: bool = False,
) -> Deferred[bool]:
    """Put and delete items, each place at most once; what is put alone takes one round trip.

    Args:
        connection: In a transaction.
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        puts: To be written.
        deletes: To be removed with everything that was made from them.
        mortal: Whether items may have expired that are put again: what was made of them then goes first.

    Returns:
        What tells whether memories have become due; whoever commits then calls `queueing.wake_workers`.
    """
    due: list[Deferred[bool]] = []
    given = {put.place: put for put in puts}
    gone = by_tenant(ownership, deletes)
    written = by_tenant(ownership, given)
    for tenant in sorted({*gone, *written}):
        places = written.get(tenant, [])
        if tenant in gone or mortal:
            namespaces = sorted({namespace for namespace, _ in (*places, *gone.get(tenant, []))})
            memories = await storage.lock(connection, tenant, namespaces)
            await _delete(connection, tenant, gone.get(tenant, []), memories)
            await _expire(connection, tenant, places, memories)
        if places:
            due += await _put(connection, resources, ownership, tenant, [given[place] for place in places])
    return partial(_any, due)


async def put_values(resources: Resources, ownership: Ownership, puts: Sequence[ItemWrite], *, mortal: bool) -> bool:
    """Put a tenant's items that are not cut by one statement; they are cut into chunks when somebody asks for these.

    That is one round trip, and a transaction by itself.

    Args:
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        puts: To be written; of one place, the last one is.
        mortal: As for `write`.

    Returns:
        Whether it was done; if not, nothing was, and `write` does it.
    """
    alone = list({put.place: put for put in puts}.values())
    tenants = {ownership.tenant(put.namespace) for put in alone}
    alike = len(tenants) == len({put.ttl_minutes for put in alone}) == 1
    if mortal or not alike or len(alone) > _MOST_ALONE or any(isinstance(put, ChunkedItem) for put in alone):
        return False
    settings, tenant = resources.settings, tenants.pop()
    try:
        async with resources.database.connection(tenant) as connection:
            done = await storage.put_values(
                connection,
                tenant,
                alone,
                ownership,
                source=_SOURCE,
                average=settings.avg_section_update_count,
                most=settings.max_pending_updates,
                minutes=settings.max_pending_minutes,
                many=_MANY_UNCHUNKED,
            )
    except OutageError:
        raise
    except StorageError:  # if there is another reason for it than others that write, that shows in `write`
        return False
    if done.due:
        await queueing.wake_workers(resources)
    try:
        await writing.catch_up_all(resources, [(tenant, id) for id in done.behind])
    except AgentMemoryError as error:  # what was put is stored
        _logger.warning("items of tenant %r wait for a search to be cut: %s", tenant, telemetry.described(error))
    return True


async def _any(answers: Sequence[Deferred[bool]]) -> bool:
    return any([await answer() for answer in answers])


async def _put(
    connection: Connection, resources: Resources, ownership: Ownership, tenant: str, puts: Sequence[ItemWrite]
) -> list[Deferred[bool]]:
    updates: dict[Namespace, int] = {}
    for put in puts:
        updates[put.namespace] = updates.get(put.namespace, 0) + put.updates
    minutes = resources.settings.max_pending_minutes
    await storage.lock_or_make(connection, tenant, updates, ownership, minutes=minutes)
    return await _put_locked(connection, resources, tenant, puts)


async def _put_locked(
    connection: Connection, resources: Resources, tenant: str, puts: Sequence[ItemWrite]
) -> list[Deferred[bool]]:
    settings = resources.settings
    cut = [_cut(put, settings) for put in puts]
    vectors: Vectors = {}
    for found in {id(put.vectors): put.vectors for put in cut}.values():  # those of one call share theirs
        vectors |= found
    return await storage.put(
        connection,
        tenant,
        cut,
        vectors,
        source=_SOURCE,
        config=settings.text_search_config,
        model=await resources.embedding_model() if vectors else None,
        average=settings.avg_section_update_count,
        most=settings.max_pending_updates,
    )


async def put_if(
    resources: Resources, ownership: Ownership, put: ItemWrite, revision: int, *, omit_expired: bool
) -> StoredItem:
    """Put an item if it is at a revision; 0 where there is to be none.

    Raises:
        RevisionConflictError: It is at another revision; nothing was written.
    """
    tenant, place = ownership.tenant(put.namespace), put.place
    async with resources.database.transaction(tenant) as connection:
        updates, minutes = {put.namespace: put.updates}, resources.settings.max_pending_minutes
        await storage.lock_or_make(connection, tenant, updates, ownership, minutes=minutes)
        if omit_expired:
            await _expire(connection, tenant, [place], await storage.lock(connection, tenant, [put.namespace]))
        known = (await storage.revisions(connection, tenant, [place])).get(place, 0)
        if known != revision:
            raise RevisionConflictError(put.section_id, revision, known, "")
        due = await _put_locked(connection, resources, tenant, [put])
        written = await storage.send_get(connection, tenant, [place], omit_expired=False)
    if await _any(due):
        await queueing.wake_workers(resources)
    return (await written())[place]


async def _delete(
    connection: Connection, tenant: str, places: Sequence[ItemKey], memories: Mapping[Namespace, int]
) -> None:
    """Remove items of memories that are locked, with all that was made from them and nothing else supports."""
    keys: dict[int, list[str]] = {}
    for namespace, key in places:
        if namespace in memories:
            keys.setdefault(memories[namespace], []).append(key)
    supported = {id: await storage.supported(connection, tenant, id, own) for id, own in keys.items()}
    if any(supported.values()):
        await longterm.lock_tenant(connection, tenant)
    for memory_id, own in keys.items():
        await storage.delete(connection, tenant, memory_id, own, supported[memory_id])
    if any(supported.values()):
        await support.delete_unsupported(connection, tenant, [pair for own in supported.values() for pair in own])


async def sweep(resources: Resources) -> int:
    """Remove items that have expired, with what was made from them; returns how many those were.

    A tenant whose items cannot be removed now keeps no other's from it.
    """
    swept = 0
    while True:
        async with resources.database.connection(EVERYONE) as connection:
            expired = await storage.expired(connection, _SWEPT_AT_ONCE)
        removed = [await _swept(resources, tenant, places) for tenant, places in expired.items()]
        swept += sum(removed)
        if not sum(removed):
            return swept


async def _swept(resources: Resources, tenant: str, places: Sequence[ItemKey]) -> int:
    try:
        async with resources.database.transaction(tenant) as connection:
            memories = await storage.lock(connection, tenant, sorted({namespace for namespace, _ in places}))
            return await _expire(connection, tenant, places, memories)
    except OutageError:
        raise
    except AgentMemoryError as error:
        _logger.warning(
            "expired items of tenant %r could not be removed for now: %s", tenant, telemetry.described(error)
        )
        return 0


async def _expire(
    connection: Connection, tenant: str, places: Sequence[ItemKey], memories: Mapping[Namespace, int]
) -> int:
    """Remove those of these items that have expired; returns how many those were."""
    still: list[ItemKey] = []
    for namespace, memory_id in memories.items():
        keys = [key for place, key in places if place == namespace]
        still += [(namespace, key) for key in await storage.expired_among(connection, tenant, memory_id, keys)]
    if still:
        await _delete(connection, tenant, still, memories)
    return len(still)


async def send_get(
    connection: Connection, ownership: Ownership, places: Iterable[ItemKey], *, omit_expired: bool
) -> Deferred[dict[ItemKey, StoredItem]]:
    """Ask for items by place; missing ones are left out. They may be received again and again.

    Args:
        connection: In a pipeline.
        ownership: Where namespaces name their tenant.
        places: Where they are.
        omit_expired: Whether items that have expired count as missing.
    """
    wanted = by_tenant(ownership, dict.fromkeys(places))
    sent = [await storage.send_get(connection, t, p, omit_expired=omit_expired) for t, p in wanted.items()]

    found: dict[ItemKey, StoredItem] = {}

    async def received() -> dict[ItemKey, StoredItem]:
        while sent:
            found.update(await sent.pop()())
        return found

    return received


async def refresh(resources: Resources, ownership: Ownership, items: Iterable[StoredItem]) -> None:
    """Let items that expire live on from now."""
    mortal = {(item.namespace, item.key): item for item in items}
    for tenant, places in by_tenant(ownership, mortal).items():
        async with resources.database.transaction(tenant) as connection:  # waits for nobody: what is locked is skipped
            await storage.refresh(connection, tenant, [mortal[place] for place in places])


async def send_namespaces(
    connection: Connection, ownership: Ownership, listing: NamespaceListing
) -> Deferred[list[Namespace]]:
    """Ask for namespaces that have items, sorted."""
    prefixes = [path for kind, path in listing.conditions if kind == "prefix" and "*" not in path]
    scopes = [scope for prefix in prefixes if (scope := ownership.scope(prefix))]
    return await storage.send_namespaces(connection, ownership, scopes[0] if scopes else None, listing)
