"""Words are found in whichever form they are written, and by their parts where they are joined."""

import re
import subprocess
import sys
import threading
import tomllib
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.policies.words import DIMENSIONS, Reader, dimension, reader

ENGLISH = reader("english")
TABLES = tomllib.loads(files("langgraph_agentmem.policies").joinpath("words.toml").read_text(encoding="utf-8"))
IRREGULAR = [
    (language, group.split())
    for language, table in TABLES["irregular"].items()
    for group in table.replace("\n", "|").split("|")
]

ANY = st.text(max_size=60) | st.text(st.sampled_from("aZé́ßǅ1,.'’-_#+/ \n京가กุ\u200d\ud800"), max_size=30)
LATIN = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="0123456789µªº¹²³¼½¾"), max_size=40
)


def texts(text: str, language: str = "english") -> list[str]:
    return [word.text for word in reader(language).words(text)]


def asked(query: str, language: str = "english") -> list[str]:
    return [word.text for word in reader(language).asked(query)]


def is_found(query: str, text: str, language: str = "english") -> bool:
    """Whether a text holds all that a question is looked up by."""
    return set(asked(query, language)) <= set(texts(text, language))


def is_hit(query: str, text: str, language: str = "english") -> bool:
    """Whether a text holds some of what a question is looked up by."""
    return bool(set(asked(query, language)) & set(texts(text, language)))


# Forms of one word


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RUNNING", "runs"),
        ("Zoé", "Zoe"),
        ("résumés", "resume"),
        ("naïve", "naive"),
        ("Łódź", "Lodz"),
        ("مُحَمَّد", "محمد"),
        ("محـــمد", "محمد"),
        ("ﻣﺤﻤﺪ", "محمد"),
        ("أحمد", "احمد"),
        ("שָׁלוֹם", "שלום"),
        ("می\u200cخواهم", "میخواهم"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("ﾃｽﾄ", "テスト"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\ufeffAda", "Ada"),
        ("\u202bAda\u202c", "Ada"),
        ("Zoe\u2060\u0301", "Zoé"),
        ("ﬁnance", "finance"),
        ("ＡＣＭＥ", "acme"),
        ("①", "1"),
        ("went", "going"),
        ("gone", "goes"),
        ("children", "kids"),
        ("mother", "mothers"),
        ("Dublin's", "dublin"),
        ("DUBLIN’S", "Dublin"),
        ("she'll", "she"),
        ("$5,000", "5000"),
        ("5’000", "5000"),
        ("1.234.567", "1,234,567"),
        ("$5,000.00", "5000"),
        ("5.000,00 €", "5000"),
        ("5.000,50", "5,000.50"),
        ("ကို။", "ကို"),
        ("ไทย๚๛", "ไทย"),
        ("ភាសា៖ខ្មែរ", "ភាសា ខ្មែរ"),
        ("བོད་ཡིག", "བོད ཡིག"),
        ("2026/05/01", "2026-05-01"),
        ("v2.3.1", "2.3.1"),
        ("V10.2", "10.2"),
        ("2026-05-01", "20260501"),
        ("1_000_000", "1,000,000"),
        ("12,34,567", "1234567"),
        ("4×4", "4x4"),
        ("٢٠٢٤", "2024"),
        ("๒๐๒๔", "2024"),
        ("کتاب", "كتاب"),
        ("مدرسة", "مدرسه"),
        ("ज़रूर", "जरूर"),
        ("Hawaiʻi", "Hawai'i"),
        ("п’ять", "пʼять"),
        ("INV-20394", "INV_20394"),
        ("550E8400-e29b", "550e8400-E29B"),
    ],
)
def test_forms_of_one_word_are_one(one, other):
    assert texts(one) == texts(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C"),
        ("C#", "C"),
        ("C++", "C#"),
        ("1.5", "15"),
        ("v2", "2"),
        ("rev2.3", "2.3"),
        ("5,00", "500"),
        ("5,000.50", "5000"),
        ("2.100.5", "2100"),
        ("קוֹל", "קולות"),
        ("found", "founded"),
        ("lay", "lie"),
        ("192.168.11.21", "192.168.1.121"),
        ("1/12/2026", "11/2/2026"),
        ("1-12", "11-2"),
    ],
)
def test_different_words_are_not_one(one, other):
    assert texts(one) != texts(other)


