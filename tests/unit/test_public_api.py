"""The signatures of the public names are those on record: whoever changes one sees it, and so does whoever reviews it."""

import difflib
import re

from public_surface import MODULES, RECORD, ROOT, surface


def test_the_public_names_and_signatures_are_those_on_record():
    recorded, found = RECORD.read_text(encoding="utf-8"), surface()
    changes = "\n".join(
        difflib.unified_diff(recorded.splitlines(), found.splitlines(), "on record", "now", lineterm="", n=0)
    )
    assert recorded == found, f"run `make api`, and say in CHANGELOG.md what changes for users:\n{changes}"


def test_everything_that_pages_import_is_on_record():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert set(re.findall(r"^ *from (langgraph_agentmem[\w.]*) import", text, re.MULTILINE)) <= set(MODULES)
