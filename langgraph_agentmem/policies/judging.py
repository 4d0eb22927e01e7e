"""Whether a statement ends an earlier one: what the rules believe, and how sure they are.

A memory must not drop what is true. So the rules end a statement only by what they know to leave no room: the same
words again, a negation of the same words, or another value of a subject's attribute that has one value at a time. What
only looks like that is `unclear`: both stay, and a model or a person may decide.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from langgraph_agentmem.policies import wording
from langgraph_agentmem.policies.assertions import assertion_of, valued, without_articles
from langgraph_agentmem.policies.statements import Statement, plain, words_of
from langgraph_agentmem.policies.valuing import Found, Rule, StatementRelation, value_relation

PRECISION: dict[str, float] = {
    "restated": 1.0, "negation": 0.99, "state": 0.99, "amount": 0.98, "date": 0.98, "record": 0.98, "attribute": 0.98,
    "one-valued": 0.98, "place": 0.98, "choice": 0.8,
}  # fmt: skip
"""How many of the endings by each rule are right. `benchmarks/conflicts.py` shows 1.0 for those at .98 and above; they
stand lower, as its pairs are few. A choice is right in four of five: people have tea and coffee."""

REMARKS = wording.ANNOTATIONS - wording.SPEAKERS
"""Labels that say what kind of remark follows (`TODO`), not who speaks."""
_RELATED, _ALIKE, _SHARED = 0.6, 0.3, 2
_QUOTE = re.compile(r"[\"“”„«»「」『』]")
_DONE = re.compile(r"已经|现在|目前|了(?=[。！\s]*$)")
_IRREGULAR = {
    "is": "be",
    "are": "be",
    "am": "be",
    "was": "be",
    "were": "be",
    "has": "have",
    "had": "have",
    "having": "have",
}


class Judgement(NamedTuple):
    """What the rules believe about an earlier statement and a later one.

    Attributes:
        relation: The later one says the `same`, or what takes the place of the earlier one (`replaced`); nobody can say
            without knowing more (`unclear`); or both may be true (`other`).
        rule: Which one ends the earlier statement, or would if it were sure enough.
        similarity: Share of common words, 0 to 1.
    """

    relation: StatementRelation
    rule: Rule = ""
    similarity: float = 0.0

    @property
    def precision(self) -> float:
        """How many endings by its rule are right, 0 to 1."""
        return PRECISION.get(self.rule, 0.0)


@lru_cache(maxsize=16384)
def judge(old: Statement, new: Statement) -> Judgement:
    """Whether a later statement of the same section ends an earlier one that the section no longer holds."""
    similarity = _similarity(old, new)
    if _says_same(old, new):
        return Judgement(relation="same", rule="restated", similarity=1.0)
    if old.code or new.code:
        related = old.code and new.code and old.path == new.path and similarity >= _RELATED
        return Judgement(relation="unclear" if related else "other", similarity=similarity)
    if old.identifies or new.identifies:  # another record, or the same by another name: what is in them tells
        return Judgement(relation="other", similarity=similarity)
    if _asks(old) or _asks(new) or not _same_speaker(old, new) or _of_something_unnamed(old, new):
        return Judgement(relation="other", similarity=similarity)
    found = _by_negation(old, new) or _by_assertions(old, new)
    if found is None:
        found = ("unclear" if _resembles(old, new, similarity) else "other"), ""
    relation, rule = _toned_down(old, new, similarity, *found)
    return Judgement(relation=relation, rule=rule, similarity=similarity)


def _toned_down(old: Statement, new: Statement, similarity: float, relation: StatementRelation, rule: Rule) -> Found:
    """What is left of a finding where one of the two is not simply claimed, or they have little in common."""
    if relation in {"same", "replaced"} and not _plainly_said(old, new):
        relation = "unclear"
    # without a rule, sharing a subject and little else says nothing: "I am" begins too many sentences
    alike = rule or similarity >= _ALIKE
    if relation in {"replaced", "unclear"} and (_adds(new) or not alike):
        return "other", ""
    return relation, rule


def _says_same(old: Statement, new: Statement) -> bool:
    if old.labels and new.labels and old.labels != new.labels and _first_person(old):
        return False
    if _at_other_moments(old, new):
        return False
    return _all_words(old) == _all_words(new)


def _at_other_moments(old: Statement, new: Statement) -> bool:
    return bool(old.moment and new.moment) and old.moment != new.moment


def _all_words(statement: Statement) -> tuple[str, ...]:
    said = statement.text if statement.code else statement.said
    return without_articles(" ".join((*statement.path, said))) if words_of(said) else (plain(said),)


def _asks(statement: Statement) -> bool:
    return statement.said.rstrip("\"'”» ").endswith(("?", "？"))


def _same_speaker(old: Statement, new: Statement) -> bool:
    """Whether two statements may be about the same "I"; remarks say nothing about that."""
    mine = {label for label in old.labels if label not in REMARKS}
    other = {label for label in new.labels if label not in REMARKS}
    return not (mine and other and mine != other and (_first_person(old) or _first_person(new)))


@lru_cache(maxsize=4096)
def _first_person(statement: Statement) -> bool:
    return any(word.split("'")[0] in wording.FIRST_PERSON for word in words_of(statement.said))


def _plainly_said(old: Statement, new: Statement) -> bool:
    """Whether both are simply claimed, at no moments that differ."""
    if _at_other_moments(old, new):
        return False
    for statement in (old, new):
        assertion, words = assertion_of(statement), words_of(statement.said)
        # what is quoted as a whole is a value; what is quoted within something else, somebody said
        if _QUOTE.search(
            f"{' '.join(assertion.named)} {assertion.value}" if assertion else statement.said.strip("\"'“”")
        ):
            return False
        if (words and words[0] in wording.HEDGES) or set(words) & {"maybe", "perhaps", "possibly", "probably", "might"}:
            return False
        if set(words) & wording.REPORTING:
            return False
    return True


def _of_something_unnamed(old: Statement, new: Statement) -> bool:
    """Whether only the context says what one of them is about ("that is great"), so that nobody can compare them."""
    if old.path or new.path:
        return False
    for statement in (old, new):
        assertion = assertion_of(statement)
        subject = assertion.named if assertion else words_of(statement.said)[:1]
        if subject and subject[0] in wording.UNRESOLVED:
            return True
    return False


def _adds(new: Statement) -> bool:
    return bool(set(words_of(new.said)) & wording.ADDITIVE)


def _by_negation(old: Statement, new: Statement) -> Found | None:
    """The same words, denied once: the later one holds."""
    mine, denied_old = _core(old)
    other, denied_new = _core(new)
    if denied_old == denied_new or not mine:
        return None
    if mine == other:
        return "replaced", "negation"
    if _about_others(old, new):
        return "other", ""
    # one says more than the other
    shared = len(set(mine) & set(other))
    close = shared >= _SHARED + 1 and shared / len(set(mine) | set(other)) >= _RELATED
    return ("unclear", "negation") if close else ("other", "")


def _about_others(old: Statement, new: Statement) -> bool:
    mine, other = assertion_of(old), assertion_of(new)
    return mine is not None and other is not None and mine.subject != other.subject


@lru_cache(maxsize=4096)
def _core(statement: Statement) -> tuple[tuple[str, ...], bool]:
    """(the stems of what is asserted or denied, whether it is denied)."""
    said = statement.said
    bare = said.rstrip("。.!！ ")
    if any("\u3040" <= char <= "\u30ff" for char in bare):
        for denial, assertion in wording.JAPANESE_NEGATIVES:
            for ending, denied in ((denial, True), (assertion, False)):
                if ending and bare.endswith(ending):
                    stems = words_of(bare.removesuffix(ending))
                    return (*words_of(" ".join(statement.path)), *stems), denied
    text = plain(said)
    asserted = wording.NEGATIONS.sub(" ", text)
    words = [
        word for word in without_articles(_DONE.sub("", asserted)) if word not in wording.AUXILIARIES | wording.NOW
    ]
    left = [stem for word in words if (stem := _stem(word)) not in wording.AUXILIARIES]
    return (*words_of(" ".join(statement.path)), *left), asserted != text


def _stem(word: str) -> str:
    if word in _IRREGULAR or word in wording.AUXILIARIES:
        return _IRREGULAR.get(word, word)
    for ending in ("ing", "ies", "es", "ed", "s"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word.removesuffix(ending)
            break
    return word.rstrip("ey") if len(word) > 3 else word


def _by_assertions(old: Statement, new: Statement) -> Found | None:
    mine, other = assertion_of(old), assertion_of(new)
    if mine is None or other is None or mine.subject != other.subject or mine.named == ("there",):
        return None
    if mine.kind == "many" or other.kind == "many":
        return "other", ""
    if mine.predicate != other.predicate:
        return None
    relation, rule = value_relation(mine, other)
    if wording.NEGATIONS.search(plain(old.said)) or wording.NEGATIONS.search(plain(new.said)):
        relation = "unclear" if relation in {"same", "replaced"} else relation
    # what was says nothing about what is
    if relation == "replaced" and "was" in {mine.kind, other.kind}:
        return "unclear", rule
    return relation, rule


@lru_cache(maxsize=4096)
def _content(statement: Statement) -> frozenset[str]:
    return frozenset(
        _stem(word)
        for word in without_articles(" ".join((*statement.path, statement.said)))
        if word not in _EMPTY and (len(word) > 1 or word.isdigit() or word >= "\u3040")
    )


_EMPTY = (
    wording.PREPOSITIONS | wording.AUXILIARIES | wording.QUALIFIERS | wording.UNRESOLVED | wording.FIRST_PERSON
    | wording.HEDGES | wording.TAILS | wording.SAYING_NOTHING
)  # fmt: skip


@lru_cache(maxsize=16384)
def _similarity(old: Statement, new: Statement) -> float:
    """Jaccard index of the stems of their words, without those that any statement may hold."""
    mine, other = _content(old), _content(new)
    return round(len(mine & other) / len(mine | other), 3) if mine and other else 0.0


def _resembles(old: Statement, new: Statement, similarity: float) -> bool:
    """Whether so much of two statements is the same that one may be a new version of the other."""
    if old.path != new.path and valued(" ".join(old.path)) != valued(" ".join(new.path)):
        return False
    mine, other = _content(old), _content(new)
    shared = len(mine & other)
    if _about_others(old, new):
        return False
    return (
        shared >= _SHARED
        and similarity >= _RELATED / (2 - _RELATED)
        and shared / min(len(mine), len(other)) >= _RELATED
    )
