"""The matrix: what the package is tried out with beyond the pinned versions on which `make test` runs.

`nox --list` shows the cells, `nox -s newest-3.12` runs one, and `nox -s lowest -- tests/unit` some tests of it. A
cell whose interpreter or server is not there is skipped, and said to be. docs/reference/compatibility.md tells what was
run when.
"""

import os
import shutil
import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["newest", "lowest", "postgres", "guarded", "deprecations"]

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
POSTGRES = ["15", "16", "17", "18"]
EXTRAS = "cli,embedded,inspector,langchain,langchain-postgres,local,mcp,neo4j,otel"
NEWER = ("deepagents", "fastmcp-slim", "langgraph-cli")
"""What the tests use, and what asks for newer versions than the oldest that the package allows."""
SMOKE = ["tests/unit", "tests/integration", "-m", "not slow"]


def run_tests(session: nox.Session, tests: list[str] = SMOKE, **env: str) -> None:
    """Run the tests that are given after `--`, or these."""
    session.run("python", "-m", "pytest", "-n", "2", "-q", *(session.posargs or tests), env=env)


def tools() -> list[str]:
    """What the tests need that is no extra of the package's and works with the oldest versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [text for text in project["optional-dependencies"]["dev"] if not text.startswith((project["name"], *NEWER))]


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The newest versions that pyproject.toml allows, LangGraph's among them."""
    session.install("-e", ".[dev]")
    run_tests(session)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The oldest version of each direct dependency that pyproject.toml allows; the tests' own tools are new."""
    session.install("-e", f".[{EXTRAS}]", "--resolution", "lowest-direct")
    lowest = Path(session.create_tmp()) / "lowest.txt"
    lowest.write_text(str(session.run("uv", "pip", "freeze", "--quiet", "--exclude-editable", silent=True)))
    session.install(*tools(), "-c", str(lowest))
    # the one needs what is newer, the other counts what comes on top of the newest LangGraph's modules
    others = ("integration/test_middleware_in_deep_agents.py", "unit/test_import_time.py")
    run_tests(session, [*SMOKE, *(f"--ignore=tests/{name}" for name in others)])


@nox.session
@nox.parametrize("version", POSTGRES)
def postgres(session: nox.Session, version: str) -> None:
    """A server of one's own: AGENTMEM_TEST_DSN_15 and so on name them."""
    dsn = os.environ.get(f"AGENTMEM_TEST_DSN_{version}")
    if dsn is None:
        session.skip(f"AGENTMEM_TEST_DSN_{version} names no server")
    session.install("-e", ".[dev]", "-c", "constraints.txt")
    asked = f"import psycopg; print(psycopg.connect({dsn!r}).info.server_version // 10000)"
    found = str(session.run("python", "-c", asked, silent=True)).strip()
    if found != version:
        session.error(f"AGENTMEM_TEST_DSN_{version} names a PostgreSQL {found}")
    run_tests(session, AGENTMEM_TEST_DSN=dsn)


@nox.session
def guarded(session: nox.Session) -> None:
    """All databases of the integration tests have row-level security, and memories open them as a worker's role."""
    session.install("-e", ".[dev]", "-c", "constraints.txt")
    run_tests(session, ["tests/integration"], AGENTMEM_TEST_ROW_SECURITY="1")


@nox.session
def deprecations(session: nox.Session) -> None:
    """Warnings of LangGraph and LangChain that something goes are errors, in the processes that tests start as well."""
    session.install("-e", ".[dev]")
    stories = ["tests/acceptance/test_store_integrations.py", "tests/acceptance/test_checkpointer_conformance.py"]
    stories += ["tests/acceptance/test_docs.py", "tests/acceptance/test_worker_command.py"]
    run_tests(session, [*SMOKE, *stories], PYTHONWARNINGS="error::DeprecationWarning,error::PendingDeprecationWarning")


@nox.session
def release(session: nox.Session) -> None:
    """Build the wheel and the sdist, and run the demo from the wheel alone, in an empty environment."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("uv", "build", external=True)
    [wheel] = (ROOT / "dist").glob("*.whl")
    session.install(f"langgraph-agentmem[cli,embedded] @ {wheel.as_uri()}")
    session.chdir(session.create_tmp())  # where there is no package to be found but the installed one
    where = "import langgraph_agentmem as it; assert 'site-packages' in it.__file__; print(it.__version__)"
    env = {"PYTHONPATH": "", "AGENTMEM_DATA_DIR": str(Path("data").absolute())}
    session.run("python", "-c", where, env=env)
    session.run("agentmem", "--version", env=env)
    session.run("python", str(ROOT / "examples" / "quickstart.py"), env=env)
    if "urls" not in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]:
        session.warn("pyproject.toml has no [project.urls]: name the repository before this is uploaded")
