"""Sign a Django test client in, without HTTP."""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client

from django_entra_auth import sign_ins
from django_entra_auth.backends import find_backend
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.establish import describe_account, validate_account
from django_entra_auth.oauth2.authority import is_guid, parse_authority
from django_entra_auth.oauth2.scopes import find_resource, normalize_scopes
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder
from django_entra_auth.provisioning import (
    SignInRefused,
    ValidatedSignIn,
    apply_roles,
    find_identity,
    link_identity,
)
from django_entra_auth.session_entry import SESSION_KEY, build_entry
from django_entra_auth.testing.offline import build_issuer, find_tenant, stay_offline
from django_entra_auth.testing.settings import TEST_TENANT_ID

TOKEN_SECONDS = 3600

Claims = Mapping[str, Any]


def sign_in(
    client: Client | AsyncClient,
    person: str = "alice",
    *,
    user: AbstractBaseUser | None = None,
    roles: Sequence[str] = (),
    acrs: Sequence[str] = (),
    claims: Claims | None = None,
    tokens: Mapping[str, str] | None = None,
    seconds_ago: int = 0,
) -> Any:
    """Sign `client` in as a person of a test tenant and return the user.

    The user is made by your EntraBackend as at a real sign-in, so `roles` lead to the groups
    and flags of your settings; with `user` that user is signed in. `claims` replace or add
    ID-token claims, None removes one: `{"acct": 1}` is a guest, `tid` another tenant. `acrs` are
    satisfied authentication contexts. `tokens` are what `request.entra` gets for APIs, by scope
    (several in one text, "Mail.Read Mail.Send"); without one a view that needs it prompts. The
    person signed in `seconds_ago`: older step-ups and credentials count no more.

    Raises SignInFailed as a real sign-in ends: `tenant_not_allowed`, `guest_not_allowed`,
    `user_unknown`, `user_disabled`, `claims_refused`. Nothing is asked of any network, now or when
    this client's requests are prompted; the signal `signed_in` is not sent.
    """
    stay_offline()
    name = person if user is None else f"user-{user.pk}"
    then = int(time.time()) - seconds_ago
    given = {"auth_time": then, "roles": list(roles), "acrs": list(acrs), **(claims or {})}
    validated = _validate(_build_claims(name, given))
    signed_in = _authenticate(user, validated)
    _write_session(client, signed_in, validated.claims, tokens=tokens or {}, then=then)
    return signed_in


async def asign_in(client: AsyncClient, person: str = "alice", **options: Any) -> Any:
    """`sign_in` for async tests, with its options."""
    return await sync_to_async(sign_in)(client, person, **options)


def _build_claims(person: str, given: Claims) -> dict[str, Any]:
    settings = get_settings()
    authority = parse_authority(settings.authority, allow_loopback=True)
    tid = str(given.get("tid") or _find_tenant(settings))
    claims = {
        "iss": build_issuer(authority, tid.lower()),
        "tid": tid,
        "oid": str(uuid.uuid5(uuid.UUID(TEST_TENANT_ID), person)),
        "sub": f"subject-of-{person}",
        "name": person.capitalize(),
        "preferred_username": f"{person}@contoso.example",
        **given,
    }
    return {name: value for name, value in claims.items() if value not in (None, [])}


def _find_tenant(settings: EntraSettings) -> str:
    """A tenant whose people may sign in."""
    named = [tid for tid in settings.allowed_tenants if is_guid(tid)]
    authority = parse_authority(settings.authority, allow_loopback=True)
    return named[0] if named else find_tenant(authority)


def _validate(claims: Claims) -> ValidatedSignIn:
    """Refuse as the callback does; one tenant's authority vouches for nobody else's people."""
    settings = get_settings()
    own = parse_authority(settings.authority, allow_loopback=True).tenant
    validated = validate_account({"id_token_claims": claims, **_name_home(claims)}, settings)
    if is_guid(own) and validated.claims["tid"] != own.lower():
        raise SignInFailed("tenant_not_allowed", result=describe_account(validated.claims))
    return validated


def _name_home(claims: Claims) -> dict[str, str]:
    """What tells in a token response where a guest is at home, when the test names it."""
    uid, _, utid = str(claims.get("home_account_id", "")).partition(".")
    info = json.dumps({"uid": uid, "utid": utid})
    return {"client_info": urlsafe_b64encode(info.encode()).decode()} if utid else {}


def _authenticate(user: Any, validated: ValidatedSignIn) -> Any:
    try:
        if user is None:
            return find_backend().authenticate(None, sign_in=validated)
        return _take_user(user, validated.claims)
    except SignInRefused as refusal:
        raise SignInFailed(refusal.reason) from refusal


def _take_user(user: Any, claims: Claims) -> Any:
    """A user of the test's own, linked; its name and address stay what they are."""
    backend = find_backend()
    if not backend.user_can_authenticate(user):
        raise SignInRefused("user_disabled")
    identity = find_identity(claims) or link_identity(user, claims)
    assert identity.user == user, "the account given by `claims` is another user's"  # noqa: S101
    if "roles" in claims:
        apply_roles(user, claims, get_settings())
    user.backend = backend.path
    return user


def _write_session(
    client: Client | AsyncClient,
    user: Any,
    claims: Claims,
    *,
    tokens: Mapping[str, str],
    then: int,
) -> None:
    client.force_login(user, backend=user.backend)
    session = client.session
    sign_in_id, home = sign_ins.new_sign_in_id(), claims["home_account_id"]
    entry = build_entry(
        claims, sign_in_id=sign_in_id, home_account_id=home, backend=user.backend, now=then
    )
    # However long ago it was: to be checked again, Entra would have to be asked.
    session[SESSION_KEY] = {**entry, "checked": int(time.time())}
    session.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key or ""
    identity = find_identity(claims)
    assert identity is not None  # noqa: S101  the backend has just linked it
    sign_ins.start(sign_in_id, identity=identity, claims=claims, session=session)
    if tokens:
        _keep_tokens(sign_in_id, session, claims, tokens)


def _keep_tokens(
    sign_in_id: str, session: SessionBase, claims: Claims, tokens: Mapping[str, str]
) -> None:
    """Put tokens where a sign-in's are; without a refresh token nobody is ever asked for newer."""
    seconds, home = session.get_expiry_age, claims["home_account_id"]
    cache = sign_ins.open_token_cache(sign_in_id, session_seconds=seconds)
    username = str(claims.get("preferred_username", ""))
    cache.save_account(
        CachedAccount(home, claims["tid"], claims["oid"], username, environment="testing")
    )
    holder = Holder("account", home)
    for resource, kept in _sort_tokens(tokens).items():
        cache.save_tokens(holder, resource, tuple(kept))
        if cache.load_tokens(holder, resource) != tuple(kept):
            alias = get_settings().cache_alias
            raise ImproperlyConfigured(
                f"The cache {alias!r} does not keep tokens: use LocMemCache in tests."
            )


def _sort_tokens(tokens: Mapping[str, str]) -> dict[str, list[CachedToken]]:
    """The tokens by the API they are for."""
    by_resource: dict[str, list[CachedToken]] = {}
    ends_at = time.time() + TOKEN_SECONDS
    for text, token in tokens.items():
        scopes = text.split()
        kept = CachedToken(token, normalize_scopes(scopes), ends_at)
        by_resource.setdefault(find_resource(scopes), []).append(kept)
    return by_resource
