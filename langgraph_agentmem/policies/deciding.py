"""What a person's decisions come to."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import Field, ValidationError

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.chunk import Origin
from langgraph_agentmem.models.review import Dispute, DisputedValue, ReviewDecision, TombstoneKey
from langgraph_agentmem.policies import matching, naming, rejecting, validation
from langgraph_agentmem.policies.matching import overlap_coefficient
from langgraph_agentmem.policies.statements import statements


class NewText(Value):
    """A text that a review writes as a chunk.

    Attributes:
        replaces: The chunks that it takes the place of; none for what is left over.
    """

    section_id: str
    text: str
    origin: Origin
    sources: list[int]
    replaces: list[int] = Field(default_factory=list[int])


class ChunkOutcome(Value):
    """What a decision on chunks does.

    Attributes:
        superseded: (chunk, the chunk that takes its place).
        rejected: What the decision keeps from coming back.
        outdated: Why it cannot be carried out any more; then it does nothing.
    """

    superseded: list[tuple[int, int]] = Field(default_factory=list[tuple[int, int]])
    texts: list[NewText] = Field(default_factory=list[NewText])
    rejected: list[TombstoneKey] = Field(default_factory=list[TombstoneKey])
    outdated: str = ""


def read_decisions(decisions: object, *, limit: int) -> list[ReviewDecision]:
    """Decisions as a caller gives them: a list of `ReviewDecision` or of its plain form.

    Raises:
        InvalidInputError: One is malformed, or a dispute is decided twice.
    """
    if isinstance(decisions, str | bytes | Mapping) or not isinstance(decisions, Sequence) or not decisions:
        raise InvalidInputError(
            f'decisions must be a non-empty list such as [{{"dispute": 1, "action": "accept"}}], not {decisions!r}'
        )
    read = [_decision(decision, limit) for decision in cast("Sequence[object]", decisions)]
    twice = sorted({d.dispute for d in read if sum(other.dispute == d.dispute for other in read) > 1})
    if twice:
        raise InvalidInputError(f"dispute {twice[0]} is decided more than once; decide each dispute once")
    return read


def _decision(plain: object, limit: int) -> ReviewDecision:
    try:
        decision = plain if isinstance(plain, ReviewDecision) else ReviewDecision.model_validate(plain, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "a decision"
        raise InvalidInputError(f"{where}: {problem['msg']} (got {problem['input']!r})") from None
    validation.identifier(decision.dispute, "dispute")
    validation.text(decision.reason, "reason", limit=limit)
    if decision.action == "override":
        text = validation.text(decision.text, "text", limit=limit)
        if not text.strip():
            raise InvalidInputError(
                "text must not be empty: it takes the place of both values; use keep_both or reject"
            )
    elif decision.text is not None:
        raise InvalidInputError(f"text goes with the action override only, not with {decision.action}")
    if decision.value != "new" and decision.action != "reject":
        raise InvalidInputError(f"value says what is rejected; it does not go with {decision.action}")
    return decision


def check(dispute: Dispute, decision: ReviewDecision) -> None:
    """Refuse a decision that a dispute of this kind does not know.

    Raises:
        InvalidInputError: Merged texts and entities can only be rejected as new; relationships that have other ends
            cannot be overridden.
    """
    if decision.action == "reject" and decision.value == "existing" and dispute.kind in {"merge", "entity"}:
        raise InvalidInputError(
            f"dispute {dispute.id} is about {_KINDS[dispute.kind]}: only the new value can be rejected"
        )


_KINDS = {"merge": "a text in the place of several chunks", "entity": "two entities"}


def outcome(dispute: Dispute, decision: ReviewDecision) -> ChunkOutcome:
    """What a decision on chunks or on a merged text does, as these are now."""
    if dispute.kind == "merge":
        return _merge_outcome(dispute, decision)
    [existing], new = dispute.existing_now, dispute.new_now
    if decision.action == "override":
        return _overridden([existing, new], decision.text or "")
    if decision.action == "reject":
        return _rejected(*((new, existing) if decision.value == "new" else (existing, new)))
    if decision.action == "accept" and dispute.verdict.action == "supersede" and existing.valid and existing.id:
        left = _leftovers(existing, dispute.verdict.leftover)
        return ChunkOutcome(superseded=[(existing.id, _id(new))], texts=left)
    return ChunkOutcome()


def _rejected(loser: DisputedValue, winner: DisputedValue) -> ChunkOutcome:
    """The loser ends in favour of the winner; what has nothing to do with that one stays."""
    left = matching.lost_by(loser.content, winner.content)
    # the two have nothing in common: then all of the loser was rejected, instead of nothing
    if len(statements(left)) == len(statements(loser.content)):
        left = ""
    spared = set(rejecting.statement_keys(left))
    keys: list[TombstoneKey] = [
        ("statement", key) for key in rejecting.statement_keys(loser.content) if key not in spared
    ]
    # it has ended otherwise; what it says is kept from coming back all the same
    if not loser.valid:
        return ChunkOutcome(rejected=keys)
    return ChunkOutcome(superseded=[(_id(loser), _id(winner))], texts=_leftovers(loser, left), rejected=keys)


def _overridden(values: Sequence[DisputedValue], text: str) -> ChunkOutcome:
    """A text takes the place of what is still valid; what has to do with neither the other value nor it, stays."""
    valid = [value for value in values if value.valid]
    if not valid:
        return ChunkOutcome(
            outdated="neither value is valid any more, so there is nothing for a text to take the place of"
        )
    texts = [_replacing(valid, text)]
    for value in valid:
        left = value.content
        for other in (*(v.content for v in values if v is not value), text):
            left = matching.lost_by(left, other)
        texts += _leftovers(value, left)
    return ChunkOutcome(texts=texts)


def _merge_outcome(dispute: Dispute, decision: ReviewDecision) -> ChunkOutcome:
    valid = [value for value in dispute.existing_now if value.valid]
    if decision.action == "reject":
        return ChunkOutcome(rejected=[("merge", rejecting.merge_key(dispute.verdict.text))])
    if decision.action == "override" and valid:
        text = decision.text or ""
        left = [chunk for v in valid for chunk in _leftovers(v, matching.lost_by(v.content, text))]
        return ChunkOutcome(texts=[_replacing(valid, text), *left])
    if decision.action == "accept" and len(valid) == len(dispute.existing_now):
        written = [_replacing(valid, dispute.verdict.text)]
        if dispute.verdict.leftover:
            ids = [_id(value) for value in valid]
            section = dispute.section_id or ""
            written += [NewText(section_id=section, text=dispute.verdict.leftover, origin="leftover", sources=ids)]
        return ChunkOutcome(texts=written)
    if decision.action in {"override", "accept"}:
        return ChunkOutcome(
            outdated="its sources are not valid any more, so the text would bring back what was replaced"
        )
    return ChunkOutcome()


def _replacing(values: Sequence[DisputedValue], text: str) -> NewText:
    ids = [_id(value) for value in values]
    return NewText(section_id=values[0].section_id or "", text=text, origin="merge", sources=ids, replaces=ids)


def _leftovers(value: DisputedValue, text: str) -> list[NewText]:
    if not text:
        return []
    return [NewText(section_id=value.section_id or "", text=text, origin="leftover", sources=[_id(value)])]


def _id(value: DisputedValue) -> int:
    assert value.id is not None
    return value.id


def entity_keys(new: Json, existing: Json) -> list[TombstoneKey]:
    """What is rejected of a new entity: its types that the other one lacks, or it as a whole."""
    same = naming.same(new["name"], existing["name"])
    keys = rejecting.entity_keys(new["name"], _own_types(new, existing) if same else ())
    return [("entity", key) for key in keys]


def relationship_keys(loser: Json, winner: Json) -> list[TombstoneKey]:
    """What is rejected of a relationship: its types, without those that one with the same ends has, too."""
    types = _own_types(loser, winner) if same_ends(loser, winner) else loser["types"]
    keys = rejecting.relationship_keys(loser["source"], loser["target"], types)
    return [("relationship", key) for key in keys]


def same_ends(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two relationships lead from and to entities of the same names."""
    return all(naming.same(a[end], b[end]) for end in ("source", "target"))


def _own_types(mine: Json, others: Json) -> list[str]:
    return [
        type_ for type_ in mine["types"] if not others["types"] or not overlap_coefficient([type_], others["types"])
    ]
