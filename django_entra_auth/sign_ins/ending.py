"""End sign-ins: by the person, from elsewhere, one, or all of somebody's."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import is_password_usable, make_password

from django_entra_auth import signals
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.models import EntraSignIn
from django_entra_auth.sign_ins.ids import hash_id
from django_entra_auth.sign_ins.rows import delete_session, is_alive
from django_entra_auth.sign_ins.tokens import drop_with_successors, find_successor, open_chain

logger = logging.getLogger(__name__)


def end(sign_in_id: str) -> bool:
    """Forget a sign-in whose session is being ended by the caller, and its tokens.

    An id from before a prompt ends what took its place too: whoever signs out means the session
    in this browser, however old the copy of it was that the request had read. False when somebody
    else has ended it before.
    """
    hashes = list(drop_with_successors(hash_id(sign_in_id)))
    return bool(EntraSignIn.objects.filter(id_hash__in=hashes).delete()[0])


def end_one(row: EntraSignIn) -> bool:
    """End a sign-in from elsewhere: tokens, session and row; False when somebody else has.

    The session is deleted through its engine's store; one in a signed cookie ends with the
    browser's next request. `signed_out` is sent without a request. Raises TemporarilyUnavailable
    when the session is in a cache that is down: the row stays, so that it can be tried again.
    """
    user = row.identity.user
    hashes = list(drop_with_successors(row.id_hash))
    delete_session(row)
    deleted, _ = EntraSignIn.objects.filter(id_hash__in=hashes).delete()
    if not deleted:
        return False
    signals.signed_out.send_robust(EntraSignIn, request=None, user=user, sign_in_hash=row.id_hash)
    return True


def end_from_elsewhere(sid: str, *, issuer: str | None = None) -> int:
    """End every sign-in of an Entra session; returns how many there were.

    `issuer` must match when it is given (OIDC Front-Channel Logout §2).
    """
    if not sid:
        return 0
    rows = EntraSignIn.objects.filter(sid=sid).select_related("identity__user")
    if issuer is not None:
        rows = rows.filter(issuer=issuer)
    return sum(map(_try_to_end, list(rows)))


def end_everywhere(user: Any, *, spare: str | None = None) -> int:
    """End every sign-in of a user, on all devices; returns how many there were.

    People without a usable Django password get a fresh unusable one, which ends all their
    sessions, of any backend and in any engine. A usable password is left alone. `spare` is the id
    of a sign-in that the caller ends himself. Raises TemporarilyUnavailable, see `end_one`.
    """
    _renew_unusable_password(user)
    rows = EntraSignIn.objects.filter(identity__user=user).select_related("identity__user")
    if spare is not None:
        rows = rows.exclude(id_hash=hash_id(spare))
    return sum(map(end_one, list(rows)))


def has_ended(sign_in_id: str) -> bool:
    """Whether a sign-in has ended and nothing took its place; one cache read.

    For sessions in signed cookies, which nobody can delete. While the cache is down the row is
    asked instead.
    """
    try:
        ended, later = open_chain().look(hash_id(sign_in_id))
        return ended and (later is None or find_successor(sign_in_id) is None)
    except TemporarilyUnavailable:
        return not is_alive(hash_id(sign_in_id))


def _try_to_end(row: EntraSignIn) -> bool:
    """Of several sessions one that cannot be reached does not keep the others alive."""
    try:
        return end_one(row)
    except TemporarilyUnavailable:
        logger.warning("The cache is down: a session that was ended at Entra could not be deleted")
        return False


def _renew_unusable_password(user: Any) -> None:
    """Replace an unusable password; one that is set meanwhile is never overwritten."""
    if not isinstance(user, AbstractBaseUser):
        return
    # Not `type(user)`: `request.user` is a lazy object around the user.
    rows = user.__class__._base_manager.filter(pk=user.pk)
    password = rows.values_list("password", flat=True).first()
    if password is None or is_password_usable(password):
        return
    fresh = make_password(None)
    if rows.filter(password=password).update(password=fresh):
        user.password = fresh
