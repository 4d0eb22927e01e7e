"""What a store is asked for, checked and made ready: LangGraph's operations as requests, and results as items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.item import (
    FoundItem,
    ItemSearch,
    ItemWrite,
    Namespace,
    NamespaceListing,
    Place,
    StoredItem,
)
from langgraph_agentmem.operations import items, texts
from langgraph_agentmem.operations.item_search import PreparedSearch
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings

RESERVED = validation.RESERVED
_LABELS = {tier: label for label, tier in RESERVED.items()}


class AgentMemoryItem(Item):
    """An item with its revision, which grows by one with every write."""

    __slots__ = ("revision",)

    def __init__(self, *, revision: int, **fields: Any) -> None:
        super().__init__(**fields)
        self.revision = revision


class AgentMemorySearchItem(SearchItem):
    """An item that was found, with its revision."""

    __slots__ = ("revision",)

    def __init__(self, *, revision: int, **fields: Any) -> None:
        super().__init__(**fields)
        self.revision = revision


@dataclass(frozen=True)
class Get:
    """One item is read.

    Attributes:
        tier: Of a consolidated chunk; None for an item.
    """

    place: Place
    refresh: bool
    tier: Tier | None


@dataclass(frozen=True)
class Search:
    """Items are searched."""

    prepared: PreparedSearch
    refresh: bool


Read = Get | Search | NamespaceListing
Write = ItemWrite | Place
Request = Read | Write


@dataclass(frozen=True)
class Options:
    """What a store was configured with.

    Attributes:
        fields: Of items that are put without an index.
        ttl: As LangGraph's stores take it.
    """

    fields: Sequence[str] | None
    ttl: TTLConfig | None
    ownership: Ownership
    tiers: tuple[Tier, ...]

    @classmethod
    def of(
        cls,
        settings: AgentMemorySettings,
        *,
        fields: object,
        ttl: TTLConfig | None,
        owner: object,
        default_tenant: object,
        tiers: Any,
    ) -> "Options":
        """Options that fit; what is None comes from the settings.

        Raises:
            ConfigurationError: One does not.
        """
        fields = settings.store_fields if fields is None else fields
        return cls(
            None if fields is None else texts.checked_fields(fields, "fields"),
            _ttl_config(_ttl_set(settings) if ttl is None else ttl),
            _ownership(
                settings.store_owner if owner is None else owner,
                settings.store_default_tenant if default_tenant is None else default_tenant,
            ),
            _tiers(settings.store_tiers if tiers is None else tiers),
        )

    @property
    def omit_expired(self) -> bool:
        """Whether items that have expired count as missing."""
        return bool((self.ttl or {}).get("omit_expired"))

    @property
    def default_ttl(self) -> float | None:
        """Minutes that items live if nothing is said."""
        return (self.ttl or {}).get("default_ttl")

    @property
    def sweep_minutes(self) -> float | None:
        """How often what has expired is removed; None without a TTL configuration."""
        return None if self.ttl is None else self.ttl.get("sweep_interval_minutes") or 5.0


def checked(resources: Resources, options: Options, op: Op) -> Request | ItemSearch:
    """An operation as a request that has only to be embedded.

    Raises:
        InvalidNamespaceError: LangGraph does not allow the namespace, or it is read-only.
        InvalidInputError: An argument cannot be accepted.
    """
    validate_op_namespace(op)
    match op:
        case GetOp():
            where = _labels(op.namespace), validation.text(op.key, "key")
            return Get(where, refreshing(op), RESERVED.get(op.namespace[-1]) if op.namespace else None)
        case SearchOp():
            return _search(options, op)
        case ListNamespacesOp():
            return _listing(options, op)
        case PutOp():
            return _delete(op) if op.value is None else put(resources, options, op)


def put(resources: Resources, options: Options, op: PutOp) -> ItemWrite:
    """A put, not embedded yet; see `checked`."""
    _refuse_reserved(op.namespace)
    index = cast("object", op.index)
    fields = options.fields
    if index is False:
        fields = list[str]()
    elif not isinstance(index, bool | None):
        fields = texts.checked_fields(index, "index")
    value = dict(op.value) if isinstance(op.value, Mapping) else op.value
    return items.checked(resources, options.ownership, (tuple(op.namespace), op.key), value, fields, op.ttl)


def place(write: Write) -> Place:
    """What a write is about."""
    return write.place if isinstance(write, ItemWrite) else write


def refreshing(op: Op) -> bool:
    """Whether a read lets items live on."""
    return isinstance(op, GetOp | SearchOp) and bool(op.refresh_ttl)


def result(answer: Any) -> Result:
    """What was read, as LangGraph's items."""
    if isinstance(answer, list):
        return [_found(item) if isinstance(item, FoundItem) else item for item in cast("list[Any]", answer)]
    return as_item(answer) if isinstance(answer, StoredItem) else answer


