"""Sections as items of a store: puts, gets and deletes by namespace and key."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from langgraph_agentmem.errors import RevisionConflictError
from langgraph_agentmem.models.active import content_of
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.item import ItemKey, Namespace, NamespaceListing, StoredItem
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.sections import deleting, embeddings, values
from langgraph_agentmem.operations.sections.texts import pieces, texts
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import items as storage
from langgraph_agentmem.storage import sections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, as_json
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.storage.driver.translation import RefusedError
from langgraph_agentmem.storage.values import ValueBatch, Written

_SOURCE = "store"
_MOST_MARKS = 1000
"""Characters of JSON that are no text, keys and numbers, in any case; else they may be as long as texts may."""
_FEW = 20
"""Memories that tell by which ownership they were written."""
MAX_ALONE = 200
"""Items that are put without their chunks; who puts more at once is not in a hurry."""


def checked(
    resources: Resources,
    ownership: Ownership,
    key: ItemKey,
    value: object,
    fields: Sequence[str] | None,
    ttl_minutes: float | None,
) -> SectionWrite:
    """An item that can be written; it is chunked, but not embedded, where that is not left to who asks for chunks.

    Raises:
        InvalidInputError: Its namespace, key or value cannot be stored; the message names the path in the value.
    """
    put, json = unchunked(resources, ownership, key, value, fields, ttl_minutes)
    if resources.embedder_now is None:
        return put
    return replace(put, chunks=pieces(json, fields, resources.settings))


def unchunked(
    resources: Resources,
    ownership: Ownership,
    key: ItemKey,
    value: object,
    fields: Sequence[str] | None,
    ttl_minutes: float | None,
) -> tuple[SectionWrite, Json]:
    """An item that can be written, not chunked yet, and its value as it is kept; see `checked`."""
    namespace = validation.namespace(key[0])
    section_id = validation.key(key[1], validation.tenant(ownership.tenant(namespace)))
    for name in (section_id, *(label for place, label in enumerate(namespace) if place != ownership.owner)):
        resources.redactor.name(name, "a key or label")
    json = resources.redactor.value(validation.json_object(value, "value"), "item")
    json_text, limit = as_json(json), resources.settings.max_content_chars
    if fields or len(json_text) > limit:  # else no text in it can be too long; fields may count one several times
        # what is not indexed has to be kept and sent as well
        validation.length(max(sum(map(len, texts(json, each))) for each in (fields, None)), "value", limit=limit)
    validation.length(len(json_text), "value, as JSON,", limit=2 * limit + _MOST_MARKS)
    put = SectionWrite(
        namespace=namespace,
        section_id=section_id,
        json_text=json_text,
        fields=None if fields is None else tuple(fields),
        ttl_minutes=validation.minutes(ttl_minutes),
    )
    return put, json


async def embedded(resources: Resources, ownership: Ownership, puts: Sequence[SectionWrite]) -> list[SectionWrite]:
    """Items with the vectors of their chunks, in one call of the embedder; as they are, if that is for later.

    Raises:
        EmbeddingError: The embedder fails.
    """
    if resources.embedder_now is None:
        return list(puts)
    known = await _known(resources, ownership, [put.key for put in puts if put.chunks and len(put.chunks) > 1])
    vectors = await embeddings.vectors_for(resources, [put.chunks or [] for put in puts], known)
    return [replace(put, vectors=vectors) for put in puts]


async def _known(resources: Resources, ownership: Ownership, keys: Sequence[ItemKey]) -> set[bytes]:
    """Chunks of long items that have a vector already; short items are not worth the question."""
    known: set[bytes] = set()
    model = await resources.embedding_model() if keys else None
    for tenant, own in by_tenant(ownership, keys).items():
        async with resources.database.connection(tenant) as connection:
            known |= await storage.embedded_hashes(connection, tenant, own, model.id if model else 0)
    return known


def by_tenant(ownership: Ownership, keys: Iterable[ItemKey]) -> dict[str, list[ItemKey]]:
    """Keys by tenant, in an order that is the same for every writer."""
    found: dict[str, list[ItemKey]] = {}
    for key in keys:
        found.setdefault(ownership.tenant(key[0]), []).append(key)
    return dict(sorted(found.items()))


def alone(ownership: Ownership, puts: Sequence[SectionWrite]) -> ValueBatch | None:
    """What one statement can put, a transaction by itself: items of one tenant, each once, without their chunks."""
    if not puts or len(puts) > MAX_ALONE or puts[0].chunks is not None:
        return None
    if len(tenants := {ownership.tenant(put.namespace) for put in puts}) > 1:
        return None
    return _batch(ownership, tenants.pop(), puts)


async def owners_instead(resources: Resources, ownership: Ownership) -> list[int]:
    """Where the tenants of stored items stand, if not where this ownership looks for them; see `Ownership`."""
    async with resources.database.connection(EVERYONE) as connection:
        return ownership.owners_instead(await storage.some_namespaces(connection, _FEW))


async def write(
    connection: Connection,
    resources: Resources,
    ownership: Ownership,
    puts: Collection[SectionWrite],
    deletes: Collection[ItemKey] = (),
    *,
    locked: bool,
    keep_expired: bool = False,
) -> list[tuple[str, Deferred[Written]]]:
    """Put and delete items, each key at most once.

    Args:
        connection: In a transaction.
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        puts: To be written. What was made of items that have expired goes first.
        deletes: To be removed with everything that was made from them.
        locked: Whether to lock all memories first; without, a tenant's are only where something is deleted, and the
            transaction may be refused.
        keep_expired: Whether an item that has expired is one still, as long as it was not removed.

    Returns:
        By tenant, what that has come to; whoever commits then calls `values.tell`.
    """
    known = {put.key: put for put in puts}
    gone, written = by_tenant(ownership, deletes), by_tenant(ownership, known)
    sent: list[tuple[str, Deferred[Written]]] = []
    for tenant in sorted({*gone, *written}):
        connection.serve(tenant)
        keys = written.get(tenant, [])
        if locked or tenant in gone:
            memories = await _lock(connection, ownership, tenant, keys, gone.get(tenant, []))
            await deleting.delete(connection, tenant, gone.get(tenant, []), memories)
            await deleting.expire(connection, tenant, [] if keep_expired else keys, memories)
        if keys:
            batch = _batch(ownership, tenant, [known[key] for key in keys], keep_expired=keep_expired)
            answer, _ = await values.send(connection, resources, batch)
            sent.append((tenant, answer))
    return sent


def _batch(
    ownership: Ownership, tenant: str, puts: Sequence[SectionWrite], *, keep_expired: bool = False
) -> ValueBatch:
    return ValueBatch(tenant, puts, _SOURCE, title=ownership.title, keep_expired=keep_expired)


async def _lock(
    connection: Connection, ownership: Ownership, tenant: str, keys: Sequence[ItemKey], gone: Sequence[ItemKey]
) -> dict[Namespace, int]:
    """Lock the memories of keys, after those were made that are missing and are to hold one."""
    written = sorted({namespace for namespace, _ in keys})
    await sections.make_missing(connection, tenant, written, ownership.title)
    return await sections.lock_memories(connection, tenant, sorted({*written, *(namespace for namespace, _ in gone)}))


async def put_if(
    resources: Resources, ownership: Ownership, put: SectionWrite, revision: int, *, omit_expired: bool
) -> StoredItem:
    """Put an item if it is at a revision; 0 where there is to be none.

    Raises:
        RevisionConflictError: It is at another revision; nothing was written.
    """
    tenant, expecting = ownership.tenant(put.namespace), replace(put, expected=revision)

    async def attempt(locked: bool) -> tuple[StoredItem, Written]:
        async with resources.database.transaction(tenant) as connection:
            [(_, written)] = await write(
                connection, resources, ownership, [expecting], locked=locked, keep_expired=not omit_expired
            )
            read = await storage.send_get(connection, tenant, [put.key], omit_expired=False)
        return (await read())[put.key], await written()

    try:
        item, written = await values.attempted("store", attempt)
    except RefusedError:
        raise await _conflict(resources, tenant, put, revision, omit_expired=omit_expired) from None
    await values.tell(resources, tenant, written)
    return item


async def _conflict(
    resources: Resources, tenant: str, put: SectionWrite, revision: int, *, omit_expired: bool
) -> RevisionConflictError:
    async with resources.database.connection(tenant) as connection:
        read = await storage.send_get(connection, tenant, [put.key], omit_expired=omit_expired)
    present = (await read()).get(put.key)
    if present is None:
        return RevisionConflictError(put.section_id, revision, 0, "")
    content = content_of(present.value) or as_json(present.value)
    return RevisionConflictError(put.section_id, revision, present.revision, content)


async def send_get(
    connection: Connection, ownership: Ownership, keys: Iterable[ItemKey], *, omit_expired: bool
) -> Deferred[dict[ItemKey, StoredItem]]:
    """Ask for items by namespace and key; missing ones are left out. They may be received again and again.

    Args:
        connection: In a pipeline.
        ownership: Where namespaces name their tenant.
        keys: Of the items.
        omit_expired: Whether items that have expired count as missing.
    """
    wanted = by_tenant(ownership, dict.fromkeys(keys))
    sent = [await storage.send_get(connection, t, own, omit_expired=omit_expired) for t, own in wanted.items()]

    found: dict[ItemKey, StoredItem] = {}

    async def received() -> dict[ItemKey, StoredItem]:
        while sent:
            found.update(await sent.pop()())
        return found

    return received


async def refresh(resources: Resources, ownership: Ownership, items: Iterable[StoredItem]) -> None:
    """Let items that expire live on from now."""
    expiring = {(item.namespace, item.key): item for item in items}
    for tenant, keys in by_tenant(ownership, expiring).items():
        async with resources.database.transaction(tenant) as connection:  # waits for nobody: what is locked is skipped
            if connection.writable:  # who may only read gets what was read, and it expires when it would have
                await storage.refresh(connection, tenant, [expiring[key] for key in keys])


async def send_namespaces(
    connection: Connection, ownership: Ownership, listing: NamespaceListing
) -> Deferred[list[Namespace]]:
    """Ask for namespaces that have items, sorted."""
    prefixes = [path for kind, path in listing.conditions if kind == "prefix" and "*" not in path]
    scopes = [scope for prefix in prefixes if (scope := ownership.scope(prefix))]
    return await storage.send_namespaces(connection, ownership, scopes[0] if scopes else None, listing)
