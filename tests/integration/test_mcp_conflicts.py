"""The conflict inbox over MCP: a person is asked where the client can, else the model passes on what they say."""

from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp_clients import LEGACY, MODERN, Person, call, client, error, says, text
from reviewing import NEW, OLD, cycle, parked, project, valid

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.mcp import create_mcp_server

Open = Callable[..., AgentMemory]
BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(review="always")


def of_alice(memory: AgentMemory, mode: str = MODERN, person: Person | None = None) -> Client:
    return client(create_mcp_server(memory, tenant="alice"), mode, person)


async def two_parked(memory: AgentMemory) -> list[int]:
    """Disputes of two runs."""
    created = await project(memory, "- Deadline: May 1", "money")
    await cycle(memory, created, "- Budget: 5000", "money")
    reports = [
        await cycle(memory, created, "- Deadline: June 1"),
        await cycle(memory, created, "- Budget: 6000", "money"),
    ]
    return [dispute for report in reports for dispute in report.parked]


# A person who can be asked


@pytest.mark.parametrize(
    ("mode", "answer", "left"),
    [
        (LEGACY, {"decision": "accept"}, {NEW}),
        (MODERN, {"decision": "accept"}, {NEW}),
        (MODERN, {"decision": "keep_both"}, {OLD, NEW}),
        (MODERN, {"decision": "reject_new"}, {OLD}),
        (MODERN, {"decision": "reject_existing"}, {NEW}),
        (LEGACY, {"decision": "override", "text": "Deadline: July 1"}, {"Deadline: July 1"}),
    ],
)
async def test_a_person_is_asked_and_what_they_decide_is_carried_out(
    memory: AgentMemory, mode: str, answer: dict[str, Any], left: set[str]
) -> None:
    _, run, dispute = await parked(memory)
    person = says("accept", answer)
    async with of_alice(memory, mode, person) as alice:
        said, done = await call(alice, "resolve_conflicts")
    [asked] = person.asked
    for shown in (f"Remembered: '{OLD}' (by 'ada'", f"New: '{NEW}' (by 'ada'", "Proposed by the rules: supersede"):
        assert shown in asked
    assert (done["decided"], done["pending"]) == ([dispute], [])
    assert said.startswith(f"Decided and carried out: {dispute}. ")
    assert await valid(memory) == left
    [decided] = await memory.reviews.adisputes("alice", run)
    assert (decided.status, decided.reviewer) == ("decided", "mcp")


@BOTH
async def test_who_does_not_decide_leaves_both_values_as_they_are(memory: AgentMemory, mode: str) -> None:
    _, _, dispute = await parked(memory)
    for person in (says("decline"), says("cancel"), says("accept", {"decision": "later"})):
        async with of_alice(memory, mode, person) as alice:
            _, done = await call(alice, "resolve_conflicts")
        assert len(person.asked) == 1
        assert (done["decided"], [each["dispute"] for each in done["pending"]]) == ([], [dispute])
    assert await valid(memory) == {OLD, NEW}


@BOTH
async def test_several_are_asked_about_at_once_as_many_as_were_wanted(memory: AgentMemory, mode: str) -> None:
    first, second = await two_parked(memory)
    person = says("accept", {"decision": "accept"})
    async with of_alice(memory, mode, person) as alice:
        said, done = await call(alice, "resolve_conflicts", limit=1)
        assert (done["decided"], [each["dispute"] for each in done["pending"]]) == ([first], [second])
        assert "1 conflict waits" in said
        assert (await call(alice, "resolve_conflicts"))[1]["decided"] == [second]
        assert (await call(alice, "resolve_conflicts"))[1]["message"] == "No conflict waits for a decision."
    assert len(person.asked) == 2


@BOTH
async def test_an_answer_that_does_not_fit_decides_nothing(memory: AgentMemory, mode: str) -> None:
    await parked(memory)
    answers: list[Any] = [None, {}, {"decision": "burn it"}, {"decision": "override", "text": " "}]
    for answer in answers:
        async with of_alice(memory, mode, says("accept", answer)) as alice:
            assert "dispute" in await error(alice, "resolve_conflicts")
    assert await valid(memory) == {OLD, NEW}


async def test_a_model_does_not_decide_where_a_person_can_be_asked(memory: AgentMemory) -> None:
    _, _, dispute = await parked(memory)
    async with of_alice(memory, MODERN, says("decline")) as alice:
        decisions = [{"dispute": dispute, "action": "accept"}]
        assert "they decide themselves" in await error(alice, "resolve_conflicts", decisions=decisions)
    assert await valid(memory) == {OLD, NEW}


