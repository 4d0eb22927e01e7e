"""The browser of the tests: which one it is, and how CI gets it and other programs."""

from pathlib import Path

import chromium
import programs
import pytest

CHROMIUM = "#!/bin/sh\n"
FAILING_ONCE = """#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >> {folder}/asked
[ -e {folder}/failed ] || { : > {folder}/failed; echo no route to mirror; exit 100; }
case "$*" in *install*) : > {folder}/chromium; command -p chmod 755 {folder}/chromium ;; esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(chromium.NAMED, raising=False)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def program(file: Path, text: str = CHROMIUM) -> str:
    file.write_text(text)
    file.chmod(0o755)
    return str(file)


def test_the_first_that_is_installed_is_found(folder: Path) -> None:
    chrome = program(folder / "google-chrome")
    assert (chromium.program(), chromium.missing()) == (chrome, None)
    assert chromium.program() != (debians := program(folder / "chromium"))
    assert chromium.program() == debians


def test_the_one_that_is_named_is_taken_and_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder / "chromium")
    monkeypatch.setenv(chromium.NAMED, program(folder / "my own"))
    assert chromium.program() == str(folder / "my own")
    monkeypatch.setenv(chromium.NAMED, "/nowhere/chrome")
    assert chromium.program() is None
    assert chromium.missing() == "AGENTMEM_TEST_CHROMIUM names '/nowhere/chrome', which is no program"


def test_without_one_it_is_said_what_becomes_of_the_test_and_how_to_get_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.provide("chromium", chromium.missing)
    assert (
        "that need chromium will be skipped: none of chromium, chromium-browser, google-chrome"
        in capsys.readouterr().out
    )
    monkeypatch.setenv("CI", "true")  # and no apt-get
    programs.provide("chromium", chromium.missing)
    said = capsys.readouterr().out
    assert "that need chromium will fail" in said
    assert "(Debian: apt-get install chromium)" in said


def test_it_is_installed_in_two_tries(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(folder / "apt-get", FAILING_ONCE.replace("{folder}", str(folder)))
    programs.install("chromium")
    assert chromium.program() == str(folder / "chromium")
    first, again, last = (folder / "asked").read_text().splitlines()
    assert first == again
    assert first.startswith("noninteractive ")
    assert (first.split()[-1], last.split()[-4:]) == (
        "update",
        ["install", "-y", "--no-install-recommends", "chromium"],
    )
    said = capsys.readouterr().out
    assert "failed with 100:\nno route to mirror" in said
    assert said.splitlines()[-1].startswith(
        "Installing chromium for the tests; once more: apt-get update ... apt-get install ... done"
    )
