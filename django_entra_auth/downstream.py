"""The `auth=` of a requests call: attaches a token, and answers an API's claims challenge once."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import RequestException, UnrewindableBodyError
from requests.utils import rewind_body

from django_entra_auth.exceptions import InteractionRequired, TokenError
from django_entra_auth.oauth2 import find_claims_challenge
from django_entra_auth.oauth2.authority import find_graph_origins, is_loopback, parse_origin
from django_entra_auth.oauth2.errors import make_error
from django_entra_auth.oauth2.scopes import GRAPH, check_scopes, covers, find_resource

Text = str | bytes
Headers = Mapping[Any, Any] | Iterable[tuple[Text, Text]] | Text

CHALLENGE_STATUSES: Final = frozenset({401, 403})
"""Statuses that may carry a claims challenge: APIs that relay one answer 403."""

# Only this much is looked at, so that paths and queries may hold what they like.
_BEFORE_PATH = re.compile(r"[^/?#]*//[^/?#]*")
# RFC 6750 section 2.1, so that a token can neither end its header nor show up in an error.
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class TokenSource(Protocol):
    """Where `TokenAuth` gets tokens, and the exception to raise when a person is needed."""

    def token(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        refused_token: str | None = None,
    ) -> str:
        """Return an access token without asking anybody; raise a `TokenError` otherwise.

        `claims_challenge` is JSON text, and `refused_token` the token that an API answered with
        it: when somebody else has got a newer one since, that one is returned, else a token is
        fetched with the claims. An `InteractionRequired` names the scopes and the claims.
        """

    def challenge(self, scopes: Sequence[str], claims: str) -> InteractionRequired:
        """Return the exception for a challenge that only a person can answer."""


class TokenAuth(AuthBase):
    """Attaches a bearer token (RFC 6750 section 2.1) where the token may go.

    When the API answers 401 or 403 with a claims challenge, the call is repeated once with a
    token for these claims. When a person is needed, or the repeated call is challenged again,
    `InteractionRequired` is raised. A body that can be read only once, such as a generator, is
    not sent again: the token is renewed for the next call and the API's answer is returned.

    The token goes to https alone: Graph's to the Graph hosts of the authority's cloud, others to
    `origin`, or without it to the first origin this object is used for. With `allow_loopback`
    any token may go to this machine too, also over http. Anything else is a `ValueError` before
    anything is sent; a redirect to elsewhere is followed without the token.

    One object serves many calls, threads and a `requests.Session`.
    """

    def __init__(
        self,
        source: TokenSource,
        scopes: Sequence[str],
        *,
        authority: str,
        origin: str | None = None,
        allow_loopback: bool = False,
    ) -> None:
        """Attach tokens of `source`; `ValueError` for scopes or an origin that cannot be meant."""
        check_scopes(scopes)
        self._source = source
        self._scopes = tuple(scopes)
        is_graph = _has_graph_scope(self._scopes)
        allowed = find_graph_origins(authority) if is_graph else None
        self._targets = _Targets(allowed, allow_loopback=allow_loopback)
        if origin is not None:
            self._targets.fix(origin)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Attach a token, and stay to hear the answer."""
        self._targets.require(request.url or "")
        call = _Call(self, request, self.fetch())
        request.register_hook("response", call.answer)  # type: ignore[no-untyped-call]
        return request

    def allows(self, url: str) -> bool:
        """Return whether the token may go to `url`."""
        return self._targets.allows(url)

    def fetch(self, claims: str | None = None, refused: str | None = None) -> str:
        """Return a token fit for a header, and never the `refused` one again."""
        token = self._source.token(self._scopes, claims_challenge=claims, refused_token=refused)
        if _BEARER_TOKEN.fullmatch(token) is None:
            raise TokenError(make_error("invalid_response", "The token is not a bearer token."))
        if claims is not None and token == refused:
            raise self.challenge(claims)
        return token

    def challenge(self, claims: str) -> InteractionRequired:
        """Return the exception that asks for a person."""
        return self._source.challenge(self._scopes, claims)


