"""The one statement that finds and scores chunks, for hits and for items."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple, cast

from psycopg import sql
from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json, Tier
from langgraph_agentmem.models.graph import NamedMention
from langgraph_agentmem.models.item import FoundItem, ItemSearch, Namespace, StoredItem
from langgraph_agentmem.policies.asking import WeighedQuestion
from langgraph_agentmem.policies.dates import Days
from langgraph_agentmem.policies.filters import Condition
from langgraph_agentmem.policies.frequencies import SAMPLE, Frequencies
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.policies.ranking import LEAST_RECENCY, LONGER_ITEM, LONGEST_ITEM, SHORT_ITEM, WEIGHTS
from langgraph_agentmem.policies.weighing import BESIDE, K1, MOST_WEIGHT, SHORT_LENGTH, USUAL_LENGTH, B, vector_text
from langgraph_agentmem.policies.words import DIMENSIONS
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import tenant_indexes
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import (
    Deferred,
    RawStatement,
    all_rows,
    as_array,
    as_vector,
    columns,
    first_row,
    gathered,
    received,
    send,
)
from langgraph_agentmem.storage.driver.session import as_parts
from langgraph_agentmem.storage.driver.statements import template
from langgraph_agentmem.storage.filters import compiled
from langgraph_agentmem.storage.sections import UnchunkedMemory, send_unchunked, unchunked_memories
from langgraph_agentmem.storage.vectors import ANN_SETTINGS, EmbeddingModel, VectorForm, of_tenant, parts

_SETTINGS = ANN_SETTINGS | {"jit": "off", "max_parallel_workers_per_gather": "0", "enable_sort": "off"}
_SET_UP = RawStatement(
    template("search", "set_up_search").format(settings=as_parts(_SETTINGS | {"plan_cache_mode": "force_generic_plan"}))
)
_GRANTED = template("grants", "granted_memories")
_COUNTS = {
    some: [template("search", name).format(counted=of).as_bytes(None) for name in ("count_chunks", "count_words")]
    for some, of in ((False, sql.SQL("")), (True, template("search", "of_memories")))
}
"""The statements that count a tenant's chunks and their words: all of them, or those of some memories."""
_NEAREST = 40
"""Nearest vectors that are candidates, where not all chunks are compared."""
_MOST_MATCHES = 1_000
"""Chunks with a rare word that are candidates."""


class Compared(NamedTuple):
    """What the chunks of a tenant are compared with.

    Args:
        question: None to list them.
        vector: The question's; None to leave vectors out.
        model: The vector's.
        frequencies: Of the tenant.
        settings: How many chunks are all compared, and whether newer ones are preferred.
    """

    question: WeighedQuestion | None
    vector: list[float] | None
    model: EmbeddingModel | None
    frequencies: Frequencies
    settings: AgentMemorySettings

    @property
    def form(self) -> VectorForm | None:
        """How its vectors are compared; None without any."""
        return self.model.form if self.model and self.vector else None

    @property
    def params(self) -> dict[str, Any]:
        """As the statement takes it."""
        question = self.question or WeighedQuestion({}, 1.0, [], False, [], [], [], [], [])
        return {
            "question": vector_text(question.weights, DIMENSIONS),
            "best": question.best,
            "asked_words": as_array(question.weights),
            "asked_weights": as_array(question.weights.values()),
            "rare_words": as_array(question.rare),
            "whole": question.whole,
            "labels": as_array(question.labels),
            "query_words": as_array(question.words),
            "telling_words": as_array(question.telling),
            "vector": as_vector(self.vector),
            "with_vector": self.vector is not None,
            "tenant_chunks": self.frequencies.chunks,
            "dates": as_array(question.dates) if question.days else None,
            "days": _multirange(question.days),
            "half_life": self.settings.recency_half_life_days,
            "exact_rows": self.settings.exact_search_rows,
            "most_matches": _MOST_MATCHES,
            "nearest": _NEAREST,
        }


async def set_up(
    connection: Connection, tenants: Iterable[str], memory_ids: list[int] | None = None
) -> Deferred[list[UnchunkedMemory]]:
    """Set what searches need, for all that travel together, and ask for the memories that need chunking.

    Args:
        connection: In a transaction.
        tenants: Whose memories are searched.
        memory_ids: Only these.
    """
    if connection.distributes:
        # what a plan is for depends on the tenant there: on where the rows are
        connection.set_local(_SETTINGS)
        return gathered([await send_unchunked(connection, tenant, memory_ids) for tenant in tenants])
    # what several tenants ask together is one statement, but where the server has to hold them apart
    groups = [[tenant] for tenant in tenants] if connection.guarded else [list(tenants)]
    sent: list[Deferred[list[UnchunkedMemory]]] = []
    for group in groups:
        if len(group) == 1:
            connection.serve(group[0])
        params = {"external_ids": as_array(group), "memory_ids": None if memory_ids is None else as_array(memory_ids)}
        sent.append(await _SET_UP.send(connection, params, unchunked_memories))
    return gathered(sent)


