"""Fuses the arms of a search into one score, and orders hits.

A hit's score is the weighted mean of its arms. Every arm is absolute (a similarity, a share of the best BM25 that the
question allows, a share of the question's entities), not relative to the other hits, so that a score means the same in
every result. A weighted mean of scores keeps how much better a hit is, which fusion by ranks discards (Bruch, Gai and
Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.policies.weighing import label_words, without_label
from langgraph_agentmem.policies.words import Reader

WEIGHTS = {"lexical": 0.45, "vector": 0.55, "label": 0.12, "graph": 0.10, "date": 0.10}
"""Of those arms that take part: vectors where there is an embedder, the others where the question names something of
theirs that a chunk has. Chosen by benchmarks/locomo.py."""
SHORT_ITEM, LONGEST_ITEM, LONGER_ITEM = 4, 1_000, 0.15
"""An item of n chunks, more than 4, scores its best one's divided by 1 + 0.15 ln(n / 4), with n at most 1,000: the best
of many is like a question by accident more easily. Chosen by benchmarks/beam.py."""
LEAST_RECENCY = 0.3
"""What the score of the oldest chunk still counts, where newer ones are preferred."""


_LEAST_SHARE = 0.15
"""Of the score of what was replaced, or perhaps was, that the later one must have."""
_LEAST_WORDS = 3
_NEAR = 5
"""Places in a section within which a chunk may have taken another one's."""


class _Said(NamedTuple):
    """Who says something, or of what it is the value; and its words, which do not tell when."""

    label: str | None
    words: set[str]


def ranked(hits: list[SearchHit], limit: int, reader: Reader) -> list[SearchHit]:
    """The best hits first; equal scores by chunk id.

    A hit that perhaps took the place of an earlier one comes directly before it, if that stands higher: what is newer
    is more likely to hold. It is one that the rules could not decide on, or that stands in the section's present value
    about where the earlier one, which is no longer there, stood, and shares words with it. That moves nothing else:
    what was said and has only scrolled out of its section keeps its place.
    """
    later = _later(hits, reader)
    place = {hit.chunk_id: hit.score for hit in hits}
    by_age = sorted(hits, key=_age)
    for hit in by_age:
        for other in later[hit.chunk_id]:
            place[other.chunk_id] = max(place[other.chunk_id], place[hit.chunk_id])
    behind: dict[int, int] = {}
    for hit in reversed(by_age):
        before = [
            behind[other.chunk_id] for other in later[hit.chunk_id] if place[other.chunk_id] == place[hit.chunk_id]
        ]
        behind[hit.chunk_id] = 1 + max(before, default=-1)
    first = sorted(hits, key=lambda hit: (-place[hit.chunk_id], behind[hit.chunk_id], hit.chunk_id))[:limit]
    return [_behind(hit, later[hit.chunk_id], place) for hit in first]


def newer_first(hits: Sequence[SearchHit]) -> list[SearchHit]:
    """Hits as another ranking has ordered them, but what perhaps took a hit's place directly before it still."""
    ordered = list(hits)
    for hit in hits:
        for newer in [other for other in ordered if other.chunk_id in hit.behind]:
            if ordered.index(newer) > ordered.index(hit):
                ordered.remove(newer)
                ordered.insert(ordered.index(hit), newer)
    return ordered


def weights(row: Mapping[str, Any]) -> dict[str, float]:
    """What the arms weigh that took part in a search, as it says; together 1."""
    part = {"vector": row["vector"] is not None, **{arm: row[f"by_{arm}"] for arm in ("label", "graph", "date")}}
    taking = {arm: weight for arm, weight in WEIGHTS.items() if part.get(arm, True)}
    return {arm: weight / sum(taking.values()) for arm, weight in taking.items()}


def _behind(hit: SearchHit, later: list[SearchHit], place: dict[int, float]) -> SearchHit:
    """A hit, with what comes before it as it perhaps took its place, though it scored less."""
    ids = [other.chunk_id for other in later if place[other.chunk_id] == place[hit.chunk_id]]
    return hit.model_copy(update={"behind": ids}) if ids else hit


def _later(hits: list[SearchHit], reader: Reader) -> dict[int, list[SearchHit]]:
    """Of each hit, those that perhaps took its place; of several that stand there now, the best."""
    by_id = {hit.chunk_id: hit for hit in hits}
    present: dict[tuple[int, str], list[SearchHit]] = {}
    for hit in hits:
        if hit.current:
            present.setdefault((hit.memory_id, hit.section_id), []).append(hit)

    @cache
    def said(id: int) -> _Said:
        return _said(by_id[id], reader)  # only of the few that stand near each other

    found: dict[int, list[SearchHit]] = {}
    for hit in hits:
        unclear = [by_id[id] for id in hit.unclear_with if id in by_id and _perhaps_took_place(by_id[id], hit)]
        there = [] if hit.current else present.get((hit.memory_id, hit.section_id), [])
        taking = [other for other in there if _took_place(other, hit, said)]
        found[hit.chunk_id] = unclear + sorted(taking, key=lambda other: (-other.score, other.chunk_id))[:1]
    return found


def _perhaps_took_place(new: SearchHit, old: SearchHit) -> bool:
    return _age(new) > _age(old) and new.score >= _LEAST_SHARE * old.score


def _took_place(new: SearchHit, old: SearchHit, said: Callable[[int], _Said]) -> bool:
    near = new.start_date > old.start_date and abs(new.chunk_order - old.chunk_order) <= _NEAR
    if not near or new.score < _LEAST_SHARE * old.score:
        return False
    ours, theirs = said(new.chunk_id), said(old.chunk_id)
    spoken = ours.label is not None and theirs.label is not None
    if spoken and ours.label != theirs.label:
        return False
    # short ones share less; and who speaks of the same things has words in common by accident
    half = -(-min(len(ours.words), len(theirs.words)) // 2)
    enough = half if spoken else min(_LEAST_WORDS, half)
    return 0 < enough <= len(ours.words & theirs.words)


def _said(hit: SearchHit, reader: Reader) -> _Said:
    words = {word.text for word in reader.words(without_label(hit.content)) if not word.empty}
    return _Said(label_words(hit.content, reader), words)


def _age(hit: SearchHit) -> tuple[datetime, int]:
    return hit.start_date, hit.chunk_id
