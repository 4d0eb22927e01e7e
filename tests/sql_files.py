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
    "sections:all_unchunked_memories": "a worker brings the chunks of whichever memory is behind up to date",
    "chunks:unembedded_chunks": "a worker embeds whatever waits for a vector of the model in use",
    "reembedding:chunks_to_reembed": "another embedder takes the place of the one in use for all",
    "reembedding:tenants_with_coming_vectors": "the same: they are then taken tenant by tenant",
    "chunks:waiting_chunks": "a worker embeds whatever waits for a vector",
    "sections:expired": "a sweeper removes what has expired, of whomever",
    "sections:namespaces": "a store whose namespaces name no tenant first lists those of all",
    "sections:tenants": "a store searches under a prefix that names no tenant: of which ones is there anything?",
    "sections:some_namespaces": "a store looks whether its namespaces name their tenants where the others do",
    "reviews:pending_runs": "reviewers ask what waits for them, of whomever",
    "projection:waiting_tenants": "a projector asks whose graph has changed",
    "projection:known_tenants": "a projector that begins anew asks who has a graph",
    "queue:all_dead_letters": "operators ask what was set aside, of whomever",
    "queue:due_after": "a worker takes what is due, of each tenant in turn",
    "queue:longest_waiting": "a worker begins with whoever waits longest",
    "queue:tenants_with_dead_letters": "operators put back what was set aside, tenant by tenant",
    "health:all_failing_models": "operators ask whose model fails",
    "tenant_indexes:indexed_tenants": "operators ask which tenants have indexes for themselves",
    "threads:tenants_of_threads": "a thread is deleted by its id alone",
    "deletion:others_threads": "a thread that another tenant uses as well is kept when one is forgotten",
    "retention:some_tenants": "operators, and what keeps for so long, go through all tenants",
}
COUNTS_OVER_ALL_TENANTS = {
    "queue:queue_status": "operators ask how long the queue is",
    "reviews:count_pending": "operators ask how much waits for a person",
    "health:chunks_without_vectors": "operators ask what waits for a vector",
    "health:chunks_of_other_models": "operators ask what has a vector of another model",
    "health:expired_leases": "operators ask which runs have died",
    "health:reviews": "operators ask since when somebody waits for a person",
    "health:projections": "operators ask whose graph is projected",
    "health:outbox": "operators ask how far projections are behind",
}
READS_OF_GRANTS = {"grants:received": "what is granted to a tenant is in the rows of those who grant it"}
FOR_EVERYONE = READS_OVER_ALL_TENANTS | COUNTS_OVER_ALL_TENANTS | READS_OF_GRANTS
"""Statements about all tenants at once, each with the reason. On a cluster they go to every server."""


def found(check, statements=None) -> dict[str, list[str]]:
    """What a check finds, by statement."""
    statements = EVERYTHING if statements is None else statements
    return {name: problems for name, sql in statements.items() if (problems := check(sql))}
