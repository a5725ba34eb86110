"""Forms that a prompt interrupted: kept sealed, and opened once by the person who sent them.

A form belongs to one person, one browser and one flow: its id is an HMAC of the flow's id, so that
no other flow can name it, and it opens only in a session to which that flow's end has granted it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.conf import EntraSettings
from django_entra_auth.exceptions import EntraAuthError, TemporarilyUnavailable
from django_entra_auth.interaction.next_url import check_next
from django_entra_auth.interaction.sent_form import KeptForm, NotKept, read_form
from django_entra_auth.sealing import KeyRing, encode_text
from django_entra_auth.session import EntraSession

FORMS_KEY = "_entra_forms"
MAX_FORMS = 8

RefusalReason = Literal["expired", "used", "elsewhere", "not_granted"]

logger = logging.getLogger(__name__)


class ResumeRefused(EntraAuthError):
    """A kept form does not open; `reason` is one of RefusalReason."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason: RefusalReason = reason


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may open a form: the browser's secret and the user's id, each "" for none."""

    browser: str = field(repr=False)
    user_id: str


def keep_form(
    request: HttpRequest,
    owner: Owner,
    *,
    flow_id: bytes,
    settings: EntraSettings,
    clock: Callable[[], float] = time.time,
) -> str | NotKept:
    """Keep the form a request has sent, for SIGN_IN_MAX_SECONDS; its id, or why it is not kept.

    `flow_id` is of the flow that interrupts it. The id is noted in the session, for the sign-out.
    """
    if not settings.resume_max_bytes:
        return NotKept.SWITCHED_OFF
    if not (owner.browser and owner.user_id):
        return NotKept.ANONYMOUS
    form = read_form(request)
    if isinstance(form, NotKept):
        return form
    if len(json.dumps(form.fields)) > settings.resume_max_bytes:
        return NotKept.TOO_LARGE
    resume_id = _derive_id(flow_id, settings)
    entry = {
        "path": form.path,
        "fields": form.fields,
        "left_out": form.left_out,
        "owner": _hash_owner(resume_id, owner),
        "kept_at": clock(),
    }
    try:
        Entries(settings).save(_form_key(resume_id), entry, settings.sign_in_max_seconds)
    except TemporarilyUnavailable:
        return NotKept.CACHE_DOWN
    _note(request.session, resume_id, granted=False)
    return resume_id


def grant(session: SessionBase, resume_id: str) -> None:
    """Let this session open a form; called as the flow that kept it ends well."""
    _note(session, resume_id, granted=True)


def load_form(
    request: HttpRequest,
    resume_id: str,
    owner: Owner,
    *,
    settings: EntraSettings,
    clock: Callable[[], float] = time.time,
) -> KeptForm:
    """The form, which stays where it is. Raises ResumeRefused, TemporarilyUnavailable."""
    entries = Entries(settings)
    entry = entries.load(_form_key(resume_id))
    is_granted = _is_granted(request, resume_id)
    is_used = bool(entries.read_count(_claim_key(resume_id)))
    if entry is None or clock() - entry["kept_at"] > settings.sign_in_max_seconds:
        raise ResumeRefused("used" if is_granted and is_used else "expired")
    if not hmac.compare_digest(entry["owner"], _hash_owner(resume_id, owner)):
        raise ResumeRefused("elsewhere")
    if not is_granted:
        raise ResumeRefused("not_granted")
    path = check_next(entry["path"])
    if is_used or path is None:
        raise ResumeRefused("used" if is_used else "expired")
    fields = tuple((name, value) for name, value in entry["fields"])
    return KeptForm(path=path, fields=fields, left_out=tuple(entry["left_out"]))


def claim_form(
    request: HttpRequest,
    resume_id: str,
    owner: Owner,
    *,
    settings: EntraSettings,
    clock: Callable[[], float] = time.time,
) -> KeptForm:
    """The form, for exactly one of any number of callers; the others get ResumeRefused "used"."""
    form = load_form(request, resume_id, owner, settings=settings, clock=clock)
    entries = Entries(settings)
    # The mark outlives the form, so that no late second caller finds the form without it.
    if not entries.claim(_claim_key(resume_id), settings.sign_in_max_seconds + 300):
        raise ResumeRefused("used")
    _delete([resume_id], entries)
    return form


def drop_forms(session: SessionBase, settings: EntraSettings) -> None:
    """Forget every form this session has kept or been granted; for a sign-out."""
    notes = session.pop(FORMS_KEY, None)
    if notes:
        _delete(list(notes), Entries(settings))


def _derive_id(flow_id: bytes, settings: EntraSettings) -> str:
    """128 bits that only the holder of our keys and of the flow's id can name."""
    return encode_text(KeyRing(settings, "form").current().mac("resume", flow_id)[:16])


def _hash_owner(resume_id: str, owner: Owner) -> str:
    """The browser's secret is 256 random bits: a plain hash hides it."""
    return hashlib.sha256(f"{resume_id}\0{owner.browser}\0{owner.user_id}".encode()).hexdigest()


def _form_key(resume_id: str) -> str:
    return build_key("form", resume_id)


def _claim_key(resume_id: str) -> str:
    return build_key("form_used", resume_id)


def _read_notes(session: SessionBase) -> dict[str, bool]:
    return dict(session.get(FORMS_KEY, {}))


def _is_granted(request: HttpRequest, resume_id: str) -> bool:
    """A request that was under way at the flow's end may have written the older session back."""
    if _read_notes(request.session).get(resume_id):
        return True
    return EntraSession(request).heal() and bool(_read_notes(request.session).get(resume_id))


def _note(session: SessionBase, resume_id: str, *, granted: bool) -> None:
    """Newest last; the oldest make room."""
    notes = _read_notes(session)
    notes.pop(resume_id, None)
    session[FORMS_KEY] = {**dict(list(notes.items())[1 - MAX_FORMS :]), resume_id: granted}


def _delete(resume_ids: list[str], entries: Entries) -> None:
    """What cannot be deleted ends by itself, and nobody waits for a cache that is down."""
    try:
        for resume_id in resume_ids:
            entries.delete(_form_key(resume_id))
    except TemporarilyUnavailable:
        logger.warning("The cache is down: kept forms stay until they expire")
