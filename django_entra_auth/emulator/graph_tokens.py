"""Access tokens as the Graph-like API reads them: verified, with what they allow."""

from dataclasses import dataclass, field
from typing import Any

from .constants import GRAPH_RESOURCE_ID
from .directory import Account
from .issued_tokens import InvalidAccessTokenError, verify_token
from .messages import Request
from .state import State
from .tokens import BACKDATED_SECONDS, REVOCATIONS_CLAIM

_AUDIENCES = (GRAPH_RESOURCE_ID, "https://graph.microsoft.com")


@dataclass(frozen=True)
class AccessToken:
    """A verified token; `account` is None for an application's own, or somebody deleted."""

    claims: dict[str, Any] = field(repr=False)
    account: Account | None

    @property
    def is_app_only(self) -> bool:
        """Whether an application got it for itself."""
        return "scp" not in self.claims

    @property
    def scopes(self) -> frozenset[str]:
        """The granted scopes, in lower case."""
        return frozenset(str(self.claims.get("scp", "")).lower().split())

    @property
    def contexts(self) -> frozenset[str]:
        """The satisfied authentication contexts."""
        return frozenset(_texts(self.claims.get("acrs")))

    @property
    def handles_challenges(self) -> bool:
        """Whether the client said, by capability cp1, that it understands claims challenges."""
        return "cp1" in (text.lower() for text in _texts(self.claims.get("xms_cc")))

    @property
    def is_revoked(self) -> bool:
        """Whether the person's sign-ins were revoked after it was issued.

        Told by the issuer's counter: `iat` has whole seconds and is dated back.
        """
        if self.account is None:
            return False
        person = self.account.person
        counted = self.claims.get(REVOCATIONS_CLAIM, person.revocations)
        issued_at = self.claims["iat"] + BACKDATED_SECONDS
        return bool(counted != person.revocations or issued_at < int(person.tokens_valid_from))


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def read_token(state: State, request: Request) -> AccessToken:
    """The verified bearer token of `request`; InvalidAccessTokenError when there is none."""
    claims = _verify(state, request)
    if claims["exp"] <= state.clock():
        raise InvalidAccessTokenError("The access token has expired.")
    return AccessToken(claims, _find_account(state, claims))


def find_account(state: State, request: Request) -> Account | None:
    """Whose call it is, judged by a token that may have expired; None when that is unknown."""
    try:
        return _find_account(state, _verify(state, request))
    except InvalidAccessTokenError:
        return None


def _bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise InvalidAccessTokenError("The access token is missing.")
    return value.strip()


def _verify(state: State, request: Request) -> dict[str, Any]:
    claims = verify_token(state, _bearer(request), _AUDIENCES)
    if "oid" not in claims:
        raise InvalidAccessTokenError("The access token names nobody.")
    return claims


def _find_account(state: State, claims: dict[str, Any]) -> Account | None:
    if "scp" not in claims:
        return None
    wanted = (claims["tid"], claims["oid"])
    for person in list(state.people.values()):
        if wanted in ((person.tid, person.oid), (person.home_tid, person.home_oid)):
            return Account(person, *wanted)
    return None
