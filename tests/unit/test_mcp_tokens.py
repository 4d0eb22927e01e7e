"""Tokens of the MCP server: whom they stand for, until when, and which files are not to be trusted."""

import json
import threading
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.mcp import TokenFile


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "a folder" / "tokens.jsonl")


async def test_a_token_stands_for_its_tenant_and_is_nowhere_in_the_file(tokens: TokenFile) -> None:
    first, second = tokens.add("laptop", "alice"), tokens.add("phone", "bob")
    assert first != second
    found = await tokens.verify_token(first)
    assert found is not None
    assert (found.subject, found.client_id, found.expires_at) == ("alice", "laptop", None)
    assert [grant and grant.tenant for grant in map(tokens.find, (first, second, "guessed", "", "\ud800"))] == [
        "alice", "bob", None, None, None,
    ]  # fmt: skip
    written = tokens.path.read_text()
    assert first not in written
    assert second not in written
    assert tokens.path.stat().st_mode & 0o777 == 0o600


def test_a_token_that_is_added_or_revoked_elsewhere_counts_at_once(tokens: TokenFile) -> None:
    running = TokenFile(tokens.path)
    assert running.find("guessed") is None
    token = tokens.add("laptop", "alice")
    assert running.find(token)
    assert tokens.revoke("laptop") == 1
    assert running.find(token) is None
    assert tokens.revoke("laptop") == 0
    assert running.find(tokens.add("laptop", "bob")).tenant == "bob"  # type: ignore[union-attr]
    assert running.find(token) is None


async def test_a_token_expires(tokens: TokenFile) -> None:
    token = tokens.add("guest", "alice", days=1e-9)
    assert await tokens.verify_token(token) is None
    assert [grant.name for grant in tokens.grants()] == ["guest"]
    assert await tokens.verify_token(tokens.add("other", "alice", days=1)) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", "alice"), "name must not be empty"),
        (("laptop", " "), "external_id must not be empty"),
        (("taken", "bob"), "there is a token named 'taken'; revoke it first"),
        (("laptop", "a\0b"), "NUL"),
    ],
)
def test_what_cannot_be_a_token_is_refused(tokens: TokenFile, arguments: tuple[str, str], said: str) -> None:
    tokens.add("taken", "alice")
    with pytest.raises(InvalidInputError, match=said):
        tokens.add(*arguments)
    with pytest.raises(InvalidInputError, match="days"):
        tokens.add("laptop", "alice", days=0)
    assert len(tokens.grants()) == 1


@pytest.mark.parametrize("name", ["two\nlines", '", "tenant": "bob', "</b>"])
def test_a_name_that_looks_like_something_else_is_a_name(tokens: TokenFile, name: str) -> None:
    token = tokens.add(name, name)
    assert [(grant.name, grant.tenant) for grant in tokens.grants()] == [(name, name)]
    assert tokens.revoke(name) == 1
    assert tokens.find(token) is None


def test_tokens_that_are_added_at_once_are_all_there(tokens: TokenFile) -> None:
    added: list[str] = []
    threads = [threading.Thread(target=lambda n=n: added.append(tokens.add(f"t{n}", "alice"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == 8
    assert all(tokens.find(token) for token in added)


def _line(**changed: object) -> str:
    ends = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    grant = {"name": "a", "tenant": "alice", "sha256": "0" * 64, "created_at": ends, "expires_at": None}
    return json.dumps(grant | changed)


@pytest.mark.parametrize(
    "damaged",
    [
        "agentmem_a token that was pasted",
        "[]",
        '{"revoked": 7}',
        _line(sha256="abc"),
        _line(created_at="yesterday"),
        _line(admin=True),
        _line()[:-20],
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_not_quoted(tokens: TokenFile, damaged: str) -> None:
    token = tokens.add("laptop", "alice")
    with tokens.path.open("a") as file:
        file.write(damaged)
    with pytest.raises(ConfigurationError, match=r"line 3 of the file of tokens .* is no token") as told:
        tokens.find(token)
    assert damaged not in "".join(traceback.format_exception(told.value))
    with pytest.raises(ConfigurationError):
        tokens.add("phone", "bob")


def test_a_file_that_others_may_write_to_lets_nobody_in(tokens: TokenFile) -> None:
    token = tokens.add("laptop", "alice")
    tokens.path.chmod(0o622)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        TokenFile(tokens.path).find(token)


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        TokenFile(tmp_path).grants()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be"):
        TokenFile(tmp_path / "file" / "tokens").add("laptop", "alice")
