"""Signs people in, each way, with tokens of the sizes that Entra hands out."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msal
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cache import SessionStore
from django.test import Client

from benchmarks.site.askers import MSAL_SESSION_KEY, SCOPES, build_msal
from django_entra_auth import sign_ins
from django_entra_auth.oauth2.scopes import find_resource, normalize_scopes
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder
from django_entra_auth.testing import sign_in

ACCESS_TOKEN_CHARS: Final = 1600
REFRESH_TOKEN_CHARS: Final = 1300
LIFETIME: Final = 86_400
"""Seconds; Entra's tokens for clients that handle claims challenges last as long."""
TENANT_ID: Final = "11111111-2222-4333-8444-555555555555"
OBJECT_ID: Final = "99999999-8888-4777-8666-555555555555"
USERNAME: Final = "alice@contoso.example"


@dataclass(frozen=True)
class Strings:
    """What Entra has sent for one sign-in."""

    access_tokens: tuple[str, ...]
    refresh_token: str


@dataclass(frozen=True)
class Person:
    """One sign-in, kept in each way; the values are session keys."""

    strings: Strings
    user: Any
    ours: str
    kept: int
    msal: str
    identity: str

    def session_for(self, path: str) -> str:
        """Return the session key that a view's path needs."""
        return self.msal if "msal" in path else self.identity if "identity" in path else self.ours


def make_strings(resources: int) -> Strings:
    """Make strings that do not compress, as real tokens do not."""
    tokens = tuple(_random_text(ACCESS_TOKEN_CHARS) for _ in range(resources))
    return Strings(tokens, _random_text(REFRESH_TOKEN_CHARS))


def seed_person(resources: int) -> Person:
    """Sign somebody in with one token for each of so many resources."""
    strings = make_strings(resources)
    client = Client(HTTP_HOST="127.0.0.1")
    user = sign_in(client, f"person-{resources}")
    session = client.session
    # The session's own data is the one way to the id from outside.
    entry = session["_entra"]
    kept = 0
    for alias in {settings.SESSION_CACHE_ALIAS, "locmem"}:
        use(alias=alias)
        kept = keep_ours(entry["id"], entry["home"], strings)
    use()
    login = {key: session[key] for key in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)}
    blob = serialize_msal(strings)
    return Person(
        strings,
        user,
        ours=str(session.session_key),
        kept=kept,
        msal=save_session({**login, MSAL_SESSION_KEY: blob}),
        identity=save_session(
            {**login, "_token_cache": blob, "_logged_in_user": make_id_token_claims()}
        ),
    )


def keep_ours(sign_in_id: str, home_account_id: str, strings: Strings) -> int:
    """Keep tokens as a sign-in and its refreshes do; return how many are there afterwards."""
    cache = sign_ins.open_token_cache(sign_in_id)
    object_id, _, tenant_id = home_account_id.partition(".")
    account = CachedAccount(
        home_account_id, tenant_id, object_id, USERNAME, "localhost", strings.refresh_token
    )
    cache.save_account(account)
    holder, now = Holder("account", home_account_id), time.time()
    resources = []
    for number, text in enumerate(strings.access_tokens):
        scopes = name_scopes(number)
        resources.append(find_resource(scopes))
        token = CachedToken(
            text, normalize_scopes(scopes), now + LIFETIME, refresh_at=now + LIFETIME / 2
        )
        cache.save_tokens(holder, resources[-1], (token,))
    return sum(bool(cache.load_tokens(holder, resource)) for resource in resources)


def serialize_msal(strings: Strings) -> str:
    """Return the token cache that MSAL would have written after the same answers."""
    application = build_msal(msal.SerializableTokenCache())
    for number, text in enumerate(strings.access_tokens):
        response = {
            "access_token": text,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "refresh_in": LIFETIME // 2,
        }
        if number == 0:
            response |= {
                "refresh_token": strings.refresh_token,
                "id_token": _make_id_token(),
            }
        application.token_cache.add(
            {
                # As MSAL itself says when it refreshes.
                "skip_account_creation": number > 0,
                "client_id": application.client_id,
                "scope": name_scopes(number),
                "token_endpoint": application.authority.token_endpoint,
                "environment": application.authority.instance,
                "response": {**response, "client_info": _encode(_CLIENT_INFO)},
            }
        )
    return str(application.token_cache.serialize())


def name_scopes(number: int) -> list[str]:
    """Return the scopes of a resource; those of the first are what is asked for."""
    return [SCOPES[0].replace("000", f"{number:03d}")]


def save_session(data: Mapping[str, Any]) -> str:
    """Write a session and return its key."""
    session = SessionStore()
    session.update(data)
    session.create()
    session.save()
    return str(session.session_key)


_CLIENT_INFO: Final = {"uid": OBJECT_ID, "utid": TENANT_ID}


def make_id_token_claims() -> dict[str, Any]:
    """Return the claims of an ID token as lean as Entra's own."""
    now = int(time.time())
    return {
        "aud": settings.ENTRA_AUTH["CLIENT_ID"],
        "iss": f"https://login.microsoftonline.com/{TENANT_ID}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "name": "Alice",
        "nonce": "0" * 64,
        "oid": OBJECT_ID,
        "preferred_username": USERNAME,
        "rh": "1.AXkA" + "0" * 60,
        "sub": "s" * 43,
        "tid": TENANT_ID,
        "uti": "u" * 22,
        "ver": "2.0",
    }


_ours: dict[tuple[str, float], dict[str, Any]] = {}


def use(*, alias: str = "", copy_seconds: float = 15) -> None:
    """Let sessions and tokens go to a cache alias (the direct one) and set LOCAL_COPY_SECONDS.

    The dict of a combination is made once, because settings are built anew for another dict.
    """
    chosen = alias or next(iter(settings.PORTS))
    values = {"CACHE_ALIAS": chosen, "LOCAL_COPY_SECONDS": copy_seconds}
    made = _ours.setdefault((chosen, copy_seconds), {**settings.ENTRA_AUTH, **values})
    settings.ENTRA_AUTH = made
    settings.SESSION_CACHE_ALIAS = chosen if chosen in settings.PORTS else settings.ALIAS


def _make_id_token() -> str:
    head = _encode({"typ": "JWT", "alg": "RS256", "kid": "k" * 27})
    return f"{head}.{_encode(make_id_token_claims())}.{_random_text(342)}"


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _random_text(characters: int) -> str:
    return secrets.token_urlsafe(characters)[:characters]
