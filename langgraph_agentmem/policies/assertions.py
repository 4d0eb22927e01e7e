"""What a statement asserts: a subject, a predicate, a value."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from langgraph_agentmem.policies import wording
from langgraph_agentmem.policies.statements import Statement, words_of

_LONGEST_SUBJECT = 9
_KEY = re.compile(
    r"^\s*[\"'`*_]*(?P<subject>[^:：=→]{1,60}?)[\"'`*_]*\s*(?P<sign>:(?=\s)|：|=|→|->)\s*(?P<value>\S.*)$"
)
_CHINESE = re.compile(
    r"^(?P<subject>.{1,20}?)(?:现在|目前|已经)?(?:(?P<lives>住在|居住在|搬到了?)|(?P<works>就职于|任职于|在(?=.{1,12}(?:工作|上班)))|"
    r"(?P<named>名叫|叫做|叫)|(?P<costs>售价|价格是)|(?P<many>喜欢|爱|去过|会说|买了)|(?P<is>改为|改成|变成|变更为|更改为|是|为|等于))(?P<value>.{1,30}?)(?:工作|上班)?[。！]?$"
)
_JAPANESE = re.compile(
    r"^(?P<subject>.{1,20}?)は(?:現在|今は?、?)?(?P<value>.{1,30}?)(?:(?P<lives>に(?:住んで(?:います|いる)|引っ越し(?:ました|た)))|"
    r"(?P<works>(?:で働いて|に勤めて|に勤務して)(?:います|いる))|(?P<many>(?:が好き|を好み|へ行き|に行き|を話し)(?:です|だ|ます|ました)?)|"
    r"(?P<is>(?:に(?:変更され|変わり|なり)(?:ました|ます)|です|である|だ)))[。！]?$"
)
_ELISION = re.compile(r"^(?:(?P<of>d)|l|qu)'(?=\w)")
_NOW = re.compile(
    r"\b(?:" + "|".join(sorted(word for word in wording.NOW if word.isascii() or word[0] < "\u3040")) + r")\b\s*"
)
_CONTRACTIONS = [
    (re.compile(r"\b(i)'m\b"), r"\1 am"),
    (re.compile(r"\b(you|we|they)'re\b"), r"\1 are"),
    (re.compile(r"\b(he|she|it|that|there|here|what)'s\b"), r"\1 is"),
    (re.compile(r"\b(i|you|we|they)'ve\b"), r"\1 have"),
]

PredicateKind = Literal["key", "is", "was", "one", "has", "choice", "many"]


class Assertion(NamedTuple):
    """What a statement asserts.

    Attributes:
        subject: Words of what it is about, with what the statement belongs to; without articles and qualifiers.
        named: Words of the subject alone.
        kind: What its predicate is like: a record's `key`, `is`, `was`, one-valued, possession, choice, many-valued.
        predicate: Its predicate; those that say the same are one.
        value: As written.
        words: Of the value, without articles and qualifiers.
        machine: Whether it is an assignment (`PORT=80`), or a member of a record with a key that no title is like.
        titled: Whether the subject looks like a name or a title: all of its words are capitalised.
    """

    subject: tuple[str, ...]
    named: tuple[str, ...]
    kind: PredicateKind
    predicate: str
    value: str
    words: tuple[str, ...]
    machine: bool = False
    titled: bool = False

    @property
    def head(self) -> str:
        """The noun that the subject comes to: `deadline` of "the deadline for the importer"."""
        for place, word in enumerate(self.named):
            if place and word in wording.PREPOSITIONS | {"d"}:
                return self.named[place - 1]
        return self.named[-1] if self.named else ""


def _alternatives(verbs: str) -> str:
    return "|".join(re.escape(verb.strip()).replace(r"\ ", r"\s+") for verb in verbs.split("|") if verb.strip())


_GROUPS: list[tuple[PredicateKind, str, str]] = [
    *(("one", name, verbs) for name, verbs in wording.ONE_VALUED.items()),
    ("choice", "choice", wording.CHOICES),
    ("many", "many", wording.MANY_VALUED),
    ("has", "has", wording.POSSESSIONS),
    ("is", "is", wording.COPULAS),
    ("was", "is", wording.PAST_COPULAS),
]
_PREDICATE = re.compile(
    r"(?<=[\s'])(?:"
    + "|".join(f"(?P<g{number}>{_alternatives(verbs)})" for number, (_, _, verbs) in enumerate(_GROUPS))
    + r")(?=[\s,]|$)"
)


@lru_cache(maxsize=4096)
def assertion_of(statement: Statement) -> Assertion | None:
    """What a statement asserts, where the rules can tell."""
    said = statement.said.strip()
    if statement.code:
        return None
    keyed = _KEY.match(said)
    if keyed and len(words_of(keyed["subject"])) <= 6 and "://" not in keyed["subject"]:
        assertion = _assertion_about(statement, keyed["subject"], "key", "is", keyed["value"])
        key = keyed["subject"].strip()
        machine = keyed["sign"] == "=" or "_" in key or (statement.nested and not key[0].isupper())
        titled = all(word[0].isupper() for word in key.split())
        return assertion and assertion._replace(machine=machine, titled=titled)
    return _eastern(statement, said) or _western(statement, said)


def _western(statement: Statement, said: str) -> Assertion | None:
    text = re.sub(_NOW, "", said.replace("’", "'"))
    lower = text.lower() if len(text.lower()) == len(text) else text
    for contraction, full in _CONTRACTIONS:
        if found := contraction.search(lower):
            text = text[: found.start()] + found.expand(full) + text[found.end() :]
            lower = text.lower()
    found = _PREDICATE.search(lower)
    if not found:
        return None
    kind, predicate, _ = next(group for number, group in enumerate(_GROUPS) if found[f"g{number}"])
    return _assertion_about(statement, text[: found.start()], kind, predicate, text[found.end() :])


def _eastern(statement: Statement, said: str) -> Assertion | None:
    found = _JAPANESE.match(said) or _CHINESE.match(said)
    if not found:
        return None
    predicate = next(name for name in ("lives", "works", "named", "costs", "many", "is") if found.groupdict().get(name))
    kind: PredicateKind = "many" if predicate == "many" else "is" if predicate == "is" else "one"
    return _assertion_about(
        statement, found["subject"].removesuffix("的").removesuffix("の"), kind, predicate, found["value"]
    )


def _assertion_about(
    statement: Statement, subject: str, kind: PredicateKind, predicate: str, value: str
) -> Assertion | None:
    named = essential(subject)
    about = (*essential(" ".join(statement.path)), *named)
    bare = value.strip().strip("\"'“”`*_").rstrip(".!。！;").strip().strip("\"'“”`*_").rstrip(",").strip()
    if not about or len(named) > _LONGEST_SUBJECT or not valued(bare) or set(named) & wording.REPORTING:
        return None
    return Assertion(subject=about, named=named, kind=kind, predicate=predicate, value=bare, words=valued(bare))


def essential(text: str) -> tuple[str, ...]:
    """The words of a subject without articles and what only says that something holds now."""
    words = without_articles(text)
    return tuple(word for word in words if word not in wording.QUALIFIERS) or words


def valued(text: str) -> tuple[str, ...]:
    """The words of a value without articles, and without what says at its ends that it holds now."""
    words = list(without_articles(text))
    while len(words) > 1 and words[0] in wording.NOW:
        words.pop(0)
    while len(words) > 1 and words[-1] in wording.NOW:
        words.pop()
    return tuple(words)


@lru_cache(maxsize=8192)
def without_articles(text: str) -> tuple[str, ...]:
    """The words of a text without articles, elisions and the possessive s."""
    words = [part for word in words_of(text) for part in _ELISION.sub(r"\g<of> ", word).removesuffix("'s").split()]
    return tuple(word for word in words if word not in wording.ARTICLES) or tuple(words)
