"""How frequent words are among a tenant's chunks: counted now and then, exactly or in a sample."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

SAMPLE = 5_000
"""Chunks that are counted at most; of more, each n-th one."""
_TOLERATED_SHARE = 0.05
"""Of the chunks, so many may be new until they are counted again."""
_LEAST_SECONDS, _MOST_SECONDS = 2.0, 60.0
_SECONDS_A_CHUNK = 0.1
"""The more there are, the longer they stay about the same, whoever writes meanwhile."""
_SECONDS_PER_SECOND = 200.0
"""Counting may take a two-hundredth of the time."""
_MOST_WORDS = 500_000
"""Words that are kept of all tenants together; those that were not asked for the longest go."""


@dataclass(frozen=True)
class Frequencies:
    """Of a tenant.

    Args:
        chunks: How many there are.
        counted: How many of them were counted.
        holding: How many of these hold a word, by where it is weighed.
        memories: How many of these belong to a memory, by its id.
        said: How many of these are said, behind a label.
        indexed_as: The number that stands for the tenant in the indexes that it has for itself; None where it has none.
    """

    chunks: int
    counted: int
    holding: Mapping[int, int]
    memories: Mapping[int, int]
    said: int = 0
    indexed_as: int | None = None

    @property
    def said_share(self) -> float:
        """The share of the chunks that is said."""
        return self.said / max(self.counted, 1)

    def of(self, dimension: int) -> float:
        """About how many chunks hold a word."""
        known = self.holding.get(dimension, 0)
        if self.counted == self.chunks:
            return known
        # one that is in none of the sample may well be in the rest
        return (known or 0.5) * self.chunks / max(self.counted, 1)

    def within(self, memory_ids: Sequence[int] | None) -> int:
        """About how many chunks some memories have, or all."""
        if memory_ids is None or self.counted == 0:
            return self.chunks
        return round(sum(self.memories.get(id, 0) for id in set(memory_ids)) * self.chunks / self.counted)


@dataclass
class _Known:
    frequencies: Frequencies
    until: float
    written: int = 0


@dataclass
class FrequencyCache:
    """What is known of tenants, in this process.

    Args:
        clock: Says how late it is, in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _tenants: OrderedDict[str, _Known] = field(default_factory=OrderedDict[str, _Known], init=False)
    _words: int = field(default=0, init=False)
    _changing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    """A memory's sync methods run in another thread than its async ones."""

    def get(self, external_id: str) -> Frequencies | None:
        """A tenant's, unless it is time to count them."""
        with self._changing:
            known = self._tenants.get(external_id)
            if known is None or self.clock() > known.until:
                return None
            if known.written > _TOLERATED_SHARE * known.frequencies.chunks:
                return None
            self._tenants.move_to_end(external_id)
            return known.frequencies

    def put(self, external_id: str, frequencies: Frequencies, seconds: float) -> None:
        """Keep what was counted, which took so long."""
        steady = min(max(_LEAST_SECONDS, _SECONDS_A_CHUNK * frequencies.chunks), _MOST_SECONDS)
        lasting = max(steady, _SECONDS_PER_SECOND * seconds)
        with self._changing:
            self._forget(external_id)
            self._tenants[external_id] = _Known(frequencies, self.clock() + lasting)
            self._words += len(frequencies.holding)
            while self._words > _MOST_WORDS and len(self._tenants) > 1:
                self._forget(next(iter(self._tenants)))

    def wrote(self, external_id: str, chunks: int) -> None:
        """Note that a tenant has got new chunks."""
        with self._changing:
            if known := self._tenants.get(external_id):
                known.written += chunks

    def forget(self, external_id: str) -> None:
        """Forget what is known of a tenant."""
        with self._changing:
            self._forget(external_id)

    def _forget(self, external_id: str) -> None:
        if known := self._tenants.pop(external_id, None):
            self._words -= len(known.frequencies.holding)
