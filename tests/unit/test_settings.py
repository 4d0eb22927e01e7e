"""Settings: defaults, the environment under new and older names, and refusals that name setting and value."""

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.settings import AgentMemorySettings, local_path

DEFAULTS = {
    "dsn": None,
    "data_dir": None,
    "model": None,
    "embeddings": None,
    "avg_section_update_count": 5.0,
    "max_pending_updates": 100,
    "max_pending_minutes": 1440.0,
    "shortterm_update_threshold": 10,
    "chunk_size_chars": 800,
    "chunk_overlap_chars": 80,
    "entity_similarity_threshold": 0.85,
    "entity_overlap_threshold": 0.7,
    "conflict_precision": 0.98,
    "merge_survival_share": 0.9,
    "redact": "off",
    "review": "never",
    "max_superseded_per_run": 500,
    "max_content_chars": 1_000_000,
    "embed": "now",
    "max_unchunked_writes": 1000,
    "lease_seconds": 300.0,
    "max_attempts": 12,
    "background": False,
    "worker_concurrency": 4,
    "worker_poll_seconds": 5.0,
    "worker_grace_seconds": 30.0,
    "recall_timeout_seconds": 5.0,
    "model_attempts": 3,
    "structured_output": "auto",
    "input_token_price": None,
    "output_token_price": None,
    "extraction_token_budget": 8_000,
    "text_search_config": "english",
    "exact_search_rows": 4_000,
    "recency_half_life_days": None,
    "pool_size": 10,
    "connect_timeout_seconds": 15.0,
    "answer_timeout_seconds": 60.0,
    "max_waiting_calls": 100_000,
    "pooler": "auto",
    "listen_dsn": None,
    "row_security": "off",
    "store_owner": 0,
    "store_default_tenant": "default",
    "store_tiers": ("active",),
    "store_fields": None,
    "store_ttl_minutes": None,
    "store_ttl_refresh_on_read": None,
    "store_ttl_omit_expired": None,
    "store_ttl_sweep_minutes": None,
    "checkpoint_tenant_keys": ("agent_id", "user_id"),
    "checkpoint_bind_threads": False,
    "checkpoint_title": "Agent state",
    "checkpoint_state_schema": None,
    "run_log_retention_days": None,
    "history_retention_days": None,
    "checkpoint_retention_days": None,
    "graph": "postgres",
    "neo4j_uri": None,
    "neo4j_username": "neo4j",
    "neo4j_password": None,
    "neo4j_database": "neo4j",
    "inspector_token": None,
}
OLDER_NAMES = {
    "AVG_SECTION_UPDATE_COUNT": "avg_section_update_count",
    "SHORTTERM_UPDATE_THRESHOLD": "shortterm_update_threshold",
    "ENTITY_SIMILARITY_THRESHOLD": "entity_similarity_threshold",
    "ENTITY_OVERLAP_THRESHOLD": "entity_overlap_threshold",
    "CHUNK_SIZE": "chunk_size_chars",
    "CHUNK_OVERLAP": "chunk_overlap_chars",
}
NEO4J_NAMES = {name.upper(): name for name in DEFAULTS if name.startswith("neo4j_")}
RENAMED = "ACTIVE_MEMORY_UPDATE_THRESHOLD"
SOME = {
    "dsn": "postgresql://host/db", "data_dir": "/somewhere", "model": "openai:gpt", "embeddings": "openai:small",
    "avg_section_update_count": "2.5", "max_pending_updates": "7", "shortterm_update_threshold": "3", "chunk_size_chars": "500",
    "chunk_overlap_chars": "50", "entity_similarity_threshold": "0.5", "entity_overlap_threshold": "0.25",
    "inspector_token": "sixteen characters, or more", "redact": "secrets", "review": "manual", "max_superseded_per_run": "12", "merge_survival_share": "0.75", "conflict_precision": "0.9", "max_content_chars": "999", "embed": "background", "max_unchunked_writes": "7", "lease_seconds": "12.5",
    "recall_timeout_seconds": "1.5", "model_attempts": "2", "structured_output": "json_schema", "input_token_price": "2.5", "output_token_price": "10.5", "extraction_token_budget": "400", "text_search_config": "simple", "exact_search_rows": "11", "recency_half_life_days": "30.0",
    "pool_size": "4", "connect_timeout_seconds": "1.5", "max_waiting_calls": "7",
    "answer_timeout_seconds": "2.5", "pooler": "transaction", "listen_dsn": "postgresql://direct", "row_security": "on", "store_owner": "1", "store_default_tenant": "nobody",
    "store_tiers": "active,longterm", "store_fields": "text,turns[*].text", "store_ttl_minutes": "60.5",
    "store_ttl_refresh_on_read": "False", "store_ttl_omit_expired": "True", "store_ttl_sweep_minutes": "2.5",
    "max_pending_minutes": "90.5", "max_attempts": "5", "background": "True", "worker_concurrency": "9",
    "worker_poll_seconds": "0.5", "worker_grace_seconds": "7.5",
    "checkpoint_tenant_keys": "user,team", "checkpoint_bind_threads": "True", "checkpoint_title": "Notes of {thread_id}", "checkpoint_state_schema": "agent:State",
    "run_log_retention_days": "90.5", "history_retention_days": "365.0", "checkpoint_retention_days": "30.0",
    "graph": "neo4j", "neo4j_uri": "bolt://host:7687",
    "neo4j_username": "someone", "neo4j_password": "something", "neo4j_database": "memories",
}  # fmt: skip
OTHERS = {
    "avg_section_update_count": "6.5", "shortterm_update_threshold": "4", "entity_similarity_threshold": "0.6",
    "entity_overlap_threshold": "0.6", "chunk_size_chars": "600", "chunk_overlap_chars": "60",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("AGENTMEM_") or name.upper() in {*OLDER_NAMES, *NEO4J_NAMES, RENAMED}:
            monkeypatch.delenv(name)


def shown(value) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def test_the_defaults_are_the_documented_ones():
    assert AgentMemorySettings().model_dump() == DEFAULTS


def test_every_setting_is_described():
    assert [name for name, field in AgentMemorySettings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_setting_is_read_from_the_environment_with_the_prefix(name, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", SOME[name])

    value = getattr(AgentMemorySettings(), name)

    assert shown(value) == SOME[name]
    assert value != DEFAULTS[name]


@pytest.mark.parametrize(("older", "name"), [*OLDER_NAMES.items(), *NEO4J_NAMES.items()])
def test_the_older_systems_names_and_neo4js_own_are_read_without_prefix(older, name, monkeypatch):
    monkeypatch.setenv(older, SOME[name])

    assert shown(getattr(AgentMemorySettings(), name)) == SOME[name]


@pytest.mark.parametrize(("older", "name"), OLDER_NAMES.items())
def test_the_prefixed_name_wins_over_the_older_one(older, name, monkeypatch):
    monkeypatch.setenv(older, OTHERS[name])
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", SOME[name])

    assert shown(getattr(AgentMemorySettings(), name)) == SOME[name]


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_argument_wins_over_the_environment(name, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", "this would be invalid" if name in {"embed", "graph"} else "19")

    assert shown(getattr(AgentMemorySettings(**{name: SOME[name]}), name)) == SOME[name]


@pytest.mark.parametrize("name", ["MAX_PENDING_UPDATES", "LEASE_SECONDS", "POOL_SIZE", "DSN"])
def test_names_that_the_older_system_did_not_have_need_the_prefix(name, monkeypatch):
    monkeypatch.setenv(name, "77")

    assert AgentMemorySettings() == AgentMemorySettings(**DEFAULTS)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        AgentMemorySettings().pool_size = 5


# The renamed setting


@pytest.mark.parametrize("name", [RENAMED, f"AGENTMEM_{RENAMED}"])
def test_the_renamed_setting_is_accepted_with_a_deprecation_warning(name, monkeypatch):
    monkeypatch.setenv(name, "2.5")

    with pytest.warns(
        DeprecationWarning, match="ACTIVE_MEMORY_UPDATE_THRESHOLD is deprecated; set AVG_SECTION_UPDATE_COUNT"
    ):
        settings = AgentMemorySettings()

    assert settings.avg_section_update_count == 2.5


def test_the_renamed_setting_is_accepted_as_an_argument():
    with pytest.warns(DeprecationWarning, match="AVG_SECTION_UPDATE_COUNT"):
        settings = AgentMemorySettings(active_memory_update_threshold=4)

    assert settings.avg_section_update_count == 4


@pytest.mark.parametrize("name", ["AVG_SECTION_UPDATE_COUNT", "AGENTMEM_AVG_SECTION_UPDATE_COUNT"])
def test_the_renamed_setting_loses_against_its_new_name(name, monkeypatch):
    monkeypatch.setenv(RENAMED, "2")
    monkeypatch.setenv(name, "7")

    with pytest.warns(DeprecationWarning, match=RENAMED):
        assert AgentMemorySettings().avg_section_update_count == 7


def test_the_renamed_setting_loses_against_an_argument(monkeypatch):
    monkeypatch.setenv(RENAMED, "2")

    with pytest.warns(DeprecationWarning, match=RENAMED):
        assert AgentMemorySettings(avg_section_update_count=9).avg_section_update_count == 9


def test_without_the_renamed_setting_there_is_no_warning(recwarn, monkeypatch):
    monkeypatch.setenv("AVG_SECTION_UPDATE_COUNT", "3")

    AgentMemorySettings()

    assert list(recwarn) == []


@pytest.mark.parametrize("value", ["many", "0", "-1", ""])
def test_an_invalid_value_under_the_older_name_is_refused(value, monkeypatch):
    monkeypatch.setenv(RENAMED, value)

    with (
        pytest.warns(DeprecationWarning, match=RENAMED),
        pytest.raises(ConfigurationError, match="avg_section_update_count"),
    ):
        AgentMemorySettings()


def test_an_invalid_argument_under_the_older_name_is_refused():
    with pytest.warns(DeprecationWarning, match=RENAMED), pytest.raises(ConfigurationError, match="got 0"):
        AgentMemorySettings(active_memory_update_threshold=0)


# Invalid values

INVALID = [
    ("avg_section_update_count", 0), ("avg_section_update_count", -1), ("avg_section_update_count", "often"),
    ("avg_section_update_count", float("nan")), ("max_pending_updates", 0), ("max_pending_updates", 1.5),
    ("shortterm_update_threshold", 0), ("shortterm_update_threshold", "ten"), ("chunk_size_chars", 19), ("chunk_size_chars", 50_001), ("chunk_overlap_chars", -1),
    ("entity_similarity_threshold", 1.01), ("entity_similarity_threshold", -0.1), ("entity_overlap_threshold", 85),
    ("redact", "all"), ("review", "sometimes"), ("max_superseded_per_run", -1), ("merge_survival_share", 2), ("conflict_precision", 0.4), ("max_content_chars", 0), ("embed", "later"), ("max_unchunked_writes", 0), ("lease_seconds", 0), ("recall_timeout_seconds", 0), ("model_attempts", 0), ("structured_output", "json_mode"),
    ("store_owner", -1), ("run_log_retention_days", 0), ("store_ttl_minutes", 0), ("store_ttl_sweep_minutes", float("nan")), ("store_ttl_omit_expired", "maybe"),
    ("extraction_token_budget", 99), ("exact_search_rows", -1), ("recency_half_life_days", 0), ("pool_size", 0), ("connect_timeout_seconds", 0), ("max_waiting_calls", 0), ("graph", "other"),
    ("max_pending_minutes", 0), ("max_pending_minutes", 1e10), ("max_attempts", 0), ("background", "sometimes"), ("worker_concurrency", 0),
    ("worker_poll_seconds", 0), ("worker_grace_seconds", -1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_an_invalid_argument_is_refused_with_its_name_and_value(name, value):
    with pytest.raises(ConfigurationError) as refused:
        AgentMemorySettings(**{name: value})

    assert str(refused.value).startswith(f"invalid settings: {name}: Input should be ")
    assert f"(got {value!r})" in str(refused.value)


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_an_invalid_value_in_the_environment_is_refused_with_its_name_and_value(name, value, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", str(value))

    with pytest.raises(ConfigurationError) as refused:
        AgentMemorySettings()

    assert name in str(refused.value).lower()
    assert f"(got '{value}')" in str(refused.value)


@pytest.mark.parametrize(("older", "name"), OLDER_NAMES.items())
def test_an_invalid_value_under_an_older_systems_name_is_refused_with_its_value(older, name, monkeypatch):
    monkeypatch.setenv(older, "-1")

    with pytest.raises(ConfigurationError, match=rf"(?i)({name}|{older}).*got '-1'"):
        AgentMemorySettings()


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("blank", ["", " ", "\r\n"])
def test_a_variable_that_was_not_filled_in_is_no_wish_for_a_default(name, blank, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", blank)

    with pytest.raises(ConfigurationError) as refused:
        AgentMemorySettings()

    assert f"AGENTMEM_{name.upper()}: must not be empty; leave it out (the variable unset)" in str(refused.value)


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_argument_is_refused_by_its_name(name):
    with pytest.raises(ConfigurationError, match=f"invalid settings: {name}: must not be empty; leave it out"):
        AgentMemorySettings(**{name: ""})


@pytest.mark.parametrize(("older", "name"), [*OLDER_NAMES.items(), *NEO4J_NAMES.items()])
def test_a_refused_variable_is_named_as_it_is_set(older, name, monkeypatch):
    monkeypatch.setenv(older, "")

    with pytest.raises(ConfigurationError, match=f"invalid settings: {older}: must not be empty"):
        AgentMemorySettings()


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("around", ["\r", "\r\n", " ", "\t"])
def test_white_space_around_a_value_does_not_count(name, around, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", f"{around}{SOME[name]}{around}")

    assert shown(getattr(AgentMemorySettings(), name)) == SOME[name]
    assert shown(getattr(AgentMemorySettings(**{name: f"{SOME[name]}{around}"}), name)) == SOME[name]


NUMBERS = [name for name, value in DEFAULTS.items() if SOME[name].replace(".", "").isdigit()]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["1e300", "inf", "-inf", "nan", "9" * 30, "9" * 5_000])
def test_a_number_that_nothing_can_count_with_is_refused(name, value, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", value)

    with pytest.raises(ConfigurationError, match=f"(?i)invalid settings: AGENTMEM_{name}: "):
        AgentMemorySettings()


@pytest.mark.parametrize("name", [name for name in NUMBERS if name.endswith("_seconds")])
def test_nothing_takes_longer_than_a_day(name):
    longest = 3600.0 if name == "recall_timeout_seconds" else 86_400.0
    assert getattr(AgentMemorySettings(**{name: longest}), name) == longest
    with pytest.raises(ConfigurationError, match=f"{name}: Input should be less than or equal to {longest:.0f}"):
        AgentMemorySettings(**{name: longest + 1})


def test_all_invalid_values_are_named_at_once():
    with pytest.raises(ConfigurationError, match=r"pool_size.*got 0.*|lease_seconds.*got -5") as refused:
        AgentMemorySettings(pool_size=0, lease_seconds=-5)

    assert "pool_size" in str(refused.value)
    assert "lease_seconds" in str(refused.value)


@pytest.mark.parametrize(("size", "overlap"), [(100, 100), (100, 101)])
def test_an_overlap_must_be_smaller_than_the_chunk(size, overlap):
    with pytest.raises(
        ConfigurationError, match=rf"chunk_overlap_chars \({overlap}\) must be smaller than chunk_size_chars \({size}\)"
    ):
        AgentMemorySettings(chunk_size_chars=size, chunk_overlap_chars=overlap)


def test_the_smallest_chunk_with_the_largest_overlap_is_accepted():
    settings = AgentMemorySettings(chunk_size_chars=20, chunk_overlap_chars=19)

    assert (settings.chunk_size_chars, settings.chunk_overlap_chars) == (20, 19)


# Off


@pytest.mark.parametrize("given", ["off", " OFF ", None])
def test_the_age_at_which_updates_make_a_memory_due_can_be_switched_off(given, monkeypatch):
    if given is None:
        assert AgentMemorySettings(max_pending_minutes=None).max_pending_minutes is None
    else:
        monkeypatch.setenv("AGENTMEM_MAX_PENDING_MINUTES", given)
        assert AgentMemorySettings().max_pending_minutes is None


# Lists


@pytest.mark.parametrize("given", ["text, summary", '["text", "summary"]', ["text", "summary"], ("text", "summary")])
def test_a_list_is_given_as_one_or_separated_by_commas_or_as_json(given):
    assert AgentMemorySettings(store_fields=given).store_fields == ("text", "summary")


def test_json_keeps_the_commas_of_a_path(monkeypatch):
    monkeypatch.setenv("AGENTMEM_STORE_FIELDS", '["meta.{title,tags}"]')

    assert AgentMemorySettings().store_fields == ("meta.{title,tags}",)


@pytest.mark.parametrize(
    ("name", "value", "got"),
    [
        ("store_tiers", "active,middleterm", "'middleterm'"), ("store_tiers", "", "''"), ("store_tiers", "[]", r"\(\)|\[\]"),
        ("store_fields", "text,,summary", "''"), ("store_fields", "[text", r"'\[text'"),
    ],
)  # fmt: skip
def test_an_invalid_list_is_refused_with_its_name_and_what_is_wrong(name, value, got, monkeypatch):
    monkeypatch.setenv(f"AGENTMEM_{name.upper()}", value)

    with pytest.raises(ConfigurationError, match=rf"(?i){name}.*got ({got})"):
        AgentMemorySettings()


# Secrets

DSN = "postgresql://user:correct-horse@host/db"


@pytest.mark.parametrize("name", [n for n, f in AgentMemorySettings.model_fields.items() if "SecretStr" in str(f)])
def test_a_secret_that_is_refused_is_not_shown(name):
    with pytest.raises(ConfigurationError, match=name) as refused:
        AgentMemorySettings(**{name: 4711})
    assert "4711" not in str(refused.value)


def test_a_token_that_is_too_short_is_not_shown(monkeypatch):
    monkeypatch.setenv("AGENTMEM_INSPECTOR_TOKEN", "hunter2")
    with pytest.raises(ConfigurationError, match="at least 16") as refused:
        AgentMemorySettings()
    assert "hunter2" not in str(refused.value)


def test_the_password_of_the_dsn_is_not_shown():
    settings = AgentMemorySettings(dsn=DSN)

    assert settings.dsn.get_secret_value() == DSN
    assert "correct-horse" not in repr(settings)
    assert "correct-horse" not in str(settings)


def test_an_address_that_may_hold_a_password_is_not_shown():
    assert "correct-horse" not in repr(AgentMemorySettings(neo4j_uri="bolt://neo4j:correct-horse@host"))


# Paths


@pytest.mark.parametrize(
    ("given", "found"),
    [("~", ""), ("~/data", "data"), (Path("~/data"), "data"), ("~/ a b", " a b"), ("~/data$2x", "data$2x")],
)
def test_a_path_may_begin_in_the_home_folder(given, found, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path(given, "data_dir") == tmp_path / found


@pytest.mark.parametrize("given", ["data", "./data", "/var/lib/~x", "/srv/a$b", "-"])
def test_any_other_path_stays_as_it_is(given):
    assert local_path(given, "data_dir") == Path(given)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("$HOME/data", "no shell has read '$HOME'"), ("/srv/${NAME}/data", r"no shell has read '${'"), ("$(pwd)/data", "no shell has read"),
        ('"/srv/data"', "without quotes"), ("'~/data'", "without quotes"), ("", "must be a path, not ''"), (" ", "must be a path"),
        (7, "must be a path, not 7"), (b"/data", "must be a path"), ("~nobody-of-this-name/data", "write the folder out"),
    ],
)  # fmt: skip
def test_a_path_that_was_written_for_a_shell_is_refused(given, problem):
    with pytest.raises(ConfigurationError, match=rf"^data_dir .*{re.escape(problem)}"):
        local_path(given, "data_dir")


@pytest.mark.parametrize(
    "others", [{"chunk_size_chars": 50, "chunk_overlap_chars": 50}, {"pool_size": 0}, {"embed": "later"}], ids=str
)
def test_the_password_of_the_dsn_is_not_shown_when_other_values_are_refused(others, monkeypatch):
    monkeypatch.setenv("AGENTMEM_DSN", DSN)
    with pytest.raises(ConfigurationError) as from_environment:
        AgentMemorySettings(**others)
    monkeypatch.delenv("AGENTMEM_DSN")
    with pytest.raises(ConfigurationError) as from_argument:
        AgentMemorySettings(dsn=DSN, **others)

    assert "correct-horse" not in str(from_environment.value)
    assert "correct-horse" not in str(from_argument.value)
