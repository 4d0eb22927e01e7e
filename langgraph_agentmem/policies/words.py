"""Reads a text's words as they are searched by: one reader for what is written and for what is asked.

A word is found in whichever form it is written: case, accents, widths and ligatures do not count, endings are taken off
by the language's stemmer, and irregular forms (went, gone) are those of one word. What is joined (`frontend/backend`,
`config.yaml`, `getUserName`) is found by its parts, and as a whole where it holds a digit (`INV-20394`, `2026-05-01`)
or others write it as one word (`e-mail`, `O'Brien`); which signs do not count is in `spelling.py`. Scripts that put no
space between words are read in pairs of letters. Words of languages that join them are found by their parts as well
(`word_parts.py`), as are names and numbers, and numbers and units.
"""

import re
import threading
import tomllib
from collections.abc import Container, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple, cast
from zlib import crc32

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.policies.spelling import (
    PART,
    numbers_in_groups,
    plain,
    plain_numbers,
    unseparated,
    wholes_within,
    without_accents,
)
from langgraph_agentmem.policies.word_parts import WordParts

DIMENSIONS = 1_000_000_000
"""Of the space in which words are weighed: as many as pgvector takes, so that hardly two words fall together."""

_TABLES: dict[str, dict[str, str]] = tomllib.loads(
    files("langgraph_agentmem.policies").joinpath("words.toml").read_text(encoding="utf-8")
)
_CLITIC = re.compile(r"(?<=\w)['’ʼ＇](?:s|t|d|m|ll|re|ve)\b", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")
_CODE = re.compile(r"([^\W\d_]{2,})(\d+)|(\d+)([^\W\d_]{1,4})")
"""A name and its number; a number and its unit."""
_EMOJI = re.compile("[\U0001f1e6-\U0001f1ff]{2}|[\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001f3fa\U0001f400-\U0001faff]")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3006\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f]+)"
)
"""Thai, Lao, Burmese, Khmer, kana, Han and Hangul: spaces do not, or not alone, tell words apart."""
_FIRST_EAST_ASIAN = "\u3005"
_ENDS_SENTENCE = (".", "!", "?", ":", "。", "！", "？")
_TITLE = re.compile(
    r"\W*(?:[^\W\d_]|Mrs?|Ms|Mx|Drs?|Ste?|Prof|Rev|Capt|Sgt|Lt|Hr|Fr|Mme|Mlle|Sra?|Dra)\.", re.IGNORECASE
)
"""What ends in a full stop before a name: Dr. No, J. Will."""
_OWNER = re.compile(r"\b(will|may|can|do|us)['’＇]s\b", re.IGNORECASE)
"""Words without meaning of which nothing is short for "is", so that they are names there: Will's phone."""
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_HAVE_UMLAUTS = {"danish", "estonian", "finnish", "german", "hungarian", "norwegian", "swedish", "turkish"}
"""Languages full of such letters, which hardly anybody spells out; the German stemmer knows both."""
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
        self._spells_out = language not in _HAVE_UMLAUTS | {"simple"}
        self._one_at_a_time = threading.Lock()  # a stemmer works on a word that it keeps in itself
        self._parts = WordParts(_TABLES, language, self._plain_stem)
        # texts repeat their words, and long ones the words that they are joined from
        self._of_known = lru_cache(maxsize=50_000)(self._of_joined)
        self._looked_up = lru_cache(maxsize=20_000)(self._look_up)

    def words(self, text: str) -> list[Word]:
        """A text's words in order, each as often as it is there; what is joined, as a whole and by its parts."""
        shouted = text.isupper()
        text = plain(text)
        found: list[Word] = []
        begins = True
        for joined in text.split():
            read = self._of_known if len(joined) <= _LONGEST else self._of_joined
            words, any_parts = read(joined, begins, shouted)
            found += words
            begins = (begins and not any_parts) or (joined.endswith(_ENDS_SENTENCE) and not _TITLE.fullmatch(joined))
        found += (Word(number, number, False, part=True) for number in numbers_in_groups(text))
        # looked up where nothing else is asked: most stand beside what they repeat
        found += () if text.isascii() else (Word(emoji, emoji, True) for emoji in _EMOJI.findall(text))
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
        owners = {owner.casefold() for owner in _OWNER.findall(joined)}
        parts: list[str] = []
        for plainly in plain_numbers(_CLITIC.sub("", joined)):
            found += self._wholes(plainly)
            parts += PART.findall(plainly)
        for part in parts:
            named = not shouted and part[0].isupper() and len(part) > 1 and (part.isupper() or not begins)
            found += self._of_part(part, named or part.casefold() in owners)
            begins = False
        return tuple(word for word in found if word.text), bool(parts)  # an accent may stand alone

    def _wholes(self, joined: str) -> Iterator[Word]:
        """What is joined as one word, if it holds a digit; and what may be a whole within it."""
        for stretch in _UNSPACED.split(joined)[::2]:  # scripts without spaces join what is no whole
            if len(PART.findall(stretch)) > 1:
                whole = unseparated(stretch) if any(map(str.isdigit, stretch)) else None
                if whole:
                    yield self._word(whole, True)
                within = (inner for inner in wholes_within(stretch) if inner != whole)
                yield from (self._word(inner, True)._replace(part=True) for inner in within)

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
        if code := _CODE.fullmatch(segment):
            for part in filter(None, code.groups()):
                yield from (word._replace(part=True) for word in self._of_segment(part, named))
        elif not word.empty:
            if len(humps) == 1:
                others = self._parts.others(segment[:_LONGEST], word.text)
                yield from (Word(other, segment, False, part=True) for other in others)
            spelt_out = segment.casefold().translate(_SPELT_OUT)
            if self._spells_out and spelt_out != segment.casefold():
                yield self._word(spelt_out, named)._replace(said=segment, part=True)

    def _word(self, said: str, named: bool) -> Word:
        folded = said.casefold()[:_LONGEST]
        return Word(self._looked_up(folded), said, folded in self._empty and not named)

    def _look_up(self, folded: str) -> str:
        return self._parts.infinitive(folded, self._plain_stem(self._regular.get(folded, folded)))

    def _plain_stem(self, word: str) -> str:
        stem = self._stem(word)
        bare = without_accents(stem)
        # an accent may hide an ending: résumé is to be what resume is
        return bare if bare == stem else without_accents(self._stem(bare))

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
