"""Measures what the rules end, flag and keep, on pairs of statements and on real chats: `make bench`.

Each pair of `benchmarks/pairs/` is written into one section of a memory of its own, the old text first, then the new
one, with a consolidation after each. It is written in up to three ways:

- `replaced`: the section's text is replaced by the new one. The old text has left the section, so the run decides
  whether it was untrue or only tidied away. This is the way that the targets are about.
- `appended`: the new text comes below the old one, which still is part of the section. Whoever appends rarely takes
  anything back, so nothing may be ended but what the new text corrects. That corrections are seen at all is welcome,
  but no target. Texts of several statements are not written this way.
- `said`: as `replaced`, with `User: ` before both texts, where they are single lines without a mark of their own.

Precision is the share of right endings among all endings. An ending that leaves a fragment is not a right one.

    python benchmarks/conflicts.py                              # the rules
    python benchmarks/conflicts.py --resolver lying             # with a scripted model: right, careless, lying
    python benchmarks/conflicts.py --kinds dates --show lost torn missed
    python benchmarks/conflicts.py --beam beam.json --locomo locomo.json
"""

import argparse
import asyncio
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import chats
import judging
import locomo
import resolvers
import server
from judging import Case, Outcome, Verdict, Way
from writing import share, table, write_all

from langgraph_agentmem import AgentMemory, AgentMemorySettings

SETTINGS = AgentMemorySettings(max_pending_minutes=None)
PARTS = ("pairs", "messages", "dialogues")
WAYS: tuple[Way, ...] = get_args(Way)
TO_END: tuple[Outcome, ...] = ("ended", "flagged", "missed", "torn")
TO_STAY: tuple[Outcome, ...] = ("kept", "doubted", "lost", "parted")

Measure = Callable[[Sequence[Verdict]], str]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what consolidation ends, flags and keeps.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--resolver", choices=["rules", "right", "careless", "lying"], default="rules")
    parser.add_argument("--kinds", nargs="+", default=[], help="only these files of benchmarks/pairs")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--show", nargs="+", choices=get_args(Outcome), default=[], help="list what came out so")
    parser.add_argument("--embedder", help="package.module:name of a LangChain embedder that takes no arguments")
    parser.add_argument("--beam", default=os.environ.get("BENCH_BEAM"), help="BEAM's chats (BENCH_BEAM)")
    parser.add_argument("--locomo", default=os.environ.get("BENCH_LOCOMO"), help="LoCoMo (BENCH_LOCOMO)")
    return parser.parse_args()


# Pairs


async def measure_pairs(memory: AgentMemory, cases: Sequence[Case], show: Sequence[Outcome]) -> None:
    """What became of the statements of all pairs, by way and kind, and the figures that have targets."""
    started = time.perf_counter()
    found = await write_all(memory, "pairs", cases)
    seconds = time.perf_counter() - started
    verdicts = [v for case in cases for v in judging.judged(case, found[case.key].chunks, found[case.key].flagged)]
    for way in dict.fromkeys(case.way for case in cases):
        print_kinds(way, [verdict for verdict in verdicts if verdict.case.way == way])
    print_targets(verdicts)
    for verdict in verdicts:
        if verdict.outcome in show:
            pair = verdict.case.pair
            print(f"{verdict.outcome} {verdict.case.key}: {verdict.statement!r} of {pair.old!r}, then {pair.new!r}")
    print(f"{len(cases):,} memories in {seconds:.0f} s.\n")


def print_kinds(way: Way, verdicts: Sequence[Verdict]) -> None:
    kinds = list(dict.fromkeys(verdict.case.pair.kind for verdict in verdicts))
    rows = [_row(kind, [v for v in verdicts if v.case.pair.kind == kind]) for kind in kinds]
    print(f"### Pairs, {way}: what became of their statements\n")
    table(
        ["kind", "pairs", "to end", "ended rightly", "flagged", "missed", "left a fragment",
         "to stay", "kept", "flagged", "ended wrongly", "kept, but torn off"],
        [*rows, _row("all", verdicts)],
    )  # fmt: skip


