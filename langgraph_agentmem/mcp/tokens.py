"""Bearer tokens that stand for tenants, in a file that holds their hashes."""

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, cast

import anyio.to_thread
from mcp.server.auth.provider import AccessToken
from pydantic import AwareDatetime, ConfigDict, Field

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies import validation
from langgraph_agentmem.settings import local_path

_PREFIX = "agentmem_"
"""By which people and scanners for secrets know what they have found."""
_BITS_OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_Stamp = tuple[int, int, int]


class TokenGrant(Value):
    """A token as its file has it: whom it stands for, and not the token itself.

    Attributes:
        name: Whose it is, or for which client; what it writes is marked with it.
        tenant: Whose memory it opens.
        sha256: Of the token, in hexadecimal digits.
        expires_at: From when on it is refused; None for never.

    Examples:
        >>> token = tokens.add("laptop", "alice")
        >>> [(grant.name, grant.tenant, grant.expires_at) for grant in tokens.grants()]
        [('laptop', 'alice', None)]
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    tenant: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None


class _Revoked(Value):
    """A line by which all tokens of a name that stand before it are refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    revoked: str


class TokenFile:
    """Tokens for HTTP, each of which stands for one tenant; it is what the MCP SDK calls a token verifier.

    The file is JSON Lines, to which lines are only ever added, so that two who write at once lose nothing. It is read
    again when it has changed: a token that is added or revoked needs no restart. A file that cannot be read, or
    that others than its owner may write to, opens nothing.

    Args:
        path: The file; made, for its owner only, with the first token.

    Examples:
        >>> token = tokens.add("phone", "alice", days=90)
        >>> grant = tokens.find(token)
        >>> grant.tenant
        'alice'
        >>> tokens.revoke("phone"), tokens.find(token)
        (1, None)
    """

    def __init__(self, path: Path | str) -> None:
        self.path: Path = local_path(path, "the file of tokens")
        self._read: tuple[_Stamp, dict[str, TokenGrant]] | None = None

    def add(self, name: str, tenant: str, *, days: float | None = None) -> str:
        """A new token; only its hash is kept, so that this is the only time it can be seen.

        Args:
            name: For whom, or which client.
            tenant: Whose memory it opens.
            days: After how many it expires; never by default.

        Raises:
            InvalidInputError: A name or tenant that cannot be one, or a name that a token has.
            ConfigurationError: The file cannot be read or written.

        Examples:
            >>> tokens.add("tablet", "alice").startswith("agentmem_")
            True
        """
        name, tenant = validation.name(name, "name"), validation.tenant(tenant)
        lasts = None if days is None else validation.days(days, "days")
        if any(grant.name == name for grant in self.grants()):
            raise InvalidInputError(f"there is a token named {name!r}; revoke it first, or choose another name")
        token, now = _PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
        ends = None if lasts is None else now + lasts
        self._append(TokenGrant(name=name, tenant=tenant, sha256=_hashed(token), created_at=now, expires_at=ends))
        return token

    def grants(self) -> list[TokenGrant]:
        """Tokens that were not revoked, the oldest first; those that have expired are among them.

        Raises:
            ConfigurationError: The file cannot be read.

        Examples:
            >>> tokens.grants()  # no file yet
            []
        """
        return list(self._by_hash().values())

    def find(self, token: str) -> TokenGrant | None:
        """Whom a token stands for; None where it is unknown, was revoked, or has expired.

        Raises:
            ConfigurationError: The file cannot be read.

        Examples:
            >>> tokens.find("guessed") is None
            True
        """
        # A token has 256 random bits: a fast hash does, and that looking one up takes varying time tells nothing.
        grant = self._by_hash().get(_hashed(token))
        expired = grant is not None and grant.expires_at is not None and grant.expires_at <= datetime.now(UTC)
        return None if expired else grant

    def revoke(self, name: str) -> int:
        """Refuse the tokens of a name from now on; returns how many that were.

        Raises:
            ConfigurationError: The file cannot be read or written.

        Examples:
            >>> tokens.revoke("nobody")
            0
        """
        revoked = sum(grant.name == name for grant in self.grants())
        if revoked:
            self._append(_Revoked(revoked=name))
        return revoked

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the MCP SDK asks about each request; the tenant is the access token's `subject`.

        Raises:
            ConfigurationError: The file cannot be read.

        Examples:
            >>> await tokens.verify_token("guessed") is None
            True
        """
        grant = await anyio.to_thread.run_sync(self.find, token)
        if grant is None:
            return None
        ends = None if grant.expires_at is None else int(grant.expires_at.timestamp())
        return AccessToken(token=token, client_id=grant.name, scopes=[], subject=grant.tenant, expires_at=ends)

    def _by_hash(self) -> dict[str, TokenGrant]:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if self._read is None or self._read[0] != stamp:
                self._refuse_what_others_write(status.st_mode)
                self._read = (stamp, self._parsed(self.path.read_text(encoding="utf-8").split("\n")))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the file of tokens {str(self.path)!r} cannot be read: {error}") from error
        return self._read[1]

    def _refuse_what_others_write(self, mode: int) -> None:
        if os.name == "posix" and mode & _BITS_OF_OTHERS:
            raise ConfigurationError(
                f"others than its owner may write to the file of tokens {str(self.path)!r}, and so make tokens; "
                f"chmod 600 {str(self.path)!r}"
            )

    def _parsed(self, lines: Iterable[str]) -> dict[str, TokenGrant]:
        found: dict[str, TokenGrant] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            match self._line(number, line):
                case _Revoked(revoked=name):
                    found = {hashed: grant for hashed, grant in found.items() if grant.name != name}
                case grant:
                    found[grant.sha256] = grant
        return found

    def _line(self, number: int, line: str) -> TokenGrant | _Revoked:
        try:
            data: Any = json.loads(line)
            revokes = isinstance(data, dict) and "revoked" in cast("dict[str, Any]", data)
            return _Revoked.model_validate(data) if revokes else TokenGrant.model_validate(data)
        except ValueError:  # pydantic's are, too
            # What is wrong is quoted nowhere, in a log's traceback either: a token may have been pasted there.
            raise ConfigurationError(
                f"line {number} of the file of tokens {str(self.path)!r} is no token; remove it, as none is accepted "
                "before that"
            ) from None

    def _append(self, line: TokenGrant | _Revoked) -> None:
        # A line break before it as well: what a crash has left half written must not take this one with it.
        data = f"\n{line.model_dump_json()}\n".encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, data)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise ConfigurationError(f"the file of tokens {str(self.path)!r} cannot be written: {error}") from error


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
