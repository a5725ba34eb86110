"""Codes, refresh tokens and what access tokens stand for: issued, looked up, used up."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from .directory import Account

CODE_SECONDS = 60
REFRESH_TOKEN_SECONDS = 90 * 24 * 3600
_MAX_ENTRIES = 50_000
# Real codes and refresh tokens are long: 0.9 kB and 1.3 kB here, so that size limits show.
_CODE_BYTES, _REFRESH_TOKEN_BYTES = 660, 960
PREFIX = "1.A"


@dataclass(frozen=True)
class SignInFacts:
    """How and when the person signed in; what tokens of that sign-in may say.

    Policies are judged by it: when MFA was passed (seconds since the epoch), whether the browser's
    device was registered, and the serials of the policies whose page was completed.
    """

    sid: str
    auth_time: float
    contexts: frozenset[str] = frozenset()
    mfa_at: float | None = None
    is_device_registered: bool = False
    completed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Grant:
    """What a code, refresh token or access token stands for; times in seconds since the epoch.

    `is_fresh` when the person gave credentials for this very request.
    """

    client_id: str
    account: Account
    segment: str
    scopes: tuple[str, ...]
    facts: SignInFacts
    issued_at: float
    revocations: int
    redirect_uri: str = ""
    nonce: str | None = field(default=None, repr=False)
    code_challenge: str | None = field(default=None, repr=False)
    code_challenge_method: str = "plain"
    contexts: frozenset[str] = frozenset()
    is_fresh: bool = False

    @property
    def policy(self) -> str:
        """B2C's user flow, empty elsewhere."""
        return self.segment.partition("/")[2]


class Grants:
    """Everything issued and not yet forgotten; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: OrderedDict[str, Grant] = OrderedDict()
        self._refresh_tokens: OrderedDict[str, Grant] = OrderedDict()
        self._access_tokens: OrderedDict[str, Grant] = OrderedDict()
        self._used: set[str] = set()

    def issue_code(self, grant: Grant) -> str:
        """A new single-use code."""
        code = PREFIX + secrets.token_urlsafe(_CODE_BYTES)
        with self._lock:
            self._codes[code] = grant
            if len(self._codes) > _MAX_ENTRIES:
                self._used.discard(self._codes.popitem(last=False)[0])
        return code

    def find_code(self, code: str) -> Grant | None:
        """What `code` stands for, used or not."""
        return self._codes.get(code)

    def is_used(self, code: str) -> bool:
        """Whether somebody redeemed `code`."""
        return code in self._used

    def use_code(self, code: str) -> bool:
        """Redeem `code`; False when somebody did so before."""
        with self._lock:
            if code in self._used:
                return False
            self._used.add(code)
            return True

    def issue_refresh_token(self, grant: Grant) -> str:
        """A new refresh token; earlier ones stay valid."""
        token = PREFIX + secrets.token_urlsafe(_REFRESH_TOKEN_BYTES)
        with self._lock:
            self._refresh_tokens[token] = grant
            if len(self._refresh_tokens) > _MAX_ENTRIES:
                self._refresh_tokens.popitem(last=False)
        return token

    def find_refresh_token(self, token: str) -> Grant | None:
        """What `token` stands for."""
        return self._refresh_tokens.get(token)

    def remember_access_token(self, uti: str, grant: Grant) -> None:
        """Keep what the access token with the id `uti` stands for, should an API hand it in."""
        with self._lock:
            self._access_tokens[uti] = grant
            if len(self._access_tokens) > _MAX_ENTRIES:
                self._access_tokens.popitem(last=False)

    def find_access_token(self, uti: str) -> Grant | None:
        """What the access token with the id `uti` stands for."""
        return self._access_tokens.get(uti)
