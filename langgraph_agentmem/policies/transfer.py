"""The file that a memory is exported into: JSON Lines, of which the first and the last say what lies between.

A header (the format, the schema, the embedding model of vectors), then for each tenant a line with its name and a line
for each row, and at the end how many rows there are of each table, and a hash of all that comes before. So a file that
was cut off, changed, or written by a newer version is told before anything of it is used.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Value

FORMAT = 1
TABLES = (
    "active_memory", "section", "thread_section", "noted_message", "shortterm_memory", "consolidation_run",
    "memory_chunk", "entity", "relationship", "mention", "state_history", "dispute", "tombstone",
)  # fmt: skip
"""What is exported, in the order of references. What waits to be projected is noted anew where it comes to; whom
a grant names may be somebody else there."""
NOT_EXPORTED = ("coming_vector", "graph_outbox", "graph_projection", "read_grant")
_OTHER_KEYS = {"section", "thread_section", "noted_message", "consolidation_run"}
WITH_IDS = tuple(name for name in TABLES if name not in _OTHER_KEYS)
"""Tables whose ids the database draws."""
_VECTORS = ("embedding", "full_embedding", "embedding_model")
"""Columns that hold vectors, and say whose they are."""
_HELD = ("lease_owner", "lease_expires_at")
"""Who holds a memory where it comes from holds it nowhere else."""
_COMPUTED = ("namespace_hash",)
"""The database computes it of what comes along."""
_ROW = re.compile(rb'\{"table": "(\w+)", "row": (\{.*\})\}\n', re.S)


class VectorsOf(Value):
    """The embedding model that vectors come from."""

    id: int
    name: str
    dimensions: int
    distance: str
    vector_type: str


class Header(Value):
    """The first line.

    Attributes:
        schema_hashes: Of the migrations that have made the tables, in order.
        embedding_model: Of the vectors; None where they were left out, or there are none.
    """

    agentmem: Literal["export"] = "export"
    format: int = FORMAT
    schema_hashes: list[str]
    embedding_model: VectorsOf | None = None
    made_at: str = ""


class _Trailer(BaseModel):
    tenants: int
    rows: dict[str, int]
    sha256: str


class Transferred(Value):
    """What was written into a file, or from one.

    Attributes:
        rows: How many of each table.
        vectors: Whether vectors came along.
    """

    tenants: int
    rows: dict[str, int]
    vectors: bool

    @property
    def summary(self) -> str:
        """In one line."""
        vectors = "with vectors" if self.vectors else "without vectors"
        return (
            f"{self.tenants:,} tenants, {self.rows.get('active_memory', 0):,} memories, "
            f"{self.rows.get('memory_chunk', 0):,} chunks, {self.rows.get('entity', 0):,} entities; "
            f"{sum(self.rows.values()):,} rows, {vectors}"
        )


def left_out(table: str, *, vectors: bool) -> list[str]:
    """The columns of a table that are not exported."""
    if table == "active_memory":
        return [*_HELD, *_COMPUTED]
    return [*_VECTORS] if table in {"memory_chunk", "entity"} and not vectors else []


class Writing:
    """Makes the lines of a file, and counts them."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._hash = hashlib.sha256()
        self._rows: Counter[str] = Counter()
        self._tenants = 0

    def begin(self) -> bytes:
        """The header."""
        return self._line(self._header.model_dump_json().encode())

    def tenant(self, external_id: str) -> bytes:
        """The line that a tenant's rows follow."""
        self._tenants += 1
        return self._line(json.dumps({"tenant": external_id}, ensure_ascii=False).encode())

    def row(self, table: str, row: str) -> bytes:
        """A row, which is JSON already: parsing it would not keep every number."""
        self._rows[table] += 1
        return self._line(f'{{"table": "{table}", "row": {row}}}'.encode())

    def end(self) -> bytes:
        """The trailer."""
        trailer = {"tenants": self._tenants, "rows": dict(self._rows), "sha256": self._hash.hexdigest()}
        return json.dumps(trailer).encode() + b"\n"

    @property
    def transferred(self) -> Transferred:
        """What was written so far."""
        vectors = self._header.embedding_model is not None
        return Transferred(tenants=self._tenants, rows=dict(self._rows), vectors=vectors)

    def _line(self, text: bytes) -> bytes:
        line = text + b"\n"
        self._hash.update(line)
        return line


