"""What words are made of, in languages that join them: Mietvertrag is found by Vertrag, and abgelaufen by ablaufen.

Only where `words.toml` has tables for a language. A word is read in parts by a list of those that others are often made
of: whatever is not in it stays whole, so that nothing is read as what it is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping

_LINKS = ("s", "en", "n", "er", "es", "e")
"""What may stand between two parts besides nothing."""
_SHORTEST = 3
_TELLING = 5
"""Letters of a last part that hardly another word ends in; before a shorter one there has to be a part as well."""
_SHORTEST_FIRST, _SHORTEST_LAST = 4, 4
"""Letters of the parts where only the first one is in the list."""
_ENDS_IN_ET = re.compile("et(?:e[mnrs]?)?$")
_VOWEL = re.compile("[aeiouy]")


class WordParts:
    """The parts, and the verbs, of a language.

    Args:
        tables: Of all languages, by name: `strong`, `prefixes` and `parts`.
        language: The one whose they are.
        stem: Takes the ending and the accents off a word.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, str]], language: str, stem: Callable[[str], str]) -> None:
        self._stem = stem
        verbs = [group.split() for group in re.split(r"[|\n]", tables["strong"].get(language, "")) if group.strip()]
        self._strong = {stem(form): stem(forms[0]) for forms in verbs for form in forms[1:]}
        self._prefixes = sorted(map(_folded, tables["prefixes"].get(language, "").split()), key=len, reverse=True)
        self._parts = {stem(part) for part in tables["parts"].get(language, "").split()}

    def infinitive(self, word: str, stem: str) -> str:
        """What the form of a verb is that of, behind whatever prefix; the stem of a word that is none."""
        if stem in self._strong:
            return self._strong[stem]
        for prefix in self._prefixes:
            rest = stem.removeprefix(prefix)
            verb = None if rest == stem else self._strong.get(rest) or _of_participle(word, rest)
            # Angebotangestellte begins and ends as a participle does, and is two nouns
            if verb and not self._is_compound(stem):
                return prefix + verb
        return stem

    def others(self, word: str, stem: str) -> list[str]:
        """What a word is found by besides its stem, as `infinitive` gives it."""
        if not self._parts:
            return []
        # nouns, which are written large, take no endings of verbs
        forms = _of_weak_verb(word, stem) if word[0].islower() else ()
        return [part for part in dict.fromkeys([*forms, *self._split(stem)]) if part != stem]

    def _split(self, stem: str) -> Iterator[str]:
        """Its last part, as long as possible, and what is before it; else a first one, and what comes after it."""
        if stem in self._parts:
            return
        for size in range(len(stem) - _SHORTEST, _SHORTEST - 1, -1):
            if stem[-size:] in self._parts and (first := self._first(stem[:-size], sure=size >= _TELLING)):
                yield stem[-size:]
                yield first
                yield from self._split(first)
                return
        yield from self._after(stem)

    def _is_compound(self, stem: str) -> bool:
        parts = list(self._split(stem))
        return bool(parts) and all(part in self._parts for part in parts)

    def _first(self, before: str, *, sure: bool) -> str | None:
        """The word before a last part; one that is not in the list only if the last part is sure to be one."""
        forms = [self._stem(before), self._stem(before.removesuffix("s"))]
        known = next((form for form in forms if form in self._parts), None)
        return known or (forms[-1] if sure and len(forms[-1]) >= _SHORTEST and _VOWEL.search(forms[-1]) else None)

    def _after(self, stem: str) -> Iterator[str]:
        """The parts of a word of which only the first one is known."""
        for size in range(len(stem) - _SHORTEST_LAST, _SHORTEST_FIRST - 1, -1):
            if stem[:size] in self._parts:
                rest = stem[size:]
                links = (rest.removeprefix(link) for link in _LINKS if rest.startswith(link))
                last = next((cut for cut in links if len(cut) >= _SHORTEST_LAST and _VOWEL.search(cut[:4])), rest)
                yield stem[:size]
                yield last
                return


def _of_participle(word: str, stem: str) -> str | None:
    """What a regular participle is that of, without its prefix: (auf)gefrischt is (auf)frischen."""
    return _without_t(word, stem[2:]) if stem.startswith("ge") and stem.endswith("t") and len(stem) > 5 else None


def _of_weak_verb(word: str, stem: str) -> Iterator[str]:
    """Kauft, kaufte and gekauft are kaufen; wartet and gewartet are warten."""
    if stem.endswith("t") and len(stem) > 4:
        yield _without_t(word, stem)
        if verb := _of_participle(word, stem):
            yield verb


def _without_t(word: str, stem: str) -> str:
    if not _ENDS_IN_ET.search(word):
        return stem.removesuffix("t")
    # the stemmer takes off some of these by itself
    return stem.removesuffix("et") if word.endswith(stem) else stem


def _folded(prefix: str) -> str:
    return prefix.replace("ü", "u")
