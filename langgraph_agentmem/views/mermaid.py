"""The entity graph as a flowchart of Mermaid's."""

import re

from langgraph_agentmem.models.base import counted
from langgraph_agentmem.views.picture import DrawnEntity, Link, Picture

_SPECIAL = re.compile(r"[^\w .,:+/()-]")
"""All that might mean something to Mermaid, to Markdown around it, or to HTML."""


def flowchart(shown: Picture) -> str:
    """The text of a flowchart: nodes are numbered, so that no name is anything but a label."""
    lines = [_node(at, node) for at, node in enumerate(shown.nodes)]
    lines += [_link(link) for link in shown.links]
    if shown.left_out:
        lines.append(f'rest["{counted(shown.left_out, "more entity is", "more entities are")} left out"]:::note')
    if not shown.nodes:
        lines.append('none["no entities"]:::note')
    lines += ["classDef short stroke-dasharray: 4 3", "classDef note fill:none,stroke:none"]
    return "\n".join(["flowchart LR", *(f"    {line}" for line in lines)])


def _node(at: int, node: DrawnEntity) -> str:
    kind = f"<br>{_label(node.kind)}" if node.kind else ""
    short = ":::short" if node.tier == "shortterm" else ""
    return f'e{at}["{_label(node.name)}{kind}"]{short}'


def _link(link: Link) -> str:
    said = ", ".join(link.kinds)
    return f'e{link.source} -->|"{_label(said)}"| e{link.target}' if said else f"e{link.source} --> e{link.target}"


def _label(text: str, most: int = 60) -> str:
    """A text as a label, whose special characters are named by their codes."""
    line = " ".join(text.split())
    line = line if len(line) <= most else f"{line[: most - 1]}…"
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", line)