def checked(lines: Iterable[bytes], schema_hashes: Sequence[str]) -> tuple[Header, Transferred, list[str]]:
    """A file's header, what it holds, and its tenants; the whole file is read.

    Raises:
        InvalidInputError: It is no export, or of another version, or not as it was written.
    """
    header: Header | None = None
    digest, rows, tenants, trailer = hashlib.sha256(), Counter[str](), list[str](), None
    for number, line in enumerate(lines, 1):
        if header is None:
            header = _header(line, schema_hashes)
        elif trailer is not None:
            raise InvalidInputError(f"line {number} comes behind the end of the export")
        elif (row := _ROW.fullmatch(line)) is not None:
            rows[_known_table(row, number, tenants)] += 1
        else:
            found = _other(line, number)
            if "tenant" not in found:
                trailer = _trailer(found, number)
                continue
            tenants.append(str(found["tenant"]))
        digest.update(line)
    if header is None or trailer is None:
        raise InvalidInputError("the file ends before the export does: it was cut off")
    if (trailer.sha256, trailer.tenants, trailer.rows) != (digest.hexdigest(), len(tenants), dict(rows)):
        raise InvalidInputError("the file is not as it was written: its hash, or its number of lines, is another")
    vectors = header.embedding_model is not None
    return header, Transferred(tenants=len(tenants), rows=dict(rows), vectors=vectors), tenants


def batches(lines: Iterable[bytes], most: int, longest: int) -> Iterator[tuple[str, str, list[bytes]]]:
    """The rows of a file that was checked: (tenant, table, rows as JSON), in batches.

    Args:
        lines: Of the file.
        most: Rows in a batch.
        longest: Bytes from which on a batch is full, too.
    """
    tenant, table, rows, size = "", "", list[bytes](), 0
    for line in lines:
        row = _ROW.fullmatch(line)
        of = row[1].decode() if row else ""
        if rows and (of != table or len(rows) >= most or size >= longest):
            yield tenant, table, rows
            rows, size = [], 0
        if row is not None:
            table = of
            rows.append(row[2])
            size += len(row[2])
        elif line.startswith(b'{"tenant": '):
            tenant = str(json.loads(line)["tenant"])


def _header(line: bytes, schema_hashes: Sequence[str]) -> Header:
    try:
        header = Header.model_validate_json(line)
    except ValidationError:
        raise InvalidInputError("this is no file that `agentmem export` has written") from None
    if header.format > FORMAT or len(header.schema_hashes) > len(schema_hashes):
        raise InvalidInputError("this file was written by a newer langgraph-agentmem: upgrade the package")
    if header.schema_hashes != list(schema_hashes):
        raise InvalidInputError(
            "this file comes from tables of another version: import it with the version that wrote it, upgrade that "
            "database, and export it again"
        )
    return header


def _known_table(row: re.Match[bytes], number: int, tenants: Sequence[str]) -> str:
    table = row[1].decode()
    if table not in TABLES or not tenants:
        raise InvalidInputError(f"line {number} is of no table that is exported, or of no tenant")
    _other(row[2], number)
    return table


def _other(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise InvalidInputError(f"line {number} of the file is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidInputError(f"line {number} of the file is neither a tenant, nor a row, nor the end")
    return found  # pyright: ignore[reportUnknownVariableType]


def _trailer(found: dict[str, Any], number: int) -> _Trailer:
    try:
        return _Trailer.model_validate(found)
    except ValidationError:
        raise InvalidInputError(f"line {number} of the file is neither a tenant, nor a row, nor the end") from None
