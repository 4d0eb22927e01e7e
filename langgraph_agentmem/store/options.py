"""The configuration of a store, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from langgraph.store.base import TTLConfig

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.operations.sections import texts
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.settings import AgentMemorySettings


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


def _ttl_set(settings: AgentMemorySettings) -> TTLConfig | None:
    """The settings as LangGraph's configuration; None where none of them is set."""
    configured = {
        "default_ttl": settings.store_ttl_minutes,
        "refresh_on_read": settings.store_ttl_refresh_on_read,
        "omit_expired": settings.store_ttl_omit_expired,
        "sweep_interval_minutes": settings.store_ttl_sweep_minutes,
    }
    ttl = {name: value for name, value in configured.items() if value is not None}
    return cast("TTLConfig", ttl) if ttl else None


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
            validation.minutes(value, name)
        elif value is not None:
            validation.flag(value, name)
    return ttl


def _ownership(owner: object, default_tenant: object) -> Ownership:
    if type(owner) is not int or owner < 0:
        raise ConfigurationError(f"owner must be the position of a namespace's label, from 0, not {owner!r}")
    return Ownership(owner=owner, default_tenant=validation.tenant(default_tenant))


def _tiers(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    known = get_args(Tier)
    given = cast("object", tiers)
    if not isinstance(given, list | tuple | set | frozenset) or not tiers or any(tier not in known for tier in tiers):
        raise ConfigurationError(f"tiers must be a non-empty list of {', '.join(map(repr, known))}, not {tiers!r}")
    return tuple(tiers)
