"""Where sentences end, in texts whose language nobody has said."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import cast

_WINDOW = 4000
"""Characters that are looked at together."""
_MAY_END = re.compile(r"[.!?。！？…।॥؟۔။។።]")
_NUMBER_END = re.compile(r"\d\.[\"'»”)\]]*\s+$")
_DATE_GOES_ON = re.compile(r"[a-zäöüß]|Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez")
_ABBREVIATION_END = re.compile(
    r"\b(?:approx|ca|No|Nr|Tel|tel|St|Str|Rd|Ave|vs|etc|resp|bzw|usw|evtl|ggf|inkl|Hr|Fr|Sr|Sra|Dra|Mme|Mlle|max|min|vol|fig|"
    r"ext|d\. ?h|z\. ?B|u\. ?a|p\. ?ej)\.\s+$"
)
"""Abbreviations that English does not have, or that sentencex lets end a sentence."""


def sentences(text: str) -> list[str]:
    """The sentences of a text, with the white space behind them: joined they are the text.

    Cut by sentencex (Wikimedia's rules) as English, which knows titles and initials of other languages, too, and the
    full stops of other scripts. German ordinals and common abbreviations of our other languages are added.
    """
    if not _MAY_END.search(text):
        return [text] if text else []
    ends = sorted({*_ends(text), len(text)})
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True) if start < end]


def _ends(text: str) -> Iterator[int]:
    """Where they end, window by window: what sentencex takes for Chinese grows as the square of a text's length."""
    start, size = 0, _WINDOW
    while start < len(text):
        window = text[start : start + size]
        # what comes after an end may tell that it is none
        sure = len(window) if start + size >= len(text) else len(window) - _WINDOW // 4
        found = [start + end for end in _ends_within(window) if end <= sure]
        yield from found
        if sure == len(window):
            return
        start, size = (found[-1], _WINDOW) if found else (start, 2 * size)


@lru_cache(maxsize=1024)
def _ends_within(text: str) -> tuple[int, ...]:
    # a library of four megabytes, which stores that cut nothing do without
    from sentencex import segment  # noqa: PLC0415  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

    return tuple(end for end in accumulate(map(len, cast("list[str]", segment("en", text)))) if _may_end(text, end))


def _may_end(text: str, end: int) -> bool:
    before = text[max(end - 40, 0) : end]
    return not _ABBREVIATION_END.search(before) and not (_NUMBER_END.search(before) and _DATE_GOES_ON.match(text, end))
