"""`langgraph dev` with `make_store` and `make_checkpointer`: over HTTP, from a graph, and in the database."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import forking
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import BadRequestError
from waiting import until

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.langgraph_server import make_checkpointer

EXAMPLES = Path(__file__).parents[2] / "examples"
LANGGRAPH = Path(__file__).with_name("langgraph_dev.py")
Rows = Callable[..., list[tuple[object, ...]]]
PROJECT = {
    "langgraph.json": json.dumps(
        {
            "dependencies": ["."],
            "graphs": {"agent": "./agent.py:agent"},
            "store": {"path": "langgraph_agentmem.langgraph_server.make_store"},
        }
    ),
    "agent.py": """
from typing import TypedDict

from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime


class State(TypedDict, total=False):
    user: str
    text: str
    found: list[str]


async def note(state: State, runtime: Runtime) -> None:
    await runtime.store.aput((state["user"], "notes"), "latest", {"text": state["text"]})


def recall(state: State) -> State:
    found = get_store().search((state["user"],), query="What does she drink?", limit=1)
    return {"found": [item.value["text"] for item in found]}


graph = StateGraph(State)
graph.add_node(note)
graph.add_node(recall)
graph.add_edge(START, "note")
graph.add_edge("note", "recall")
graph.add_edge("recall", END)
agent = graph.compile()
""",
    # Where "ollama:..." comes from: it knows what one drinks.
    "langchain_ollama.py": """
from langchain_core.embeddings import Embeddings


class OllamaEmbeddings(Embeddings):
    def __init__(self, model):
        self.model = model

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text):
        return [1.0, 0.1, 0.0] if {"drink", "tea", "coffee"} & set(text.strip("?.").split()) else [0.0, 0.1, 1.0]
""",
}
QUIET = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "1", "LANGSMITH_TRACING": "false"}


AGENT = {
    "langgraph.json": json.dumps(
        {
            "dependencies": ["."],
            "graphs": {"agent": "./agent.py:agent"},
            "checkpointer": {"path": "langgraph_agentmem.langgraph_server.make_checkpointer"},
        }
    ),
    "agent.py": """
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from agent_state import State
from langgraph_agentmem import AgentMemorySaver, hydrate_node


def work(state: State) -> State:
    return {"progress": f"{state.get('progress', '')}{state['say']}"}


def ask(state: State) -> State:
    return {"facts": [interrupt("What do you know?")]}


graph = StateGraph(State)
graph.add_node(work)
graph.add_node(ask)
graph.add_node("hydrate", hydrate_node(AgentMemorySaver.from_conn_string(state_schema=State)))
graph.add_edge(START, "hydrate")
graph.add_edge("hydrate", "work")
graph.add_edge("work", "ask")
agent = graph.compile()
""",
    "agent_state.py": """
import operator
from typing import Annotated, TypedDict

from langgraph_agentmem import MemorySection


class State(TypedDict, total=False):
    say: str
    progress: Annotated[str, MemorySection("What is done")]
    facts: Annotated[list[str], MemorySection("What is known"), operator.add]
