"""The Neo4j of the tests: what is fetched is fetched before them, and a start that has failed is begun again."""

from pathlib import Path

import neo4j_server
import pytest
from neo4j_server import Server

ROOT = Path(__file__).parents[2]


def test_a_start_that_has_failed_is_begun_again_as_if_there_had_been_none(tmp_path, monkeypatch):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(
        "#!/bin/sh\necho out of memory\nfor word; do case $word in --home-dir=*) touch ${word#*=}/half;; esac; done\nexit 1\n"
    )
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{java.parent}:/usr/bin:/bin")
    (tmp_path / "packages" / "lib").mkdir(parents=True)
    monkeypatch.setattr(neo4j_server, "PACKAGES", tmp_path / "packages")
    home = tmp_path / "neo4j"

    server = Server.made(home)
    server.launch()
    with pytest.raises(RuntimeError, match="out of memory"):
        server.wait()
    again = Server.made(home)

    assert again.home == home
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()) == [
        "conf/neo4j.conf",
        "data/dbms/auth.ini",
    ]


def test_packages_are_fetched_before_the_tests_and_not_within_the_time_of_one():
    steps = (ROOT / "Makefile").read_text().partition("\ntest:")[2].partition("\n\n")[0].splitlines()
    [fetching] = [place for place, step in enumerate(steps) if "tests/neo4j_server.py" in step]
    [testing] = [place for place, step in enumerate(steps) if "-m pytest" in step]
    assert fetching < testing


def test_packages_that_could_not_be_fetched_whole_are_fetched_again(tmp_path, monkeypatch):
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    # as on a connection that breaks: the first time a part has come when it fails
    maven.write_text(
        "#!/bin/sh\nfor word; do case $word in -DoutputDirectory=*) to=${word#*=};; esac; done\n"
        "mkdir -p $to; ls $to; touch $to/one.jar\n"
        "test -e broken || { touch broken; touch $to/half.jar; exit 1; }\n"
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:/usr/bin:/bin")
    monkeypatch.setattr(neo4j_server, "PACKAGES", tmp_path / "packages")

    with pytest.raises(RuntimeError, match="could not fetch"):
        neo4j_server.packages()
    assert not (tmp_path / "packages" / "lib").exists()

    assert [path.name for path in neo4j_server.packages().iterdir()] == ["one.jar"]
