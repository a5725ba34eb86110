"""The rows behind the sessions: written when a sign-in starts or is prompted again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import DatabaseError
from django.utils import timezone

from django_entra_auth.cache.chain import HOPS, Successor
from django_entra_auth.cache.chain import has_cookie_sessions as has_cookie_sessions
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.sealing import KeyRing, SealError
from django_entra_auth.sign_ins.ids import hash_id, normalise_guid
from django_entra_auth.sign_ins.tokens import drop_tokens, open_chain

SIGN_INS_PER_IDENTITY = 50

logger = logging.getLogger(__name__)


def start(
    sign_in_id: str,
    *,
    identity: EntraIdentity,
    claims: Mapping[str, Any],
    session: SessionBase,
    replaces: str | None = None,
    entry: Mapping[str, Any] | None = None,
) -> EntraSignIn:
    """Write the row of a sign-in; `replaces` is the id it takes over from in the same session.

    Requests that are under way with the older id find `entry`, the session's new entry, by
    `find_successor`. The caller drops the tokens of the one that is replaced. Raises UpdateError,
    as a session store does for a session that has gone, when that one was signed out meanwhile.
    """
    id_hash = hash_id(sign_in_id)
    if replaces:
        _take_over(hash_id(replaces), {**(entry or {}), "id": sign_in_id}, identity)
    _end_oldest(identity)
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


def has_any(user: Any) -> bool:
    """Whether a user is signed in through Entra anywhere."""
    return bool(EntraSignIn.objects.filter(identity__user=user).exists())


def open_session(row: EntraSignIn) -> SessionBase | None:
    """The session of a sign-in in its engine's store, not loaded yet.

    None with signed cookies, which are kept nowhere, and when no key of ours opens the row's.
    """
    try:
        ring = KeyRing(get_settings(), "session_key")
        session_key = ring.open_json(bytes(row.session_key), name=row.id_hash)
    except SealError:
        return None
    store: type[SessionBase] = import_module(django_settings.SESSION_ENGINE).SessionStore
    return store(session_key)


def delete_session(row: EntraSignIn) -> None:
    """Delete the session of a sign-in. Raises TemporarilyUnavailable while its cache is down."""
    session = open_session(row)
    if session is None:
        return
    try:
        session.delete()
    except DatabaseError:
        raise
    except Exception as exc:  # caches share no class of outage errors
        raise TemporarilyUnavailable({"error": "cache_unavailable"}) from exc


def _take_over(id_hash: str, successor: Successor, identity: EntraIdentity) -> None:
    """Remove the row of the one that is replaced, and lead those who still hold its id here.

    When another prompt has replaced it before, that one's sign-in is replaced in its turn: the
    session has room for one.
    """
    first = id_hash
    for _ in range(HOPS):
        if _delete_row_of_another(id_hash, identity):
            return
        later = _lead_on(id_hash, successor)
        EntraSignIn.objects.filter(id_hash=id_hash).delete()
        if id_hash != first:
            drop_tokens(id_hash)
        if later is None:
            return
        id_hash = hash_id(later["id"])


def _delete_row_of_another(id_hash: str, identity: EntraIdentity) -> bool:
    """Nobody is ever led from one account to another."""
    rows = EntraSignIn.objects.filter(id_hash=id_hash).exclude(identity=identity)
    return bool(rows.delete()[0])


def _lead_on(id_hash: str, successor: Successor) -> Successor | None:
    """Leave a pointer; the successor that is there already, if any."""
    chain = open_chain()
    try:
        later = chain.add_successor(id_hash, successor)
        if later is None and chain.has_ended(id_hash):
            raise UpdateError
    except TemporarilyUnavailable:
        logger.warning("The cache is down: a sign-in leaves no pointer to its successor")
        return None
    return later


def _end_oldest(identity: EntraIdentity) -> None:
    """Rows of sessions that expired unseen must not pile up; one that lives on ends with its row.

    Without a row nobody could end it any more: no administrator, no sign-out at Entra.
    """
    rows = EntraSignIn.objects.filter(identity=identity).order_by("-created", "-pk")
    for row in list(rows[SIGN_INS_PER_IDENTITY - 1 :]):
        drop_tokens(row.id_hash)
        try:
            delete_session(row)
        except TemporarilyUnavailable:
            logger.warning("The cache is down: the oldest sign-in of an account stays for now")
        else:
            row.delete()


def _seal_session_key(session: SessionBase, id_hash: str) -> bytes:
    # With signed-cookie sessions the "key" is the whole session: nothing is kept, nothing could
    # be deleted by it.
    if has_cookie_sessions():
        return b""
    return KeyRing(get_settings(), "session_key").seal_json(session.session_key, name=id_hash)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