""",
}


@contextmanager
def served(folder: Path, port: int, project: dict[str, str] = PROJECT, **environment: str) -> Iterator[str]:
    """The URL of a server on a project, which ends with the block."""
    for name, text in project.items():
        (folder / name).write_text(text, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH_", "LANGCHAIN_"))}
    command = [LANGGRAPH, "dev", "--no-browser", "--no-reload", "--port", str(port)]
    with forking.Process(*command, env=kept | QUIET | environment, cwd=folder) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            while not answers(url):
                assert server.returncode is None, "".join(server.said)
                sleep(0.1)
            yield url
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
            (folder / "log").write_text("".join(server.said), encoding="utf-8")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ok") as response:
            return response.status == 200
    except urllib.error.URLError:
        return False


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.slow
async def test_a_server_keeps_its_long_term_memory_here(
    dsn: str, tmp_path: Path, port: int, memory: AgentMemory, rows: Rows
) -> None:
    with served(
        tmp_path, port, AGENTMEM_DSN=dsn, AGENTMEM_EMBEDDINGS="ollama:drinks", AGENTMEM_STORE_TTL_MINUTES="60"
    ) as url:
        client = get_client(url=url)
        await client.store.put_item(["alice", "notes"], key="place", value={"text": "Alice lives by the sea."})
        await client.store.put_item(["bob", "notes"], key="place", value={"text": "Bob likes tea"})
        thread = await client.threads.create()
        said = {"user": "alice", "text": "Alice likes coffee"}

        answer = await client.runs.wait(thread["thread_id"], "agent", input=said)

        assert answer["found"] == ["Alice likes coffee"]  # by its meaning, in a sync node
        item = await client.store.get_item(["alice", "notes"], key="latest")
        assert item["value"] == {"text": "Alice likes coffee"}
        found = await client.store.search_items(["alice"], query="What does she drink?")
        assert [item["key"] for item in found["items"]] == ["latest", "place"]
        found = await client.store.search_items(["alice"], filter={"$not": {"text": {"$contains": "coffee"}}})
        assert [item["key"] for item in found["items"]] == ["place"]
        listed = await client.store.list_namespaces()
        assert listed == {"namespaces": [["alice", "notes"], ["bob", "notes"]]}
        with pytest.raises(BadRequestError, match="'@shortterm' stands for what was consolidated"):
            await client.store.put_item(["alice", "@shortterm"], key="x", value={})

        [notes] = await memory.aget_active_memories("alice")
        assert notes.title == "notes"
        assert {key: section.value for key, section in notes.sections.items()} == {
            "latest": {"text": "Alice likes coffee"},
            "place": {"text": "Alice lives by the sea."},
        }
        assert rows("SELECT section_id, ttl_minutes FROM agentmem.section WHERE external_id = 'alice' ORDER BY 1") == [
            ("latest", 60.0),
            ("place", None),  # the HTTP API asks for none where nothing is said
        ]
        assert [report.status for report in await memory.queue.aflush("alice")] == ["applied"]
        chunks = await client.store.search_items(["alice", "notes", "@shortterm"], query="What does she drink?")
        assert chunks["items"][0]["value"]["content"] == "Alice likes coffee"

        await client.store.delete_item(["alice", "notes"], key="latest")
        assert await client.store.get_item(["alice", "notes"], key="latest") is None
        assert "Alice likes coffee" not in [hit.content for hit in await memory.asearch("alice", "Alice likes coffee")]
        await client.aclose()
    assert "BlockingError" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.slow
async def test_the_example_of_a_server_keeps_what_each_user_tells_it(
    dsn: str, tmp_path: Path, port: int, rows: Rows
) -> None:
    files = [*(EXAMPLES / "server").glob("*.*"), EXAMPLES / "scripted_model.py"]
    project = {path.name: path.read_text(encoding="utf-8") for path in files}
    # one update makes a memory due: the worker in the server has something to do
    with served(tmp_path, port, project, AGENTMEM_DSN=dsn, AGENTMEM_AVG_SECTION_UPDATE_COUNT="1") as url:
        for user, text, answer in [
            ("alice", "I eat vegetarian food.", "I have noted that.\n"),
            ("alice", "I have a dog.", "I have noted that.\n"),
            ("alice", "What food do I eat?", "You have told me: I eat vegetarian food.\n"),
            ("bob", "What food do I eat?", "You have not told me yet.\n"),
        ]:
            done = forking.run(EXAMPLES / "server" / "talk.py", user, text, "--url", url, env=os.environ)
            assert (done.stdout, done.returncode) == (answer, 0), done.stderr
        await until(lambda: rows("SELECT external_id FROM agentmem.consolidation_run WHERE status = 'applied'"))
    assert (
        rows("SELECT external_id FROM agentmem.active_memory WHERE lease_owner IS NOT NULL OR external_id <> 'alice'")
        == []
    )
    assert "BlockingError" not in (tmp_path / "log").read_text(encoding="utf-8")


LOGIN = """
from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def user(authorization: str | None) -> str:
    if authorization is None:
        raise Auth.exceptions.HTTPException(status_code=401)
    return authorization.removeprefix("Bearer ")
