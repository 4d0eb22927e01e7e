"""What the policy for secrets takes out of texts, and which look-alikes stay."""

import hashlib
import json
import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.errors import ConfigurationError, RedactionError
from langgraph_agentmem.policies.redacting import secrets
from langgraph_agentmem.redaction import Redactor

A36 = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SECRETS = {
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub": "ghp_" + A36,
    "GitHub, fine-grained": "github_pat_" + A36,
    "GitLab": "glpat-" + A36[:20],
    "Slack": "xoxb-" + "123456789012-123456789012-" + A36[:24],
    "Stripe": "sk_live_" + A36[:24],
    "OpenAI": "sk-" + A36 + A36[:12],
    "OpenAI, of a project": "sk-proj-" + A36 + "_" + A36,
    "Anthropic": "sk-ant-api03-" + A36 + "-" + A36,
    "Google": "AIza" + A36[:35],
    "npm": "npm_" + A36,
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + A36 + A36,
    "Hugging Face": "hf_" + A36[:34],
    "SendGrid": "SG." + A36[:22] + "." + A36,
    "LangSmith": "lsv2_pt_" + "0123456789abcdef" * 2 + "_0123456789",
    "DigitalOcean": "dop_v1_" + "0123456789abcdef" * 4,
    "Telegram": "123456789:AA" + A36[:33],
    "a JSON Web Token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + A36,
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAbC+/=\n-----END RSA PRIVATE KEY-----",
    "a private key without an end": "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nAbC+/=",
    "a card": "4111111111111111",
    "a card in groups": "5500 0000 0000 0004",
    "a card with hyphens": "3782-822463-10005",
}
IN_CONTEXT = {
    "postgres://ada:hunter2@db.example.org/x": "hunter2",
    "redis://:s3cr3t@cache:6379/0": "s3cr3t",
    "password=correct1horse": "correct1horse",
    "PASSWORD: 'p@ssword'": "p@ssword",
    "My password is hunter22.": "hunter22",
    '{"api_key": "0123abcd4567"}': "0123abcd4567",
    "OPENAI_API_KEY=abcd1234efgh": "abcd1234efgh",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG": "wJalrXUtnFEMI/K7MDENG",
    "client_secret: 8f3a9b2c1d": "8f3a9b2c1d",
    "Authorization: Bearer 0a1b2c3d4e5f6a7b": "0a1b2c3d4e5f6a7b",
    "Authorization: Basic YWRhOmh1bnRlcjIyMjI=": "YWRhOmh1bnRlcjIyMjI=",
    "Mein Passwort lautet geheim77": "geheim77",
}
LOOKALIKES = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "Commit da39a3ee5e6b4b0d3255bfef95601890afd80709 fixed it.",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "550e8400-e29b-41d4-a716-446655440000",
    "Order 1234567890123456 was shipped.",
    "Order no. 4111-2222-3333",
    "Invoice 4111111111111112",
    "Tracking 1Z999AA10123456784",
    "ISBN 978-3-16-148410-0",
    "IBAN DE89 3704 0044 0532 0130 00",
    "Call +49 151 12345678 or (555) 010-9999.",
    "1700000000000 ms, 2026-05-08T14:03:00.123456",
    "3.14159265358979323846",
    "The password must be at least 8 characters long.",
    "password: required",
    "I forgot my password again.",
    "token: string, secret: boolean",
    "max_tokens=4096, tokens: 128000",
    "password=${DB_PASSWORD} and api_key=os.environ['KEY']",
    "password: ********",
    "The secret is patience.",
    "sk-learn, sk-SK, task-force-of-twenty-five-2026",
    "sk-this-is-a-long-slug-of-many-words-2026",
    "https://example.org:8080/path?x=1@2",
    "mailto:ada@example.org, git@github.com:ada/engine.git",
    "ssh://git@github.com/ada/engine",
    "basic understanding of internationalization",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkq\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkq\n-----END CERTIFICATE-----",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA",
    "My key for the locker is under the mat.",
]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("around", ["{}", "It is {}.", '{{"k": "{}"}}', "a={}\nb", "({})", "`{}`,"])
def test_secrets_that_can_be_told_by_their_form_are_taken_out(secret, around):
    redacted = secrets(around.format(secret))
    assert secret not in redacted
    assert "[redacted " in redacted
    assert secrets(redacted) == redacted


