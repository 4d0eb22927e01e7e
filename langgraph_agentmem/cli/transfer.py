"""`agentmem export`, and its counterpart, `agentmem import file`."""

import gzip
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.options import Dsn, as_path
from langgraph_agentmem.cli.terminal import as_text, err, out, progress_bar, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.operations.transfer import exporting, importing
from langgraph_agentmem.policies.transfer import Transferred

_GZIP = b"\x1f\x8b"


@report_errors
def export(
    file: Annotated[
        Path,
        typer.Argument(
            help="The new file (JSON Lines; compressed if it ends in .gz); - for standard output.", callback=as_path
        ),
    ],
    dsn: Dsn = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant; all by default.", show_default=False)] = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Vectors as well; else they are made anew where the file is imported.")
    ] = False,
) -> None:
    """Write what is remembered into a file, as it is at one moment, however much it is.

    Checkpoints of LangGraph are not in it.
    """
    with _writing(file) as write:
        done = bridge.run_here(_export, dsn, tenant, write, vectors)
    (err if str(file) == "-" else out).print(as_text(done.summary))


async def _export(dsn: str | None, tenant: str | None, write: Callable[[bytes], object], vectors: bool) -> Transferred:
    async with AgentMemory.open(dsn, background=False) as memory:
        with progress_bar("rows") as progress:
            return await exporting.export(
                memory.resources, tenant, write, vectors=vectors, on_progress=lambda done: progress(done, None)
            )


@contextmanager
def _writing(file: Path) -> Generator[Callable[[bytes], object]]:
    """Writes a new file, which is there when it is whole, and never instead of another one."""
    if str(file) == "-":
        yield sys.stdout.buffer.write
        return
    if file.exists():
        raise InvalidInputError(f"{file} exists already; name a new file")
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        with unfinished.open("xb") as plain:
            # memories of all kinds are in it
            os.chmod(unfinished, 0o600)
            with cast("BinaryIO", gzip.open(plain, "wb") if file.suffix == ".gz" else plain) as opened:
                yield opened.write
        unfinished.rename(file)
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


@report_errors
def import_file(
    file: Annotated[
        Path, typer.Argument(help="A file that `agentmem export` has written; - for standard input.", callback=as_path)
    ],
    dsn: Dsn = None,
) -> None:
    """Take an exported file into a database that does not know its tenants yet: all of it, or nothing."""
    with _kept(file) as kept:
        done = bridge.run_here(_import, dsn, kept)
    out.print(as_text(done.summary))


async def _import(dsn: str | None, file: Path) -> Transferred:
    async with AgentMemory.open(dsn, background=False) as memory:
        with progress_bar("rows") as progress:
            return await importing.load(memory.resources, lambda: _lines(file), on_progress=progress)


def _lines(file: Path) -> Iterable[bytes]:
    try:
        with file.open("rb") as plain:
            compressed = plain.peek(2)[:2] == _GZIP
            yield from gzip.GzipFile(fileobj=plain) if compressed else plain
    except (OSError, EOFError) as error:
        raise InvalidInputError(f"{file} cannot be read: {error}") from error


@contextmanager
def _kept(file: Path) -> Generator[Path]:
    """A file that can be read twice."""
    if str(file) != "-":
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="agentmem-import-") as folder:
        copy = Path(folder) / "export"
        with copy.open("wb") as written:  # and closed: Windows opens no temporary file a second time
            shutil.copyfileobj(sys.stdin.buffer, written)
        yield copy