"""


@pytest.mark.slow
async def test_nobody_whom_a_server_has_authenticated_can_be_somebody_else(
    dsn: str, tmp_path: Path, port: int, memory: AgentMemory
) -> None:
    files = [*(EXAMPLES / "server").glob("*.py"), EXAMPLES / "scripted_model.py"]
    project = {path.name: path.read_text(encoding="utf-8") for path in files} | {"login.py": LOGIN}
    by_login = "AgentMemoryMiddleware(memory, external_id=lambda runtime: runtime.server_info.user.identity)"
    project["agent.py"] = project["agent.py"].replace("AgentMemoryMiddleware(memory)", by_login)
    described = json.loads((EXAMPLES / "server" / "langgraph.json").read_text(encoding="utf-8"))
    project["langgraph.json"] = json.dumps(described | {"auth": {"path": "./login.py:auth"}})
    with served(tmp_path, port, project, AGENTMEM_DSN=dsn) as url:
        for user, said_to_be, text, answer in [
            ("alice", "bob", "I eat vegetarian food.", "I have noted that."),
            ("alice", "bob", "What food do I eat?", "You have told me: I eat vegetarian food."),
            ("bob", "alice", "What food do I eat?", "You have not told me yet."),
        ]:
            async with get_client(url=url, headers={"Authorization": f"Bearer {user}"}) as client:
                asked = {"messages": [{"role": "user", "content": text}]}
                config = {"configurable": {"user_id": said_to_be}}
                state = await client.runs.wait(None, "agent", input=asked, config=config)
            assert state["messages"][-1]["content"] == answer
    assert [each.external_id for each in await memory.aget_active_memories("alice")] == ["alice"]
    assert await memory.aget_active_memories("bob") == []


@pytest.mark.slow
async def test_a_server_whose_settings_do_not_fit_says_so(dsn: str, tmp_path: Path, port: int) -> None:
    with (
        pytest.raises(AssertionError, match=r"invalid settings: AGENTMEM_STORE_OWNER: .* 'first'"),
        served(tmp_path, port, AGENTMEM_DSN=dsn, AGENTMEM_STORE_OWNER="first"),
    ):
        pass


@pytest.mark.slow
async def test_a_server_keeps_its_threads_and_their_state_in_memory(
    dsn: str, tmp_path: Path, port: int, memory: AgentMemory, rows: Rows
) -> None:
    environment = {"AGENTMEM_DSN": dsn, "AGENTMEM_CHECKPOINT_STATE_SCHEMA": "agent_state:State"}
    config = {"configurable": {"user_id": "alice"}}
    with served(tmp_path, port, AGENT, **environment) as url:
        client = get_client(url=url)
        thread = (await client.threads.create())["thread_id"]

        await client.runs.wait(thread, "agent", input={"say": "begun"}, config=config)
        [asked] = (await client.threads.get_state(thread))["tasks"]
        assert asked["interrupts"][0]["value"] == "What do you know?"
        await client.runs.wait(thread, "agent", command={"resume": "tea"}, config=config)
        assert (await client.threads.get_state(thread))["values"]["facts"] == ["tea"]

        copied = (await client.threads.copy(thread))["thread_id"]
        assert (await client.threads.get_state(copied))["values"]["progress"] == "begun"
        history = await client.threads.get_history(copied, limit=50)
        assert len(history) == len(await client.threads.get_history(thread, limit=50))
        await client.runs.wait(copied, "agent", input={"say": " again"}, config=config)
        await client.threads.delete(copied)
        assert rows("SELECT DISTINCT thread_id FROM checkpoints") == [(thread,)]
        new = (await client.threads.create())["thread_id"]
        await client.runs.wait(new, "agent", input={"say": "."}, config=config)
        state = (await client.threads.get_state(new))["values"]
        assert (state["progress"], state["facts"]) == ("begun again.", ["tea"])
        await client.aclose()
    [found] = await memory.aget_active_memories("alice")
    assert {id: section.content for id, section in found.sections.items()} == {
        "progress": "begun again.",
        "facts": "- tea",
    }
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "AgentMemorySaver" in log
    assert "BlockingError" not in log
    assert "missing a" not in log, "the server finds everything that it asks a checkpointer for"


@pytest.mark.slow
async def test_a_server_whose_state_cannot_be_found_says_so(dsn: str, tmp_path: Path, port: int) -> None:
    environment = {"AGENTMEM_DSN": dsn, "AGENTMEM_CHECKPOINT_STATE_SCHEMA": "nowhere:State"}
    message = "names 'nowhere:State', which cannot be imported"
    with pytest.raises(AssertionError, match=message), served(tmp_path, port, AGENT, **environment):
        pass


async def test_a_state_that_is_no_class_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_CHECKPOINT_STATE_SCHEMA", "json:__name__")
    with pytest.raises(ConfigurationError, match="which is no class"):
        async with make_checkpointer():
            pass
