"""Takes secrets out of texts: keys, tokens, passwords in URLs and assignments, private keys, and card numbers.

What is found is told by its form alone: a known beginning, a name before it, a check digit. Hashes, UUIDs and order
numbers have none of these, and stay. So does a password that nothing announces.
"""

import re
from collections.abc import Callable

_ALONE = r"(?<![\w-])"
"""What a token begins behind: no letter, digit, underscore or hyphen, as within a longer word."""
_TOKENS = re.compile(
    _ALONE
    + r"(?:"
    + "|".join(
        (
            r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Za-z])",  # AWS
            r"gh[pousr]_[A-Za-z0-9]{36,}",  # GitHub
            r"github_pat_[A-Za-z0-9_]{22,}",
            r"gl(?:pat|dt|rt|ptt|cbt|soat)-[\w-]{20,}",  # GitLab
            r"xox[abeoprs]-[\w-]{10,}",  # Slack
            r"xapp-\d-[\w-]{20,}",
            r"(?:sk|rk|whsec)_(?:live_|test_)?[0-9a-zA-Z]{16,}",  # Stripe
            # OpenAI, Anthropic and those that took their form; words with hyphens have no digit and no capital
            r"sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Za-z0-9_-]{20,}",
            r"AIza[0-9A-Za-z_-]{35}",  # Google
            r"GOCSPX-[\w-]{20,}",
            r"ya29\.[\w-]{20,}",
            r"npm_[A-Za-z0-9]{36}",
            r"pypi-[A-Za-z0-9_-]{50,}",
            r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
            r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
            r"lsv2_(?:pt|sk)_[0-9a-f_]{32,}",  # LangSmith
            r"gsk_[A-Za-z0-9]{40,}",  # Groq
            r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
            r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
            r"\d{8,10}:AA[\w-]{32,}",  # Telegram
            r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
            r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",  # JSON Web Tokens
        )
    )
    + r")"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|[\sA-Za-z0-9+/=:,\\.-]*)",
    re.DOTALL,
)
_IN_URL = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@?#]*:)(?P<secret>[^\s/@]+)(?=@)", re.IGNORECASE)
_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|(?:api|access|secret|private|account|signing|encryption|shared)[_\- ]?key"
    r"|(?:access|auth|bearer|refresh|api|session)[_\- ]?token|client[_\- ]?secret|secret|token"
    r"|passwort|kennwort|mot de passe|contraseña)"
)
_ASSIGNED = re.compile(
    rf"(?P<head>(?<![^\W_]){_NAME}[\"']?\s*(?::=|=>|=|:|\bis\b|\blautet\b|\best\b|\bes\b)\s*[\"'`]?)"
    r"(?P<secret>[^\s\"'`,;<>(){}\[\]]{5,}[^\s\"'`,;<>(){}\[\].])",
    re.IGNORECASE,
)
_AUTHORIZED = re.compile(r"(?P<head>\b(?:bearer|basic)\s+)(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.,/+-])\d(?:[ -]?\d){12,18}(?![\w/-]|[.,]\d)")
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d{2}|64[4-9]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
"""How the numbers of card issuers begin, and how long they are."""
_SPEAKING = re.compile(r"\$|\*{3}|…|x{4}|env\.|environ|^\[redacted")
"""Within what stands for a secret, and is none."""


def secrets(text: str) -> str:
    """A text without the secrets that can be told by their form; each is replaced by what it was, in brackets.

    Taken out are private keys; tokens and keys of the usual services; JSON Web Tokens; passwords in URLs; what is given
    as a password, key or token by name; credentials of HTTP; and card numbers, by issuer, length and check digit.

    Args:
        text: Any text.

    Examples:
        >>> secrets("Log in with postgres://ada:hunter2@db.example.org, card 4111 1111 1111 1111.")
        'Log in with postgres://ada:[redacted password]@db.example.org, card [redacted card number].'
    """
    text = _PRIVATE_KEY.sub("[redacted private key]", text)
    text = _IN_URL.sub(_named("password", _any), text)
    text = _TOKENS.sub("[redacted token]", text)
    text = _AUTHORIZED.sub(_named("token", _mixed), text)
    text = _ASSIGNED.sub(_named("secret", _mixed), text)
    return _CARD.sub(lambda found: "[redacted card number]" if _is_card(found[0]) else found[0], text)


def _named(kind: str, is_secret: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    def replaced(found: re.Match[str]) -> str:
        secret = found["secret"]
        stays = _SPEAKING.search(secret) or not is_secret(secret)
        return found[0] if stays else f"{found['head']}[redacted {kind}]"

    return replaced


def _any(_: str) -> bool:
    return True


def _mixed(value: str) -> bool:
    """Whether a value is no word and no number: letters along with digits, or with marks such as `!` and `$`."""
    value = value.rstrip(".:!?")
    letters = any(c.isalpha() for c in value)
    return len(value) >= 6 and letters and any(c.isdigit() or c in "!@#%^&*+=~?|\\" for c in value)


def _is_card(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if not _ISSUERS.fullmatch("".join(map(str, digits))):
        return False
    # Luhn: every second digit from the right doubled, and its own digits summed
    doubled = [sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
