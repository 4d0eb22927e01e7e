"""Texts in one spelling: whatever has been written in another way, with other signs or none, reads the same."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

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
PART = re.compile(rf"[A-Za-z](?:\+\+|#)(?![^\W\d])|[^\W_](?:[^\W_]|(?![{_PUNCTUATION}])[{_MARKS}])*")
"""A part of what stands between spaces: letters and digits, with the signs that stand on them; C++ and C# as well."""
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:([,.'’_])\d{3})(?:\1\d{3})*(?:(?!\1)[.,](\d{1,2}))?(?![\d.,]*\d)")
_WITHIN = re.compile(
    r"""(?<![^\W_])[^\W\d_]++(?:[-.'’·_"״׳\u200b\u2010\u2011][^\W\d_]++)++(?![^\W_])"""  # what others write as one word
    r"|(?<![^\W_])[^\W\d_]++[-_]\d++(?![\d.:])"  # INV-20394 in an address of the web
    r"|(?<!\d)\d++(?:\.\d++)++"  # the version in a file's name
    r"|(?<![^\W_])\d++([-:/])\d++(?:\1\d++)*+(?=(?:[ap]m)?(?![^\W_]))",
    re.IGNORECASE,
)
"""What may be a whole within what is joined."""
_MOST_SPELT = 4
"""Parts of what others write as one word."""
_IN_GROUPS = re.compile(r"\d++(?:[ ()./-]{1,2}\d++)+")
"""What may be one number with spaces between its groups: of a telephone or a card; thousands."""
_GOES_ON = re.compile(r"[\w:]")
_ACCOUNT = re.compile(r"[A-Z]{2}\d\d(?: [A-Z\d]{4}){2,8}(?: [A-Z\d]{1,3}\b)?")
_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3})+")
_DOTTED = re.compile(r"\d\.\d")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d) (?=\d)")
_LONG = 9
"""Characters of a number that stays the same without what groups its digits; 1-12 would be 11-2."""
_LONGEST_NUMBER = 19
_SHORT_GROUP = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
_NO_DIGIT = re.compile(r"\D")
_LINK = re.compile(r"://\S+")
_BROKEN = re.compile(r"(?<=[^\W\d_])-\n[ \t]*(?=[^\W\d_])")
"""Between two halves of a word, at the end of a line."""
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")
_LAKHS = re.compile(r"(?<![\d.,])\d{1,2}(?:,\d\d)+,\d{3}(?![\d,])")
"""Thousands as India writes them."""
_SIZES = re.compile(r"(?<=\d)[xX](?=\d)")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
"""Arabic, Thai, Bengali."""
_ALIKE = str.maketrans({"\u02bb": "'", "\u02bc": "'", "ی": "ي", "ک": "ك", "ہ": "ه"})
"""Apostrophes that are letters to Unicode (Hawaiʻi); what Arabic, Persian and Urdu keyboards have for one letter."""
_VERSION = re.compile(r"(?<![^\W_])v(?=\d+\.\d)", re.IGNORECASE)
_TIME = re.compile(r"(?<=\d)T(?=\d\d:?\d\d)")
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u093c]"
)
"""Of Latin, Greek and Cyrillic letters; the vowels and points of Hebrew, Arabic and Hindi, which many leave out."""
_STROKES = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
    | {"ة": "ه", "ى": "ي"}
)
"""Letters that Unicode does not take apart, as those who lack them on the keyboard, or spare dots, write them."""
_UNSEEN = re.compile("[\u00ad\u034f\u0640\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""What is within words but no part of them: soft hyphens, joiners, directions, what lengthens an Arabic word."""


def plain(text: str) -> str:
    """A text in one form: widths, escapes in addresses of the web, hyphens at a line's end, and what cannot be seen."""
    if "%" in text:
        text = _LINK.sub(lambda link: unquote(link[0]), text)
    if not text.isascii():
        # composed once more: what is unseen may have stood between a letter and its accent
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
        text = alike(text)
    return _BROKEN.sub("-", text) if "-\n" in text else text


def alike(text: str) -> str:
    """A text whose digits are ours, whichever script they were of, and so with letters that differ to Unicode only."""
    return _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text).translate(_ALIKE)


def plain_numbers(joined: str) -> list[str]:
    """What stands between spaces, its numbers in one form, and a day apart from its time.

    That is the v of a version, days without hyphens, marks of thousands, and the sign in 4x4.
    """
    joined = _DAY.sub(r"\1-\2-\3", _SIZES.sub("×", _VERSION.sub("", joined)))
    return [_GROUPED.sub(_ungrouped, _LAKHS.sub(_digits, part)) for part in _TIME.split(joined)]


def without_accents(word: str) -> str:
    """A word in NFC, without the accents of its letters."""
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word))).translate(_STROKES)


def unseparated(joined: str) -> str:
    """What is joined, without what stands between its parts, but for short numbers: 1.5 is not 15."""
    spaced = " ".join(PART.findall(joined))
    short = len(spaced) - spaced.count(" ") < _LONG and _SHORT_GROUP.search(joined)
    if short or _DOTTED.search(joined):
        spaced = _BETWEEN_NUMBERS.sub("-", spaced)
    return spaced.replace(" ", "")


def wholes_within(joined: str) -> Iterator[str]:
    """What may be looked up as a whole in what is joined: numbers in groups, and what others write as one word."""
    for match in _WITHIN.finditer(joined):
        if any(map(str.isdigit, match[0])) or len(PART.findall(match[0])) <= _MOST_SPELT:
            yield unseparated(match[0])


def numbers_in_groups(text: str) -> Iterator[str]:
    """The numbers of a text that are written with spaces between their groups, without them."""
    for match in _IN_GROUPS.finditer(text):
        around = text[max(match.start() - 1, 0) : match.start()] + text[match.end() : match.end() + 1]
        number = _digits(match)
        wanted = _LONG <= len(number) <= _LONGEST_NUMBER or _THOUSANDS.fullmatch(match[0])
        if " " in match[0] and wanted and not _GOES_ON.search(around):
            yield number
    yield from (match[0].replace(" ", "").casefold() for match in _ACCOUNT.finditer(text))


def _digits(number: re.Match[str]) -> str:
    return _NO_DIGIT.sub("", number[0])


def _ungrouped(number: re.Match[str]) -> str:
    whole, decimals = number[0], number[2]
    if whole.count(".") == 3 and decimals is None:  # an address
        return whole
    if decimals is None:
        return _digits(number)
    grouped = _NO_DIGIT.sub("", whole[: -len(decimals) - 1])
    return grouped if int(decimals) == 0 else f"{grouped}.{decimals}"
