"""Whether a statement ends an earlier one: what the rules believe of texts that people write.

Precision on hundreds of pairs is measured by benchmarks/conflicts.py; this shows what each rule is there for.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.models.chunk import NOWHERE, Place
from langgraph_agentmem.policies.judging import PRECISION, judge
from langgraph_agentmem.policies.statements import stated

PRECISE = 0.98


def relation(old: str, new: str, place: Place = NOWHERE, new_place: Place | None = None) -> str:
    [mine], [other] = stated(old, place), stated(new, place if new_place is None else new_place)
    judgement = judge(mine, other)
    if judgement.relation == "replaced" and judgement.precision < PRECISE:
        return "unclear"
    return judgement.relation


CORRECTIONS = {
    "date": [
        ("The deadline is Friday.", "The deadline is Monday."),
        ("- Deadline: 3 March", "- Deadline: 10 April"),
        ("User: The deadline is Friday.", "User: The deadline is now Monday."),
        ("The report is due on 2026-05-01.", "The report is due on 2026-06-15."),
        ("Der Termin ist am 1. Mai 2026.", "Der Termin ist am 3. Juni 2026."),
        ("締め切りは金曜日です。", "締め切りは月曜日です。"),
    ],
    "amount": [
        ("budget = 5000", "Budget = 12"),
        ("The rent is 1,250 euros a month.", "The rent is 1,320 euros a month."),
        ("Ada hat 2 Kinder", "Ada hat 3 Kinder"),
        ("Le prix du café est 3 euros.", "Le prix du café est 4 euros."),
        ("小明的电话是111。", "小明的电话是222。"),
        ("Ada's phone is 111", "Ada's phone: 222"),
    ],
    "one-valued": [
        ("Alice lives in Paris.", "alice has moved to New York City"),
        ("Ada lives in York", "Ada lives in New York"),
        ("I live in Rome", "I now live in Paris"),
        ("Ada wohnt in Berlin.", "Ada wohnt jetzt in Hamburg."),
        ("Ana vive en Madrid.", "Ana vive en Sevilla."),
        ("小明住在北京。", "小明住在上海。"),
        ("太郎は東京に住んでいます。", "太郎は大阪に住んでいます。"),
        ("Ada works at Acme.", "Ada now works for Initech."),
    ],
    "attribute": [
        ("My boss is Ann", "My boss is Tom"),
        ("小明的颜色是红。", "小明的颜色是蓝。"),
        ("Alice's favourite colour is blue", "Alice's favourite colour is green"),
        ("L'adresse d'Ada est rue A", "L'adresse d'Ada est avenue B"),
        ("The wifi password is kangaroo42.", "The wifi password is wombat77."),
    ],
    "record": [
        ("Doctor: Dr. Smith", "Doctor: Dr. Jones"),
        ("primary region -> eu-west-1", "primary region → us-east-2"),
        ("DATABASE_URL=postgres://db1/app", "DATABASE_URL=postgres://db2/app"),
    ],
    "place": [("I'm in Rome", "I'm in Paris")],
    "state": [("Status: open", "Status: closed"), ("The flag is on.", "The flag is off.")],
    "negation": [
        ("Ada is not allergic to nuts", "Ada is allergic to nuts"),
        ("Ada is allergic to nuts", "Ada is no longer allergic to nuts"),
        ("Ada doesn't like tea", "Ada likes tea"),
        ("The contract has not been signed yet.", "The contract has been signed."),
        ("I can't swim.", "I can swim now."),
        ("Ada mag keinen Tee", "Ada mag Tee"),
        ("Paul travaille chez Renault.", "Paul ne travaille plus chez Renault."),
        ("Ana vive en Madrid.", "Ana ya no vive en Madrid."),
        ("小明不吃肉", "小明吃肉"),
        ("花子はお茶を飲みません。", "花子はお茶を飲みます。"),
    ],
}


@pytest.mark.parametrize(("rule", "old", "new"), [(r, *pair) for r, pairs in CORRECTIONS.items() for pair in pairs])
def test_a_correction_ends_what_it_corrects(rule, old, new):
    [mine], [other] = stated(old), stated(new)
    judgement = judge(mine, other)

    assert (judgement.relation, judgement.rule) == ("replaced", rule)
    assert PRECISION[rule] >= PRECISE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("human: My daughter is allergic to peanuts.", "human: What time is it in Tokyo?"),
        ("TODO: buy milk", "TODO: call Bob"),
        ("Note: the key is with Ann", "Note: the rent is due"),
        ("INFO: server started", "INFO: listening on port 80"),
        ("2026-05-01: rained all day", "2026-05-02: sunny"),
        ("12 May: Tom's graduation", "12 May: pay the car tax"),
        ("备注：钥匙在门口", "备注：周五交房租"),
        ("Ada: I live in Rome", "Bob: I live in Paris"),
        ("Alice's phone is 555-1234", "Bob's phone is 555-1234"),
        ("Server 1 is up", "Server 2 is down"),
        ("The budget of 2024 was 5000", "The budget of 2025 was 6000"),
        ("Ada likes tea", "Ada likes coffee"),
        ("Ada visited Rome", "Ada visited Paris"),
        ("小明喜欢茶", "小明喜欢咖啡"),
        ("Ada is allergic to nuts", "Ada is allergic to milk"),
        ("Ada lives in Rome", "Ada is also based in Paris"),
        ("The meeting is on Friday", "The meeting is in Room 5"),
        ("Is the deadline Friday?", "The deadline is Monday."),
        ("See https://docs.example/install", "See https://status.example/incidents/today"),
        ("User likes tea", "User has a dog"),
        ("Ada has a dog", "Ada has a cat"),
        ("Ada is running the importer", "Ada is running the exporter"),
        ("Ada is good today", "Ada is good in Rome"),
        ("```\nprint(1)\n```", "```\nrm -rf build\n```"),
        ("```\nprint(budget + rent)\n```", "print(budget + rent + 1)"),
    ],
)
def test_what_may_be_true_beside_it_stays_and_nobody_is_asked(old, new):
    assert relation(old, new) == "other"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("We use Postgres", "We use MySQL"),
        ("Ada is a doctor", "Ada is a pilot"),
        ("Languages: Python, Rust", "Languages: Python"),
        ("Goal: lose five kilos", "Goal: sleep eight hours"),
        ("Maybe the deadline is Friday.", "The deadline is Monday."),
        ('Ben said: "the deadline is Friday"', 'Ben said: "the deadline is Monday"'),
        ("10:15 The status is open", "11:20 The status is closed"),
        ("name: Ada", "name: Bob"),
        ("Perhaps my boss is Ann", "Perhaps my boss is Tom"),
        ("Ada lives in Paris, Ben said", "Ada lives in Rome, Ben said"),
        ('Ada is "not" allergic to nuts', "Ada is allergic to nuts"),
        ("Deadline: not Friday", "Deadline: not Monday"),
        ("The deadline was Friday.", "The deadline was Monday."),
        ("```\nprint(budget + rent + tax)\n```", "```\nprint(budget + rent + tax + 1)\n```"),
    ],
)
def test_what_only_looks_like_a_correction_ends_nothing(old, new):
    assert relation(old, new) != "replaced"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ada's boss: Ann", "Ada's boss is Ann"),
        ("Deadline: now Friday", "Deadline: Friday, currently"),
        ("The deadline is now Friday", "The deadline is currently Friday"),
    ],
)
def test_what_is_said_again_in_other_words_is_the_same(old, new):
    assert relation(old, new) == "same"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ada lives in Rome and works at Acme", "Ada lives in Paris"),
        ("Ada works at Acme as a designer", "Ada works at Initech"),
    ],
)
def test_nothing_that_a_value_says_besides_is_lost_with_it(old, new):
    assert relation(old, new) == "unclear"


def test_what_belongs_to_another_record_is_another_matter():
    ada, bob = Place(parents=("people", "Ada")), Place(parents=("people", "Bob"))

    assert relation("phone: '111'", "phone: '444'", ada, bob) == "other"
    assert relation("phone: '222'", "phone: '444'", bob, bob) == "replaced"
    assert relation("phone: '444'", "phone: '444'", ada, bob) == "other"


def test_what_only_its_place_names_is_no_attribute_of_the_place():
    office = Place(parents=("The office",))

    assert relation("The door's colour is red", "The door's colour is blue", office) == "replaced"
    assert relation("Its colour is red", "Its colour is blue", office) == "other"
    assert relation("name: Ada", "name: Bob", Place(identifies=True)) == "other"


def test_a_statement_that_says_more_says_the_same():
    assert relation("Ada's phone is 111", "Ada's phone is 111 (office)") == "same"
    assert relation("Languages: Python", "Languages: Python, Rust") == "same"
    assert relation("Zoé lives here", "Zoe\u0301 lives here") == "same"


NAMES = st.sampled_from(["Ada", "Alicia", "Bob", "the team", "Server 1", "Server 2", "小明", "Zoé"])
THINGS = st.sampled_from(["phone", "address", "favourite colour", "deadline", "rent", "friend"])
VALUES = st.sampled_from(["555-1234", "blue", "Friday", "12 May", "Rome", "no", "a doctor", "tea and milk"])
VERBS = st.sampled_from([" is ", ": ", " = ", " was ", " lives in ", " likes ", " has "])


@given(NAMES, NAMES, THINGS, VALUES, VALUES, VERBS, VERBS)
def test_one_subjects_facts_never_end_anothers(name, other, thing, value, new_value, verb, new_verb):
    old, new = f"{name}'s {thing}{verb}{value}", f"{other}'s {thing}{new_verb}{new_value}"

    if name != other:
        assert relation(old, new) == "other"


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_texts_can_be_judged_and_a_text_always_says_itself(old, new):
    for mine in stated(old):
        assert judge(mine, mine).relation == "same"
        for other in stated(new):
            assert 0 <= judge(mine, other).similarity <= 1
