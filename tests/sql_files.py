"""The statements, scripts and tables of the package, read from its SQL files."""

import re
from pathlib import Path

import langgraph_agentmem

PACKAGE = Path(langgraph_agentmem.__file__).parent
STORAGE = PACKAGE / "storage"
FILES = {path.stem: path.read_text() for path in sorted((STORAGE / "sql").glob("*.sql")) if path.stem != "schema"}
SCHEMA = (STORAGE / "sql" / "schema.sql").read_text()
MIGRATIONS = {path.name: path.read_text() for path in sorted((STORAGE / "sql" / "migrations").glob("*.sql"))}
BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name:|\Z)", re.M | re.S)


def bare(sql: str) -> str:
    """A statement without comments and string literals, its white space made single spaces."""
    sql = re.sub(r"--[^\n]*", " ", sql)
    sql = " ".join(re.sub(r"'(?:[^']|'')*'", "''", sql).split())
    return sql.replace("( ", "(").replace(" )", ")")


def parts(text: str) -> list[str]:
    """The statements of a script."""
    return [bare(part) for part in re.sub(r"--[^\n]*", "", text).split(";") if part.strip()]


STATEMENTS = {f"{file}:{name}": bare(body) for file, text in FILES.items() for name, body in BLOCK.findall(text)}
SCRIPTS = {
    f"{file}, {number}: {sql[:60]}": sql
    for file, text in {"schema.sql": SCHEMA, **MIGRATIONS}.items()
    for number, sql in enumerate(parts(text), 1)
}
MADE_ON_THE_WAY = [sql for sql in STATEMENTS.values() if sql.startswith("CREATE ")]
PRESENT = [*parts(SCHEMA), *MADE_ON_THE_WAY]
"""Tables, indexes and views as they are; that migrations make the same is tested on a database."""
EVERYTHING = {**STATEMENTS, **SCRIPTS}
TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?agentmem\.(\w+) \((.*?)\)(?: WITH \(([^()]*)\))?$")
INDEX = re.compile(r"CREATE (UNIQUE )?INDEX .*?\bON agentmem\.(\w+)(.*)$")
TABLES = {match[1]: match[2] for sql in PRESENT if (match := TABLE.match(sql))}
INDEXES = [(bool(match[1]), match[2], match[3]) for sql in PRESENT if (match := INDEX.match(sql))]
VIEWS = {match[1] for sql in PRESENT if (match := re.match(r"CREATE VIEW agentmem\.(\w+)", sql))}
TENANT_TABLES = {name for name, body in TABLES.items() if re.search(r"\bexternal_id\b", body)}

READS_OVER_ALL_TENANTS = {
    "sections:all_unchunked_memories",
    "chunks:unembedded_chunks",
    "reembedding:chunks_to_reembed",
    "reembedding:tenants_with_coming_vectors",
    "chunks:waiting_chunks",
    "sections:expired",
    "sections:namespaces",
    "sections:tenants",
    "sections:some_namespaces",
    "reviews:pending_runs",
    "projection:waiting_tenants",
    "projection:known_tenants",
    "queue:all_dead_letters",
    "queue:due_after",
    "queue:longest_waiting",
    "queue:tenants_with_dead_letters",
    "health:all_failing_models",
    "threads:tenants_of_threads",
    "deletion:others_threads",
    "retention:some_tenants",
}
COUNTS_OVER_ALL_TENANTS = {
    "queue:queue_status",
    "reviews:count_pending",
    "health:chunks_without_vectors",
    "health:chunks_of_other_models",
    "health:expired_leases",
    "health:reviews",
    "health:projections",
    "health:outbox",
}
READS_OF_GRANTS = {"grants:received"}
"""What is granted to a tenant is in the rows of those who grant it."""


def found(check, statements=None) -> dict[str, list[str]]:
    """What a check finds, by statement."""
    statements = EVERYTHING if statements is None else statements
    return {name: problems for name, sql in statements.items() if (problems := check(sql))}
