"""Start, find and end sign-ins: the rows behind the sessions."""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError
from django.utils import timezone

from django_entra_auth import signals
from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.sealing import KeyRing, SealError

SIGN_INS_PER_IDENTITY = 50

logger = logging.getLogger(__name__)


def open_token_cache(sign_in_id: str) -> SignInTokenCache:
    """The tokens of a sign-in."""
    return SignInTokenCache(hash_id(sign_in_id), get_settings())


def drop_tokens(id_hash: str) -> None:
    """A sign-out does not wait for the cache: what cannot be deleted ends by itself."""
    try:
        SignInTokenCache(id_hash, get_settings()).delete_account("")
    except TemporarilyUnavailable:
        logger.warning("The cache is down: tokens of an ended sign-in stay until they expire")


def new_sign_in_id() -> str:
    """A fresh 256-bit id; only its hash is ever stored outside the session."""
    return secrets.token_urlsafe(32)


def hash_id(sign_in_id: str) -> str:
    """What stands for a sign-in id in the database and in cache keys."""
    return hashlib.sha256(sign_in_id.encode()).hexdigest()


def start(
    sign_in_id: str,
    *,
    identity: EntraIdentity,
    claims: Mapping[str, Any],
    session: SessionBase,
    replaces: str | None = None,
) -> EntraSignIn:
    """Write the row of a sign-in; `replaces` is the id it takes over from in the same session."""
    id_hash = hash_id(sign_in_id)
    if replaces:
        EntraSignIn.objects.filter(id_hash=hash_id(replaces)).delete()
    _forget_oldest(identity)
    row: EntraSignIn = EntraSignIn.objects.create(
        id_hash=id_hash,
        identity=identity,
        sid=normalise_guid(claims.get("sid")) or "",
        issuer=claims.get("iss", ""),
        session_key=_seal_session_key(session, id_hash),
        contexts=[value for value in _as_list(claims.get("acrs")) if isinstance(value, str)],
        last_prompt=timezone.now(),
    )
    return row


def follow_session_key(sign_in_id: str, session: SessionBase) -> None:
    """Write the key a running session has changed to; without it nobody could end it."""
    id_hash = hash_id(sign_in_id)
    try:
        EntraSignIn.objects.filter(id_hash=id_hash).update(
            session_key=_seal_session_key(session, id_hash)
        )
    except DatabaseError:
        logger.exception("A changed session key could not be written")


def is_alive(id_hash: str) -> bool:
    """Whether a sign-in has neither been signed out nor ended from elsewhere."""
    return bool(EntraSignIn.objects.filter(id_hash=id_hash).exists())


def end(sign_in_id: str) -> None:
    """Forget a sign-in whose session is being ended by the caller, and its tokens."""
    id_hash = hash_id(sign_in_id)
    drop_tokens(id_hash)
    EntraSignIn.objects.filter(id_hash=id_hash).delete()


def end_from_elsewhere(sid: str, *, issuer: str | None = None) -> int:
    """End every sign-in of an Entra session: sessions are deleted through their engine's store.

    `issuer` must match when it is given (OIDC Front-Channel Logout §2). Returns how many ended.
    """
    if not sid:
        return 0
    rows = EntraSignIn.objects.filter(sid=sid).select_related("identity__user")
    if issuer:
        rows = rows.filter(issuer=issuer)
    ended = list(rows)
    for row in ended:
        drop_tokens(row.id_hash)
        _delete_session(row)
        row.delete()
        signals.signed_out.send_robust(
            EntraSignIn, request=None, user=row.identity.user, sign_in_hash=row.id_hash
        )
    return len(ended)


def normalise_guid(value: object) -> str | None:
    """The lower-case form of a GUID, or None for anything else."""
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def _forget_oldest(identity: EntraIdentity) -> None:
    """Rows of sessions that expired unseen must not pile up."""
    rows = EntraSignIn.objects.filter(identity=identity).order_by("-created")
    for row in list(rows[SIGN_INS_PER_IDENTITY - 1 :]):
        drop_tokens(row.id_hash)
        row.delete()


def _seal_session_key(session: SessionBase, id_hash: str) -> bytes:
    # With signed-cookie sessions the "key" is the whole session: nothing is kept, nothing could
    # be deleted by it.
    if django_settings.SESSION_ENGINE.endswith("signed_cookies"):
        return b""
    return KeyRing(get_settings(), "session_key").seal_json(session.session_key, name=id_hash)


def _delete_session(row: EntraSignIn) -> None:
    try:
        ring = KeyRing(get_settings(), "session_key")
        session_key = ring.open_json(bytes(row.session_key), name=row.id_hash)
    except SealError:
        return
    store = import_module(django_settings.SESSION_ENGINE).SessionStore
    store(session_key).delete()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
