"""How an old text relates to a new one: what of it has ended, what is left of it."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, islice

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.policies.assertions import Assertion, assertion_of
from langgraph_agentmem.policies.judging import REMARKS, Judgement, judge
from langgraph_agentmem.policies.statements import Statement, stated, statements, words_of
from langgraph_agentmem.policies.valuing import is_attribute

_WORD = re.compile(r"\w+(?:[.,:/-]\w+)*", re.UNICODE)
_NONE = Judgement(relation="other")
_RELATED, _RELATED_OTHERS = 0.1, 0.5
"""From this share of common words on, a statement has to do with another one; the second, where that is about something
else."""
_JUDGED = 24
"""New statements that one old statement is compared with; a chunk of usual length holds fewer."""

Keys = frozenset[tuple[str, ...]]
"""Subjects that several lines of a section begin with, each with another value."""
_OF_WHAT_IS_SAID = frozenset({"", "record", "restated"})
"""Rules that see likeness, which is no sign of a correction among what people say: they thank each other every day."""


class SectionForm(Value):
    """How a section is written, as its new chunks tell.

    Attributes:
        speakers: What only looks like a key, as it stands before several values.
        spoken: Whether they are a conversation: they begin with a speaker, who speaks again.
    """

    speakers: Keys = frozenset()
    spoken: bool = False


_PLAIN = SectionForm()


class Match(Value):
    """How an old chunk relates to a new one.

    Attributes:
        replaced: How many of its statements the new one surely says anew or replaces.
        unclear: How many it may replace.
        rule: By which it does, or may.
        similarity: Of their closest statements, 0 to 1.
        leftover: The statements that it does not surely replace, one a line.
    """

    replaced: int
    unclear: int
    rule: str
    similarity: float
    leftover: str


def compare(old: ConflictChunk, new: ConflictChunk, precision: float, form: SectionForm = _PLAIN) -> Match:
    """How a chunk that its section no longer holds relates to a new one, statement by statement.

    That some of its statements are said again, and others are not, replaces nothing.

    Args:
        old: The chunk.
        new: The new one.
        precision: How often the endings by a rule must be right for the rule to be followed.
        form: Of the new one's section.
    """
    mine, theirs = stated(old.content, old.place), stated(new.content, new.place)
    candidates = _Candidates(theirs)
    spoken = form.spoken and _label(old) is not None
    found = [_best(statement, candidates, precision, form.speakers, spoken) for statement in mine]
    sure = [judgement.relation in {"same", "replaced"} for judgement in found]
    ends = any(judgement.relation == "replaced" for judgement in found) or (bool(sure) and all(sure))
    leading = max(found, key=lambda j: (_ORDER[j.relation], j.similarity), default=_NONE)
    left = [statement.alone for statement, gone in zip(mine, sure, strict=True) if not gone]
    return Match(
        replaced=sum(sure) if ends else 0,
        unclear=sum(judgement.relation == "unclear" for judgement in found),
        rule=leading.rule,
        similarity=max((judgement.similarity for judgement in found), default=0.0),
        leftover="\n".join(left),
    )


_ORDER = {"other": 0, "unclear": 1, "same": 2, "replaced": 3}


class _Candidates:
    """Statements that others are compared with: all of a few; of very many, those that share most words."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        self._holders: dict[str, list[int]] = {}
        for place, statement in enumerate(statements if len(statements) > _JUDGED else ()):
            for word in dict.fromkeys(words_of(statement.alone)):
                self._holders.setdefault(word, []).append(place)

    def nearest(self, old: Statement) -> Sequence[Statement]:
        if len(self._statements) <= _JUDGED:
            return self._statements
        # words that many hold tell little apart, and would take long
        rare = (held for word in dict.fromkeys(words_of(old.alone)) if len(held := self._holders.get(word, [])) <= 50)
        shared = Counter(place for held in rare for place in held)
        places = dict.fromkeys([*(place for place, _ in shared.most_common(_JUDGED)), *range(_JUDGED)])
        return [self._statements[place] for place in sorted(islice(places, _JUDGED))]


def _best(old: Statement, new: _Candidates, precision: float, speakers: Keys, spoken: bool) -> Judgement:
    judged = [_followed(judge(old, statement), old, precision, speakers, spoken) for statement in new.nearest(old)]
    return max(judged, key=lambda j: (_ORDER[j.relation], j.similarity), default=_NONE)


