"""Fuses the arms of a search into one score, and orders hits.

A hit's score is the weighted mean of its arms. Every arm is absolute (a similarity, a share of the best BM25 that the
question allows, a share of the question's entities), not relative to the other hits, so that a score means the same in
every result. A weighted mean of scores keeps how much better a hit is, which fusion by ranks discards (Bruch, Gai and
Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023).
"""

from langgraph_agentmem.models.search import SearchHit

WEIGHTS = {"lexical": 0.5, "vector": 0.5, "label": 0.12, "graph": 0.10}
"""Of those arms that take part: vectors where there is an embedder, labels and the graph where the question names
one of theirs. Chosen by benchmarks/recall.py."""


def ranked(hits: list[SearchHit], limit: int) -> list[SearchHit]:
    """The best hits first; equal scores by chunk id.

    Of two hits of which the later one perhaps took the place of the earlier one, the later comes first, where the
    better of the two would stand: what is newer is more likely to hold.
    """
    by_id = {hit.chunk_id: hit for hit in hits}
    best = {id: max(hit.score, *(o.score for o in _others(hit, by_id, newer=False)), 0.0) for id, hit in by_id.items()}

    def place(hit: SearchHit) -> tuple[float, bool, int]:
        return -best[hit.chunk_id], any(_others(hit, by_id, newer=True)), hit.chunk_id

    return sorted(hits, key=place)[:limit]


def _others(hit: SearchHit, by_id: dict[int, SearchHit], *, newer: bool) -> list[SearchHit]:
    """Those hits between which and this one the rules could not decide, and that are newer, or older."""
    found = (by_id[id] for id in hit.unclear_with if id in by_id)
    return [o for o in found if ((o.start_date, o.chunk_id) > (hit.start_date, hit.chunk_id)) == newer]
