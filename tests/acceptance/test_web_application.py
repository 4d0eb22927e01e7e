"""The example of a web application: two users at once, a worker beside them, and a clean end."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forking
import httpx
import pytest

Rows = Callable[..., list[tuple[object, ...]]]
APP = Path(__file__).parents[2] / "examples" / "web_app.py"
USERS = {"alice": "Ada", "bob": "Bo"}


class App:
    """The application in a process of its own."""

    def __init__(self, dsn: str, port: int) -> None:
        # each update makes a memory due: the worker has something to do all the time
        environment = {"AGENTMEM_AVG_SECTION_UPDATE_COUNT": "1", "AGENTMEM_WORKER_POLL_SECONDS": "0.2"}
        self.process = forking.Process(APP, "--dsn", dsn, "--port", str(port), env=os.environ | environment)
        self.url = f"http://127.0.0.1:{port}/notes"

    def get(self, user: str, question: str) -> list[dict[str, str]]:
        found = httpx.get(self.url, params={"question": question}, headers={"X-User": user}, timeout=60)
        return found.raise_for_status().json()

    def note(self, user: str, text: str) -> int:
        """The status of the answer; 0 where none came."""
        try:
            return httpx.post(self.url, json={"text": text}, headers={"X-User": user}, timeout=60).status_code
        except httpx.TransportError:
            return 0

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.returncode is None:
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        pytest.fail(f"the application did not get so far; it has said {self.process.said}")


@pytest.fixture
def app(dsn: str) -> Iterator[App]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = App(dsn, port)
    yield app
    app.process.end()


def test_two_users_are_served_and_what_was_answered_is_kept_when_it_is_told_to_stop(app: App, rows: Rows) -> None:
    app.wait_for(lambda: app.get("alice", "anything") == [])
    for user, name in USERS.items():
        assert app.note(user, f"{name} writes the engine.") == 201
    assert app.note("alice", "a\0b") == 422
    app.wait_for(lambda: any(hit["tier"] == "shortterm" for user in USERS for hit in app.get(user, "the engine")))
    assert all("Bo" not in hit["text"] for hit in app.get("alice", "Who writes the engine?"))

    texts = [(user, f"{name} tests part {n}.") for n in range(30) for user, name in USERS.items()]
    answered: list[tuple[str, str]] = []

    def note(user: str, text: str) -> None:
        if app.note(user, text) == 201:
            answered.append((user, text))

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(note, *each) for each in texts]
        app.wait_for(lambda: len(answered) > 5)
        app.process.send_signal(signal.SIGTERM)
    assert all(each.exception() is None for each in asked)
    done = app.process.wait()
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert 5 < len(answered) < len(texts)

    written = dict(rows("SELECT external_id, string_agg(value::text, ' ') FROM agentmem.section GROUP BY 1"))
    assert [text for user, text in answered if text not in str(written[user])] == []
    assert rows("SELECT external_id FROM agentmem.active_memory WHERE lease_owner IS NOT NULL") == []
    assert {status for (status,) in rows("SELECT status FROM agentmem.consolidation_run")} == {"applied"}


def test_a_database_that_is_not_there_is_noticed_at_the_start() -> None:
    with App("postgresql://127.0.0.1:1/nowhere", 1).process as process:
        done = process.wait()
    assert "cannot be reached" in done.stderr
    assert done.returncode != 0
