"""Reads a form that a request has sent, as far as it can be kept and shown again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, RawPostDataException
from django.http.multipartparser import MultiPartParserError

from django_entra_auth.interaction.next_url import NEXT_MAX_BYTES, check_next
from django_entra_auth.interaction.sensitive_fields import find_sensitive_fields

CSRF_FIELD = "csrfmiddlewaretoken"
URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

Fields = tuple[tuple[str, str], ...]


class NotKept(str, Enum):
    """Why a form is not kept."""

    CSRF_EXEMPT = "csrf_exempt"  # nothing has shown that the person meant to send it
    NOT_A_FORM = "not_a_form"
    FILES = "files"
    TOO_LARGE = "too_large"
    SWITCHED_OFF = "switched_off"
    CACHE_DOWN = "cache_down"
    ANONYMOUS = "anonymous"  # nobody, or no browser, to bind it to


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form on its way to `path`, a checked local path with its query.

    `fields` are name and value in the order in which they were sent; `left_out` are the names of
    sensitive fields that were not kept.
    """

    path: str
    fields: Fields = field(repr=False)
    left_out: tuple[str, ...] = ()


def read_form(request: HttpRequest) -> KeptForm | NotKept:
    """The form that a request has sent, or why it cannot be kept.

    Only a POST whose CSRF token was checked, never a file, and no field that is sensitive.
    """
    match = request.resolver_match
    view = match.func if match else None
    obstacle = _find_obstacle(request, view)
    return obstacle or _build_form(request, view)


def _find_obstacle(request: HttpRequest, view: Callable[..., Any] | None) -> NotKept | None:
    if request.method != "POST" or request.content_type not in {URL_ENCODED, MULTIPART}:
        return NotKept.NOT_A_FORM
    # Django sets the mark when a token was accepted, and for nothing else that is a POST.
    if not getattr(request, "csrf_processing_done", False):
        return NotKept.CSRF_EXEMPT
    return NotKept.CSRF_EXEMPT if getattr(view, "csrf_exempt", False) else None


def _build_form(request: HttpRequest, view: Callable[..., Any] | None) -> KeptForm | NotKept:
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
    sensitive = find_sensitive_fields(request, view)
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
