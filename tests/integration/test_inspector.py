"""The inspector, as whoever looks at it finds it: why something was recalled, and how it is corrected."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from inspecting import HOSTILE, filled_with_mischief, looking, texts
from nicegui import ui
from reviewing import NEW, OLD, cycle, parked, project

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.inspector import parts


async def test_a_wrong_fact_is_found_explained_corrected_and_the_next_search_is_changed(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    async with looking(memory, write=True) as user:
        await user.open("/")
        user.find(kind=ui.input, content="Search memory").type("When is the deadline?").trigger("keydown.enter")
        await user.should_see("Deadline: May 1")
        shown = texts(user)
        for told in ("the words say", "Written by ada", "Project / notes", "shortterm", "in its present value", "Run "):
            assert told in shown, f"{told} is not in\n{shown}"
        user.find("Correct it").click()
        await user.should_see("Back to the search: 'When is the deadline?'")
        with user:
            assert next(each.value for each in ui.context.client.elements.values() if isinstance(each, ui.expansion))
        user.find(marker=f"text-of-{made.id}").clear().type("Deadline: June 1")
        user.find("Save").click()
        await user.should_see("Saved. Searches find it from now on")
        user.find("Consolidate now").click()
        await user.should_see("Consolidated.")
        lines = texts(user).splitlines()
        assert {"What has changed: 2 changes", "- Deadline: May 1", "+ Deadline: June 1"} <= set(lines)
        assert any(line.startswith("Revision 3 by inspector, ") for line in lines)
        user.find("Search again: 'When is the deadline?'").click()
        await user.should_see("1 hit")
        assert ("Deadline: June 1" in texts(user), "Deadline: May 1" in texts(user)) == (True, False)


async def test_a_stale_edit_is_refused_and_shown_with_the_present_text(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    async with looking(memory, write=True) as user:
        await user.open(f"/memory?id={made.id}")
        await memory.aupdate_active_memory_section("alice", made.id, "notes", "Deadline: July 9", source="bo")
        user.find(marker=f"text-of-{made.id}").clear().type("Deadline: June 1")
        user.find("Save").click()
        await user.should_see("Not saved: somebody has written revision 3 meanwhile")
        assert {"Deadline: July 9", "- Deadline: July 9", "+ Deadline: June 1"} <= set(texts(user).splitlines())
        assert (await memory.aget_active_memory("alice", made.id)).sections["notes"].content == "Deadline: July 9"
        user.find("Save mine in its place").click()
        await user.should_see("revision 4, written")
    assert (await memory.aget_active_memory("alice", made.id)).sections["notes"].content == "Deadline: June 1"


async def test_without_write_nothing_can_be_changed(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    await memory.aupdate_active_memory_section("alice", made.id, "notes", "Deadline: June 1")
    async with looking(memory) as user:
        for page in (f"/memory?id={made.id}", "/runs", "/reviews", "/queue"):
            await user.open(page)
            await user.should_see("The inspector was started without --write.")
            with user:
                shown = list(ui.context.client.elements.values())
            assert not [each.text for each in shown if isinstance(each, ui.button | ui.textarea)]


async def test_a_search_as_of_a_time_says_what_held_then(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    then = (await memory.aget_active_memory("alice", made.id)).updated_at
    await cycle(memory, made, "Deadline: June 1")
    async with looking(memory) as user:
        await user.open(f"/?q=deadline&as_of={then:%Y-%m-%dT%H:%M:%S.%f}")
        await user.should_see("Deadline: May 1")
        await user.should_not_see("Deadline: June 1")
        await user.open("/?q=deadline&as_of=yesterday")
        await user.should_see("'yesterday' is no time; it looks like 2026-05-01T14:00, in UTC")


async def test_the_slider_goes_over_the_time_that_memory_knows(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    await cycle(memory, made, "Deadline: June 1")
    later, earlier = [chunk.start_date for chunk in await memory.ahistory("alice", made.id)]
    between = earlier + (later - earlier) / 2
    async with looking(memory) as user:
        await user.open("/?q=deadline")
        await user.should_see("Deadline: June 1")
        [slider] = user.find(ui.slider).elements
        assert (slider.value, "now" in texts(user).splitlines()) == (1000, True)
        slider.value = round((between - made.created_at) / (datetime.now(UTC) - made.created_at) * 1000)
        assert "Deadline: June 1" in texts(user)  # while it moves
        user.find(ui.slider).trigger("change")
        await user.should_see("1 hit, as of ")
        assert "Deadline: May 1" in texts(user)
        assert "Deadline: June 1" not in texts(user)
        [typed] = [each.value for each in user.find(kind=ui.input, content="As of (UTC)").elements]
        assert earlier < datetime.fromisoformat(f"{typed}Z") < later
        slider.value = 1000
        user.find(ui.slider).trigger("change")
        await user.should_see("Deadline: June 1")
    async with looking(memory, "bob") as user:
        await user.open("/?q=deadline")
        await user.should_see("Memory says nothing about this.")
        await user.should_not_see(ui.slider)


async def test_what_is_asked_for_last_is_shown_however_long_the_others_take(memory: AgentMemory) -> None:
    answered = asyncio.Event()

    async def slow() -> str:
        await answered.wait()
        return "of a slow answer"

    async def fast() -> str:
        return "of a fast answer"

    async with looking(memory) as user:
        await user.open("/queue")
        with user:
            region = parts.Region()
        first = asyncio.create_task(region.show(slow, parts.said))
        await asyncio.sleep(0)
        await region.show(fast, parts.said)
        answered.set()
        await first
        assert ("of a fast answer" in texts(user), "of a slow answer" in texts(user)) == (True, False)


async def test_an_inspector_of_one_tenant_shows_no_other(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    report = (await memory.runs.alist("alice"))[0]
    async with looking(memory, "bob") as user:
        for page in (
            "/?q=deadline",
            f"/memory?id={made.id}",
            "/memory",
            f"/runs?run={report.id}",
            "/entities",
            "/queue",
        ):
            await user.open(page)
            assert not any(told in texts(user) for told in ("May 1", "Project", "alice"))
        await user.open("/?q=deadline&tenant=alice")
        await user.should_see("this inspector shows the memory of 'bob' only, not of 'alice'")
        await user.should_not_see("May 1")


async def test_an_operator_finds_a_tenant_and_links_stay_with_it(memory: AgentMemory) -> None:
    await project(memory, "Deadline: May 1")
    for name in (HOSTILE[0], *(f"customer {number}" for number in range(30))):
        await memory.acreate_active_memory(name, "Notes", {"sections": ["facts"]})
    async with looking(memory, None) as user:
        await user.open("/?q=deadline")
        await user.should_see("Choose a tenant to see its memory.")
        assert {"alice", HOSTILE[0], "customer 0"} <= set(texts(user).splitlines())
        await user.should_see("The first 25 by name; a part of the name finds others.")
        find = user.find("Find a tenant")
        find.type("OMER 7")
        await user.should_see("customer 7")
        assert "customer 0" not in texts(user)
        find.clear().type("\0")
        await user.should_see("part of a tenant's name holds a NUL character")
        find.clear().type("mallory")
        await user.should_see("No tenant with memories has this in its name.")
        find.clear().type("lic").trigger("keydown.enter")
        await user.should_see("Tenant alice")
        user.find(kind=ui.input, content="Search memory").type("deadline").trigger("keydown.enter")
        await user.should_see("Deadline: May 1")
        user.find("Project / notes").click()
        await user.should_see("Project: memory 1 of alice")
        user.find("Another tenant").click()
        await user.should_see("Find a tenant")
        await user.open("/?q=deadline&tenant=bob")
        await user.should_see("Memory says nothing about this.")


async def test_an_outage_is_an_error_and_no_empty_result(dead_memory: AgentMemory) -> None:
    async with looking(dead_memory) as user:
        for page in ("/?q=deadline", "/memory", "/reviews", "/runs", "/entities", "/queue"):
            await user.open(page)
            await user.should_see("PostgreSQL cannot be reached")
    async with looking(dead_memory, None) as user:
        await user.open("/")
        await user.should_see("PostgreSQL cannot be reached")
        await user.should_not_see("No tenant with memories")


@pytest.fixture
async def dead_memory() -> AsyncIterator[AgentMemory]:
    memory = AgentMemory.open("postgresql://127.0.0.1:1/nowhere")
    yield memory
    await memory.aclose()


async def test_the_second_of_two_reviewers_is_told_and_nothing_is_decided_twice(
    opened: Callable[..., AgentMemory],
) -> None:
    memory = opened(review="always")
    made, run, dispute = await parked(memory)
    async with looking(memory, write=True) as user:
        await user.open("/reviews")
        await user.should_see("1 dispute of 1 run")
        assert {OLD, NEW} <= set(texts(user).splitlines())
        await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "keep_both"}], reviewer="eve")
        user.find("Accept the verdict").click()
        await user.should_see("nothing of this review")
        user.find("Keep both").click()
        await user.should_see("Was decided already, by eve: keep_both.")
        await user.open("/reviews")
        await user.should_see("Nothing waits for a review.")
    assert made.id


async def test_a_decision_is_recorded_with_who_took_it_and_why(opened: Callable[..., AgentMemory]) -> None:
    memory = opened(review="always")
    _, run, _ = await parked(memory)
    async with looking(memory, None, write=True) as user:
        await user.open("/reviews")  # of all tenants
        user.find("Your name, for the record").type("eve")
        user.find("Why, for the record").type("Ada says so.")
        user.find("Accept the verdict").click()
        await user.should_see("Decided: accept. 1 superseded")
    [decided] = await memory.reviews.adisputes("alice", run)
    assert decided.decision is not None
    assert (decided.reviewer, decided.decision.reason) == ("eve", "Ada says so.")


async def test_a_run_tells_what_it_did_and_is_undone(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    report = await cycle(memory, made, "Deadline: June 1")
    async with looking(memory, write=True) as user:
        await user.open(f"/runs?memory={made.id}&run={report.run_id}")
        for told in ("1 superseded", "No model was asked.", "What it had to decide", "What was decided, and refused"):
            await user.should_see(told)
        user.find("Undo").click()
        await user.should_see("what it has added stays")
        user.find("Yes, undo").click()
        await user.should_see("undone")
    assert [run.status for run in await memory.runs.alist("alice", made.id)] == ["undone", "applied"]


async def test_a_closed_memory_tells_what_it_said(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    await memory.adelete_active_memory("alice", made.id)
    async with looking(memory, write=True) as user:
        await user.open(f"/memory?id={made.id}")
        await user.should_see("It is closed: what it gave to memory stays")
        assert "Deadline: May 1" in texts(user)
        await user.open("/memory?id=999999")
        await user.should_see("tenant 'alice' has no memory 999999")
        await user.open("/memory?id=one")
        await user.should_see("id is a number, not 'one'")


class Tags(HTMLParser):
    """The elements of a markup, and their attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.names, self.attributes = set[str](), set[str]()
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