def _row(label: str, verdicts: Sequence[Verdict]) -> list[str]:
    counts = Counter(verdict.outcome for verdict in verdicts)
    pairs = len({verdict.case.key for verdict in verdicts})
    groups = ([sum(counts[o] for o in outcomes), *(counts[o] for o in outcomes)] for outcomes in (TO_END, TO_STAY))
    return [label, str(pairs), *(str(number) for group in groups for number in group)]


def print_targets(verdicts: Sequence[Verdict]) -> None:
    measures: list[tuple[str, Measure, str]] = [
        ("precision of endings", precision, "≥ 98 % in every column"),
        ("plain corrections ended", _of(is_plain, "ended"), "≥ 60 %; appended: none"),
        ("plain corrections ended or flagged", _of(is_plain, "ended", "flagged"), "≥ 80 %; appended: none"),
        ("all that is to end, ended", _of(is_to_end, "ended"), "with a right model ≥ 95 %; appended: none"),
        ("all that is to end, ended or flagged", _of(is_to_end, "ended", "flagged"), ""),
        ("unrelated ended", _of(is_unrelated, "lost"), "0"),
        ("unrelated flagged", _of(is_unrelated, "doubted"), "≤ 3 %"),
        ("additions ended", _of(is_addition, "lost"), "0"),
        ("additions flagged", _of(is_addition, "doubted"), ""),
    ]
    columns = [[v for v in verdicts if v.case.way == way] for way in WAYS]
    print("### Pairs: the figures that count\n")
    table(["", *WAYS, "target"], [[label, *map(measure, columns), target] for label, measure, target in measures])


def precision(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.outcome for verdict in verdicts)
    return share(counts["ended"], counts["ended"] + counts["torn"] + counts["lost"])


def _of(group: Callable[[Verdict], bool], *outcomes: Outcome) -> Measure:
    """The share of a group that came out so."""

    def measure(verdicts: Sequence[Verdict]) -> str:
        members = [verdict for verdict in verdicts if group(verdict)]
        return share(sum(verdict.outcome in outcomes for verdict in members), len(members))

    return measure


def is_plain(verdict: Verdict) -> bool:
    return verdict.case.pair.right == "plain" and is_to_end(verdict)


def is_to_end(verdict: Verdict) -> bool:
    return verdict.outcome in TO_END


def is_unrelated(verdict: Verdict) -> bool:
    return verdict.case.pair.right == "unrelated"


def is_addition(verdict: Verdict) -> bool:
    return verdict.case.pair.right == "keep"


# All of it


def embedder(name: str | None) -> Any:
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)()


async def main(given: argparse.Namespace) -> None:
    dsn = server.database(server.started())
    index = embedder(given.embedder)
    if "pairs" in given.parts:
        cases = [case for pair in judging.pairs(given.kinds) for case in judging.cases(pair, given.ways)]
        by_rules = given.resolver == "rules"
        model = None if by_rules else resolvers.model(given.resolver, {case.key: case for case in cases})
        print(f"## Judgement, by {'the rules' if by_rules else f'the rules and a {given.resolver} model'}\n")
        async with AgentMemory.open(dsn, settings=SETTINGS, model=model, index=index) as memory:
            await measure_pairs(memory, cases, given.show)
    async with AgentMemory.open(dsn, settings=SETTINGS, index=index) as memory:
        await measure_chats(memory, given)


async def measure_chats(memory: AgentMemory, given: argparse.Namespace) -> None:
    """Real chats, where a file of them is named; always by the rules alone, as no script knows what is right there."""
    if "messages" in given.parts and given.beam:
        await chats.measure_messages(memory, chats.read(given.beam))
    elif "messages" in given.parts:
        print("BEAM's messages are left out: --beam or BENCH_BEAM names their file.\n")
    if "dialogues" in given.parts and given.locomo:
        await chats.measure_dialogues(memory, [locomo.conversation(one) for one in chats.read(given.locomo)])
    elif "dialogues" in given.parts:
        print("LoCoMo's dialogues are left out: --locomo or BENCH_LOCOMO names their file.\n")


if __name__ == "__main__":
    sys.path.append(str(Path.cwd()))  # for an embedder of one's own
    asyncio.run(main(arguments()))
