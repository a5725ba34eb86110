"""The page that shows a kept form, and the click that sends it on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import add_never_cache_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.interaction.browser import read_browser
from django_entra_auth.interaction.pages import render_page, set_retry_after
from django_entra_auth.interaction.prompt import build_redirect_uri
from django_entra_auth.interaction.resume import Owner, ResumeRefused, claim_form, load_form
from django_entra_auth.interaction.sent_form import CSRF_FIELD, KeptForm, NotKept

SHOWN_CHARS = 200
OPEN_FIELDS = 12  # more than these are folded, so that the button stays in sight

Text = str | Promise
Open = Callable[..., KeptForm]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The page of a form that does not open. `can_retry` offers the way back to the same page."""

    status: int
    title: Text
    message: Text
    advice: Text = ""
    can_retry: bool = False


REFUSALS: Mapping[str, Refusal] = {
    "expired": Refusal(
        404, _("This form is no longer here"),
        _("What you had filled in is kept for a limited time, and not after a sign-out."),
        _("Please open the page again and fill in the form once more."),
    ),
    "used": Refusal(
        410, _("This form was already sent"),
        _("A kept form is sent once, so that nothing happens twice."),
        _("Look whether it arrived before you send it again."),
    ),
    "elsewhere": Refusal(
        403, _("This form was filled in elsewhere"),
        _("It was kept for another account or in another browser, and opens only there."),
        _("Go back to the browser and the account you filled it in with."),
    ),
    "not_granted": Refusal(
        403, _("This form is still waiting for your sign-in"),
        _("It opens when the sign-in it was interrupted by is finished in this browser."),
        _("Finish that sign-in, then try again."), can_retry=True,
    ),
    "cache_down": Refusal(
        503, _("Your form cannot be shown right now"),
        _("A part of this site is not available. Nothing has been sent."),
        _("Please try again in a moment."), can_retry=True,
    ),
}  # fmt: skip

NOT_KEPT: Mapping[NotKept, Text] = {
    NotKept.CSRF_EXEMPT: _("What you sent was not kept: it will have to be sent again."),
    NotKept.NOT_A_FORM: _("What you sent was not kept: it will have to be sent again."),
    NotKept.FILES: _("Your form was not kept, because files cannot be. Please send it again."),
    NotKept.TOO_LARGE: _("Your form was too large to be kept. Please send it again."),
    NotKept.SWITCHED_OFF: _("What you sent was not kept: it will have to be sent again."),
    NotKept.CACHE_DOWN: _("Your form could not be kept just now. Please send it again."),
    NotKept.ANONYMOUS: _("What you sent was not kept: it will have to be sent again."),
}


def show(request: HttpRequest, resume_id: str) -> HttpResponse:
    """What will be sent; the form is still there afterwards."""
    try:
        form = _open(load_form, request, resume_id)
    except ResumeRefused as refused:
        return _render_refusal(request, refused.reason)
    except TemporarilyUnavailable:
        return _render_refusal(request, "cache_down")
    context = {
        "form": form,
        "resume_url": request.path,
        "can_send": bool(form.fields or not form.left_out),
        **_describe(form.fields),
    }
    return render_page(request, "resume", context)


def send(request: HttpRequest, resume_id: str) -> HttpResponse:
    """Let the browser send the same body on (307); the first time only.

    The caller has checked the CSRF token.
    """
    try:
        form = _open(claim_form, request, resume_id)
    except ResumeRefused as refused:
        # The click of an impatient person: what they sent is here, and must not be lost.
        return _render_refusal(request, refused.reason, posted=_read_posted(request))
    except TemporarilyUnavailable:
        return _render_refusal(request, "cache_down")
    response = HttpResponseRedirect(form.path, preserve_request=True)
    add_never_cache_headers(response)
    # A redirect's policy holds for the request that follows (Fetch, "HTTP-redirect fetch"). Under
    # "no-referrer" that may say "Origin: null", which Django's CSRF check refuses.
    response["Referrer-Policy"] = "strict-origin"
    return response


def _open(opener: Open, request: HttpRequest, resume_id: str) -> KeptForm:
    settings = get_settings()
    is_secure = build_redirect_uri(request, settings).startswith("https://")
    owner = Owner(
        read_browser(request, secure=is_secure) or "",
        str(request.user.pk) if request.user.is_authenticated else "",
    )
    return opener(request, resume_id, owner, settings=settings)


def _render_refusal(
    request: HttpRequest, reason: str, *, posted: Iterable[tuple[str, str]] = ()
) -> HttpResponse:
    page = REFUSALS[reason]
    context = {
        "title": page.title,
        "message": page.message,
        "advice": page.advice,
        "retry_url": request.path if page.can_retry else None,
        **_describe(posted, shown_chars=None),
    }
    response = render_page(request, "resume_refused", context, status=page.status)
    set_retry_after(response)
    return response


def _read_posted(request: HttpRequest) -> list[tuple[str, str]]:
    pairs = [(name, str(value)) for name, values in request.POST.lists() for value in values]
    return [(name, value) for name, value in pairs if name != CSRF_FIELD]


def _describe(
    fields: Iterable[tuple[str, str]], *, shown_chars: int | None = SHOWN_CHARS
) -> dict[str, Any]:
    """Context of the list of fields: (name, value, whether the value is cut)."""
    shown = [(name, *_shorten(value, shown_chars)) for name, value in fields]
    return {"shown_fields": shown, "is_folded": len(shown) > OPEN_FIELDS}


def _shorten(value: str, limit: int | None) -> tuple[str, bool]:
    if limit is None or len(value) <= limit:
        return value, False
    return value[:limit] + "…", True