OURS = "div span b code table thead tbody tr th td svg g rect path line polygon circle text title"


async def test_what_is_stored_is_text_on_every_page(dsn: str, opened: Callable[..., AgentMemory]) -> None:
    tenant, pages = await filled_with_mischief(dsn)
    async with looking(opened(), tenant, write=True) as user:
        for page in pages:
            await user.open(page)
            with user:
                shown = list(ui.context.client.elements.values())
            drawn = [Tags(each.content) for each in shown if isinstance(each, ui.html)]
            assert set().union(*(each.names for each in drawn)) <= set(OURS.split()), page
            assert not {name for each in drawn for name in each.attributes if name.startswith(("on", "href", "src"))}
            links = [each.props["href"] for each in shown if isinstance(each, ui.link)]
            assert all(link.startswith("/") and not link.startswith("//") for link in links), page


async def test_the_queue_shows_what_was_set_aside_and_puts_it_back(
    dsn: str, opened: Callable[..., AgentMemory]
) -> None:
    tenant, _ = await filled_with_mischief(dsn)
    memory = opened()
    async with looking(memory, None, write=True) as user:
        await user.open("/queue")
        await user.should_see(HOSTILE[1])
        user.find("Try again").click()
        await user.should_see("No memory is set aside.")
    assert (await memory.queue.astatus(tenant)).due == 1


async def test_entities_are_drawn_with_their_history(opened: Callable[..., AgentMemory], dsn: str) -> None:
    tenant, _ = await filled_with_mischief(dsn)
    async with looking(opened(), tenant) as user:
        await user.open("/entities?name=nobody")
        await user.should_see("has no entity 'nobody'")
        await user.open("/entities")
        user.find(HOSTILE[1]).click()
        await user.should_see("History")
        with user:
            assert any(
                "<svg" in each.content for each in ui.context.client.elements.values() if isinstance(each, ui.html)
            )
