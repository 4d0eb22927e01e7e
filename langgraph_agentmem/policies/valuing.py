"""What another value of the same subject means for the first: it takes its place, perhaps does, or stands beside it."""

import re
from typing import Literal

from langgraph_agentmem.policies import wording
from langgraph_agentmem.policies.assertions import Assertion, without_articles
from langgraph_agentmem.policies.statements import plain

StatementRelation = Literal["same", "replaced", "unclear", "other"]
Rule = Literal[
    "restated", "negation", "state", "amount", "date", "record", "attribute", "one-valued", "place", "choice", ""
]

Found = tuple[StatementRelation, Rule]

_LONGEST_VALUE, _LONGEST_NEW_VALUE, _LONGEST_ITEM, _SHARED = 8, 14, 4, 2
_LIST = re.compile(r",(?=\s)|[;、]|\s(?:and|or|und|oder|et|ou|y|o)\s|\s[/&+]\s")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def value_relation(old: Assertion, new: Assertion) -> Found:
    """What the rules make of two values of the same subject and predicate: a relation, and by which rule."""
    mine, other = old.words, new.words
    if mine == other:
        return "same", "restated"
    if _is_activity(old) or _is_activity(new):  # one may do many things
        return "other", ""
    if _is_list(old.value):
        return ("same", "restated") if _items(old.value) <= _items(new.value) else ("unclear", "")
    if _continues(mine, other):
        return "same", "restated"
    if set(other) < set(mine):  # it says less: perhaps something was taken away, perhaps it was only shortened
        return "unclear", ""
    if frozenset((old.value.casefold(), new.value.casefold())) in wording.OPPOSITES:
        return "replaced", "state"
    if not _atomic(mine, other, old.value) or len(other) > _LONGEST_NEW_VALUE:
        shared = set(mine) & set(other) - wording.PREPOSITIONS - wording.TAILS - wording.SAYING_NOTHING
        doubtful = old.kind == "one" or is_attribute(old) or len(shared) >= _SHARED
        # the longer a sentence goes on, the less of it is a value of anything
        short = len(mine) <= 2 * _LONGEST_VALUE and len(other) <= 2 * _LONGEST_VALUE
        return ("unclear" if doubtful and short else "other"), ""
    return _of_atoms(old, new)


def _of_atoms(old: Assertion, new: Assertion) -> Found:
    kinds = _kind(old), _kind(new)
    if old.kind == "key" and _holds_many(old):
        return "unclear", "record"
    measured = set(kinds) <= {"date", "amount"}
    if kinds == ("amount", "amount") and _frame(old) == _frame(new):
        return ("unclear" if old.kind == "choice" else "replaced"), "amount"
    if old.kind == "has":  # one may have many things
        return "other", ""
    if "date" in kinds and measured and _same_preposition(old, new):
        return "replaced", "date"
    if old.kind == "one" and (kinds[0] == kinds[1] or measured):
        return "replaced", "one-valued"
    if old.kind == "choice":
        return ("replaced", "choice") if kinds[0] == kinds[1] else ("other", "")
    if old.kind == "key" and new.kind == "key":
        return _of_keys(old, kinds)
    return _of_copulas(old, new, kinds)


def _of_copulas(old: Assertion, new: Assertion, kinds: tuple[str, str]) -> Found:
    if not _same_preposition(old, new):
        return "other", ""
    only = bool(set(old.named) & wording.SUPERLATIVES) and old.head in wording.ATTRIBUTES
    plain = kinds == ("words", "words") and not (only or old.head in wording.DESCRIBED or _same_beginning(old, new))
    if is_attribute(old) and not plain and (kinds[0] == kinds[1] or (only and set(kinds) == {"name", "words"})):
        return "replaced", "attribute"
    if kinds == ("name", "name") and _is_role(old):
        return "replaced", "attribute"
    if kinds == ("name", "name") and old.words[0] in wording.PREPOSITIONS:
        return "replaced", "place"
    if old.words[0] in wording.ADJECTIVES_OF_MANY:
        return "other", ""
    alike = kinds[0] == kinds[1] and (kinds[0] != "words" or (_begins_with_article(old) and _begins_with_article(new)))
    shared = set(old.words) & set(new.words) - wording.PREPOSITIONS
    return ("unclear", "") if len(old.words) <= 5 and (alike or shared or is_attribute(old)) else ("other", "")


def _same_beginning(old: Assertion, new: Assertion) -> bool:
    """Whether both values begin with the same preposition: "on the third floor", "on the fifth floor"."""
    return old.words[0] == new.words[0] and old.words[0] in wording.PREPOSITIONS


def _begins_with_article(assertion: Assertion) -> bool:
    return assertion.value.split()[0].casefold() in wording.ARTICLES


