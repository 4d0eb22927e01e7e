"""Common words for types of entities, and which of them exclude each other."""

from collections.abc import Iterable

_CLASSES = {
    "person": """
        person people human man woman child boy girl individual user customer client contact character author writer
        artist musician singer actor actress composer painter poet director producer politician president minister
        chancellor king queen scientist researcher engineer developer programmer architect designer manager lead leader
        boss founder ceo cto employee colleague coworker teacher professor student doctor physician nurse lawyer judge
        athlete player footballer driver friend neighbor neighbour parent mother father sister brother son daughter wife
        husband partner relative saint deity
        mensch frau mann kind kollege kollegin freund freundin personne homme femme persona hombre mujer
        人 人物 人名""",
    "organisation": """
        organisation organization company corporation business firm enterprise startup manufacturer vendor supplier
        employer agency institution institute ngo nonprofit charity government ministry authority department committee
        party union association federation club team band orchestra army bank university school college hospital
        newspaper publisher airline brand
        unternehmen firma organisation verein behörde entreprise société organización empresa 公司 企业 企業 组织 組織
        会社 団体 机构""",
    "place": """
        place location city town village country state nation province region county district area continent island
        mountain river lake sea ocean desert forest park street road square building house room address venue airport
        station capital landmark beach valley bank university school college hospital
        ort stadt land dorf fluss berg lieu ville pays lugar ciudad país
        地点 地點 地名 场所 場所 城市 都市 国家 國家 国""",
    "animal": """
        animal mammal bird fish insect reptile dog cat horse cow pig snake pet breed
        tier hund katze vogel animal oiseau chien chat perro gato 动物 動物""",
    "food": """
        food fruit vegetable dish meal drink beverage ingredient cheese wine beer coffee tea dessert spice bread meat
        fish recipe cuisine
        essen obst frucht gemüse getränk lebensmittel speise nourriture aliment plat boisson comida fruta bebida
        食物 食品 水果 果物 料理 饮料 飲み物""",
    "technology": """
        technology framework library database software app application protocol algorithm api sdk compiler browser
        programming_language operating_system tool platform website service product device phone computer
        technologie bibliothek datenbank programmiersprache logiciel tecnología 技术 技術 软件 軟體 ソフトウェア""",
    "event": """
        event conference meeting war battle festival holiday concert election accident incident ceremony wedding
        birthday tournament championship match appointment
        ereignis veranstaltung konferenz krieg événement conférence evento conferencia 事件 活动 活動 会议 会議
        イベント""",
    "work": """
        book novel film movie song album poem painting play series show magazine newspaper article
        buch lied livre chanson libro película canción 书 書籍 电影 映画 歌曲""",
}
"""By class, the words for it; a word may stand for several. What a company makes often bears its name, so such words
stand for the company as well, below."""
_ALSO_ORGANISATION = {"tool", "platform", "website", "service", "product", "app", "application"}


def _table() -> dict[str, frozenset[str]]:
    classes: dict[str, set[str]] = {}
    for name, listed in _CLASSES.items():
        for word in listed.split():
            classes.setdefault(word.replace("_", " "), set()).add(name)
    for word in _ALSO_ORGANISATION:
        classes[word].add("organisation")
    return {word: frozenset(names) for word, names in classes.items()}


_BY_WORD = _table()


def classes_of(types: Iterable[str]) -> frozenset[str]:
    """The classes that types stand for; types that no list knows stand for none.

    A type of several words is what its last word says ("team lead" is a lead), unless the whole is listed.
    """
    return frozenset[str]().union(*(_classes(type_) for type_ in types))


def incompatible(a: Iterable[str], b: Iterable[str]) -> bool:
    """Whether nothing can be of both these and those types: they are of known classes, and of none in common."""
    first, second = classes_of(a), classes_of(b)
    return bool(first) and bool(second) and not first & second


def _classes(type_: str) -> frozenset[str]:
    words = type_.casefold().replace("_", " ").replace("-", " ").split()
    for written in (" ".join(words), words[-1] if words else ""):
        for form in (written, written.removesuffix("s"), written.removesuffix("ies") + "y"):
            if form in _BY_WORD:
                return _BY_WORD[form]
    return frozenset()
