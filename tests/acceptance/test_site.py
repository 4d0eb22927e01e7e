"""The documentation builds as a site, without a warning and without a network, and shows every public name."""

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from public_names import public_methods, public_names, public_objects

from langgraph_agentmem import errors

ROOT = Path(__file__).parents[2]
NO_NETWORK = {f"{protocol}_proxy": "http://127.0.0.1:9" for protocol in ("http", "https", "HTTP", "HTTPS")}
_LOADED = re.compile(r'<(?:link|img|script)\b[^>]*\b(?:href|src)="(?P<address>(?:https?:)?//[^"]+)"')


@pytest.mark.slow
def test_the_site_builds_strictly_and_shows_every_public_name(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site]  # --quiet would be less strict
    built = subprocess.run(command, cwd=ROOT, env=os.environ | NO_NETWORK, capture_output=True, text=True, check=False)

    assert built.returncode == 0, built.stderr
    assert "WARNING -" not in built.stderr
    shown = names_shown(site)
    assert [name for name in promised() if name not in shown] == []
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert {found["address"] for text in pages.values() for found in _LOADED.finditer(text)} == set()


def names_shown(site: Path) -> set[str]:
    """The names that the site's inventory leads to, under which other documentation may link to them."""
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(inventory).decode().splitlines()}


def promised() -> list[str]:
    """Every public name as it is imported, and every method of the public classes, sync twins too."""
    classes = {name: each for name, each in public_objects().items() if isinstance(each, type)}
    methods = [name for each in classes.values() for name, _ in public_methods(each)]
    twins = [
        f"{name.rpartition('.')[0]}.{name.rpartition('.')[2][1:]}" for name in methods if is_twinned(name, classes)
    ]
    return [*public_names(), *methods, *twins]


def is_twinned(name: str, classes: dict[str, type]) -> bool:
    kind, _, method = name.rpartition(".")
    return kind in classes and method.startswith("a") and hasattr(vars(classes[kind]).get(method[1:]), "__wrapped__")


def test_errors_are_among_what_is_promised() -> None:
    assert f"{errors.__name__}.OutageError" in promised()
