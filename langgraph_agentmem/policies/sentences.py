"""Where sentences end, in texts whose language nobody has said."""

import re
from functools import lru_cache
from itertools import accumulate
from typing import cast

_MAY_END = re.compile(r"[.!?。！？…]")
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
    full stops of Chinese and Japanese. German ordinals and common abbreviations of our other languages are added.
    """
    if not _MAY_END.search(text):
        return [text] if text else []
    ends = sorted({*_ends(text), len(text)})
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True) if start < end]


@lru_cache(maxsize=1024)
def _ends(text: str) -> tuple[int, ...]:
    # a library of four megabytes, which stores that cut nothing do without
    from sentencex import segment  # noqa: PLC0415  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

    return tuple(end for end in accumulate(map(len, cast("list[str]", segment("en", text)))) if _may_end(text, end))


def _may_end(text: str, end: int) -> bool:
    before = text[max(end - 40, 0) : end]
    return not _ABBREVIATION_END.search(before) and not (_NUMBER_END.search(before) and _DATE_GOES_ON.match(text, end))
