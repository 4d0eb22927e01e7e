"""Prints what the quickstart does, as it happens; nothing in here touches a memory."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from conversation import Session

from langgraph_agentmem import (
    ConsolidationConflicts,
    ConsolidationPlan,
    ConsolidationReport,
    PromotionReport,
    SearchHit,
)
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.models.entity import Entity, Relationship

WIDTH = 100
_COLOURS = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_TIER_COLOURS = {"active": "yellow", "shortterm": "cyan", "longterm": "green"}
_TALK, _STEP, _NOTE, _HIT = 8, 20, 29, 50
"""Columns at which what is said, what a node does, what it notes, and the text of a hit begin."""


class Narrator:
    """Tells a run: sessions, what is said, what each node of the graph did, and what is found in the end.

    Args:
        short: Leave out what is said, and what each node did.
    """

    def __init__(self, *, short: bool = False) -> None:
        self._short = short
        self._colourful = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._texts: dict[int, str] = {}
        self._plan = ConsolidationPlan()
        self._starts: list[tuple[datetime, str]] = []
        self._tellers = {
            "agent": self._agent,
            "remember": self._remember,
            "__error_handler__remember": self._refuse,
            "claim": self._claim,
            "extract": self._extract,
            "conflicts": self._conflicts,
            "resolve": self._resolve,
            "apply": self._apply,
            "promote": self._promote,
        }

    def heading(self, text: str) -> None:
        print(f"\n{self._styled(f'── {text} '.ljust(WIDTH, '─'), 'bold')}")

    def paragraph(self, text: str) -> None:
        print(f"\n{textwrap.fill(text, WIDTH)}")

    def facts(self, facts: dict[str, str]) -> None:
        print()
        for label, text in facts.items():
            self._labelled(label, text, column=15, style="bold")

    def code(self, text: str) -> None:
        print(textwrap.indent(textwrap.dedent(text), "    "))

    def said(self, speaker: str, text: str) -> None:
        if self._short:
            return
        print(end="\n" if speaker == "User" else "")
        self._labelled(speaker, text, column=_TALK, style="blue" if speaker == "User" else "bold")

    def session_began(self, session: Session, at: datetime) -> None:
        """From this time of the database on, it is that session's date."""
        self._starts.append((at, session.date))

    # What the nodes did

    def node(self, name: str, update: dict[str, Any] | None) -> None:
        """What a node wrote to its graph's state."""
        if name in self._tellers and update and not self._short:
            self._tellers[name](update)

    def _agent(self, update: dict[str, Any]) -> None:
        self.said("Agent", update["messages"][-1].text)
        for edit in update["updates"]:
            sign = "+" if edit.get("action") == "insert" else "~"
            was = f" (was: {_listed(edit['old_content'])})" if edit.get("old_content") and sign == "~" else ""
            text = _listed(edit["new_content"]) + was
            print(f"{' ' * _TALK}{self._styled(sign, 'green')} {edit['section_id']:<10}{_cut(text, WIDTH - _STEP)}")

    def _remember(self, update: dict[str, Any]) -> None:
        info = update["consolidation_info"]
        done, needed = info["total_update_count"], round(info["threshold"])
        bar = ("■" * done)[:needed].ljust(needed, "·")
        due = ", so a consolidation is due" if info["will_consolidate"] else ""
        self._step("remember", f"{bar} {done} of {needed} updates{due}")

    def _refuse(self, update: dict[str, Any]) -> None:
        self._step("remember", f"refused, back to the agent: {update['refused'][-1]}")

    def _claim(self, update: dict[str, Any]) -> None:
        self._step("consolidate", "")
        if update["claim"] is None:
            self._substep("claim", f"{update['report']['status']}: there is nothing to take")
            return
        sections, chunks = update["claim"]["sections"], update["claim"]["chunks"]
        updates = sum(section["update_count"] for section in sections)
        self._substep("claim", f"{updates} updates of {len(sections)} sections, {_counted(len(chunks), 'new text')}")

    def _extract(self, update: dict[str, Any]) -> None:
        found = update["extraction"]
        links = _counted(len(found["relationships"]), "relationship")
        self._substep("extract", f"{_counted(len(found['entities']), 'entity')}, {links}")

    def _conflicts(self, update: dict[str, Any]) -> None:
        found = ConsolidationConflicts.model_validate(update["conflicts"])
        self._texts = {c.id: _bare(c.content) for s in found.sections for c in (*s.existing_chunks, *s.new_chunks)}
        self._plan = ConsolidationPlan.model_validate(update["plan"])
        unclear = {
            "text": sum(not r.clear for section in found.sections for r in section.replacements),
            "name": sum(conflict.recommended_action == "manual" for conflict in found.entities),
            "relationship": sum(conflict.recommended_action == "manual" for conflict in found.relationships),
        }
        counts = ", ".join(_counted(count, noun) for noun, count in unclear.items() if count)
        self._substep("conflicts", f"not clear to the rules: {counts}" if counts else "all clear to the rules")

    def _resolve(self, update: dict[str, Any]) -> None:
        self._plan = ConsolidationPlan.model_validate(update["plan"])
        decided = sum(decision["decided_by"] == "model" for decision in update["decisions"])
        refused = sum(bool(decision["refused"]) for decision in update["decisions"])
        tokens = update["usage"]["input_tokens"] + update["usage"]["output_tokens"]
        but = f", {_counted(refused, 'proposal')} refused" if refused else ""
        self._substep("resolve", f"the model decides {decided}{but} ({tokens:,} tokens with extract)")

    def _apply(self, update: dict[str, Any]) -> None:
        report = ConsolidationReport.model_validate(update["report"])
        for line in _what_changed(report):
            self._substep("apply" if line.startswith("texts") else "", line)
        for decision in filter(_is_conflict, report.decisions):
            self._decision(decision)
        for failure in report.failures:
            self._noted("failed", [failure], style="red")

    def _promote(self, update: dict[str, Any]) -> None:
        promotion = PromotionReport.model_validate(update["report"]["promotion"])
        for line in _what_was_promoted(promotion):
            self._substep("promote" if "consolidation" in line else "", line)

    def _decision(self, decision: Decision) -> None:
        if decision.refused:
            refusal = f"the model's proposal is refused ({decision.refused})"
            self._noted("refused", [*self._subject(decision), refusal], style="red")
            return
        reason = re.sub(r"^chunk \d+ ", "the new text ", decision.reason)
        self._noted(decision.decided_by, [*self._subject(decision), f"{decision.action}: {reason}"], style="cyan")

    def _subject(self, decision: Decision) -> list[str]:
        """What a decision is about: texts that go (−) and come (+), or the name of another thing."""
        ids = list(decision.about.ids)
        if not ids:
            return [re.sub(r" #\d+$", "", str(decision.about))]
        gone = [f"− {self._texts.get(id, f'chunk {id}')}" for id in ids]
        return gone + [f"+ {text}" for text in self._replacing(ids)]

    def _replacing(self, ids: list[int]) -> Iterable[str]:
        for section in self._plan.sections:
            yield from (_bare(merge.text) for merge in section.merged if merge.chunk_ids == ids)
            for decision in section.decisions:
                if [decision.chunk_id] == ids and decision.replaced_by:
                    yield self._texts[decision.replaced_by]

    # What is found

    def hits(self, question: str, hits: Sequence[SearchHit]) -> None:
        print(f"\n{self._styled(question, 'bold')}")
        for rank, hit in enumerate(hits):
            tier = self._styled(f"{hit.tier:<11}", _TIER_COLOURS[hit.tier])
            start = f"  {hit.score:.2f}  {tier}{hit.section_id:<11}{self._validity(hit):<20}"
            text = _bare(hit.content)
            first, *rest = _wrapped(text, WIDTH - _HIT, 0) if rank == 0 else [_cut(text, WIDTH - _HIT)]
            print("\n".join([f"{start}{first}", *(f"{' ' * _HIT}{line}" for line in rest)]))

    def entity(self, entity: Entity) -> None:
        kind = f"{', '.join(entity.types)}; {entity.tier}, confidence {entity.confidence:.2f}"
        print(f"\n{self._styled(entity.name, 'bold')} ({kind})")
        for link in entity.relationships:
            text = f"{link.source} {', '.join(link.types)} {link.target}"
            self._labelled(text, self._validity(link), column=45, style="green", indent=2)
        for change in entity.state_history:
            day = self._day(datetime.fromisoformat(change["timestamp"]))
            self._labelled(day, _change(change), column=14, style="cyan", indent=2)

    def _validity(self, item: SearchHit | Relationship) -> str:
        start = self._day(item.start_date)
        return f"{start} – {self._day(item.end_date)}" if item.end_date else f"since {start}"

    def _day(self, at: datetime) -> str:
        return next((date for start, date in reversed(self._starts) if start <= at), "before")

    # How it looks

    def _step(self, name: str, text: str) -> None:
        self._labelled(name, text, column=_STEP, style="yellow", indent=_TALK)

    def _substep(self, name: str, text: str) -> None:
        self._labelled(name, text, column=_STEP, style="yellow", indent=_TALK + 2)

    def _noted(self, label: str, lines: list[str], style: str) -> None:
        for line in lines:
            self._labelled(label, line, column=_NOTE, style=style, indent=_STEP, hang=2 if line[:1] in "−+" else 0)
            label = ""

    def _labelled(self, label: str, text: str, *, column: int, style: str, indent: int = 0, hang: int = 0) -> None:
        first, *rest = _wrapped(text, WIDTH - column, hang) or [""]
        print(f"{' ' * indent}{self._styled(label, style)}{' ' * (column - indent - len(label))}{first}".rstrip())
        for line in rest:
            print(f"{' ' * column}{line}")

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{_COLOURS[style]}m{text}\033[0m" if self._colourful and text else text


def _is_conflict(decision: Decision) -> bool:
    """Whether there was something to decide: texts that are replaced, other spellings, whatever went to the model."""
    if decision.decided_by == "model" or decision.refused or decision.action == "supersede":
        return True
    other_spelling = decision.about.kind == "entity" and "(similarity 1.00)" not in decision.reason
    return decision.action == "merge" and other_spelling


def _what_changed(report: ConsolidationReport) -> list[str]:
    return [
        f"texts: {report.chunks_added} added, {report.chunks_superseded} superseded, {report.chunks_merged} merged",
        f"entities: {report.entities_created} new, {report.entities_merged} merged into known ones",
        f"relationships: {report.relationships_created} new, {report.relationships_merged} merged, "
        f"{report.relationships_ended} ended",
    ]


def _what_was_promoted(promotion: PromotionReport) -> list[str]:
    count = f"consolidation {promotion.update_count} of {promotion.threshold}"
    if promotion.status != "promoted":
        return [f"not yet, {count}"]
    return [
        f"{count}: everything short-term becomes LONG-TERM",
        f"texts: {promotion.chunks_added} moved",
        f"entities: {promotion.entities_added} new, {promotion.entities_modified} changed",
        f"relationships: {promotion.relationships_added} new, {promotion.relationships_modified} changed",
    ]


def _change(change: dict[str, Any]) -> str:
    if "types" in change:
        return f"{change['action']} as {', '.join(change['types'])}, confidence {change['confidence']:.2f}"
    types = " → ".join(dict.fromkeys([", ".join(change["old_types"]), ", ".join(change["new_types"])]))
    return f"{types}, confidence {change['old_confidence']:.2f} → {change['new_confidence']:.2f}"


def _counted(count: int, noun: str) -> str:
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def _wrapped(text: str, width: int, hang: int) -> list[str]:
    """Lines of a text; words longer than a line stay whole, so that paths can be copied."""
    hanging = " " * hang
    return textwrap.wrap(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def _listed(content: str) -> str:
    return " / ".join(_bare(line) for line in content.splitlines())


def _bare(text: str) -> str:
    return " ".join(text.split()).removeprefix("- ")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
