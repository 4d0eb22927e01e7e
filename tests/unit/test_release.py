"""Version, changelog and tag agree, and what is built holds all that the package needs."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import langgraph_agentmem

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PACKAGE = {
    str(path.relative_to(ROOT))
    for path in (ROOT / "langgraph_agentmem").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}


def disagreement(version: str, changelog: str, tags: list[str]) -> str | None:
    """What is wrong with the version, given the changelog and the tags of the commit; None if nothing is."""
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    others = set(re.findall(r"^## (.+)$", changelog, re.MULTILINE)) - {"[Unreleased]"}
    if len(others) != len(released):
        return "a section of the changelog has no version and date"
    if released != sorted(released, key=numbers, reverse=True):
        return "the changelog's newest version is not its first"
    if tags and (tags != [f"v{version}"] or released[:1] != [version]):
        return f"{tags} is not the version {version} with a dated section of its own"
    if released and numbers(version) < numbers(released[0]):
        return f"{version} is older than the changelog's newest version"
    if released[:1] != [version] and version not in changelog.partition("## [Unreleased]")[2].partition("\n## ")[0]:
        return f"the changelog does not say what {version} brings"
    return None


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


COMING = "## [Unreleased]\n\nWhat 0.2.0 brings.\n"
FIRST = "## [0.1.0] - 2026-11-30\n\nAll.\n"
SECOND = "## [0.2.0] - 2026-12-31\n\nMore.\n"


@pytest.mark.parametrize(
    ("version", "changelog", "tags"),
    [
        pytest.param("0.2.0", COMING, [], id="the first one is on its way"),
        pytest.param("0.2.0", COMING + FIRST, [], id="one more is on its way"),
        pytest.param("0.2.0", SECOND + FIRST, ["v0.2.0"], id="released by this commit"),
        pytest.param("0.2.0", "## [Unreleased]\n" + SECOND + FIRST, [], id="released by an earlier commit"),
    ],
)
def test_versions_that_agree(version, changelog, tags):
    assert disagreement(version, changelog, tags) is None


@pytest.mark.parametrize(
    ("version", "changelog", "tags"),
    [
        pytest.param("0.3.0", COMING + FIRST, [], id="nothing is said of the version"),
        pytest.param("0.1.0", SECOND + FIRST, [], id="the version was not raised"),
        pytest.param("0.2.0", COMING + FIRST, ["v0.2.0"], id="tagged without a section"),
        pytest.param("0.2.0", SECOND + FIRST, ["v0.2.1"], id="another tag"),
        pytest.param("0.2.0", FIRST + SECOND, [], id="the wrong order"),
        pytest.param("0.2.0", COMING + "## [0.1.0]\n", [], id="a section without a date"),
    ],
)
def test_versions_that_do_not(version, changelog, tags):
    assert disagreement(version, changelog, tags)


def test_version_changelog_and_tag_agree():
    asked = subprocess.run(["git", "tag", "--points-at"], cwd=ROOT, capture_output=True, text=True, check=False)
    tags = [tag for tag in asked.stdout.split() if re.match(r"v\d", tag)]  # none in an unpacked sdist
    assert disagreement(VERSION, CHANGELOG, tags) is None


def test_the_package_tells_its_version():
    assert langgraph_agentmem.__version__ == version("langgraph-agentmem") == VERSION


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return folder


def test_the_wheel_holds_the_whole_package_and_nothing_else(dist):
    [wheel] = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {"langgraph_agentmem/py.typed", "langgraph_agentmem/storage/sql/sections.sql"} <= PACKAGE
    assert {name for name in names if ".dist-info/" not in name} == PACKAGE
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_the_tests_need_and_no_environment(dist):
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {*PACKAGE, "pyproject.toml", "constraints.txt", "Makefile", "tests/conftest.py", "README.md"} <= names
    assert {name for name in names if name.startswith((".venv", ".neo4j", ".git/", "build", "dist"))} == set()
