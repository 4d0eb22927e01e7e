"""The examples tell their story, from start to end."""

import getpass
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import forking
import psycopg
import pytest

from langgraph_agentmem import AgentMemory

ROOT = Path(__file__).parents[2]


def quickstart(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return example("quickstart.py", *arguments, **environment)


def example(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return forking.run(ROOT / "examples" / name, *arguments, env={**os.environ, **environment}, cwd=ROOT)


def test_the_quickstart_tells_the_whole_cycle(data_dir: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    short = quickstart("--data-dir", str(data_dir), "--page", str(page), "--short")
    result = quickstart("--data-dir", str(data_dir), "--page", str(page))  # it can be run again
    assert (short.returncode, result.returncode) == (0, 0), short.stderr + result.stdout + result.stderr
    assert len(short.stdout.splitlines()) < len(result.stdout.splitlines()) / 2
    assert "Why PostgreSQL?" in short.stdout
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
        page.as_uri(),
    ):
        assert promised in said, f"the quickstart does not mention {promised!r}:\n{said}"
    assert result.stderr == ""
    picture = page.read_text(encoding="utf-8")
    assert picture.count("<svg") > 3
    assert "Ferrywise" in picture


def test_a_demo_passes_over_a_folder_that_another_version_has_made(data_dir: Path) -> None:
    temporary = data_dir.parent
    first = temporary / f"agentmem-demo-{getpass.getuser()}" / "data-1"
    with AgentMemory.open(data_dir=first) as memory:
        memory.setup()
        with psycopg.connect(str(memory.dsn)) as connection:
            connection.execute("UPDATE agentmem.schema_migration SET text_hash = 'another' WHERE version = 1")
    result = quickstart("--short", TMPDIR=str(temporary))

    assert (result.returncode, result.stderr) == (0, "")
    assert str(first.with_name("data-2")) in result.stdout


def test_a_demo_installs_what_it_needs_and_no_tools_of_developers(tmp_path: Path) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", f"VENV={tmp_path / 'none'}", "demo", "SHORT=1"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert "'.[embedded]'" in planned
    assert "dev]" not in planned
    assert "examples/quickstart.py --short" in planned


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


def tells(dsn: str, name: str, *texts: str) -> str:
    """What an example prints, in which these texts come in this order; it says nothing is wrong."""
    result = example(name, AGENTMEM_DSN=dsn)
    assert (result.returncode, result.stderr) == (0, "")
    said = " ".join(result.stdout.split())
    place = 0
    for text in texts:
        assert text in said[place:], f"{name} does not say {text!r} there:\n{result.stdout}"
        place = said.index(text, place)
    return said


def test_a_batch_is_written_as_a_whole_and_a_stale_edit_is_refused_with_the_present_text(dsn: str) -> None:
    for _ in range(2):
        tells(
            dsn,
            "batch_update.py",
            "team, revision 2, last written by Ada: - Ada writes the engine.",
            "team, revision 3, last written by Bo: - Ada writes the engine. - Bo tests it.",
            "refused: old_content 'May 1' does not occur in section 'plan'",
            "team, revision 3, last written by Bo: - Ada writes the engine. - Bo tests it.",
            "refused: section 'plan' is at revision 4, not at the expected 3",
            "which says: - Deadline: June 1 - Budget: 6000",
            "plan, revision 5, last written by Bo: - Deadline: June 1 - Budget: 6000 - Launch: at noon",
        )


def test_a_chatbot_knows_at_its_next_start_what_it_was_told(dsn: str) -> None:
    first = tells(
        dsn,
        "chatbot.py",
        "There is no memory of 'chatbot-example' yet.",
        "You: I live in Port Elm, by the harbour. -> update_memory_sections",
        "You: What food do I eat? Bot: You have told me: I eat vegetarian food.",
    )
    assert first.count("->") == 2  # what it knows, it is shown: no search
    tells(
        dsn,
        "chatbot.py",
        "There is memory of 'chatbot-example': About the user.",
        "You: What food do I eat? Bot: You have told me: I eat vegetarian food.",
        "'old_content': '- I live in Port Elm, by the harbour.'",
        "You: Where do I live? Bot: You have told me: I live in Sandholm instead of Port Elm.",
    )


def test_two_agents_write_one_memory_at_once_and_nothing_is_lost(dsn: str) -> None:
    for _ in range(2):
        said = tells(
            dsn,
            "two_agents.py",
            "section 'summary' is at revision 2, not at the expected 1",
            "'summary' is at revision 3.",
            "findings, revision 7:",
            "summary, revision 3:",
            "Lost: nothing",
        )
        summary = said.split("summary, revision 3:")[1]
        assert ("Ada: 3 findings." in summary, "Bo: 3 findings." in summary) == (True, True)


def test_a_sub_agent_knows_from_memory_what_another_has_found_out(dsn: str) -> None:
    for _ in range(2):
        tells(
            dsn,
            "supervisor.py",
            "supervisor -> ask_about_trains {'task': 'Which train goes to Sandholm?'}",
            "trains -> update_memory_sections",
            "supervisor -> ask_about_hotels {'task': 'Which hotel in Sandholm fits?'}",  # says nothing of the arrival
            "hotels: The Harbour Inn, as the train arrives after 23:00.",
            "What is in memory now: wishes: Leave after work, at five. trains: The train to Sandholm leaves at 17:10",
            "hotels: The Harbour Inn",
        )


def test_a_graph_waits_for_a_person_and_asks_again_what_cannot_be_carried_out(dsn: str) -> None:
    for _ in range(2):
        said = tells(
            dsn,
            "human_review.py",
            "The graph waits for a person.",
            "keep_both? perhaps That was refused: action: Input should be 'accept', 'override', 'keep_both' or 'reject'",
            "keep_both? accept Decided; what is valid now: - Deadline: June 1",
        )
        assert said.count("(disputed)") == 2
        assert said.endswith("what is valid now: - Deadline: June 1")


SHORT = ["batch_update", "chatbot", "two_agents", "supervisor", "human_review"]


@pytest.mark.parametrize("name", SHORT)
def test_an_example_says_in_one_line_what_is_wrong(name: str) -> None:
    result = example(f"{name}.py", "--dsn", "postgresql://127.0.0.1:1/nowhere")
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert result.stderr.startswith(f"{name}: PostgreSQL cannot be reached")


def test_a_migration_tells_its_story(data_dir: Path) -> None:
    for _ in range(2):
        result = example("migrate_store.py", "--data-dir", str(data_dir))
        assert (result.returncode, result.stderr) == (0, "")
    told = [
        "I drink green tea. – Noted.",
        "6 rows read: 3 written, 2 known, 1 kept as they stand here, 0 skipped, 0 refused; 5 verified",
        "6 rows read: 0 written, 5 known",
        "The code is 1234. It was written at",
        "ada's thread goes on behind 'I drink green tea.'",
        "What do I drink? – I drink oolong tea.",
        "6 rows read: 0 written, 4 known, 2 kept as they stand here",
    ]
    said = " ".join(result.stdout.split())
    places = [said.find(text) for text in told]
    assert -1 not in places, told[places.index(-1)] + result.stdout
    assert places == sorted(places)


def test_a_migration_says_in_one_line_what_is_wrong() -> None:
    result = example("migrate_store.py", "--dsn", "postgresql://127.0.0.1:1/nowhere")
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
