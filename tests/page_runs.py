"""Runs a page of the documentation as a reader does who copies its blocks, one after the other, into one notebook.

Run as a script, `python page_runs.py PAGE`, this does so on AGENTMEM_DSN, where the README's first example is to have run before.
"""

import ast
import asyncio
import builtins
import inspect
import re
import shlex
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from typer.main import get_command

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
SNIPPETS = sorted((DOCS / "snippets").glob("*.py"))

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (agentmem .+)$", re.MULTILINE)
_MARK = re.compile(r"^# \[\w+\]$", re.MULTILINE)
_WAITS = re.compile(r"worker|inspect|mcp --|edit (?!.*--content)")
_ELSEWHERE = {"graph", "--from", "--dsn"}


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: The page.
        language: "python", or "console".
        code: Its lines.
        line: How many lines of the page stand before them.
        said: What the page says between the block before and this one.
    """

    page: Path
    language: str
    code: str
    line: int
    said: str

    def compiled(self) -> CodeType:
        """Its Python as a cell of a notebook, which may await; a traceback shows the page's lines."""
        lines = "\n" * self.line + self.code
        return compile(lines, self.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    def commands(self) -> list[list[str]]:
        """The arguments of each call of `agentmem` in a shell."""
        lines = _COMMAND.findall(self.code) if self.language == "console" else []
        return [shlex.split(part, comments=True)[1:] for line in lines for part in re.split(r" && | \| ", line)]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in Python, and those for a shell."""
    text, end, blocks = page.read_text(encoding="utf-8"), 0, list[Block]()
    for found in _BLOCK.finditer(text):
        line, said = text.count("\n", 0, found.start(2)), text[end : found.start()]
        blocks.append(Block(page, found[1], found[2], line, said))
        end = found.end()
    return blocks


def runs(block: Block) -> bool:
    """Whether there is something in a block to be run."""
    return block.language == "python" or bool(block.commands())


def asked_for(code: str) -> set[str]:
    """The names that a block uses and does not define."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    defined = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    defined |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    defined |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    defined |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    return {node.id for node in names} - defined - set(dir(builtins))


@cache
def prepared(snippet: Path) -> dict[str, Any]:
    """What a snippet has before its first mark, which is what a reader brings along; a page imports packages itself."""
    sys.path.append(str(snippet.parent))
    names = {"__file__": str(snippet), "__name__": snippet.stem}
    begin = _MARK.split(snippet.read_text(encoding="utf-8"))[0]
    exec(compile(begin, snippet, "exec"), names)
    nodes = [node for node in ast.walk(ast.parse(begin)) if isinstance(node, ast.Import | ast.ImportFrom)]
    packages = [node for node in nodes if getattr(node, "module", None) not in ("api", "fakes", "works_on")]
    imported = {alias.asname or alias.name for node in packages for alias in node.names}
    return {name: value for name, value in names.items() if name not in imported}


def brought(name: str, block: Block) -> Any:
    """What stands for something of the reader's: the block's snippet has it, and the page says that it is the reader's.

    Raises:
        NameError: The page does not say so right before the block, or no snippet has it.
    """
    if f"`{name}`" not in block.said:
        raise NameError(
            f"the page neither defines {name!r} nor says before the block of line {block.line + 1} what it is"
        )
    for snippet in SNIPPETS:
        if shows(snippet.read_text(encoding="utf-8"), block.code) and name in prepared(snippet):
            return prepared(snippet)[name]
    raise NameError(f"no snippet with the block of line {block.line + 1} prepares {name!r} before its first mark")


def shows(source: str, code: str) -> bool:
    """Whether a source has these lines, at whatever indentation."""
    return "\n".join(map(str.strip, code.strip().splitlines())) in "\n".join(map(str.strip, source.splitlines()))


def run(page: Path) -> None:
    """Run all blocks of a page, the commands in this process as well.

    Raises:
        RuntimeError: It awaits as only a notebook may, where a loop runs already, and starts one as only a script may.
    """
    blocks = [block for block in blocks_of(page) if runs(block)]
    cells = [block.compiled() for block in blocks if block.language == "python"]
    if any(cell.co_flags & inspect.CO_COROUTINE for cell in cells) and any(
        "asyncio.run(" in each.code for each in blocks
    ):
        raise RuntimeError(
            "the page is neither for a notebook, as asyncio.run is in it, nor for a script, as it awaits"
        )
    names: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as notebook:
        for block in blocks:
            for command in block.commands():
                call(command)
            if block.language == "python":
                names |= {name: brought(name, block) for name in sorted(asked_for(block.code) - names.keys())}
                if inspect.isawaitable(awaited := eval(block.compiled(), names)):
                    notebook.run(awaited)


def call(arguments: list[str]) -> None:
    """Call `agentmem`; where it would wait for somebody, or needs another server, only read the arguments."""
    from langgraph_agentmem.cli.app import app

    if _WAITS.match(" ".join(arguments)) or _ELSEWHERE & set(arguments):
        read(get_command(app), arguments)
    elif code := app(arguments, standalone_mode=False):
        sys.exit(code)


def read(command: Any, arguments: list[str], parent: Any = None) -> None:
    """Read the arguments of a command and of those below it, as far as they are there.

    Raises:
        Exception: There is no such command or option, or it does not take that value.
    """
    context = command.make_context(command.name, [*arguments], parent=parent)
    left = [*getattr(context, "_protected_args", []), *context.args]
    if left:
        _, below, left = command.resolve_command(context, left)
        read(below, left, context)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
