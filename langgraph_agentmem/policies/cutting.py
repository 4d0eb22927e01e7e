"""Cuts texts that are too long to be shown whole."""

import unicodedata

MARK = " […] "
"""What stands where something was left out."""
_JOINER = "\u200d"
_VIRAMA = 9
"""The class of marks that join two consonants of a syllable."""


def shortened(text: str, size: int) -> str:
    """A text of at most so many characters: as it is, or its beginning and its end.

    What is added to a text mostly comes at its end, and what it is about stands at its beginning. It is cut between
    words where there are any near, and never within what is read as one character.
    """
    if len(text) <= size:
        return text
    half = (size - len(MARK)) // 2
    if half < 1:
        return ""
    return f"{text[: _end(text, half)]}{MARK}{text[_start(text, len(text) - half) :]}"


def _end(text: str, at: int) -> int:
    spaces = (place for place in range(at, at // 2, -1) if text[place].isspace() and _parted(text, place))
    return next(spaces, None) or next((place for place in range(at, 0, -1) if _parted(text, place)), 0)


def _start(text: str, at: int) -> int:
    last = len(text) - (len(text) - at) // 2
    spaces = (place for place in range(at, last) if text[place - 1].isspace() and _parted(text, place))
    return next(spaces, None) or next((place for place in range(at, len(text)) if _parted(text, place)), len(text))


def _parted(text: str, at: int) -> bool:
    """Whether a text may be cut before a position, which is not within what is read as one character."""
    before, after = text[at - 1], text[at]
    return not (
        before == _JOINER
        or unicodedata.combining(before) == _VIRAMA
        or _goes_on(after)
        or before + after == "\r\n"
        or _one_syllable(before, after)
        or (_half_a_flag(after) and _flags_before(text, at) % 2 == 1)
    )


def _goes_on(character: str) -> bool:
    """Marks, what joins, what tells how an emoji is drawn: parts of the character before."""
    return (
        unicodedata.category(character)[0] == "M"
        or character in "\u200c\u200d\u0e33\u0eb3"  # vowels of Thai and Lao among them
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _one_syllable(before: str, after: str) -> bool:
    """Whether two letters, or a letter and a syllable, are one Korean syllable."""
    return "\u1160" <= after <= "\u11ff" or (
        "ᄀ" <= before <= "\u115f" and ("ᄀ" <= after <= "\u115f" or "가" <= after <= "힣")
    )


def _half_a_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    start = at
    while start > 0 and _half_a_flag(text[start - 1]):
        start -= 1
    return at - start