def as_item(item: StoredItem) -> AgentMemoryItem:
    """A stored item as LangGraph's."""
    return AgentMemoryItem(
        namespace=item.namespace,
        key=item.key,
        value=item.value,
        created_at=item.created_at,
        updated_at=item.updated_at,
        revision=item.revision,
    )


def _found(item: FoundItem) -> AgentMemorySearchItem:
    return AgentMemorySearchItem(
        namespace=item.namespace if item.document is None else (*item.namespace, _LABELS[item.value["tier"]]),
        key=item.key,
        value=item.value,
        created_at=item.created_at,
        updated_at=item.updated_at,
        score=item.score,
        revision=item.revision,
    )


def _search(options: Options, op: SearchOp) -> ItemSearch:
    prefix = tuple(op.namespace_prefix)
    tiers: tuple[Tier, ...] = options.tiers
    if prefix and (tier := RESERVED.get(prefix[-1])):
        tiers = (tier,)
        prefix = prefix[:-1]
    query = None if op.query is None else validation.text(op.query, "query", limit=100_000)
    return ItemSearch(
        prefix=_labels(prefix),
        query=query if query and query.strip() else None,
        filter=op.filter,
        tiers=tiers,
        omit_expired=options.omit_expired,
        limit=validation.count(op.limit, "limit"),
        offset=validation.count(op.offset, "offset"),
    )


def _listing(options: Options, op: ListNamespacesOp) -> NamespaceListing:
    conditions = [(condition.match_type, _labels(condition.path)) for condition in op.match_conditions or ()]
    for kind, _ in conditions:
        if kind not in ("prefix", "suffix"):
            raise InvalidInputError(f"match_type must be 'prefix' or 'suffix', not {kind!r}")
    return NamespaceListing(
        conditions=tuple(conditions),
        max_depth=None if op.max_depth is None else validation.positive(op.max_depth, "max_depth"),
        omit_expired=options.omit_expired,
        limit=validation.count(op.limit, "limit"),
        offset=validation.count(op.offset, "offset"),
    )


def _delete(op: PutOp) -> Place:
    _refuse_reserved(op.namespace)
    return _labels(op.namespace), validation.text(op.key, "key")


def _labels(namespace: Sequence[str]) -> Namespace:
    return tuple(validation.text(label, "a label of the namespace") for label in namespace)


def _refuse_reserved(namespace: Namespace) -> None:
    for label in namespace:
        if label in RESERVED:
            raise InvalidNamespaceError(
                f"namespace {namespace} cannot be written: {label!r} stands for what was consolidated"
            )


def _ttl_set(settings: AgentMemorySettings) -> TTLConfig | None:
    """The settings as LangGraph's configuration; None where none of them is set."""
    given = {
        "default_ttl": settings.store_ttl_minutes,
        "refresh_on_read": settings.store_ttl_refresh_on_read,
        "omit_expired": settings.store_ttl_omit_expired,
        "sweep_interval_minutes": settings.store_ttl_sweep_minutes,
    }
    said = {name: value for name, value in given.items() if value is not None}
    return cast("TTLConfig", said) if said else None


def _ttl_config(ttl: TTLConfig | None) -> TTLConfig | None:
    if ttl is None:
        return None
    if not isinstance(cast("object", ttl), Mapping):
        raise ConfigurationError(f'ttl must be a dict, e.g. {{"default_ttl": 60}} for minutes, not {ttl!r}')
    known = TTLConfig.__annotations__
    for name, value in ttl.items():
        if name not in known:
            raise ConfigurationError(f"ttl has no option {name!r}; it has {', '.join(known)}")
        if name in ("default_ttl", "sweep_interval_minutes"):
            validation.minutes(value)
    return ttl


def _ownership(owner: object, default_tenant: object) -> Ownership:
    if type(owner) is not int or owner < 0:
        raise ConfigurationError(f"owner must be the position of a namespace's label, from 0, not {owner!r}")
    return Ownership(owner=owner, nobody=validation.tenant(default_tenant))


def _tiers(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    known = get_args(Tier)
    if isinstance(tiers, str) or not tiers or any(tier not in known for tier in tiers):
        raise ConfigurationError(f"tiers must be a non-empty list of {', '.join(map(repr, known))}, not {tiers!r}")
    return tuple(tiers)
