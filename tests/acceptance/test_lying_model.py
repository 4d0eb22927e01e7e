"""A hundred consolidations and more under a model that lies: nothing is lost, and every lie is on record."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from consistency import assert_consistent
from fakes import ScriptedModel

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.policies.controls import ALWAYS_TRUE

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
CYCLES = 120
INVENTED = 9_000_000
"""Ids from here on do not exist."""


class Liar:
    """Answers with lies, and remembers what of each has to be on record: (part of a line, part of what was refused)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.invented = INVENTED
        self.told: list[str] = []
        self.kinds: set[str] = set()

    def __call__(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        return self._extraction(data) if name == "Extraction" else self._plan(data)

    def _id(self) -> int:
        self.invented += 1
        self.told.append(str(self.invented))
        return self.invented

    def _says(self, kind: str) -> bool:
        if self.random.random() < 0.3:
            self.kinds.add(kind)
            return True
        return False

    def _extraction(self, data: dict[str, Any]) -> dict[str, Any]:
        """The topics of the chunks as entities; some on top of nothing."""
        found: dict[str, Any] = {"entities": [], "relationships": []}
        for chunk in data["chunks"]:
            name = chunk["content"].strip("- \n").split(":")[0]
            kind = self.random.choice(["topic", "number", "thing"])
            chunk_ids = [chunk["id"], self._id()] if self._says("an invented chunk of an entity") else [chunk["id"]]
            found["entities"].append(
                {"name": name, "types": [kind], "description": f"about {name}", "chunk_ids": chunk_ids}
            )
        if self._says("an entity without a name"):
            found["entities"].append({"name": "  ", "chunk_ids": [self._id()]})
        if self._says("a relationship from nothing"):
            found["relationships"].append(
                {"source": "", "target": "Mars", "types": ["owns"], "chunk_ids": [self._id()]}
            )
        return found

    def _plan(self, data: dict[str, Any]) -> dict[str, Any]:
        plan: dict[str, Any] = {"sections": [], "entities": [], "relationships": []}
        for section in data["sections"]:
            plan["sections"].append(self._section(section))
        if self._says("an invented section"):
            name = f"invented {self._id()}"
            plan["sections"].append(
                {"section_id": name, "decisions": [{"chunk_id": 1, "action": "supersede", "replaced_by": 2}]}
            )
        for position, conflict in enumerate(data["entities"]):
            plan["entities"].append(self._entity(position, conflict))
        if self._says("an invented conflict"):
            plan["entities"].append({"conflict": self._id(), "action": "merge", "entity_id": 1})
            plan["relationships"].append({"conflict": self._id(), "action": "supersede", "relationship_id": 1})
        return plan

    def _section(self, section: dict[str, Any]) -> dict[str, Any]:
        contents = {chunk["id"]: chunk["content"] for chunk in section["existing_chunks"]}
        everything = [replacement["chunk_id"] for replacement in section["replacements"]]
        asked = [id for id in everything if contents[id] not in ALWAYS_TRUE]
        decisions, merged = self._decisions(section["new_chunks"], asked), self._merged(section, asked)
        [control] = set(everything) - set(asked)
        if self._says("that what is always true has ended"):
            decisions.append(
                {"chunk_id": control, "action": "supersede", "replaced_by": section["new_chunks"][0]["id"]}
            )
        return {"section_id": section["section_id"], "decisions": decisions, "merged": merged}

    def _decisions(self, new: list[dict[str, Any]], asked: list[int]) -> list[dict[str, Any]]:
        decisions: list[dict[str, Any]] = []
        for id in asked:
            if self._says("superseded by what does not exist"):
                twice = [{"chunk_id": id, "action": "supersede", "replaced_by": self._id()} for _ in range(2)]
                decisions += twice
            elif self._says("superseded by something else"):  # refused where it has nothing to do with it
                decisions.append({"chunk_id": id, "action": "supersede", "replaced_by": self.random.choice(new)["id"]})
        if self._says("a chunk that does not exist"):
            decisions.append({"chunk_id": self._id(), "action": "supersede", "replaced_by": new[0]["id"]})
        return decisions

    def _merged(self, section: dict[str, Any], asked: list[int]) -> list[dict[str, Any]]:
        old, new, merged = section["existing_chunks"], section["new_chunks"], list[dict[str, Any]]()
        texts = {chunk["id"]: chunk["content"].strip() for chunk in (*old, *new)}
        sources = [*asked[:2], new[-1]["id"]]
        if self._says("an empty text"):
            merged.append({"text": " ", "chunk_ids": sources})
            self.told.append("merge into ' ': the merged text is empty")
        elif self._says("a text that drops everything"):
            merged.append({"text": f"All is well {self._id()}.", "chunk_ids": sources})
        elif self._says("a text that drops a little"):  # may be taken; what it lacks stays
            words = " ".join(texts[id] for id in sources).split()
            del words[self.random.randrange(len(words))]
            merged.append({"text": " ".join(words), "chunk_ids": sources})
        elif self._says("a text from chunks that do not exist"):
            merged.append({"text": texts[sources[-1]], "chunk_ids": [sources[-1], self._id()]})
        return merged

    def _entity(self, position: int, conflict: dict[str, Any]) -> dict[str, Any]:
        if self._says("an entity that does not exist"):
            return {"conflict": position, "action": "merge", "entity_id": self._id()}
        strangers = [e for e in conflict["shortterm_entities"] if conflict["similarity_scores"][str(e["id"])] < 0.85]
        if strangers and self._says("an entity that is another"):
            self.told.append(f"merge with entity {strangers[0]['id']}: the names are not similar enough")
            return {"conflict": position, "action": "merge", "entity_id": strangers[0]["id"], "description": " "}
        if self._says("an empty description"):
            self.told.append("an empty description")
            same = max(conflict["shortterm_entities"], key=lambda e: conflict["similarity_scores"][str(e["id"])])
            return {"conflict": position, "action": "merge", "entity_id": same["id"], "description": " "}
        return {"conflict": position, "action": "create"}


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def topic(number: int) -> str:
    """A name; every third one is like its predecessor's, but another."""
    if number % 3 == 2:
        return "Q" + topic(number - 1)[1:6] + f"zu{number}"
    return "".join(random.Random(number).choices(LETTERS, k=9)).title() + str(number)


def fact(number: int, value: int) -> str:
    rng = random.Random(number * 1000 + value)
    return f"{topic(number)}: {' '.join(''.join(rng.choices(LETTERS.lower(), k=6)) for _ in range(rng.choice([2, 3, 12])))}"


def on_record(report: ConsolidationReport) -> str:
    return "\n".join(f"{d.about} {d.refused}" for d in report.decisions if d.refused)


@pytest.mark.slow
async def test_a_lying_model_loses_nothing_and_each_of_its_lies_is_in_a_report(
    opened: Open, rows: Rows, dsn: str
) -> None:
    liar, rng = Liar(2), random.Random(11)
    memory = opened(model=ScriptedModel(answer=liar), settings={"model_attempts": 1})
    other = await memory.acreate_active_memory("bob", "Other", {"sections": ["facts"]}, {"facts": "Secret: of bob"})
    created = await memory.acreate_active_memory("alice", "Year", {"sections": ["facts"]})
    present: list[tuple[int, int]] = []
    latest: dict[int, int] = {}
    written: list[tuple[int, int]] = []
    lies = 0
    for cycle in range(CYCLES):
        number = rng.choice(sorted(latest)) if latest and rng.random() < 0.5 else cycle  # revise something, or add it
        latest[number] = cycle
        present = [known for known in present if known[0] != number][-9:]
        present.append((number, cycle))
        written.append((number, cycle))
        content = "\n".join(f"- {fact(*known)}" for known in present)
        await memory.aupdate_active_memory_section("alice", created.id, "facts", content)
        liar.told.clear()
        report = await memory.aconsolidate("alice", created.id)
        assert report.status == "applied"
        assert all("a statement that nothing contradicts" in failure for failure in report.failures)
        lies += len(liar.told)
        record = on_record(report)
        assert [lie for lie in liar.told if lie not in record] == []

    kept = [
        str(content) for (content,) in rows("SELECT content FROM agentmem.memory_chunk WHERE external_id = 'alice'")
    ]
    valid = {str(content).strip("- \n") for (content,) in rows(
        "SELECT content FROM agentmem.memory_chunk WHERE external_id = 'alice' AND end_date IS NULL"
    )}  # fmt: skip
    text = "\n".join(kept)
    assert [known for known in written if fact(*known) not in text] == []  # also what was revised since
    lost = [
        fact(n, v)
        for n, v in latest.items()
        if not any(fact(n, v) in chunk or said(fact(n, v), chunk) for chunk in valid)
    ]
    assert lost == []
    names = {name for (name,) in rows("SELECT name FROM agentmem.entity WHERE external_id = 'alice'")}
    assert {topic(number) for number in latest} <= names
    assert rows("SELECT count(*) FROM agentmem.entity WHERE external_id = 'alice' AND description = ''") == [(0,)]
    assert (await memory.aget_active_memory("bob", other.id)).sections["facts"].content == "Secret: of bob"
    assert rows("SELECT count(*) FROM agentmem.consolidation_run WHERE external_id = 'bob'") == [(0,)]
    assert len(liar.kinds) == 16
    assert lies > CYCLES
    assert_consistent(dsn)


def said(statement: str, chunk: str) -> bool:
    """Whether a merged text holds every word of a statement."""
    return set(statement.replace(":", "").split()) <= set(chunk.replace(":", "").replace("- ", "").split())