@pytest.mark.parametrize(("text", "secret"), IN_CONTEXT.items())
def test_what_a_name_or_a_url_announces_is_taken_out_and_the_rest_stays(text, secret):
    redacted = secrets(text)
    head, _, tail = text.partition(secret)
    assert redacted.startswith(head)
    assert redacted.endswith(tail)
    assert secret not in redacted
    assert secrets(redacted) == redacted


@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_only_looks_like_a_secret_stays(text):
    assert secrets(text) == text


def test_hashes_and_uuids_stay_and_so_do_nearly_all_numbers_of_orders():
    dice = random.Random(7)
    named = [str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(2000)]
    named += [
        hashlib.new(kind, dice.randbytes(9)).hexdigest() for kind in ("md5", "sha1", "sha256") for _ in range(2000)
    ]
    assert [text for text in named if secrets(text) != text] == []

    orders = [str(dice.randrange(10**15, 10**16)) for _ in range(5000)]
    taken = sum(secrets(f"order {number}") != f"order {number}" for number in orders)
    assert taken / len(orders) < 0.03  # those whose issuer, length and check digit are those of a card


@given(st.text())
def test_any_text_can_be_looked_at_twice(text):
    once = secrets(text)
    assert secrets(once) == once


def test_a_long_text_takes_little_time():
    text = json.dumps(
        {"a": ["password " * 2000, "1 " * 5000, "-----BEGIN PRIVATE KEY----- " * 50, "x" * 20000, "eyJ" * 5000]}
    )
    assert len(secrets(text)) < len(text)


# The redactor


def without_ada(text: str) -> str | None:
    return None if "refuse" in text else text.replace("Ada", "[name]")


def test_strings_and_keys_of_a_value_are_redacted():
    redactor = Redactor(without_ada)
    value = {"Ada": ["Ada", 7, None, {"x": ("Ada", True)}]}
    assert redactor.value(value, "item") == {"[name]": ["[name]", 7, None, {"x": ["[name]", True]}]}
    assert Redactor().value(value, "item") is value


def test_keys_that_become_the_same_are_refused():
    with pytest.raises(RedactionError, match="two keys"):
        Redactor(without_ada).value({"Ada": 1, "[name]": 2}, "item")


def test_a_name_is_never_changed_but_refused():
    assert Redactor(without_ada).name("Bo", "the key") == "Bo"
    with pytest.raises(RedactionError, match="the key holds what is to be redacted"):
        Redactor(without_ada).name("Ada", "the key")


def test_what_a_model_has_written_is_redacted_by_its_fields_and_never_fails():
    written = {"action": "Ada", "parts": [{"text": "Ada", "types": ["Ada", "refuse"]}]}
    redacted = {"action": "Ada", "parts": [{"text": "[name]", "types": ["[name]", "[refused]"]}]}
    assert Redactor(without_ada).written(written, {"text", "types"}) == redacted


def failing(text: str) -> str:
    raise ValueError(text)


def refusing(text: str) -> str:
    raise RedactionError("not this")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _: None, "was refused"),
        (refusing, "not this"),
        (failing, "failed on a text of a item: ValueError$"),
        (lambda _: 7, "cannot be kept"),
        (lambda _: "a\0", "cannot be kept"),
    ],
)
def test_what_is_refused_or_was_not_looked_at_is_no_text(function, message):
    with pytest.raises(RedactionError, match=message):
        Redactor(function).text("Ada", "item")


@pytest.mark.parametrize("bad", ["yes", 7, True])
def test_what_is_no_function_is_refused(bad):
    with pytest.raises(ConfigurationError, match="redact must be"):
        Redactor.of(bad)