@pytest.mark.parametrize(
    ("language", "forms"), IRREGULAR, ids=lambda given: given if isinstance(given, str) else given[0]
)
def test_irregular_forms_are_one_word(language, forms):
    assert len({tuple(texts(form, language)) for form in forms}) == 1


def test_no_form_is_that_of_two_words():
    forms = [(language, form) for language, group in IRREGULAR for form in group]

    assert sorted({form for form in forms if forms.count(form) > 1}) == []


@pytest.mark.parametrize("language", TABLES["stop_words"])
def test_stop_words_are_listed_as_they_are_read(language):
    listed = TABLES["stop_words"][language].split()

    assert [word for word in listed if [w.empty for w in reader(language).words(word)] != [True]] == []


@given(text=ANY)
@example("ガか\u3099한국어 Zoé")
def test_how_a_text_is_encoded_does_not_count(text):
    assert len({tuple(texts(unicodedata.normalize(form, text))) for form in ("NFC", "NFD", "NFKC", "NFKD")}) == 1


@given(text=LATIN)
@example("ErÖffnung")
def test_in_upper_and_in_lower_case_a_text_is_found_as_well(text):
    written = set(texts(text))

    assert {word.text for word in ENGLISH.words(text.lower())} <= written
    assert {word.text for word in ENGLISH.words(text.upper())} <= written


# What is joined


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("INV-20394", "Please pay INV-20394."),
        ("20394", "Please pay INV-20394."),
        ("inv 20394", "Please pay (INV-20394)."),
        ("backend", "owned by frontend/backend"),
        ("config.yaml", "see /etc/app/config.yaml:12"),
        ("db01", "ping db01.prod.example.com"),
        ("user name", "call getUserName()"),
        ("getusername", "call getUserName()"),
        ("server", "an HTTPServer"),
        ("user id", "SELECT user_id"),
        ("ada", "ada@example.com"),
        ("example.com", "https://example.com/path?q=1"),
        ("C++", "written in C++, not C"),
        ("5000", "costs $5,000."),
        ("168", "reach it at 192.168.100.200"),
        ("2026-05-01", "due 2026-05-01T10:00"),
        ("brien", "O'Brien"),
        ("lovelace", "write to ada.lovelace@example.com"),
        ("ada.lovelace@example.com", "write to ada.lovelace@example.com now"),
        ("2.3.1", "released as v2.3.1"),
        ("pool", "raise max_pool_size"),
        ("max pool size", "raise max_pool_size"),
        ("request", "an XMLHttpRequest"),
        ("umzug", "with the tag #Umzug"),
        ("#release-2024", "with the tag #release-2024"),
        ("plan.docx", r"in C:\Users\ada\plan.docx"),
        ("users", r"in C:\Users\ada\plan.docx"),
        ("v1beta2", "apiVersion=v1beta2"),
        ("1234567", "call +49 30 1234567"),
        ("100 GB", "a disk of 100gb"),
        ("5 km", "ran 5km"),
        ("10 am", "at 10am"),
        ("5000", "costs $5,000.50"),
        ("iPhone 15", "an iPhone15"),
        ("20394", "pay INV20394"),
        ("python", "needs python3.12"),
        ("3.12", "needs python3.12"),
        ("2.3.1", "pip install pkg==2.3.1"),
        ("2.3.1", "released as v2.3.1-rc1"),
        ("10.0.0.12", "listens on 10.0.0.12:5432"),
        ("2026-05-01", "see 2026-05-01_10-00.log"),
        ("10:30", "at 10:30am"),
        ("INV-20394", "https://example.com/invoices/INV-20394?copy=1"),
        ("red kayak", "https://example.com/?q=red%20kayak"),
        ("café", "https://example.com/caf%C3%A9"),
        ("1080", "a screen of 1920x1080"),
        ("C++", "built with C++17"),
        ("wx_ada88", "她的微信号是wx_ada88。"),
        ("03-1234-5678", "電話は０３−１２３４−５６７８です"),
    ],
)
def test_what_is_joined_is_found_as_a_whole_and_by_its_parts(query, text):
    assert is_found(query, text)


