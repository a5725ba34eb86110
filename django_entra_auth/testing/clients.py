"""Sign a Django test client in, without HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth.models import AbstractBaseUser
from django.test import AsyncClient, Client

from django_entra_auth import sign_ins
from django_entra_auth.backends import find_backend
from django_entra_auth.conf import get_settings
from django_entra_auth.provisioning import (
    SignInRefused,
    ValidatedSignIn,
    apply_roles,
    find_identity,
    link_identity,
)
from django_entra_auth.session_entry import SESSION_KEY, build_entry

TEST_TENANT_ID = "11111111-2222-4333-8444-555555555555"


def sign_in(
    client: Client | AsyncClient,
    person: str = "alice",
    *,
    user: AbstractBaseUser | None = None,
    roles: Sequence[str] = (),
    acrs: Sequence[str] = (),
    claims: Mapping[str, Any] | None = None,
) -> Any:
    """Sign `client` in as a person of a test tenant and return the user.

    The user is made by your EntraBackend as at a real sign-in, so `roles` lead to the groups
    and flags of your settings; with `user` that user is signed in. `claims` replace or add
    ID-token claims; `acrs` are satisfied authentication contexts. Raises SignInRefused.
    """
    name = person if user is None else f"user-{user.pk}"
    all_claims = _build_claims(name, roles=roles, acrs=acrs, claims=claims or {})
    if user is None:
        signed_in = find_backend().authenticate(None, sign_in=ValidatedSignIn(all_claims))
    else:
        signed_in = _take_user(user, all_claims)
    _write_session(client, signed_in, all_claims)
    return signed_in


def _take_user(user: Any, claims: Mapping[str, Any]) -> Any:
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


def _build_claims(
    person: str, *, roles: Sequence[str], acrs: Sequence[str], claims: Mapping[str, Any]
) -> dict[str, Any]:
    built: dict[str, Any] = {
        "iss": f"https://login.microsoftonline.com/{TEST_TENANT_ID}/v2.0",
        "tid": TEST_TENANT_ID,
        "oid": str(uuid.uuid5(uuid.UUID(TEST_TENANT_ID), person)),
        "sub": f"subject-of-{person}",
        "name": person.capitalize(),
        "preferred_username": f"{person}@contoso.example",
    }
    if roles:
        built["roles"] = list(roles)
    if acrs:
        built["acrs"] = list(acrs)
    built.update(claims)
    return {"home_account_id": f"{built['oid']}.{built['tid']}".lower(), **built}


def _write_session(client: Client | AsyncClient, user: Any, claims: Mapping[str, Any]) -> None:
    client.force_login(user, backend=user.backend)
    session = client.session
    sign_in_id = sign_ins.new_sign_in_id()
    session[SESSION_KEY] = build_entry(
        claims,
        sign_in_id=sign_in_id,
        home_account_id=claims["home_account_id"],
        backend=user.backend,
    )
    session.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key or ""
    identity = find_identity(claims)
    assert identity is not None  # noqa: S101  the backend has just linked it
    sign_ins.start(sign_in_id, identity=identity, claims=claims, session=session)
