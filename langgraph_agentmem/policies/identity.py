"""Which stored entity a new one is: one rule for short-term memory, for promotion, and within one extraction."""

from collections.abc import Sequence
from itertools import combinations

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conflict import RecommendedAction
from langgraph_agentmem.policies.entity_types import incompatible
from langgraph_agentmem.policies.matching import overlap_coefficient
from langgraph_agentmem.policies.naming import Likeness


class Known(Value):
    """A stored entity, as far as it tells whether a new one is the same.

    Attributes:
        likeness: Of the names.
    """

    id: int
    types: list[str]
    likeness: Likeness = "same"


class Recommendation(Value):
    """What the rule for entities recommends.

    Attributes:
        action: `merge` into `entity_id`; `create`; or `manual`, where the new one may be one of `possible`.
        possible: Those that neither name nor types exclude.
    """

    action: RecommendedAction
    entity_id: int | None = None
    possible: list[int]


def recommended(types: Sequence[str], known: Sequence[Known], overlapping: float) -> Recommendation:
    """What the rule for entities recommends: merge where the names are the same and the types overlap.

    Args:
        types: The new entity's.
        known: Stored ones.
        overlapping: From which overlap on types fit.
    """
    possible = [k for k in known if k.likeness != "different" and not incompatible(types, k.types)]
    ids = [k.id for k in possible]
    fitting = [k for k in possible if overlap_coefficient(list(types), k.types) >= overlapping]
    chosen = of_one_name(types, [k for k in fitting if k.likeness == "same"])
    if chosen is not None:
        return Recommendation(action="merge", entity_id=chosen, possible=ids)
    return Recommendation(action="manual" if possible else "create", possible=ids)


def of_one_name(types: Sequence[str], known: Sequence[Known]) -> int | None:
    """Which of several stored entities of the same name a new one of these types is; None for none of them.

    Types of incompatible classes part what has one name. Of what is left, the one whose types have most in common with
    the new one's; the oldest of equal ones. Where that may be things that exclude each other, as the new one's types
    say nothing about which, it is none of them, but one whose types are unknown, too.
    """
    possible = [k for k in known if not incompatible(types, k.types)]
    best = max((_in_common(types, k) for k in possible), default=0.0)
    nearest = [k for k in possible if _in_common(types, k) == best]
    if any(incompatible(a.types, b.types) for a, b in combinations(nearest, 2)):
        nearest = [k for k in nearest if not k.types]
    return min((k.id for k in nearest), default=None)


def _in_common(types: Sequence[str], known: Known) -> float:
    # a list without types overlaps with any, but has nothing in common with it
    return overlap_coefficient(list(types), known.types) if types and known.types else 0.0
