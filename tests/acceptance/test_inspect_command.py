"""`agentmem inspect`, in a real browser."""

import asyncio
import os
from pathlib import Path

import chromium
import pytest
from inspecting import HOSTILE, filled_with_mischief, inspecting

NOTED = "Object.defineProperty(window, 'taken', {set() { sessionStorage.taken = 'yes' }})"


@pytest.mark.slow
def test_no_stored_script_runs_and_every_page_fits_a_telephone(dsn: str, tmp_path: Path) -> None:
    if missing := chromium.missing():
        assert os.environ.get("CI", "").lower() != "true", missing
        pytest.skip(missing)
    tenant, pages = asyncio.run(filled_with_mischief(dsn))
    with inspecting(dsn, "--tenant", tenant, "--write") as address, chromium.browsing(tmp_path / "browser") as tab:
        tab.size(360, 740)
        tab.on_every_page(NOTED)
        for page in pages:
            tab.open(address + page, "")
            tab.wait_for("document.querySelector('.q-page') && document.fonts.status === 'loaded'")
            tab.run("new Promise(done => setTimeout(done, 200))")  # what was stored has its chance
            assert tab.run("sessionStorage.taken") is None, page
            assert tab.run("document.documentElement.scrollWidth") <= 360, page
            assert tab.run("document.querySelectorAll('iframe, base, a[href^=javascript]').length") == 0, page
        # by keyboard alone, as whoever looks does it
        tab.open(address, "Search memory")
        # what is typed before the page has its connection, faster than anybody types, is lost
        tab.wait_for("window.did_handshake && document.activeElement.tagName === 'INPUT'")
        tab.send("Input.insertText", text="deadline")
        tab.press("Enter", 13)
        tab.wait_for("document.body.innerText.includes('Adds')")
        assert HOSTILE[0] in tab.run("document.body.innerText")
    assert tab.dialogs == []
    assert {each for each in tab.requested if not each.startswith((address, "data:", "blob:"))} == set()
