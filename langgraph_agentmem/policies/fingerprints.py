"""Tells embedders apart that do not say which model they are, by what they make of one sentence."""

import math
import re
from collections.abc import Sequence

_PARTS = 16
_STEPS = 100
_NOISE = 3
"""Steps by which the same model may differ from itself: on another machine, with another precision."""
_NAME = re.compile(rf"(.*)#([0-9a-f]{{{2 * _PARTS}}})")


def fingerprinted(name: str, vector: Sequence[float]) -> str:
    """A name with a fingerprint: the sums of parts of a vector of length 1, in hundredths, as bytes.

    Args:
        name: Of the embedder's class.
        vector: What it makes of the sentence; its length does not count.
    """
    length = math.hypot(*vector) or 1.0
    # signs by turns: where all components are positive, plain sums would tell little apart
    signs = [1 if place // _PARTS % 2 else -1 for place in range(len(vector))]
    signed = [sign * x / length for sign, x in zip(signs, vector, strict=True)]
    sums = [sum(signed[part::_PARTS]) for part in range(_PARTS)]
    return f"{name}#{bytes(min(max(round(_STEPS * each) + 128, 0), 255) for each in sums).hex()}"


def same(a: str, b: str) -> bool:
    """Whether two names are those of one embedder: fingerprints may differ a little."""
    mine, other = _NAME.fullmatch(a), _NAME.fullmatch(b)
    if mine is None or other is None or mine[1] != other[1]:
        return a == b
    pairs = zip(bytes.fromhex(mine[2]), bytes.fromhex(other[2]), strict=True)
    return all(abs(x - y) <= _NOISE for x, y in pairs)