def test_what_holds_a_digit_is_told_from_what_merely_has_the_same_parts():
    assert not is_found("INV-20394", "INV 20394")
    assert not is_found("1.2", "2.1")


def test_a_code_of_letters_and_digits_is_not_read_in_parts():
    assert texts("a1b2c3d4") == ["a1b2c3d4"]
    assert texts("x9") == ["x9"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("inv20394", "INV-20394"),
        ("inv20394", "INV 20394"),
        ("gpt4", "GPT-4"),
        ("f16", "F-16"),
        ("llama3", "Llama 3"),
        ("obrien", "O'Brien"),
        ("wifi", "Wi-Fi"),
        ("emails", "e-mail"),
        ("nodejs", "Node.js"),
        ("usa", "U.S.A."),
        ("getUserName", "get_user_name"),
        ("צהל", "צה״ל"),
        ("zero", "ze\u200bro"),
        ("hyphenated", "hyphen-\n  ated"),
        ("jeanpaul", "Jean-Paul"),
        ("550e8400e29b41d4a716446655440000", "550E8400-E29B-41D4-A716-446655440000"),
        ("001b44113ab7", "00:1B:44:11:3A:B7"),
        ("9783161484100", "978-3-16-148410-0"),
        ("2125551234", "(212) 555-1234"),
        ("5551234", "555-1234"),
        ("+4930123456", "+49 30 123456"),
        ("4111111111111111", "4111 1111 1111 1111"),
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("1299", "1\u202f299,00 €"),
        ("10am", "10 a.m."),
        ("smørrebrød", "smorrebrod"),
        ("mueller", "Müller"),
        ("Oeresund", "Øresund"),
        ("aarhus", "Århus"),
    ],
)
def test_what_one_writes_joined_and_another_apart_is_found_both_ways(one, other):
    assert is_hit(one, other)
    assert is_hit(other, one)


@pytest.mark.parametrize(
    "text", ["10:30 and 11:15", "2026-05-01 10:00", "rooms 12 and 13", "1 2 3 4 5", "in 2024 100 came"]
)
def test_numbers_side_by_side_are_not_one(text):
    assert [word for word in ENGLISH.words(text) if word.part] == []


# Scripts without spaces


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("北京", "我去年住在北京的西边"),
        ("京", "我去年住在北京的西边"),
        ("東京", "来週は東京タワーへ行きます。"),
        ("กรุงเทพ", "เขาอาศัยอยู่ในกรุงเทพมหานคร"),
        ("서울", "저는 서울에서 살아요"),
        ("2024年", "東京2024年大会"),
        ("ヨガ", "ﾖｶﾞが好き"),
    ],
)
def test_a_word_is_found_where_no_spaces_tell_it_apart(query, text):
    assert is_found(query, text)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("爷爷什么时候出院", ["爷爷", "爷什", "候出", "出院"]),
        ("ひなです", ["ひな", "なで"]),
        ("什么", ["什么"]),
    ],
)
def test_pairs_of_letters_that_carry_grammar_are_looked_up_only_where_there_are_no_others(query, words):
    assert asked(query) == words


def test_letters_alone_do_not_find_what_has_them_in_another_order():
    assert not is_found("北京", "京北")


@given(
    text=st.text(st.sampled_from("我去年住在北京東タワーへ々서울에서살"), min_size=2, max_size=12)
    | st.text(st.sampled_from("กรุงเทพมหานคร"), min_size=2, max_size=12).map("ก".__add__),
    data=st.data(),
)
def test_whatever_stands_in_such_a_text_is_found(text, data):
    start = data.draw(st.integers(0, len(text) - 2))
    part = text[start : data.draw(st.integers(start + 2, len(text)))]

    assume(unicodedata.category(part[0]) == "Lo")  # no word begins with a sign that stands on a letter
    assert is_found(part, f"「{text}」")