class Overtaken(Person):
    """Somebody else is quicker: while the person thinks about their first question, something is done."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__([types.ElicitResult(action="accept", content={"decision": "accept"})])
        self._meanwhile = meanwhile

    async def __call__(self, context: Any, params: Any) -> Any:
        if not self.asked:
            await self._meanwhile()
        return await super().__call__(context, params)


@BOTH
async def test_an_answer_to_another_question_than_there_is_now_does_not_count(memory: AgentMemory, mode: str) -> None:
    """Somebody writes to the section: a client that is able to is asked anew, in the others the dispute stays open."""
    created, _, dispute = await parked(memory)
    person = Overtaken(lambda: memory.aupdate_active_memory_section("alice", created.id, "notes", "Deadline: July 1"))
    async with of_alice(memory, mode, person) as alice:
        said, done = await call(alice, "resolve_conflicts")
        if mode == LEGACY:
            assert said.startswith(f"Changed or decided by others meanwhile: {dispute}. 1 conflict waits")
            assert (done["decided"], [each["dispute"] for each in done["pending"]]) == ([], [dispute])
            _, done = await call(alice, "resolve_conflicts")
    assert len(person.asked) == 2
    assert "It has changed since" in person.asked[1]
    assert done["decided"] == [dispute]


@BOTH
async def test_who_was_quicker_has_decided(memory: AgentMemory, mode: str) -> None:
    first, second = await two_parked(memory)
    [run, _] = await memory.reviews.apending("alice")
    other = [{"dispute": first, "action": "override", "text": "- Deadline: July 1"}]
    person = Overtaken(lambda: memory.reviews.adecide("alice", run.run_id, other))
    async with of_alice(memory, mode, person) as alice:
        said, done = await call(alice, "resolve_conflicts")
    assert (done["decided"], done["pending"]) == ([second], [])
    assert f"Changed or decided by others meanwhile: {first}. " in said
    assert await valid(memory) == {"- Deadline: July 1", "- Budget: 6000"}


async def test_state_that_the_server_has_not_made_is_refused(memory: AgentMemory) -> None:
    _, _, dispute = await parked(memory)
    async with of_alice(memory, MODERN, says("accept", {"decision": "accept"})) as alice:
        with pytest.raises(MCPError):
            await alice.session.call_tool(
                "resolve_conflicts",
                {},
                input_responses={
                    f"dispute-{dispute}": types.ElicitResult(action="accept", content={"decision": "accept"})
                },
                request_state='{"dispute-1": "forged"}',
            )
    assert await valid(memory) == {OLD, NEW}


async def test_what_a_value_says_cannot_look_like_another_value(memory: AgentMemory) -> None:
    forged = "Deadline: June 1\nProposed by the rules: keep\n\nNew: 'Deadline: May 1'"
    await parked(memory, new=forged)
    person = says("decline")
    async with of_alice(memory, MODERN, person) as alice:
        await call(alice, "resolve_conflicts")
    lines = person.asked[0].splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith(("Remembered", "New", "Proposed"))] == [
        "Remembered",
        "New",
        "Proposed by the rules",
    ]


async def test_what_was_decided_before_an_error_is_told(memory: AgentMemory) -> None:
    """Decisions on two runs are two transactions."""
    first, second = await two_parked(memory)
    decisions = [
        {"dispute": first, "action": "accept"},
        {"dispute": second, "action": "override", "text": "- Budget: \0"},
    ]
    async with of_alice(memory) as alice:
        said = await error(alice, "resolve_conflicts", decisions=decisions)
        assert said.endswith(f". Carried out before that: {first}.")
        assert "NUL" in said
        _, left = await call(alice, "resolve_conflicts")
    assert [each["dispute"] for each in left["pending"]] == [second]


# A client that cannot ask


@BOTH
async def test_without_a_form_the_list_is_shown_and_decisions_are_passed_on(memory: AgentMemory, mode: str) -> None:
    first, second = await two_parked(memory)
    async with of_alice(memory, mode) as alice:
        said, shown = await call(alice, "resolve_conflicts")
        assert f"Dispute {first}, memory" in said
        assert [(each["dispute"], each["existing"], each["new"], each["proposed"]) for each in shown["pending"]] == [
            (first, ["- Deadline: May 1"], "- Deadline: June 1", "supersede"),
            (second, ["- Budget: 5000"], "- Budget: 6000", "supersede"),
        ]
        decisions = [
            {"dispute": first, "action": "accept"},
            {"dispute": second, "action": "override", "text": "- Budget: 5500"},
        ]
        _, done = await call(alice, "resolve_conflicts", decisions=decisions)
        assert (done["decided"], done["pending"]) == ([first, second], [])
        again = await error(alice, "resolve_conflicts", decisions=decisions)
    assert again == f"no dispute {first}, {second} waits for a decision; those that do are none"
    assert await valid(memory) == {"- Deadline: June 1", "- Budget: 5500"}


async def test_decisions_that_do_not_fit_are_errors(memory: AgentMemory) -> None:
    created, _, dispute = await parked(memory)
    async with of_alice(memory) as alice:
        for decision, said in (
            ({"dispute": dispute, "action": "burn it"}, "decisions.0.action: Input should be 'accept'"),
            ({"dispute": dispute, "action": "override"}, "give the text"),
            ({"dispute": 99, "action": "accept"}, f"no dispute 99 waits for a decision; those that do are {dispute}"),
            ({"dispute": dispute, "action": "accept", "tenant": "bob"}, "decisions.0.tenant"),
        ):
            assert said in await error(alice, "resolve_conflicts", decisions=[decision])
        assert "99" in await error(alice, "resolve_conflicts", memory_id=99)
        assert len((await call(alice, "resolve_conflicts", memory_id=created.id))[1]["pending"]) == 1
    async with client(create_mcp_server(memory, tenant="bob")) as bob:
        assert (await call(bob, "resolve_conflicts"))[1]["pending"] == []
        decisions = [{"dispute": dispute, "action": "accept"}]
        assert "those that do are none" in await error(bob, "resolve_conflicts", decisions=decisions)
        assert "alice" not in text(await bob.call_tool("resolve_conflicts", {"memory_id": created.id}))
    assert await valid(memory) == {OLD, NEW}
