"""Reads a text's words as they are searched by: one reader for what is written and for what is asked.

A word is found in whichever form it is written: case, accents, widths and ligatures do not count, endings are taken off
by the language's stemmer, and irregular forms (went, gone) are those of one word. What is joined (`frontend/backend`,
`config.yaml`, `getUserName`) is found by its parts; what holds a digit (`INV-20394`, `2026-05-01`) as a whole as well.
Scripts that put no space between words are read in pairs of letters. Words of languages that join them are found by
their parts as well (`word_parts.py`), and numbers with units by both.
"""

import re
import threading
import tomllib
import unicodedata
from collections.abc import Container, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple, cast
from zlib import crc32

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.policies.word_parts import WordParts

DIMENSIONS = 1_000_000_000
"""Of the space in which words are weighed: as many as pgvector takes, so that hardly two words fall together."""

_TABLES: dict[str, dict[str, str]] = tomllib.loads(
    files("langgraph_agentmem.policies").joinpath("words.toml").read_text(encoding="utf-8")
)
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
"""Signs that stand on letters, which Python does not count among a word's."""
_PUNCTUATION = (
    "\u05be\u05c0\u05c3\u05c6\u06dd\u06de\u06e9\u0970\u09f2\u09f3\u09fa-\u09fd\u0a76\u0af0\u0af1\u0b70\u0bf3-\u0bfa\u0c77\u0c7f"
    "\u0c84\u0d4f\u0d79\u0df4\u0e3f\u0e4f\u0e5a\u0e5b\u0f01-\u0f17\u0f1a-\u0f1f\u0f34\u0f36\u0f38\u0f3a-\u0f3d\u0f85\u0fbe-\u0fc5"
    "\u0fc7-\u0fda\u104a-\u104f\u109e\u109f\u17d4-\u17d6\u17d8-\u17db"
)
"""What lies between them and is none: full stops, currencies, the Tibetan mark between syllables."""
_PART = re.compile(rf"[A-Za-z](?:\+\+|#)(?!\w)|[^\W_](?:[^\W_]|(?![{_PUNCTUATION}])[{_MARKS}])*")
_CLITIC = re.compile(r"(?<=\w)['’ʼ＇](?:s|t|d|m|ll|re|ve)\b", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:([,.'’])\d{3})(?:\1\d{3})*(?:(?!\1)[.,](\d{1,2}))?(?![\d.,]*\d)")
_AMOUNT = re.compile(r"(\d+)([^\W\d_]{1,4})")
"""A number and its unit."""
_VERSION = re.compile(r"(?<![^\W_])v(?=\d+\.\d)", re.IGNORECASE)
_TIME = re.compile(r"(?<=\d)T(?=\d\d:?\d\d)")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3006\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f]+)"
)
"""Thai, Lao, Burmese, Khmer, kana, Han and Hangul: spaces do not, or not alone, tell words apart."""
_FIRST_EAST_ASIAN = "\u3005"
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]"
)
"""Of Latin, Greek and Cyrillic letters; the vowels and points of Hebrew and Arabic, which most writers leave out."""
_STROKES = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
"""Letters that Unicode does not take apart, as those who lack them on the keyboard write them."""
_UNSEEN = re.compile("[\u00ad\u034f\u0640\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""What is within words but no part of them: soft hyphens, joiners, directions, what lengthens an Arabic word."""
_ENDS_SENTENCE = (".", "!", "?", ":", "。", "！", "？")
_EMPTY_PAIRS = frozenset(_TABLES["stop_pairs"]["pairs"].split())
_LONGEST = 100
"""Characters of a longer word that count."""


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        text: As it is looked up: without its ending, case and accents.
        said: As it stands in the text.
        empty: Whether it carries grammar, not meaning: a stop word of the language, unless it looks like a name, as
            "IT" does, or "Will" within a sentence.
        part: Whether it is found besides the word that stands there: a part of it, or another form.
    """

    text: str
    said: str
    empty: bool
    part: bool = False


class Reader:
    """Reads words of a language.

    Args:
        language: As snowball and PostgreSQL call it, or `simple`, which knows neither endings nor empty words.

    Raises:
        ConfigurationError: Its endings are not known.
    """

    def __init__(self, language: str) -> None:
        import snowballstemmer  # noqa: PLC0415 - forty modules, which only who writes or searches needs

        known = ["simple", *sorted(snowballstemmer.algorithms())]
        if language not in known:
            raise ConfigurationError(f"text_search_config must be one of {', '.join(known)}, not {language!r}")
        self._empty = frozenset(_TABLES["stop_words"].get(language, "").split())
        groups = [group.split() for group in re.split(r"[|\n]", _TABLES["irregular"].get(language, ""))]
        self._regular = {form: group[0] for group in groups for form in group[1:]}
        self._stemmer: Any = None if language == "simple" else cast("Any", snowballstemmer).stemmer(language)
        self._one_at_a_time = threading.Lock()  # a stemmer works on a word that it keeps in itself
        self._parts = WordParts(_TABLES, language, self._plain_stem)
        self._of_known = lru_cache(maxsize=50_000)(self._of_joined)  # texts repeat their words

    def words(self, text: str) -> list[Word]:
        """A text's words in order, each as often as it is there; what is joined, as a whole and by its parts."""
        shouted = text.isupper()
        found: list[Word] = []
        begins = True
        for joined in _plain(text).split():
            read = self._of_known if len(joined) <= _LONGEST else self._of_joined
            words, any_parts = read(joined, begins, shouted)
            found += words
            begins = (begins and not any_parts) or joined.endswith(_ENDS_SENTENCE)
        return found

    def asked(self, query: str) -> list[Word]:
        """The distinct words that a question is looked up by, in order; empty ones only where there are no others."""
        words = [word for word in self.words(query) if not is_letter_of_pair(word)]
        full = [word for word in words if not word.empty]
        first: dict[str, Word] = {}
        for word in full or words:
            first.setdefault(word.text, word)
        return list(first.values())

    def without(self, query: str, left_out: Container[str]) -> str:
        """A question without what consists of such words only; the whole question if nothing else is left."""
        kept = [said for said in query.split() if not self._consists_of(said, left_out)]
        return " ".join(kept) or query

    def _consists_of(self, said: str, words: Container[str]) -> bool:
        read = self.words(said)
        return bool(read) and all(word.text in words for word in read if not word.part)

    def _of_joined(self, joined: str, begins: bool, shouted: bool) -> tuple[tuple[Word, ...], bool]:
        """The words of what stands between spaces, and whether there are any parts that might be words.

        Args:
            joined: It.
            begins: Whether a sentence begins with it.
            shouted: Whether all of the text is in capitals.
        """
        found: list[Word] = []
        parts: list[str] = _PART.findall(joined)
        if len(parts) > 1 and any(map(str.isdigit, joined)):
            found.append(Word("-".join(parts).casefold()[:_LONGEST], joined, False))
        for part in parts:
            named = not shouted and part[0].isupper() and len(part) > 1 and (part.isupper() or not begins)
            found += self._of_part(part, named)
            begins = False
        return tuple(word for word in found if word.text), bool(parts)  # an accent may stand alone

    def _of_part(self, part: str, named: bool) -> Iterator[Word]:
        for place, segment in enumerate(_UNSPACED.split(part)):
            if place % 2:
                yield from _pairs(segment)
            elif segment:
                yield from self._of_segment(segment, named)

    def _of_segment(self, segment: str, named: bool) -> Iterator[Word]:
        word = self._word(segment, named)
        yield word
        humps = _HUMP.split(segment)
        if len(humps) > 1:
            yield from (self._word(hump, named) for hump in humps if len(hump) > 1)
        if amount := _AMOUNT.fullmatch(segment):
            yield from (self._word(part, named)._replace(part=True) for part in amount.groups())
        elif len(humps) == 1 and not word.empty:
            others = self._parts.others(segment[:_LONGEST], word.text)
            yield from (Word(other, segment, False, part=True) for other in others)

    def _word(self, said: str, named: bool) -> Word:
        folded = said.casefold()[:_LONGEST]
        return Word(self._looked_up(folded), said, folded in self._empty and not named)

    def _looked_up(self, folded: str) -> str:
        return self._parts.infinitive(folded, self._plain_stem(self._regular.get(folded, folded)))

    def _plain_stem(self, word: str) -> str:
        stem = self._stem(word)
        plain = without_accents(stem)
        # an accent may hide an ending: résumé is to be what resume is
        return plain if plain == stem else without_accents(self._stem(plain))

    def _stem(self, word: str) -> str:
        if self._stemmer is None:
            return word
        with self._one_at_a_time:
            return self._stemmer.stemWord(word)


@cache
def reader(language: str) -> Reader:
    """The reader of a language; see `Reader`."""
    return Reader(language)


@lru_cache(maxsize=50_000)
def dimension(word: str) -> int:
    """Where a word is weighed, from 1 to `DIMENSIONS`: the same in every process."""
    return crc32(word.encode()) % DIMENSIONS + 1


def _pairs(segment: str) -> Iterator[Word]:
    """Each two letters that follow each other; each letter as well, in scripts where one may be a word."""
    if len(segment) == 1 or segment[0] >= _FIRST_EAST_ASIAN:
        yield from (Word(letter, segment, False) for letter in segment)
    pairs = (segment[at : at + 2] for at in range(len(segment) - 1))
    yield from (Word(pair, segment, pair in _EMPTY_PAIRS) for pair in pairs)


def is_letter_of_pair(word: Word) -> bool:
    """Whether it is one of several letters, whose pairs say more."""
    return len(word.text) == 1 < len(word.said) and word.text >= _FIRST_EAST_ASIAN


def _plain(text: str) -> str:
    """A text in one form, without what may be written or not.

    That is widths, clitics, the T of a time, the v of a version, marks of thousands, and what cannot be seen.
    """
    # composed once more: what is unseen may have stood between a letter and its accent
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    text = _VERSION.sub("", _CLITIC.sub("", text))
    return _GROUPED.sub(_ungrouped, _TIME.sub(" ", text))


def without_accents(word: str) -> str:
    """A word in NFC, without the accents of its letters."""
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word))).translate(_STROKES)


def _ungrouped(number: re.Match[str]) -> str:
    whole, decimals = number[0], number[2]
    if whole.count(".") == 3 and decimals is None:  # an address
        return whole
    if decimals is None:
        return re.sub(r"\D", "", whole)
    grouped = re.sub(r"\D", "", whole[: -len(decimals) - 1])
    return grouped if int(decimals) == 0 else f"{grouped}.{decimals}"