# What carries no meaning


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("What is the capital of France?", ["capit", "franc"]),
        ("Who is Will?", ["will"]),
        ("Will it rain?", ["rain"]),
        ("Who works in IT?", ["work", "it"]),
        ("WHAT IS IT", ["what", "is", "it"]),
        ("WHAT IS THE BUDGET", ["budget"]),
        ("What did she do? When did it end?", ["end"]),
        ("Who saw The Who?", ["see", "the", "who"]),
        ("Who is Dr. No?", ["dr", "no"]),
        ("Will's phone number", ["will", "phone", "number"]),
        ("What's it about? Who's there?", ["what", "it", "about", "who", "there"]),
        ("Is it a 🎉 or not?", ["is", "it", "a", "or", "not", "🎉"]),
        ("When is the party? 🎉", ["parti"]),
        ("🎉", ["🎉"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("who are you", ["who", "are", "you"]),
        ("the the the", ["the"]),
        ("cats, dogs and cats", ["cat", "dog"]),
        ("?!", []),
        ("", []),
    ],
)
def test_a_question_is_looked_up_by_its_full_words(query, words):
    assert asked(query) == words


@pytest.mark.parametrize(
    ("language", "query", "words"),
    [
        ("german", "Wo wohnt eigentlich Will?", "will"),
        ("german", "Was baut die Firma AN?", "an"),
        ("german", "Wann kommt Frau Sein?", "sein"),
        ("french", "Que fait la société EST ?", "est"),
        ("spanish", "¿Quién es Este García?", "este"),
    ],
)
def test_a_name_that_is_a_stop_word_counts_within_a_question_of_its_language(language, query, words):
    assert words in asked(query, language)
    assert words not in asked(query.lower(), language)


@pytest.mark.parametrize(
    ("left_out", "rest"),
    [
        ({"carolin"}, "What did research?"),
        ({"carolin", "research"}, "What did"),
        ({"what", "did", "carolin", "research"}, "What did Caroline research?"),
        ({"nobody"}, "What did Caroline research?"),
        (set(), "What did Caroline research?"),
    ],
)
def test_a_question_without_some_of_its_words(left_out, rest):
    assert ENGLISH.without("What did Caroline research?", left_out) == rest


def test_what_consists_of_no_words_stays_and_what_is_joined_goes_as_a_whole():
    assert ENGLISH.without("Why — Ada/Grace ?", {"ada"}) == "Why — Ada/Grace ?"
    assert ENGLISH.without("Why — Ada/Grace ?", {"ada", "grace"}) == "Why — ?"


# Of every text


@given(text=ANY, language=st.sampled_from(["english", "german", "simple", "turkish", "tamil", "arabic"]))
@example("\u0301", "english")
@example("¨a", "english")
def test_every_text_is_read_and_twice_as_once(text, language):
    words = reader(language).words(text)

    assert words == Reader(language).words(text)
    assert all(word.text and len(word.text) <= 300 and not word.text.isspace() for word in words)
    assert {word.text for word in reader(language).asked(text)} <= {word.text for word in words}
    assert bool(reader(language).asked(text)) == bool(words)
    assert all(1 <= dimension(word.text) <= DIMENSIONS for word in words if "\ud800" not in word.text)


@given(query=ANY)
def test_each_word_is_looked_up_once(query):
    found = asked(query)

    assert len(found) == len(set(found))


def test_a_word_without_end_is_one_word():
    assert [len(text) for text in texts("x" * 1_000_000)] == [100]
    assert max(len(text) for text in texts("1-" * 1_000)) == 100


def test_single_letters_of_a_name_in_humps_are_no_words_but_those_that_stand_alone_are():
    assert texts("iPhone") == ["iphon", "phone"]
    assert (texts("ก"), texts("x")) == (["ก"], ["x"])


def test_a_word_is_weighed_at_the_same_place_in_every_process():
    assert (dimension("fox"), dimension("北京")) == (262_201_575, 429_596_818)


