"""Whose memory a run works with: four places, in this order, and an error that names them."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.policies import tenancy


@dataclass
class Context:
    user_id: str | None = None


class Model(BaseModel):
    user_id: str


def runtime(context: object = None, identity: str | None = None) -> SimpleNamespace:
    user = None if identity is None else SimpleNamespace(identity=identity)
    return SimpleNamespace(context=context, server_info=SimpleNamespace(user=user))


FULL = runtime(Context("of the context"), "of the server")
CONFIGURABLE = {"user_id": "of the config", "thread_id": "1"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(tenancy.of_run(FULL, CONFIGURABLE, lambda _: "given"), "given", id="a callable"),
        pytest.param(tenancy.of_run(FULL, CONFIGURABLE, lambda _: None), "of the context", id="a callable that does not know"),
        pytest.param(tenancy.of_run(FULL, CONFIGURABLE), "of the context", id="the context"),
        pytest.param(tenancy.of_run(runtime(Context(), "x"), CONFIGURABLE), "of the config", id="the config"),
        pytest.param(tenancy.of_run(runtime(None, "of the server"), {}), "of the server", id="the server"),
        pytest.param(tenancy.of_run(runtime({"user_id": "of a dict"}), {}), "of a dict", id="a context that is a dict"),
        pytest.param(tenancy.of_run(runtime(Model(user_id="of a model")), {}), "of a model", id="a context that is a model"),
        pytest.param(tenancy.of_run(None, {"user_id": 7}), "7", id="no runtime, and a number"),
        pytest.param(tenancy.of_run(runtime(), {}), None, id="nothing"),
        pytest.param(tenancy.of_run(runtime(identity=""), {}), None, id="a server that authenticates nobody"),
        pytest.param(tenancy.of_run(SimpleNamespace(context=None, server_info=None), {}), None, id="no server"),
    ],
)  # fmt: skip
def test_the_first_place_that_names_a_tenant_counts(found: str | None, expected: str | None) -> None:
    assert found == expected


def test_a_callable_is_given_the_runtime() -> None:
    assert tenancy.of_run(FULL, {}, lambda run: f"{run.server_info.user.identity}, too") == "of the server, too"


@pytest.mark.parametrize("value", ["", "  ", 1.5, ["alice"], "a\0b"])
def test_what_cannot_be_a_tenant_is_refused_and_not_passed_over(value: object) -> None:
    with pytest.raises(ConfigurationError):
        tenancy.of_run(runtime(identity="of the server"), {"user_id": value})


def test_where_there_is_none_the_error_says_where_was_looked() -> None:
    assert tenancy.known("alice") == "alice"
    with pytest.raises(ConfigurationError, match=r"external_id=.*context.*configurable.*LangGraph server") as raised:
        tenancy.known(None)
    assert '{"configurable": {"user_id": "alice"}}' in str(raised.value)


def test_keys_of_configurable_are_tried_in_their_order() -> None:
    assert tenancy.in_configurable({"team": None, "user_id": "alice"}, ("team", "user_id")) == "alice"
    assert tenancy.in_configurable({"team": "crew", "user_id": "alice"}, ("team", "user_id")) == "crew"
    assert tenancy.in_configurable({}, ("team",)) is None