def _of_keys(old: Assertion, kinds: tuple[str, str]) -> Found:
    """A key of a record has one value, unless it may be somebody who speaks, or a title of remarks."""
    phrase = len(old.named) > 1 and not old.titled and kinds == ("name", "name")
    sure = old.machine or is_attribute(old) or (_is_role(old) and kinds == ("name", "name")) or phrase
    return ("replaced" if sure else "unclear"), "record"


def _holds_many(key: Assertion) -> bool:
    """Whether a key's name says that it holds one of several values, or it may belong to another record of a list."""
    return key.head in wording.MANY_VALUED_KEYS or _plural(key.head) or key.named in {("name",), ("id",)}


def _is_activity(assertion: Assertion) -> bool:
    return assertion.kind in {"is", "was"} and len(assertion.words) > 1 and assertion.words[0].endswith("ing")


def _plural(noun: str) -> bool:
    return noun.endswith("s") and not noun.endswith(("ss", "us", "is")) and noun not in wording.ATTRIBUTES


def is_attribute(assertion: Assertion) -> bool:
    """Whether a subject is something of which there is one value at a time: a deadline, a favourite colour."""
    named = assertion.named
    if not named or named[0] in wording.UNRESOLVED:
        return False
    superlative = not _ends_in_cjk(named) and bool(set(named) & wording.SUPERLATIVES)
    return superlative or _comes_to(assertion, wording.ATTRIBUTES)


def _is_role(assertion: Assertion) -> bool:
    return _comes_to(assertion, wording.ROLES)


def _comes_to(assertion: Assertion, nouns: frozenset[str]) -> bool:
    """Whether the noun of a subject is one of these; Chinese and Japanese ones end with it."""
    if _ends_in_cjk(assertion.named):
        whole = "".join(assertion.named)
        return any(whole.endswith(noun) for noun in nouns if noun[0] >= "\u3040")
    return assertion.head in nouns


def _ends_in_cjk(words: tuple[str, ...]) -> bool:
    return bool(words) and "\u3040" <= words[-1][-1] <= "\u9fff"


def _is_list(value: str) -> bool:
    parts = [part for part in _LIST.split(value) if part.strip()]
    if any(len(part.split()) > _LONGEST_ITEM for part in parts):  # a sentence that goes on
        return False
    return len(parts) > 1 and not (len(parts) == 2 and "," in value and _is_place(parts)) and not wording.is_date(value)


def _is_place(parts: list[str]) -> bool:
    """Whether two parts are a town and its country, or the like."""
    return all(part.strip()[:1].isupper() and len(part.split()) <= 2 for part in parts)


def _items(value: str) -> set[tuple[str, ...]]:
    return {without_articles(part) for part in _LIST.split(value) if part.strip()}


def _continues(mine: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether the later value begins or ends with the earlier one, and goes on with a remark instead of a change."""
    size = len(mine)
    if len(other) <= size or set(other) & {"to", "instead", "until", "→"}:
        return False
    return other[:size] == mine and not (mine[-1][:1].isdigit() and other[size][:1].isdigit())


def _atomic(mine: tuple[str, ...], other: tuple[str, ...], value: str) -> bool:
    """Whether a value says one thing, so that nothing else is lost with it; a common end does not count."""
    mine = mine[: len(mine) - _common_end(mine, other)] or mine
    if len(mine) > _LONGEST_VALUE or ";" in value:
        return False
    goes_on = set(mine[1:]) & (wording.TAILS | wording.PREPOSITIONS - {"of", "de"})
    return not goes_on or (not goes_on & wording.TAILS and all(wording.of_date(word) for word in mine))


def _common_end(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    size = 0
    while size < min(len(a), len(b)) and a[-1 - size] == b[-1 - size]:
        size += 1
    return size


def _kind(assertion: Assertion) -> str:
    """What a value is: a date, an amount, a name, or other words."""
    if wording.is_date(assertion.value):
        return "date"
    significant = [word for word in assertion.words if word not in wording.PREPOSITIONS]
    if significant and significant[0][0].isdigit():
        return "amount"
    written = [
        word
        for word in re.findall(r"\w[\w'’.-]*", assertion.value)
        if plain(word) not in wording.PREPOSITIONS | wording.ARTICLES
    ]
    first = written[0] if written else ""
    if (first and (not first.islower() or any(char.isdigit() for char in first))) or "\u3040" <= first[:1] <= "\u9fff":
        return "name"
    return "words"


def _frame(assertion: Assertion) -> str:
    """A value with its numbers left out: `# requests per minute`."""
    return _NUMBER.sub("#", " ".join(assertion.words))


def _same_preposition(old: Assertion, new: Assertion) -> bool:
    mine, other = old.words[0], new.words[0]
    given = {word for word in (mine, other) if word in wording.PREPOSITIONS}
    return not given or mine == other or (old.kind == "key" or new.kind == "key")
