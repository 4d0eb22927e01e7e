"""Which names mean the same thing."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Literal

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies.spelling import alike

Likeness = Literal["same", "unclear", "different"]
"""Equal but for their form; so similar that it may be a variant; or names of different things."""

_INVISIBLE = re.compile("[™®©℠\ufe0e\ufe0f\u0640]")
_LEGAL_FORMS = {"incorporated": "inc", "corporation": "corp", "limited": "ltd", "company": "co"}
_WEAK = {
    "the", "an", "der", "die", "das", "le", "la", "les", "el", "los", "las",
    "inc", "corp", "ltd", "co", "llc", "plc", "gmbh", "ag", "kg", "sa", "sarl", "srl", "spa", "bv", "nv", "ab", "oy",
}  # fmt: skip
"""Articles and legal forms: a name without one may, but need not, mean the same."""
_ROMAN = re.compile(r"[ivx]{2,}")
_ACRONYM = re.compile(r"\b[^\W\d_]{2,5}\b")
_THOUSANDS = re.compile(r"\d{1,3}(?:[., ]\d{3})+")
_RESPELLED = 0.75
"""From this similarity on, a word may be a variant of another one."""
_SHORT = 5
_WORD, _NUMBER, _SYMBOL, _GAP = "word", "number", "symbol", "gap"


class _Token(Value):
    text: str
    kind: str


@lru_cache(maxsize=8192)
def key(name: str) -> str:
    """What names have in common that differ in form only.

    Case, Unicode form (composed or not, full width, digits of another script), white space, hyphens, punctuation,
    quotes, "&" for "and", and whether a legal form is written out do not count. Everything else does: digits with what
    stands between them ("1.2" is not "12"), and symbols ("C++" is not "C").
    """
    joined = ""
    for token in _tokens(name):
        # two numbers side by side are not one
        apart = token.kind == _NUMBER and joined and _kind(joined[-1]) == _NUMBER
        joined += f" {token.text}" if apart else token.text
    return joined or " ".join(name.casefold().split())


def same(a: str, b: str) -> bool:
    """Whether two names differ in form only."""
    return key(a) == key(b)


def likeness(a: str, b: str, similarity: float, threshold: float) -> Likeness:
    """What two names are to each other.

    Names that differ in a number, a code or a whole word name different things, however similar they are. A variant
    of a word keeps its first letter, and does not change the last one ("Maria" and "Mario"), nor any letter if it is
    short. What differs by accents, an article, a legal form or the order of its words is unclear; so is any other
    difference from a similarity of `threshold` on.

    Args:
        a: A name.
        b: Another one.
        similarity: Of the names, 0 to 1: by their vectors or their letters.
        threshold: From which on they may mean the same.
    """
    if same(a, b):
        return "same"
    if _plain(a) == _plain(b):
        return "unclear"
    mine, other = _rest(a, b), _rest(b, a)
    # nothing left: another order. Only one of two different legal forms is a variant
    if {t.text for t in (*mine, *other)} <= _WEAK:
        return "different" if mine and other else "unclear"
    mine, other = ([t for t in rest if t.text not in _WEAK] for rest in (mine, other))
    codes = _acronyms(a) | _acronyms(b)
    if any(_is_code(token, codes) for token in (*mine, *other)) or not _respelled(mine, other):
        return "different"
    return "unclear" if similarity >= threshold else "different"


@lru_cache(maxsize=8192)
def _tokens(name: str) -> tuple[_Token, ...]:
    """The words, numbers and symbols of a name, in their common form."""
    text = alike(unicodedata.normalize("NFKC", _INVISIBLE.sub("", name))).casefold().replace("i\u0307", "i")
    # case folding may take letters apart
    text = unicodedata.normalize("NFKC", text).replace("&", " and ")
    tokens: list[tuple[str, str]] = []
    last = _GAP
    for i, char in enumerate(text):
        following = _kind(text[i + 1]) if i + 1 < len(text) else _GAP
        kind = _kind(char)
        if char in ".,:/-" and last == following == _NUMBER:
            kind = _NUMBER  # 1.2, 2024-05
        elif char == "." and following == _WORD and (i == 0 or text[i - 1].isspace()):
            kind = _SYMBOL  # .NET
        if kind == last and kind in {_WORD, _NUMBER}:
            tokens[-1] = (tokens[-1][0] + char, kind)
        elif kind != _GAP:
            tokens.append((char, kind))
        # what cannot be seen, a soft hyphen for instance, does not end a word
        last = last if unicodedata.category(char) == "Cf" else kind
    return tuple(_Token(text=_LEGAL_FORMS.get(word, word), kind=kind) for word, kind in tokens)


def _kind(char: str) -> str:
    category = unicodedata.category(char)
    # Chinese and Japanese numerals are letters to Unicode, with a value
    if category[0] == "N" or (category == "Lo" and unicodedata.numeric(char, None) is not None):
        return _NUMBER
    if category[0] in "LM":
        return _WORD
    if (category[0] == "S" and category != "Sk") or char in "#%*@§":
        return _SYMBOL
    return _GAP


def _plain(name: str) -> str:
    """A name without accents and without what groups the digits of a number."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", key(name)) if not unicodedata.combining(c))
    return _THOUSANDS.sub(lambda number: re.sub("[., ]", "", number[0]), folded)


def _rest(name: str, other: str) -> list[_Token]:
    """What a name has that another one lacks."""
    return list((Counter(_tokens(name)) - Counter(_tokens(other))).elements())


def _is_code(token: _Token, codes: set[str]) -> bool:
    letter = len(token.text) == 1 and not _ideographic(token.text)
    return token.kind != _WORD or letter or token.text in codes or bool(_ROMAN.fullmatch(token.text))


def _acronyms(name: str) -> set[str]:
    """The acronyms of a name; where all of it is in capitals, none can be told."""
    found = _ACRONYM.findall(name) if not name.isupper() else []
    return {word.casefold() for word in found if word.isupper()}


def _respelled(mine: list[_Token], other: list[_Token]) -> bool:
    """Whether each word of the one may be a variant of a word of the other; an additional word may be left out."""
    if not mine or not other:
        return True
    if len(mine) != len(other):
        return False
    left = [token.text for token in other]
    for token in mine:
        variant = next((word for word in left if _variant(token.text, word)), None)
        if variant is None:
            return False
        left.remove(variant)
    return True


def _variant(a: str, b: str) -> bool:
    from rapidfuzz import fuzz  # noqa: PLC0415 - fifty modules, which only runs need

    if _ideographic(a) or _ideographic(b):
        return a in b or b in a  # another character is another word
    if a[0] != b[0] or (len(a) == len(b) and (a[-1] != b[-1] or len(a) <= _SHORT)):
        return False
    return fuzz.ratio(a, b) / 100 >= _RESPELLED


def _ideographic(text: str) -> bool:
    return any("CJK UNIFIED" in unicodedata.name(char, "") for char in text)