def _followed(judgement: Judgement, old: Statement, precision: float, speakers: Keys, spoken: bool) -> Judgement:
    """A judgement, as far as its rule is sure enough."""
    if judgement.relation in {"other", "same"}:
        return judgement
    assertion = assertion_of(old)
    if assertion is not None and assertion.kind == "key" and assertion.subject in speakers:
        return judgement._replace(relation="other")
    if spoken and judgement.relation == "unclear" and judgement.rule in _OF_WHAT_IS_SAID and not _telling(assertion):
        return judgement._replace(relation="other")
    if judgement.relation == "replaced" and judgement.precision < precision:
        return judgement._replace(relation="unclear")
    return judgement


def _telling(assertion: Assertion | None) -> bool:
    """Whether it is about what has one value at a time, so that another one may be a correction."""
    return assertion is not None and (assertion.kind == "one" or is_attribute(assertion))


def section_form(chunks: Sequence[ConflictChunk]) -> SectionForm:
    """How a section is written whose new chunks these are."""
    labels = [_label(chunk) for chunk in chunks]
    spoken = bool(labels) and labels[0] is not None and labels.count(labels[0]) > 1
    return SectionForm(speakers=_repeated_keys(chunks), spoken=spoken)


def _label(chunk: ConflictChunk) -> str | None:
    """Who says it, or of what it is the value: what its first statement begins with."""
    first = next(iter(stated(chunk.content, chunk.place)), None)
    assertion = assertion_of(first) if first is not None else None
    if assertion is not None and assertion.kind == "key":
        return " ".join(assertion.subject)
    said = [label for label in first.labels if label not in REMARKS] if first is not None else []
    return said[0] if said else None


def _repeated_keys(chunks: Sequence[ConflictChunk]) -> Keys:
    """What stands before several values in the same section, as speakers and kinds of remarks do."""
    assertions = (assertion_of(statement) for chunk in chunks for statement in stated(chunk.content, chunk.place))
    keyed = sorted(
        {
            (assertion.subject, assertion.words)
            for assertion in assertions
            if assertion is not None and assertion.kind == "key"
        }
    )
    groups = ((subject, list(values)) for subject, values in groupby(keyed, key=lambda pair: pair[0]))
    return frozenset(subject for subject, values in groups if len(values) > 1)


def lost_by(old: str, new: str) -> str:
    """The statements of an old text that have nothing to do with a new one, one a line."""
    theirs = stated(new)
    return "\n".join(mine.alone for mine in stated(old) if not any(_related(mine, other) for other in theirs))


def have_to_do_with_each_other(old: str, new: str) -> bool:
    """Whether any two statements of two texts share a word that not every statement may hold."""
    pairs = (judge(mine, other) for mine in stated(old) for other in stated(new))
    return any(judgement.relation != "other" or judgement.similarity > 0 for judgement in pairs)


def _related(old: Statement, new: Statement) -> bool:
    judgement = judge(old, new)
    if judgement.relation != "other":
        return True
    mine, other = assertion_of(old), assertion_of(new)
    about_others = mine is not None and other is not None and mine.subject != other.subject
    return judgement.similarity >= (_RELATED_OTHERS if about_others else _RELATED)


def unsaid_by(old: str, new: str) -> str:
    """The statements of an old text that have a word which a new text lacks, one a line; articles do not count."""
    new_words = words(new)
    return "\n".join(statement for statement in statements(old) if set(words_in_order(statement)) - new_words)


def name_similarity(a: str, b: str) -> float:
    """Similarity of two names or statements without an embedder, 0 to 1: rapidfuzz's indel ratio, case-folded."""
    from rapidfuzz import fuzz  # noqa: PLC0415 - fifty modules, which only runs and reviews need

    return fuzz.ratio(a.casefold(), b.casefold()) / 100


def overlap_coefficient(a: list[str], b: list[str]) -> float:
    """|A∩B| / min(|A|, |B|) of two lists of types, case-folded; 1 where one is empty: nothing speaks against it."""
    left, right = {t.casefold() for t in a}, {t.casefold() for t in b}
    return len(left & right) / min(len(left), len(right)) if left and right else 1.0


def words(text: str) -> set[str]:
    """The distinct words and numbers of a text, case-folded."""
    return {word.casefold() for word in _WORD.findall(text)}


def survival(sources: list[str], merged: str) -> float:
    """Share of a source's distinct words, or of its numbers, that a merged text keeps; for what fares worst."""
    kept = words(merged)
    wanted = [words(source) for source in sources]
    wanted += [{word for word in distinct if any(c.isdigit() for c in word)} for distinct in wanted]
    return min((len(distinct & kept) / len(distinct) for distinct in wanted if distinct), default=1.0)


def words_in_order(text: str) -> list[str]:
    """The words of a text, case-folded, articles left out."""
    return [w for w in (word.casefold() for word in _WORD.findall(text)) if w not in {"the", "a", "an"}]
