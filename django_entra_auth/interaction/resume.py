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
from enum import Enum
from typing import Any, Literal
from urllib.parse import parse_qsl

from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, RawPostDataException
from django.http.multipartparser import MultiPartParserError

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.conf import EntraSettings
from django_entra_auth.exceptions import EntraAuthError, TemporarilyUnavailable
from django_entra_auth.interaction.next_url import NEXT_MAX_BYTES, check_next
from django_entra_auth.interaction.sensitive_fields import find_sensitive_fields
from django_entra_auth.sealing import KeyRing, encode_text
from django_entra_auth.session import EntraSession

FORMS_KEY = "_entra_forms"
MAX_FORMS = 8
CSRF_FIELD = "csrfmiddlewaretoken"
URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

Fields = tuple[tuple[str, str], ...]
RefusalReason = Literal["expired", "used", "elsewhere", "not_granted"]

logger = logging.getLogger(__name__)


class NotKept(str, Enum):
    """Why a form is not kept."""

    CSRF_EXEMPT = "csrf_exempt"  # nothing has shown that the person meant to send it
    NOT_A_FORM = "not_a_form"
    FILES = "files"
    TOO_LARGE = "too_large"
    SWITCHED_OFF = "switched_off"
    CACHE_DOWN = "cache_down"
    ANONYMOUS = "anonymous"  # nobody, or no browser, to bind it to


class ResumeRefused(EntraAuthError):
    """A kept form does not open; `reason` is one of RefusalReason."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason: RefusalReason = reason


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form on its way to `path`, a checked local path with its query.

    `fields` are name and value in the order in which they were sent; `left_out` are the names of
    sensitive fields that were not kept.
    """

    path: str
    fields: Fields = field(repr=False)
    left_out: tuple[str, ...] = ()


def keep_form(
    request: HttpRequest,
    view_func: Callable[..., Any] | None,
    *,
    flow_id: bytes,
    browser: str,
    user_id: str,
    settings: EntraSettings,
    clock: Callable[[], float] = time.time,
) -> str | NotKept:
    """Keep the form a request has sent, for SIGN_IN_MAX_SECONDS; its id, or why it is not kept.

    `view_func` is the view that was to get it, `browser` the browser's secret. Only a POST whose
    CSRF token was checked is kept, never a file. The id is noted in the session, for the sign-out.
    """
    obstacle = _find_obstacle(request, view_func, settings)
    if obstacle is None and not (browser and user_id):
        obstacle = NotKept.ANONYMOUS
    form = obstacle or _build_form(request, view_func)
    if isinstance(form, NotKept):
        return form
    if len(json.dumps(form.fields)) > settings.resume_max_bytes:
        return NotKept.TOO_LARGE
    resume_id = _derive_id(flow_id, settings)
    entry = {
        "path": form.path,
        "fields": form.fields,
        "left_out": form.left_out,
        "owner": _hash_owner(resume_id, browser, user_id),
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
    *,
    browser: str,
    user_id: str,
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
    if not hmac.compare_digest(entry["owner"], _hash_owner(resume_id, browser, user_id)):
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
    *,
    browser: str,
    user_id: str,
    settings: EntraSettings,
    clock: Callable[[], float] = time.time,
) -> KeptForm:
    """The form, for exactly one of any number of callers; the others get ResumeRefused "used"."""
    form = load_form(
        request, resume_id, browser=browser, user_id=user_id, settings=settings, clock=clock
    )
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


def _find_obstacle(
    request: HttpRequest, view_func: Callable[..., Any] | None, settings: EntraSettings
) -> NotKept | None:
    if not settings.resume_max_bytes:
        return NotKept.SWITCHED_OFF
    if request.method != "POST" or request.content_type not in {URL_ENCODED, MULTIPART}:
        return NotKept.NOT_A_FORM
    # Django sets the mark when a token was accepted, and for nothing else that is a POST.
    if not getattr(request, "csrf_processing_done", False):
        return NotKept.CSRF_EXEMPT
    if any(getattr(view, "csrf_exempt", False) for view in _find_views(request, view_func)):
        return NotKept.CSRF_EXEMPT
    return None


def _find_views(
    request: HttpRequest, view_func: Callable[..., Any] | None
) -> list[Callable[..., Any]]:
    """The view as it was given and as the URLconf has it: decorators may lie between them."""
    match = request.resolver_match
    return [view for view in (view_func, match.func if match else None) if view is not None]


def _build_form(request: HttpRequest, view_func: Callable[..., Any] | None) -> KeptForm | NotKept:
    try:
        if request.FILES:
            return NotKept.FILES
        sent = _read_fields(request)
    except RequestDataTooBig:
        return NotKept.TOO_LARGE
    except (BadRequest, MultiPartParserError, OSError, SuspiciousOperation):
        return NotKept.NOT_A_FORM
    path = request.get_full_path()
    if len(path) > NEXT_MAX_BYTES:
        return NotKept.TOO_LARGE
    checked = check_next(path)
    if checked is None or not all(_survives_html(text) for pair in sent for text in pair):
        return NotKept.NOT_A_FORM
    sensitive = find_sensitive_fields(request, *_find_views(request, view_func))
    fields = tuple((name, value) for name, value in sent if name not in sensitive)
    left_out = dict.fromkeys(name for name, _ in sent if name in sensitive)
    return KeptForm(path=checked, fields=fields, left_out=tuple(left_out))


def _read_fields(request: HttpRequest) -> list[tuple[str, str]]:
    """Name and value of every field but the CSRF token, in the order in which they were sent.

    Of a multipart body only the order within one name is known. What Django made of the body
    decides: where it is not what the body says, somebody has changed it on purpose.
    """
    lists = {name: [str(value) for value in values] for name, values in request.POST.lists()}
    pairs = _parse_body(request) if request.content_type == URL_ENCODED else []
    if _group(pairs) != lists:
        pairs = [(name, value) for name, values in lists.items() for value in values]
    return [(name, value) for name, value in pairs if name != CSRF_FIELD]


def _parse_body(request: HttpRequest) -> list[tuple[str, str]]:
    """The pairs as QueryDict reads them, which forgets their order; none if the body is gone."""
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        text = request.body.decode("iso-8859-1")
    except RawPostDataException:
        return []
    return parse_qsl(text, keep_blank_values=True)


def _group(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _survives_html(text: str) -> bool:
    """Whether a hidden field can carry a text: HTML has no NUL, UTF-8 no lone surrogate."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _derive_id(flow_id: bytes, settings: EntraSettings) -> str:
    """128 bits that only the holder of our keys and of the flow's id can name."""
    return encode_text(KeyRing(settings, "form").current().mac("resume", flow_id)[:16])


def _hash_owner(resume_id: str, browser: str, user_id: str) -> str:
    """Who may open a form. The browser's secret is 256 random bits: a plain hash hides it."""
    return hashlib.sha256(f"{resume_id}\0{browser}\0{user_id}".encode()).hexdigest()


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
