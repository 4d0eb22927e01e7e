"""Which types exclude each other."""

import pytest

from langgraph_agentmem.policies.entity_types import incompatible


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["company"], ["fruit"]),
        (["person"], ["country"]),
        (["Organisation"], ["food"]),
        (["programming language"], ["snake"]),
        (["framework"], ["person"]),
        (["Software Engineer"], ["city"]),
        (["football club"], ["animal"]),
        (["companies"], ["fruits"]),
        (["company", "employer"], ["river"]),
        (["conference"], ["database"]),
        (["novel"], ["person"]),
        (["Unternehmen"], ["Obst"]),
        (["empresa"], ["fruta"]),
        (["公司"], ["水果"]),
        (["会社"], ["果物"]),
    ],
)
def test_types_of_different_kinds_exclude_each_other(a, b):
    assert incompatible(a, b)
    assert incompatible(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["company"], ["organisation"]),
        (["company"], ["organization"]),
        (["framework"], ["library"]),
        (["Person"], ["Developer"]),
        (["Person"], ["Team Lead"]),
        (["person"], []),
        ([], []),
        (["person"], ["whatever"]),
        (["planet"], ["metal"]),
        (["project"], ["software"]),
        (["company"], ["platform"]),
        (["university"], ["place"]),
        (["university"], ["organisation"]),
        (["company", "fruit"], ["fruit"]),
        (["fish"], ["food"]),
        (["programming-language"], ["Programming_Language"]),
        (["firma"], ["company"]),
    ],
)
def test_words_for_the_same_kind_and_unknown_words_exclude_nothing(a, b):
    assert not incompatible(a, b)
    assert not incompatible(b, a)
