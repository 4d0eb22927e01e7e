"""What a decision is about: a value that survives JSON, and words for people."""

import pytest

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.conflict import Decision

WORDS = {
    About.chunk("plan", 12): "chunk 12 of section 'plan'",
    About.merge("plan", [3, 1]): "merged text of section 'plan' from chunks 3, 1",
    About.entity("Ada", 2): "entity 'Ada' #2",
    About.relationship("Ada", "Acme", 0): "relationship 'Ada' → 'Acme' #0",
    About(kind="extracted", names=("Ada", ""), position=1): "extracted 'Ada' → '' #1",
    About(kind="extracted", names=("",), position=0): "extracted '' #0",
    About(kind="section", section_id="secret"): "section 'secret'",
    About(kind="entity_conflict", position=-1): "entity conflict -1",
    About(kind="relationship_conflict", position=7): "relationship conflict 7",
    About(kind="chunk", section_id="plan", ids=(12,), dispute=5): "dispute 5: chunk 12 of section 'plan'",
    About(kind="merge", section_id="plan", ids=(3, 1), dispute=6): "dispute 6: merge 3",
    About(kind="entity", ids=(17,), dispute=7): "dispute 7: entity 17",
    About(kind="relationship", ids=(18,), dispute=8): "dispute 8: relationship 18",
}


@pytest.mark.parametrize(("about", "words"), WORDS.items(), ids=WORDS.values())
def test_it_is_named_in_words_and_comes_back_from_json_as_the_same_key(about, words):
    decision = Decision(about=about, action="keep", decided_by="rules")

    read = Decision.model_validate_json(decision.model_dump_json())

    assert str(read.about) == words
    assert {about: "found"}[read.about] == "found"


def test_what_differs_is_not_the_same():
    assert (
        len({*WORDS, About.chunk("notes", 12), About.entity("Ada", 3), About.merge("plan", [1, 3])}) == len(WORDS) + 3
    )
