"""The examples tell their story, from start to end."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import forking

ROOT = Path(__file__).parents[2]


def quickstart(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return example("quickstart.py", *arguments, **environment)


def example(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return forking.run(ROOT / "examples" / name, *arguments, env={**os.environ, **environment}, cwd=ROOT)


def test_the_quickstart_tells_the_whole_cycle(data_dir: Path) -> None:
    for _ in range(2):  # it can be run again
        result = quickstart("--data-dir", str(data_dir))
        assert result.returncode == 0, result.stdout + result.stderr
    said = result.stdout
    for promised in (
        "scripted",
        "consolidat",
        "superseded",
        "refused",
        "promot",
        "shortterm",
        "longterm",
        "active",
        str(data_dir),
    ):
        assert promised in said, f"the quickstart does not mention {promised!r}:\n{said}"
    assert result.stderr == ""


def test_the_quickstart_says_in_one_line_what_is_wrong() -> None:
    result = quickstart("--dsn", "postgresql://127.0.0.1:1/nowhere")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert "cannot be reached" in result.stderr + result.stdout


def test_an_agents_store_tells_its_story(data_dir: Path) -> None:
    for _ in range(2):
        result = example("store_agent.py", "--data-dir", str(data_dir))
        assert (result.returncode, result.stderr) == (0, "")
    said = result.stdout
    told = [
        "save_preference('food', 'I only eat vegetarian food.')",
        "a consolidation takes 2 updates: 2 texts become short-term memory",
        "look_up('What food may you book for me?')",
        "You said: I only eat vegetarian food.",
        "You said: I like a window seat on the train.",
        "I eat vegetarian food, and fish since June. (preferences, food)",
        "I only eat vegetarian food. (preferences/@shortterm, ",
        "I only eat vegetarian food. (shortterm, memory ",
        "seat (preferences)\n",
    ]
    places = [said.find(text) for text in told]
    assert -1 not in places, told[places.index(-1)] + said
    assert places == sorted(places)


def test_an_agents_store_says_in_one_line_what_is_wrong() -> None:
    result = example("store_agent.py", "--dsn", "postgresql://127.0.0.1:1/nowhere")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert "cannot be reached" in result.stderr


def test_an_agents_state_tells_its_story(data_dir: Path) -> None:
    for _ in range(2):
        result = example("state_agent.py", "--data-dir", str(data_dir))
        assert (result.returncode, result.stderr) == (0, "")
    told = [
        "hydrate –",
        "findings - The night train leaves at 21:40. (revision 2)",
        "hydrate findings = ['The night train leaves at 21:40.'], progress = 'Looked at the trains.'",
        "Everything is looked up; the journey can be booked. (revision 4)",
        "takes 5 of them",
        "says: The night train leaves at 21:40.",
    ]
    said = " ".join(result.stdout.split())
    places = [said.find(text) for text in told]
    assert -1 not in places, told[places.index(-1)] + result.stdout
    assert places == sorted(places)


def test_an_agents_state_says_in_one_line_what_is_wrong() -> None:
    result = example("state_agent.py", "--dsn", "postgresql://127.0.0.1:1/nowhere")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    assert "cannot be reached" in result.stderr


def graph_example(folder: Path, tenant: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return example("graph.py", "--tenant", tenant, "--svg", str(folder / "graph.svg"), **environment)


def test_the_graph_is_drawn_and_asked_what_needs_neo4j(
    dsn: str,
    tmp_path: Path,
    tenant: str,
    neo4j_settings: dict[str, str],
    new_database: Callable[[str], str],
    template: str,
) -> None:
    environment = {name.upper(): value for name, value in neo4j_settings.items()}
    for _ in range(2):  # it can be run again
        result = graph_example(tmp_path, tenant, AGENTMEM_DSN=dsn, **environment)
        assert (result.returncode, result.stderr) == (0, ""), result.stdout
    for promised in ("7 entities, 8 relationships", "0 differences", "Ada – ", "Bo and Dee, over Cyd"):
        assert promised in result.stdout
    picture = ElementTree.parse(tmp_path / "graph.svg").getroot()
    texts = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert texts >= {"Ada", "Ferrywise", "Harbour", "works_on", "maintains"}
    elsewhere = graph_example(tmp_path, tenant, AGENTMEM_DSN=new_database(template), **environment)
    assert (elsewhere.returncode, elsewhere.stdout.count("Traceback")) == (1, 0)
    assert "another PostgreSQL database" in elsewhere.stderr


def test_the_graph_example_says_what_it_needs(tmp_path: Path, tenant: str) -> None:
    result = graph_example(tmp_path, tenant, AGENTMEM_DSN="postgresql://127.0.0.1:1/nowhere")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "error: no Neo4j is configured; set NEO4J_URI, as in bolt://localhost:7687\n"
