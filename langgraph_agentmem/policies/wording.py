"""The tables of `wording.toml`: words that tell what a statement claims, in several languages."""

import re
import tomllib
from importlib.resources import files

_TABLES = tomllib.loads(files("langgraph_agentmem.policies").joinpath("wording.toml").read_text(encoding="utf-8"))
_WORDS: dict[str, str] = _TABLES["words"]
_PREDICATES = _TABLES["predicates"]


def _words(name: str) -> frozenset[str]:
    return frozenset(_WORDS[name].split())


ANNOTATIONS = _words("annotations")
MANY_VALUED_KEYS = _words("many_valued_keys")
UNRESOLVED = _words("unresolved")
FIRST_PERSON = _words("first_person")
POSSESSIVES = _words("possessives")
REPORTING = _words("reporting")
HEDGES = _words("hedges")
QUALIFIERS = _words("qualifiers")
NOW = _words("now")
ADDITIVE = _words("additive")
ARTICLES = _words("articles")
ATTRIBUTES = _words("attributes")
DESCRIBED = _words("described")
ROLES = _words("roles")
SUPERLATIVES = _words("superlatives")
PREPOSITIONS = _words("prepositions")
TAILS = _words("tails")
AUXILIARIES = _words("auxiliaries")
OPPOSITES = frozenset(frozenset(pair.split("/")) for pair in _WORDS["opposites"].split())
CALENDAR = _words("calendar")
ADJECTIVES_OF_MANY = _words("adjectives_of_many")
SPEAKERS = _words("speakers")
SAYING_NOTHING = _words("saying_nothing")

ONE_VALUED: dict[str, str] = _PREDICATES["one_valued"]
COPULAS: str = _PREDICATES["copulas"]
PAST_COPULAS: str = _PREDICATES["past_copulas"]
POSSESSIONS: str = _PREDICATES["possessions"]
CHOICES: str = _PREDICATES["choices"]
MANY_VALUED: str = _PREDICATES["many_valued"]

NEGATIONS = re.compile(
    r"\b(?:no longer|not yet|not any ?more|not|never|cannot|can't|won't|"
    r"(?:is|are|was|were|do|does|did|has|have|had|could|would|should)n['’]?t|"
    r"stopped|quit|gave up|used to|any ?more|without|"
    r"nicht mehr|noch nicht|nicht|nie(?:mals)?|keine?[nmrs]?|"
    r"n['’](?=\w)|ne|pas encore|pas|plus|jamais|"
    r"ya no|todavía no|aún no|no|nunca|jamás|non|niet meer|niet|geen|yet)\b|"
    r"不再|还没有?|没有|没|不|まだ|もう(?=.*ない)",
    re.IGNORECASE,
)
"""Words that turn a statement into its opposite; those that go together are one match."""

JAPANESE_NEGATIVES = (
    ("ではありません", "です"), ("じゃありません", "です"), ("ではない", "である"), ("じゃない", "だ"),
    ("ていません", "ています"), ("でいません", "でいます"), ("ていない", "ています"), ("でいない", "でいます"),
    ("ません", "ます"), ("できない", "できます"), ("しない", "します"), ("ない", ""),
)  # fmt: skip
"""Endings that deny, and what they deny."""

_DATE_CJK = re.compile(
    r"(?:下?(?:周|星期|礼拜)[一二三四五六日天]|[月火水木金土日]曜日?|明天|今天|明日|今日|(?=.*\d)[\d年月日号时時点分:/-]+半?)"
)
_DATE_NUMBER = re.compile(r"\d{1,4}[-/.:]\d{1,2}(?:[-/.:]\d{1,4})?(?:[ap]m)?|\d{1,2}[ap]m")
_DATE_PART = re.compile(r"\d[\d.:/-]*(?:st|nd|rd|th|am|pm|h)?")
_CJK_FIRST, _CJK_LAST = "\u3040", "\u9fff"


def is_date(text: str) -> bool:
    """Whether a text is a date or a time and nothing else."""
    plain = text.casefold().strip()
    if any(_CJK_FIRST <= char <= _CJK_LAST for char in plain):
        return bool(_DATE_CJK.fullmatch(plain.replace(" ", "")))
    words = re.findall(r"[^\W_]+(?:[.,:/'-][^\W_]+)*", plain)
    named = any(word in CALENDAR or _DATE_NUMBER.fullmatch(word) for word in words)
    return named and all(of_date(word) for word in words)


def of_date(word: str) -> bool:
    """Whether a word may be a part of a date."""
    joints = PREPOSITIONS | ARTICLES | {"o'clock", "h", "end"}
    return word in CALENDAR or word in joints or bool(_DATE_PART.fullmatch(word))