async def count(connection: Connection, external_id: str, memory_ids: list[int] | None = None) -> Frequencies:
    """How frequent words are among a tenant's chunks, or among those of some memories."""
    params: Json = {"external_id": external_id, "memory_ids": memory_ids}
    # planned for any tenant, a search takes an index of one only if it says of which one; where it is planned for the
    # tenant, there is none
    indexes = received([]) if connection.distributes else await tenant_indexes.send(connection, external_id)
    count_chunks, count_words = _COUNTS[memory_ids is not None]
    chunks: int = (await first_row(connection, count_chunks, params))["chunks"]
    params |= {"every": -(-chunks // SAMPLE) or 1, "most": 2 * SAMPLE}
    rows = await all_rows(connection, count_words, params)
    memories = {row["memory_id"]: row["chunks"] for row in rows if row["memory_id"] is not None}
    holding = {row["word"]: row["chunks"] for row in rows if row["word"] is not None}
    said = sum(row["said"] for row in rows)
    own = await indexes()
    tenant = own[0].tenant if own and all(index.usable for index in own) else None
    return Frequencies(chunks, min(sum(memories.values()), chunks), holding, memories, said, tenant)


async def send_hits(
    connection: Connection,
    external_id: str,
    compared: Compared,
    *,
    tiers: list[Tier] | None,
    memory_ids: list[int] | None,
    as_of: datetime | None,
    limit: int,
    named: list[NamedMention] | None = None,
    reader: str | None = None,
) -> Deferred[list[DictRow]]:
    """Ask for a tenant's best chunks, with every arm's score, best first.

    Args:
        connection: In a transaction, for which `set_up` was called.
        external_id: The tenant.
        compared: What they are compared with.
        tiers: Only these; all if None.
        memory_ids: Only chunks of these memories; all if None.
        as_of: Valid at that time; valid now if None.
        limit: The most.
        named: The entities that the question names, as a graph database found them; looked for here if None.
        reader: Only what the tenant's grants open to this one as the statement runs; everything if None.
    """
    mentions = [(mention.name_key, mention.confidence, mention.chunk_id) for mention in named or ()]
    arms = ("named_keys", "named_confidences", "named_chunks")
    params: dict[str, Any] = {
        **compared.params,
        "external_id": external_id,
        "tiers": None if tiers is None else as_array(tiers),
        "memory_ids": None if memory_ids is None else as_array(memory_ids),
        "as_of": as_of,
        "wanted": limit,
        "scope_chunks": compared.frequencies.within(memory_ids),
    }
    # None, unlike an empty list, lets the statement look for the entities itself
    params |= dict.fromkeys(arms) if named is None else columns(mentions, *arms)
    if reader is not None:
        # how many chunks the tenant has besides is not known here: what is granted is looked up by its memories
        params |= {"reader": reader, "tenant_chunks": float("inf")}
    indexed = compared.frequencies.indexed_as
    statement = _hits_statement(compared.form, connection.guarded, reader is not None, indexed)
    return await statement.send(connection, params, list)


async def send_items(
    connection: Connection,
    ownership: Ownership,
    external_id: str,
    search: ItemSearch,
    condition: Condition | None,
    compared: Compared,
) -> Deferred[list[FoundItem]]:
    """Ask for a page of a tenant's items, best first.

    Args:
        connection: In a pipeline, for which `set_up` was called.
        ownership: Where namespaces name their tenant.
        external_id: The tenant.
        search: What is searched.
        condition: Its filter, read.
        compared: What items are compared with.
    """
    text, params = compiled(condition) if condition else (None, {})
    documents = any(tier != "active" for tier in search.tiers)
    wanted = search.limit + search.offset
    params |= {
        **compared.params,
        "limit": search.limit,
        "offset": search.offset,
        "wanted": wanted,
        "omit_expired": search.omit_expired,
        "owner": ownership.owner,
        "default_tenant": ownership.default_tenant,
        "external_id": external_id,
        "prefix": as_array(search.prefix),
        "tiers": as_array(search.tiers),
        "active": "active" in search.tiers,
        "listing": search.query is None,
    }
    indexed = compared.frequencies.indexed_as
    statement = _items_statement(compared.form, search.omit_expired, documents, text, connection.guarded, indexed)
    return await statement.send(
        connection, params, lambda rows: [_found_item(row, scored=bool(search.query)) for row in rows]
    )


async def send_document(
    connection: Connection, external_id: str, namespace: Namespace, tier: str, chunk_id: int
) -> Deferred[StoredItem | None]:
    """Ask for a consolidated chunk of a memory, whose namespace is the one given without its last label."""
    connection.serve(external_id)
    params: Json = {"external_id": external_id, "namespace": list(namespace[:-1]), "tier": tier, "document": chunk_id}

    def read(rows: list[DictRow]) -> StoredItem | None:
        return StoredItem(namespace=namespace, key=str(chunk_id), **rows[0]) if rows else None

    return await send(connection, _ONE_DOCUMENT, params, read)


def _multirange(days: Sequence[Days]) -> str:
    """Days in UTC, as PostgreSQL reads them for a `tstzmultirange`."""
    return f"{{{','.join(f'[{first}T00:00Z,{end}T00:00Z)' for first, end in days)}}}"


@lru_cache(maxsize=50)
def _hits_statement(form: VectorForm | None, guarded: bool, granted: bool, indexed: int | None) -> RawStatement:
    holes: dict[str, sql.Composable] = {
        "in_scope": template("search", "in_memories"),
        "memories": sql.SQL("(SELECT unnest(%(memory_ids)s::bigint[]) AS id)"),
        "scope_chunks": sql.SQL("%(scope_chunks)s::float8"),
        "visible": template("search", "valid"),
        "kept": template("search", "granted").format(memories=_GRANTED) if granted else sql.SQL("TRUE"),
        "document": sql.SQL("NULL::bigint"),
        "item": sql.SQL("k.id"),
        # without a vector, what holds no word of the question is no hit
        "whole": sql.SQL(
            "(NOT %(with_vector)s AND %(whole)s AND (SELECT count(*) FROM candidate k) < %(most_matches)s)"
        ),
        "moment": sql.SQL("NULL::timestamptz"),
        "said": sql.SQL("false"),
        "own_words": sql.SQL(""),
        "beside": sql.SQL(""),
        "lexical": sql.SQL("o.own_lexical"),
        "share": sql.SQL("g.share"),
        "joined": sql.SQL("LEFT JOIN graph g ON g.id = o.id"),
    }
    named = template("search", "with_query_words_guarded" if guarded else "with_query_words")
    scored = _scored(form, "graph", holes, guarded=guarded, indexed=indexed)
    return RawStatement(template("search", "hits").format(scored=scored, with_query_words=named))


@lru_cache(maxsize=500)
def _items_statement(
    form: VectorForm | None,
    omit_expired: bool,
    documents: bool,
    condition: str | None,
    guarded: bool,
    indexed: int | None,
) -> RawStatement:
    """The statement for a shape of query; putting it together takes as long as running it."""
    selected = _selection(omit_expired, documents, sql.SQL(cast("LiteralString", condition)) if condition else None)
    said = template("search", "said").format(document=selected["document"])
    holes: dict[str, sql.Composable] = {
        **selected,
        "in_scope": sql.SQL("(c.memory_id IN (SELECT o.id FROM scope o)) IS TRUE"),
        "memories": sql.SQL("scope"),
        "item": sql.SQL("(k.memory_id, k.section_id, k.document)"),
        "whole": sql.SQL("false"),
        "said": said,
        "own_words": template("search", "own_words").format(said=said),
        "beside": _beside(),
        "lexical": sql.SQL("coalesce(b.lexical, o.own_lexical)"),
        "share": sql.SQL("NULL::float8"),
        "joined": sql.SQL("LEFT JOIN beside b ON b.id = o.id"),
        "scope_chunks": sql.SQL("(SELECT coalesce(sum(o.section_count), 0) FROM scope o)::float8"),
        "moment": sql.SQL("CASE WHEN %(listing)s AND {} IS NOT NULL THEN c.last_updated END").format(
            selected["document"]
        ),
    }
    scored = _scored(form, "no_graph", holes, guarded=guarded, indexed=indexed)
    numbers = {"longer": LONGER_ITEM, "short": SHORT_ITEM, "longest": LONGEST_ITEM}
    rule = {name: sql.SQL("{}::float8").format(number) for name, number in numbers.items()}
    return RawStatement(template("search", "items").format(scored=scored, **rule, **selected))


def _beside() -> sql.Composable:
    """What items have of a question's words, with what those put before and after them have."""
    shares = {0: 1.0} | {-distance: share for distance, share in BESIDE.items()}
    places = [sql.SQL("({}, {}::float8)").format(places, share) for places, share in shares.items()]
    lengths = [
        template("search", "length_behind" if distance < 0 else "length_before").format(
            share=sql.SQL("{}::float8").format(share), chunks=sql.SQL("{}").format(abs(distance))
        )
        for distance, share in BESIDE.items()
    ]
    numbers = {
        "most": MOST_WEIGHT, "constant": K1 * (1 - B), "by_length": K1 * B / USUAL_LENGTH, "short": SHORT_LENGTH,
    }  # fmt: skip
    return template("search", "beside").format(
        places=sql.SQL(", ").join(places),
        lengths_beside=sql.SQL(" + ").join(lengths),
        **{name: sql.SQL("{}::float8").format(number) for name, number in numbers.items()},
    )


def _scored(
    form: VectorForm | None, graph: str, holes: dict[str, sql.Composable], *, guarded: bool, indexed: int | None
) -> sql.Composable:
    """The part of a statement that finds and scores.

    Args:
        form: How vectors are compared.
        graph: The block that reads the graph.
        holes: What fills the others.
        guarded: Whether policies keep the index on words from being used.
        indexed: The number of a tenant that has indexes for itself; None for the indexes of all.
    """
    own = sql.SQL("TRUE") if indexed is None else of_tenant(indexed, "c.")
    rare = template("search", "with_rare_words_guarded" if guarded else "with_rare_words")
    holes |= {"indexed": own, "with_rare_words": rare.format(indexed=own, number=sql.Literal(indexed))}
    filled = {**holes, **parts(form), "least_recency": sql.Literal(LEAST_RECENCY)}
    chosen = template("search", "compared").format(**filled, late=sql.SQL("false"))
    # hashed: the candidates are few; and there are none of a small scope
    late = sql.SQL("(NOT (SELECT z.large FROM size z) OR (c.id IN (SELECT k.id FROM candidate k)) IS NOT TRUE)")
    compared = template("search", "compared").format(**filled, late=late)
    # as they are, they would be of type numeric, which takes many times as long to work with
    weights = {f"{arm}_weight": sql.SQL("{}::float8").format(weight) for arm, weight in WEIGHTS.items()}
    return template("search", "scored").format(
        **filled, chosen=chosen, compared=compared, graph=template("search", graph), **weights
    )


def _selection(omit_expired: bool, documents: bool, condition: sql.SQL | None) -> dict[str, sql.Composable]:
    """Which chunks and items take part, and how a page's are read."""
    passing: list[sql.Composable] = [condition] if condition else []
    if omit_expired:
        passing.append(template("search", "unexpired"))
    all_pass = sql.SQL(" AND ").join(passing) if passing else sql.SQL("TRUE")
    kept: sql.Composable = template("search", "kept_items").format(passing=all_pass) if passing else all_pass
    page_items = template("search", "found_items")
    if not documents:
        # items only: those of open memories, and chunks that are part of a section's value
        conditions = {"reachable": sql.SQL("a.closed_at IS NULL"), "visible": sql.SQL("c.current"), "listed": all_pass}
        return {**conditions, "kept": kept, "document": sql.SQL("NULL::bigint"), "items": page_items}
    consolidated = template("search", "consolidated")
    document = sql.SQL("CASE WHEN c.current AND %(active)s THEN NULL ELSE c.id END")
    value = template("search", "document_value")
    if passing:
        kept = template("search", "kept_documents").format(
            document=document, filter=condition or sql.SQL("TRUE"), value=value, kept=kept
        )
    return {
        "reachable": sql.SQL("TRUE"),
        "visible": sql.SQL("(c.current AND %(active)s OR {})").format(consolidated),
        "listed": sql.SQL("%(active)s AND {}").format(all_pass),
        "kept": kept,
        "document": document,
        "items": sql.SQL("\n").join([page_items, template("search", "found_documents").format(value=value)]),
    }


_ONE_DOCUMENT = template("search", "one_document").format(value=template("search", "document_value")).as_bytes(None)


def _found_item(row: DictRow, *, scored: bool) -> FoundItem:
    fields: dict[str, Any] = {**row, "namespace": tuple(row["namespace"])}
    fields["key"] = fields.pop("section_id") if row["document"] is None else str(row["document"])
    if not scored:
        fields["score"] = None
    return FoundItem(**fields)
