"""`agentmem inspect`, in a real browser."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import chromium
import pytest
from inspecting import HOSTILE, filled_with_mischief, inspecting

CONTROLS = "a[href], button, input, textarea, .q-slider [tabindex]"
SHOWN = """document.querySelector('.q-page') && document.fonts.status === 'loaded' && window.did_handshake
    && [...document.images].every(each => each.complete)"""
"""All is there; what was stored has had its chance."""
NOTED = "Object.defineProperty(window, 'taken', {set() { sessionStorage.taken = 'yes' }})"


@pytest.mark.slow
def test_no_stored_script_runs_and_every_page_fits_a_telephone(dsn: str, tmp_path: Path) -> None:
    if missing := chromium.missing():
        assert os.environ.get("CI", "").lower() != "true", missing
        pytest.skip(missing)
    with (
        ThreadPoolExecutor() as aside,
        inspecting(dsn, "--tenant", HOSTILE[0], "--write") as server,
        chromium.browsing(tmp_path / "browser") as tab,
    ):
        filling = aside.submit(asyncio.run, filled_with_mischief(dsn))  # while the server starts
        address, [_, pages] = server(), filling.result()
        tab.size(360, 740)
        tab.on_every_page(NOTED)
        for page in pages:
            tab.open(address + page, "")
            tab.wait_for(SHOWN)
            assert tab.run("document.documentElement.scrollWidth") <= 360, page
            assert tab.run("document.querySelectorAll('iframe, base, a[href^=javascript]').length") == 0, page
            assert tab.run("sessionStorage.taken") is None, page
        _by_keyboard_alone(tab, address)
    assert tab.dialogs == []
    assert {each for each in tab.requested if not each.startswith((address, "data:", "blob:"))} == set()


def _by_keyboard_alone(tab: chromium.Tab, address: str) -> None:
    """As whoever has no mouse reaches all that there is, searches, and goes back in time."""
    # what is typed before the page has its connection, faster than anybody types, is lost
    ready = "window.did_handshake && document.activeElement.tagName === 'INPUT'"
    tab.open(address, "Search memory")
    tab.wait_for(ready)
    tab.run("window.reached = new Set([document.activeElement])")
    tab.run("document.addEventListener('focusin', event => reached.add(event.target))")
    wanted = f"[...document.querySelectorAll('{CONTROLS}')]"
    for _ in range(tab.run(f"{wanted}.length") + 10):  # a date has parts
        tab.press("Tab", 9)
    assert tab.run(f"{wanted}.filter(each => !reached.has(each)).map(each => each.outerHTML)") == []
    tab.run("document.querySelector('input').focus()")
    tab.send("Input.insertText", text="deadline")
    tab.press("Enter", 13)
    tab.wait_for("document.body.innerText.includes('Adds')")
    assert HOSTILE[0] in tab.run("document.body.innerText")
    tab.wait_for(ready)
    tab.run("document.querySelector('.q-slider [tabindex]').focus()")
    tab.press("ArrowLeft", 37)
    tab.wait_for("document.body.innerText.includes('as of 2') && location.search.includes('as_of=2')")
