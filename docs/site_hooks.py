"""Lets the site show what lies outside docs/ as well: README.md is its first page, and links to code lead to the code.

Links in the sources are those that GitHub follows; what they point to on the site is worked out here.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
_PROJECT = {path.name: f"project/{path.stem.lower()}.md" for path in sorted(ROOT.glob("*.md"))}
_PAGES = _PROJECT | {"README.md": "index.md", "examples/server/README.md": "start/server.md"}
"""The pages that lie outside docs/, with their places on the site."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the repository's root to the navigation."""
    pages = [page for name, page in _PROJECT.items() if name != "README.md"]
    config.nav = [*(config.nav or []), {"Project": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add these pages, and every file outside docs/ that a page links to."""
    for name, place in _PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    for page in list(files.documentation_pages()):
        for target in _targets(page.content_string, _in_repository(page.src_uri)):
            place = _on_site(target)
            if files.get_file_from_path(place) is None and (ROOT / target).is_file():
                files.append(File.generated(config, place, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to places on the site."""
    here = _in_repository(page.file.src_uri)

    def on_site(found: re.Match[str]) -> str:
        place = _on_site(_target(here, found["path"]))
        if files.get_file_from_path(place) is None:
            return found[0]
        return f"]({posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or '.')}{found['anchor'] or ''})"

    return _LINK.sub(on_site, markdown)


def _targets(text: str, here: str) -> Iterator[str]:
    yield from (_target(here, found["path"]) for found in _LINK.finditer(text))


def _target(here: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(here), link))


def _in_repository(place: str) -> str:
    return next((name for name, page in _PAGES.items() if page == place), f"docs/{place}")


def _on_site(target: str) -> str:
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return _PAGES.get(target, f"source/{target}")