# Languages


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("german", "Häuser", "Haus"),
        ("german", "Straße", "STRASSE"),
        ("french", "chevaux", "cheval"),
        ("spanish", "canciones", "canción"),
        ("russian", "книги", "книга"),
        ("simple", "Runs", "RUNS"),
    ],
)
def test_endings_are_those_of_the_language(language, one, other):
    assert texts(one, language) == texts(other, language)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("Frist", "Die Kündigungsfrist beträgt drei Monate."),
        ("Kündigung", "Die Kündigungsfrist beträgt drei Monate."),
        ("Miete", "Mietverträge"),
        ("Verträge", "der Mietvertrag"),
        ("Arzt", "Zahnarzttermin"),
        ("Schlüssel", "Wohnungsschlüssel"),
        ("Häuser", "Krankenhaus"),
        ("gehen", "Sie ging, sie geht, sie gingen."),
        ("laufen", "Ich lief."),
        ("ablaufen", "Der Pass ist abgelaufen."),
        ("umziehen", "Sie sind umgezogen."),
        ("auffrischen", "Die Impfung wurde aufgefrischt."),
        ("abholen", "Der Müll wird abgeholt."),
    ],
)
def test_german_words_are_found_by_their_parts_and_by_other_forms(query, text):
    assert is_found(query, text, "german")


@pytest.mark.parametrize("forms", ["kaufen kauft kaufte gekauft", "warten wartet wartete gewartet", "mieten gemietet"])
def test_forms_of_a_german_verb_share_a_word(forms):
    assert set.intersection(*(set(texts(form, "german")) for form in forms.split()))


@pytest.mark.parametrize("word", ["Operation", "Heimat", "Konrad", "Vertrag", "Restaurant", "Nachricht", "Dach"])
def test_a_german_word_is_not_read_as_what_it_is_not(word):
    assert len(texts(word, "german")) == 1


@given(parts=st.lists(st.sampled_from(TABLES["parts"]["german"].split()), min_size=2, max_size=3))
@example(parts=["angebot", "angestellte"])
@example(parts=["abend", "thema", "ei"])
@example(parts=["angebot", "abend", "angestellte"])
def test_the_parts_of_a_noun_stand_in_it(parts):
    noun = "".join(parts).capitalize()
    [whole] = texts(noun, "simple")
    plain = unicodedata.normalize("NFD", whole).replace("\u0308", "")
    # where two parts meet in "ae", the stemmer takes it for an umlaut that is written out
    written_out = re.sub("(?<=[aou])e", "", plain)
    # and "ge" behind "an" for what makes a participle of a verb
    forms = [plain, written_out, *(plain[: ge.start()] + plain[ge.end() :] for ge in re.finditer("ge", plain))]

    assert all(any(word.text in form for form in forms) for word in reader("german").words(noun) if word.part)


@pytest.mark.parametrize("language", ["english", "french", "simple"])
def test_words_of_other_languages_have_no_parts(language):
    assert [word for word in reader(language).words("Mietvertrag Zahnarzttermin gekauft") if word.part] == []


def test_without_a_language_neither_endings_nor_empty_words_are_known():
    assert [tuple(word) for word in reader("simple").words("The cats")] == [
        ("the", "The", False, False),
        ("cats", "cats", False, False),
    ]


@pytest.mark.parametrize("language", ["klingon", "", "English", "pg_catalog.english"])
def test_an_unknown_language_is_refused(language):
    with pytest.raises(
        ConfigurationError, match=f"text_search_config must be one of simple, arabic, .*, not '{language}'"
    ):
        Reader(language)


def test_a_reader_opens_no_file_but_modules_as_that_would_block_an_event_loop():
    code = """
import sys
from langgraph_agentmem.policies.words import reader
opened = []
sys.addaudithook(lambda event, of: event == "open" and opened.append(str(of[0])))
print(reader("english").words("fox")[0].text, [path for path in opened if not path.endswith((".py", ".pyc"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "fox []\n"


def test_many_threads_that_read_different_words_at_once_get_what_one_gets():
    endings = ["ing", "ed", "ations", "fulness", "ies", "ization", "ousli"]
    lists = [
        [f"{chr(97 + thread)}{chr(97 + n % 26)}{'abcdefg'[n % 7]}r{n}x{end}" for n in range(60) for end in endings]
        for thread in range(6)
    ]
    alone = [texts(" ".join(words)) for words in lists]
    together = Reader("english")
    start = threading.Barrier(len(lists))

    def read(words: list[str]) -> list[str]:
        start.wait()
        return [word.text for word in together.words(" ".join(words))]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(lists)) as threads:
            assert list(threads.map(read, lists)) == alone
    finally:
        sys.setswitchinterval(before)