class _Call:
    """One prepared request with its redirects, which share a single repeat."""

    def __init__(self, auth: TokenAuth, request: PreparedRequest, token: str) -> None:
        self._auth = auth
        self._token = token
        self._is_repeated = False
        # The request holds this object among its hooks; a strong reference would be a cycle.
        self._request = weakref.ref(request)
        self._attach(request)

    def answer(self, response: Response, **sending: Any) -> Response:
        """Return the response, or that of the repeated call; `sending` is how it was sent."""
        if response.request is self._request():
            self._is_repeated = False
        return self._answer(response, sending)

    def _answer(self, response: Response, sending: Mapping[str, Any]) -> Response:
        claims = self._read_challenge(response)
        if claims is None:
            return response
        with ExitStack() as stack:
            stack.callback(response.close)
            if self._is_repeated:
                raise self._auth.challenge(claims)
            token = self._auth.fetch(claims, self._token)
            if not _rewind(response.request):
                stack.pop_all()
                return response
            repeated = self._repeat(response, token, sending)
        return self._answer(repeated, sending)

    def _read_challenge(self, response: Response) -> str | None:
        """Return the claims asked for, ``None`` when it is not our token that was refused."""
        request = response.request
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return None
        if not self._auth.allows(request.url or ""):
            return None
        return find_challenge(response.status_code, _read_headers(response))

    def _repeat(self, response: Response, token: str, sending: Mapping[str, Any]) -> Response:
        """Send the request again; cookies and history are kept as requests' own digest does."""
        if not sending.get("stream"):
            with suppress(RequestException, RuntimeError):
                _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        self._is_repeated, self._token = True, token
        # requests makes the redirects of the repeated call from the one that was refused.
        self._attach(response.request)
        first = self._request()
        if first is not None:
            self._attach(first)
        request = response.request.copy()
        jar = request._cookies  # type: ignore[attr-defined]
        extract_cookies_to_jar(jar, response.request, response.raw)  # type: ignore[no-untyped-call]
        request.prepare_cookies(jar)
        repeated: Response = response.connection.send(request, **sending)
        repeated.history.append(response)
        repeated.request = request
        return repeated

    def _attach(self, request: PreparedRequest) -> None:
        request.headers["Authorization"] = f"Bearer {self._token}"


class _Targets:
    """The origins that a token may go to; `allowed` is ``None`` until the first is known."""

    def __init__(self, allowed: frozenset[str] | None, *, allow_loopback: bool) -> None:
        self._allowed = allowed
        self._allow_loopback = allow_loopback
        self._lock = Lock()

    def fix(self, url: str) -> None:
        """Allow the origin `url` alone, out of those that are allowed."""
        origin = read_origin(url)
        if origin is None or not _BEFORE_PATH.fullmatch(url.removesuffix("/")):
            raise ValueError("origin must be scheme, host and port, as https://api.example.com")
        self.require(url)
        self._allowed = frozenset({origin})

    def require(self, url: str) -> None:
        """Raise `ValueError` when the token may not go to `url`; the first one decides."""
        origin = read_origin(url)
        if origin is None:
            raise ValueError("the token cannot go there: the URL has no plain https origin")
        if self._is_near(origin):
            return
        if not origin.startswith("https://"):
            raise ValueError(f"the token goes to https alone, not to {origin}")
        with self._lock:
            if self._allowed is None:
                self._allowed = frozenset({origin})
        if origin not in self._allowed:
            known = ", ".join(sorted(self._allowed)) or "no host: this cloud's Graph is not known"
            raise ValueError(f"the token may not go to {origin}, but to {known}")

    def allows(self, url: str) -> bool:
        """Return whether the token may go to `url`; decides nothing."""
        origin = read_origin(url)
        if origin is None:
            return False
        if self._is_near(origin):
            return True
        return origin.startswith("https://") and origin in (self._allowed or ())

    def _is_near(self, origin: str) -> bool:
        return self._allow_loopback and is_loopback(urlsplit(origin).hostname or "")


def find_challenge(status: int, headers: Headers) -> str | None:
    """Return the claims (JSON text) that a response asks for, else ``None``.

    For any HTTP client: `headers` is a mapping, an object with `multi_items()` or `items()`,
    pairs, or the value of ``WWW-Authenticate`` itself; texts may be bytes.
    """
    if status not in CHALLENGE_STATUSES:
        return None
    # One by one: what cannot be read in one field must not hide the next.
    found = (find_claims_challenge(value) for value in _read_values(headers))
    return next((claims for claims in found if claims is not None), None)


def read_origin(url: str) -> str | None:
    """Return scheme, host and any unusual port of a URL with whatever path, else ``None``."""
    match = _BEFORE_PATH.match(url)
    return parse_origin(match[0]) if match else None


def _has_graph_scope(scopes: Iterable[str]) -> bool:
    """Whether the token may be one for Graph: a scope is Graph's, or none names a resource."""
    # What OpenID Connect defines is covered by anything and belongs to no resource.
    named = [scope for scope in scopes if not covers(frozenset(), frozenset({scope.lower()}))]
    return not named or any(find_resource([scope]) == GRAPH for scope in named)


def _read_headers(response: Response) -> Headers:
    """Return the header fields as they came; requests itself joins those of one name."""
    headers = getattr(response.raw, "headers", None)
    getlist = getattr(headers, "getlist", None)
    if getlist is None:
        return response.headers
    return [("WWW-Authenticate", value) for value in getlist("WWW-Authenticate")]


def _read_values(headers: Headers) -> Iterator[str]:
    if isinstance(headers, str | bytes):
        yield _decode(headers)
        return
    read_pairs = getattr(headers, "multi_items", None) or getattr(headers, "items", None)
    for name, value in read_pairs() if read_pairs else headers:
        if _decode(name).lower() == "www-authenticate":
            yield from map(_decode, [value] if isinstance(value, str | bytes) else value)


def _decode(text: Text) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else text


def _rewind(request: PreparedRequest) -> bool:
    """Put the body back to where it began; ``False`` when it can be read only once."""
    body: object = request.body
    if body is None or isinstance(body, str | bytes | bytearray | memoryview):
        return True
    try:
        rewind_body(request)
    except (UnrewindableBodyError, ValueError):
        return False
    return True
