"""What a line belongs to, by indentation: lists in lists, records as YAML and JSON write them.

`phone: '444'` says nothing alone. It belongs to what stands above it with less indentation, and where that is a record
(a mapping in a list), to what identifies the record: its `id` or `name`, or else its first line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from langgraph_agentmem.models.chunk import Place

# "1. Mai 2026" begins no list
_MONTH = r"(?!\s+(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez|janv|févr|mars|avr|mai|juin|juil|août|déc))"
ITEM = re.compile(rf"^\s*([-*+•]|\d{{1,3}}[.)]{_MONTH})(\s+|$)")
HEADING = re.compile(r"\s{0,3}#{1,6}\s")
FENCE = re.compile(r"\s*(```|~~~)")
_KEYED = re.compile(r"""["']?(?P<key>[^\s"':][^"':\n]{0,40})["']?\s*:\s+(?P<value>\S.*)$""")
IDENTIFYING = ("id", "uuid", "key", "slug", "name", "full_name", "title", "username", "user", "email", "code", "sku")
_LONGEST_LABEL = 80
_MOST_PARENTS = 16
"""Nearest ones that are kept with each line: of text that is indented ever more, each would keep all above it."""


@dataclass(eq=False)
class _Node:
    """A line among others; an item is deeper than a plain line at its column, and what it holds is deeper still.

    Its identity and label are asked for once all nodes are there.
    """

    depth: int
    text: str
    item: bool
    above: "_Node | None" = None
    below: list["_Node"] = field(default_factory=list["_Node"])

    def holds(self, other: "_Node") -> bool:
        """Whether a deeper line may belong to it: anything to what opens something, keys and items to a title."""
        opens = self.item or self.text.endswith((":", "{", "[")) or not self.text
        titled = len(self.text) <= _LONGEST_LABEL and self.text[-1:] not in ".!?,;。！？"
        return opens or (titled and (other.item or other.keyed is not None))

    @cached_property
    def keyed(self) -> re.Match[str] | None:
        return _KEYED.match(self.text)

    @property
    def anonymous(self) -> bool:
        """Whether it is only a mark, so that what it holds has to name it."""
        return not self.text.strip("{[ ")

    @cached_property
    def identity(self) -> "_Node | None":
        """The line that identifies the record that it begins; None if it begins none."""
        if not self.below or (not self.item and not self.anonymous) or not (self.anonymous or self.keyed):
            return None
        members = [node for node in (*([] if self.anonymous else [self]), *self.below) if node.keyed]
        by_key = {m["key"].strip().casefold(): node for node in reversed(members) if (m := node.keyed)}
        named = next((by_key[key] for key in IDENTIFYING if key in by_key), None)
        return named or next(iter(members), None)

    @cached_property
    def label(self) -> str:
        """What those that it holds call it; empty for brackets around a list."""
        identity = self.identity
        if identity is None or not (keyed := identity.keyed):
            return _bare(self.text)
        value = _bare(keyed["value"])
        if any(char.isalpha() for char in value):
            return value
        # a number alone says nothing to who reads: what stands first besides says what it is
        named = (m for node in (self, *self.below) if node is not identity and (m := node.keyed))
        return " ".join([value, *(_bare(m["value"]) for m in islice(named, 1))])


def places(blocks: Sequence[str]) -> Iterator[Place]:
    """What each of a text's blocks belongs to by indentation.

    Args:
        blocks: In order; the first line of each that is no heading tells its place.
    """
    placed: list[_Node | None] = []
    above: list[_Node] = []
    for block in blocks:
        node = _node(block)
        placed.append(node)
        if node is None:
            continue
        while above and (above[-1].depth >= node.depth or not above[-1].holds(node)):
            above.pop()
        if above:
            node.above = above[-1]
            above[-1].below.append(node)
        above.append(node)
    return (Place() if node is None else _place(node) for node in placed)


def _place(node: _Node) -> Place:
    labels: list[str] = []
    # a record's own first line belongs to it as its other lines do
    own = node.item and node.identity is not None
    holder = node if own and node.identity is not node else node.above
    identifies = own and node.identity is node
    while holder is not None and len(labels) < _MOST_PARENTS:
        if holder.identity is node:
            identifies = True
        elif holder.label:
            labels.append(holder.label)
        holder = holder.above
    return Place(parents=tuple(reversed(labels)), identifies=identifies)


def _node(block: str) -> _Node | None:
    """The block's first line that is no heading; None for code, and for lines that only close something."""
    for line in block.splitlines():
        if not line.strip() or HEADING.match(line):
            continue
        if FENCE.match(line) or not line.strip(" \t]}),;"):
            return None
        item = ITEM.match(line)
        column = len(line) - len(line.lstrip())
        text = line[item.end() :] if item else line
        return _Node(2 * column + bool(item), text.strip(), bool(item))
    return None


def _bare(text: str) -> str:
    """A label without the marks of the format that it is written in."""
    return text.strip().strip("{[").strip().rstrip(",").rstrip(":").strip().strip("\"'*_`").strip()[:_LONGEST_LABEL]
