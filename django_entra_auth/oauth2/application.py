"""The confidential client: the methods that MSAL for Python documents, dictionaries back."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, cast

from .accounts import read_account, show_account
from .acquisition import Acquirer, Wanted, find_ready, make_wanted
from .auth_code import (
    AuthCodeFlow,
    add_query,
    build_auth_uri,
    check_flow,
    check_max_age,
    check_state,
    check_verifier,
    hash_nonce,
    narrow_scopes,
    read_code,
)
from .authority import parse_authority
from .claims import check_capabilities, merge_claims
from .credential import OnRejected, parse_credentials
from .errors import ProtocolFailure, Result, with_classification
from .http import BoundedHttpClient, HttpClient
from .http_cache import ExpiringCache
from .provider import Provider
from .refresh import refresh_account
from .scopes import RESERVED_SCOPES, check_scopes, decorate_scopes, read_scopes
from .throttle import ThrottledHttpClient, ThrottleLimits
from .token_cache import CacheUnavailable, Holder, MemoryTokenCache, TokenCache

_ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class ConfidentialClientApplication:
    """A web application registered with Entra ID, able to keep a credential.

    Building one does no I/O, and one object serves all threads. ``authority`` is a full URL;
    loopback and http ones are refused unless ``allow_loopback``. ``timeout`` is (connect, read)
    and ``total_timeout`` the limit for one call, in seconds; ``clock`` returns Unix time.
    ``client_capabilities`` join every claims request. ``token_cache`` keeps people's tokens (in
    memory unless given), ``http_cache`` what Entra asked to respect. ``http_client`` replaces
    the HTTP client; ``proxies`` and ``ca_bundle`` are then its own affair.
    ``on_credential_rejected`` is told of credentials that are due to be taken off the list.

    Methods return dictionaries: a success has the token response's members, a failure has
    ``error``, ``error_description``, ``category`` and what Entra sent. ``ValueError`` is raised
    for misuse only, never for what the network or Entra did.
    """

    def __init__(
        self,
        client_id: str,
        *,
        client_credential: Any,
        authority: str,
        token_cache: TokenCache | None = None,
        http_cache: MutableMapping[str, Any] | ExpiringCache | None = None,
        http_client: HttpClient | None = None,
        client_capabilities: Iterable[str] | None = None,
        allow_loopback: bool = False,
        timeout: tuple[float, float] = (3.05, 10.0),
        total_timeout: float = 20.0,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
        max_retries: int = 1,
        throttle_limits: ThrottleLimits | None = None,
        on_credential_rejected: OnRejected | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not client_id or not isinstance(client_id, str):
            raise ValueError("client_id is missing")
        self.client_id = client_id
        self._capabilities = check_capabilities(client_capabilities)
        self._plain_claims = merge_claims(self._capabilities, None)
        bounded = BoundedHttpClient(
            http_client,
            timeout=timeout,
            total_timeout=total_timeout,
            proxies=proxies,
            ca_bundle=ca_bundle,
            max_retries=max_retries,
        )
        self._http = ThrottledHttpClient(
            bounded, http_cache=http_cache, limits=throttle_limits, clock=clock
        )
        self._provider = Provider(
            client_id,
            parse_authority(authority, allow_loopback=allow_loopback),
            parse_credentials(client_credential, on_rejected=on_credential_rejected),
            self._http,
            clock=clock,
        )
        self._clock = clock
        self._cache = token_cache or MemoryTokenCache()

    @property
    def authority(self) -> str:
        """The authority's URL, without a trailing slash."""
        return self._provider.authority.url

    def bind(self, token_cache: TokenCache) -> ConfidentialClientApplication:
        """Return this application with another token cache; all the rest is shared."""
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._cache = token_cache
        return bound

    def close(self) -> None:
        """Close idle connections."""
        self._http.close()

    def initiate_auth_code_flow(
        self,
        scopes: Iterable[str],
        redirect_uri: str,
        *,
        state: str | None = None,
        prompt: str | None = None,
        login_hint: str | None = None,
        domain_hint: str | None = None,
        claims_challenge: str | None = None,
        max_age: int | None = None,
        response_mode: str | None = None,
        code_verifier: str | None = None,
        nonce: str | None = None,
    ) -> dict[str, Any]:
        """Return the flow to keep until the callback; send the person to its ``auth_uri``.

        ``scopes`` come besides ``openid profile offline_access``. ``max_age`` is in seconds,
        ``claims_challenge`` is JSON text. ``state``, ``code_verifier`` and ``nonce`` are made
        unless given. Returns an error dictionary (no ``auth_uri``) when the authority's
        metadata cannot be had; raises ``ValueError`` for arguments that make no sense.
        """
        flow: AuthCodeFlow = {
            "state": state or secrets.token_urlsafe(16),
            "redirect_uri": redirect_uri,
            "scope": self._provider.authority.adapt_scopes(decorate_scopes(scopes)),
            "code_verifier": check_verifier(code_verifier),
            "nonce": nonce or secrets.token_urlsafe(16),
        }
        if check_max_age(max_age) is not None:
            flow["max_age"] = cast("int", max_age)
        if claims_challenge is not None:
            flow["claims_challenge"] = claims_challenge
        hints = {
            "response_mode": response_mode,
            "prompt": self._provider.authority.adapt_prompt(prompt),
            "login_hint": login_hint,
            "domain_hint": domain_hint,
            "max_age": None if max_age is None else str(max_age),
            "claims": self._merge(claims_challenge),
        }
        try:
            endpoint = self._provider.get_metadata().authorization_endpoint
        except ProtocolFailure as failure:
            return dict(failure.result)
        flow["auth_uri"] = build_auth_uri(endpoint, self.client_id, flow, hints)
        return dict(flow)

    def acquire_token_by_auth_code_flow(
        self,
        auth_code_flow: Mapping[str, Any],
        auth_response: Mapping[str, Any],
        scopes: Iterable[str] | None = None,
    ) -> Result:
        """Return the tokens for a callback, with ``id_token_claims`` fully validated.

        ``auth_response`` holds the callback's fields, ``scopes`` may narrow the flow's. The code
        is sent once. Nothing is stored unless every check passed. Raises ``ValueError`` when
        ``state`` is missing or another flow's, or the answer has neither code nor error.
        """
        flow = check_flow(auth_code_flow)
        check_state(flow, auth_response)
        code = read_code(auth_response)
        if not isinstance(code, str):
            return code
        challenge = flow.get("claims_challenge")
        scope = narrow_scopes(flow["scope"], scopes)
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow["redirect_uri"],
            "code_verifier": flow["code_verifier"],
            "scope": " ".join(self._provider.authority.adapt_scopes(scope)),
            "claims": self._merge(challenge),
        }
        try:
            result = self._provider.request_tokens(
                grant,
                nonce=hash_nonce(flow["nonce"]),
                max_age=flow.get("max_age"),
                requires_id_token=True,
            )
        except ProtocolFailure as failure:
            return dict(failure.result)
        self._keep_sign_in(result, sorted(set(scope) - RESERVED_SCOPES), challenge)
        return result

    def acquire_token_silent(
        self,
        scopes: Iterable[str],
        account: Mapping[str, Any] | None,
        *,
        force_refresh: bool = False,
        claims_challenge: str | None = None,
    ) -> Result | None:
        """Return a token for a person who signed in before, without asking them.

        ``account`` is one of ``get_accounts``. A kept token is used until five minutes before
        its end; ``force_refresh`` and ``claims_challenge`` (JSON text) fetch a new one. Returns
        ``None`` when there is nothing to work with, and the refresh's error dictionary, never
        swallowed, when it failed and no kept token is good.
        """
        names, resource, normalized = read_scopes(scopes)
        claims = self._merge(claims_challenge)
        if not account:
            return None
        holder = Holder("account", _read_id(account))
        if not force_refresh and not claims_challenge:
            # The tokens of an account that is gone are gone too, so they may be looked at first.
            kept = self._cache.peek_tokens(holder, resource)
            ready = find_ready(kept, normalized, self._clock())
            if ready is not None:
                return ready
        wanted = Wanted(holder, resource, normalized, claims_challenge or None, force_refresh)
        try:
            return self._acquire_for_account(wanted, names, claims)
        except CacheUnavailable:
            last = self._acquirer.find_last(wanted)
            if last is None:
                raise
            return last

    acquire_token_silent_with_error = acquire_token_silent

    def acquire_token_for_client(
        self, scopes: Iterable[str], *, claims_challenge: str | None = None
    ) -> Result:
        """Return a token for the application itself, kept until shortly before its end.

        ``scopes`` is one ``{resource}/.default``. RFC 6749 section 4.4.
        """
        names = sorted(check_scopes(scopes))
        grant = {
            "grant_type": "client_credentials",
            "scope": " ".join(names),
            "claims": self._merge(claims_challenge),
        }
        holder = Holder("app", f"{self.client_id} {self.authority}")
        wanted = make_wanted(holder, names, claims=claims_challenge or None)
        result = self._acquirer.acquire(wanted, lambda: self._provider.request_tokens(grant))
        return with_classification(result)

    def acquire_token_on_behalf_of(
        self, user_assertion: str, scopes: Iterable[str], *, claims_challenge: str | None = None
    ) -> Result:
        """Return a token for calling another API as the person whose token this API received.

        ``user_assertion`` is that access token; what comes of it is kept under its hash.
        Microsoft identity platform: "OAuth 2.0 On-Behalf-Of flow".
        """
        names = decorate_scopes(scopes)
        grant = {
            "grant_type": _ON_BEHALF_OF,
            "assertion": user_assertion,
            "requested_token_use": "on_behalf_of",
            "scope": " ".join(names),
            "claims": self._merge(claims_challenge),
        }
        holder = Holder("assertion", hashlib.sha256(user_assertion.encode()).hexdigest())
        bare = sorted(set(names) - RESERVED_SCOPES)
        wanted = make_wanted(holder, bare, claims=claims_challenge or None)
        return self._acquirer.acquire(wanted, lambda: self._provider.request_tokens(grant))

    def keep_sign_in(self, result: Result, scopes: Iterable[str]) -> None:
        """Keep what ``acquire_token_by_auth_code_flow`` returned to an application without a cache.

        For callers who decide between redeeming a code and keeping its tokens whether the
        person may come in at all. ``scopes`` are those of the flow.
        """
        self._keep_sign_in(result, sorted(set(scopes) - RESERVED_SCOPES), None)

    def get_accounts(self, username: str | None = None) -> list[dict[str, str]]:
        """Return the accounts in the token cache, those of ``username`` if given."""
        accounts = (show_account(account) for account in self._cache.list_accounts())
        wanted = username and username.casefold()
        return [a for a in accounts if not wanted or a["username"].casefold() == wanted]

    def remove_account(self, account: Mapping[str, Any]) -> None:
        """Forget an account and its tokens; Entra's own session is another matter."""
        self._cache.delete_account(_read_id(account))

    def get_logout_uri(
        self,
        post_logout_redirect_uri: str | None = None,
        logout_hint: str | None = None,
        state: str | None = None,
    ) -> str | None:
        """Return where to send a person to end Entra's own session; ``None`` when not known.

        OpenID Connect RP-Initiated Logout 1.0 section 2.
        """
        try:
            endpoint = self._provider.get_metadata().end_session_endpoint
        except ProtocolFailure:
            return None
        parameters = {
            "post_logout_redirect_uri": post_logout_redirect_uri or None,
            "logout_hint": logout_hint or None,
            "state": state or None,
        }
        return None if endpoint is None else add_query(endpoint, parameters)

    @property
    def _acquirer(self) -> Acquirer:
        return Acquirer(self._cache, clock=self._clock)

    def _acquire_for_account(
        self, wanted: Wanted, names: Iterable[str], claims: str | None
    ) -> Result | None:
        stored = self._cache.load_account(wanted.holder.id)
        if stored is None or stored.refresh_token is None:
            return self._acquirer.peek(wanted)
        result = self._acquirer.acquire(
            wanted,
            lambda: refresh_account(
                self._provider, self._cache, stored.home_account_id, names, claims
            ),
        )
        return with_classification(result)

    def _merge(self, claims_challenge: str | None) -> str | None:
        if not claims_challenge:
            return self._plain_claims
        return merge_claims(self._capabilities, claims_challenge)

    def _keep_sign_in(self, result: Result, scopes: list[str], challenge: str | None) -> None:
        account = read_account(result, result["id_token_claims"], self._provider.authority)
        self._cache.save_account(account)
        holder = Holder("account", account.home_account_id)
        self._acquirer.keep(make_wanted(holder, scopes, claims=challenge or None), result)


def _read_id(account: Mapping[str, Any]) -> str:
    return str(account.get("home_account_id", ""))
