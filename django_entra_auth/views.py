"""The views of a sign-in and a sign-out; they only translate between HTTP and the flows."""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode, urlsplit

from django.conf import settings as django_settings
from django.contrib.auth import logout as django_logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from django_entra_auth import sign_ins, signals
from django_entra_auth.backends import find_backend
from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed, TemporarilyUnavailable
from django_entra_auth.interaction import pages, sign_in, sign_out
from django_entra_auth.interaction.answer import (
    BODY_MAX_BYTES,
    Answer,
    keep_answer,
    load_answer,
    parse_answer,
)
from django_entra_auth.interaction.browser import (
    drop_marker,
    has_signed_out,
    has_signed_out_at_provider,
    read_marker,
    set_marker,
    set_signed_out,
)
from django_entra_auth.interaction.establish import AccountMismatch
from django_entra_auth.interaction.next_url import read_next
from django_entra_auth.interaction.state import open_flow

logger = logging.getLogger(__name__)

_WORD = re.compile(r"[a-z_]{0,64}")

View = Callable[[HttpRequest], HttpResponse]


def _page_view(view: View) -> View:
    """Failures become pages; nothing is cached; Django's own sign-in wall lets it through."""

    @wraps(view)
    def wrapper(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except AccountMismatch as mismatch:
            return pages.render_which_account(request, mismatch)
        except TemporarilyUnavailable as outage:
            failure = SignInFailed("cache_unavailable", result=outage.result)
            return _answer_failure(request, failure)
        except SignInFailed as failure:
            return _answer_failure(request, failure)

    return login_not_required(never_cache(wrapper))


def _answer_failure(request: HttpRequest, failure: SignInFailed) -> HttpResponse:
    """Log, tell, show. What a provider wrote is logged only where it is a plain word."""
    word = str(failure.result.get("failed_check") or failure.result.get("error", ""))
    logger.warning(
        "Sign-in failed: %s (%s)",
        failure.reason,
        word if _WORD.fullmatch(word) else "other",
        extra={"correlation_id": sign_ins.normalise_guid(failure.result.get("correlation_id"))},
    )
    signals.sign_in_failed.send_robust(
        SignInFailed, request=request, reason=failure.reason, result=failure.result
    )
    return pages.render_failure(request, failure)


@_page_view
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """GET starts a sign-in on the way to `next`; POST (CSRF) with `account` changes the account."""
    next_url = read_next(request)
    if request.method == "POST":
        return _prompt_for_account(request, next_url)
    if request.entra.is_signed_in:  # type: ignore[attr-defined]
        return _render_already_signed_in(request, next_url)
    if _has_lost_session(request):
        return _render_no_session(request, next_url)
    if elsewhere := _login_on_redirect_origin(request, next_url):
        return elsewhere
    # Whoever has just signed out is not to be signed in again, or as somebody else, unasked.
    choice = "select_account" if has_signed_out(request) else None
    return pages.redirect_to_prompt(sign_in.start(request, next_url, prompt=choice))


def _has_lost_session(request: HttpRequest) -> bool:
    """A sign-in was completed within the minute and lives, and its session did not come back."""
    if request.user.is_authenticated or request.entra.sign_in_id:  # type: ignore[attr-defined]
        return False
    id_hash = read_marker(request, get_settings())
    return id_hash is not None and sign_ins.is_alive(id_hash)


def _prompt_for_account(request: HttpRequest, next_url: str) -> HttpResponse:
    """`other` signs out and lets one choose; else the running account is asked for again."""
    account = request.entra.account  # type: ignore[attr-defined]
    if request.POST.get("account") == "other":
        django_logout(request)
        prompt = sign_in.start(request, next_url, prompt="select_account")
    elif account:
        expected = f"{account.oid}.{account.tid}"
        hint = account.username or None
        prompt = sign_in.start(request, next_url, login_hint=hint, expected=expected)
    else:
        prompt = sign_in.start(request, next_url)
    return pages.continue_to_prompt(request, prompt)


def _render_already_signed_in(request: HttpRequest, next_url: str) -> HttpResponse:
    """Never a redirect: a page that refuses this person would send them here for ever."""
    account = request.entra.account  # type: ignore[attr-defined]
    context = {"username": account.username, "next_url": next_url}
    return pages.render_page(request, "already_signed_in", context, status=403)


def _render_no_session(request: HttpRequest, next_url: str) -> HttpResponse:
    context = {"login_url": pages.login_url(next_url)}
    response = pages.render_page(request, "no_session", context, status=403)
    drop_marker(response)
    return response


def _login_on_redirect_origin(request: HttpRequest, next_url: str) -> HttpResponse | None:
    """With a fixed REDIRECT_URI the cookies have to be of its origin: move there first, once."""
    redirect_uri = get_settings().redirect_uri
    if not redirect_uri or HOP_COOKIE in request.COOKIES:
        return None
    parts = urlsplit(redirect_uri)
    if (parts.scheme, parts.netloc) == (request.scheme, request.get_host()):
        return None
    response = HttpResponse(status=302)
    response["Location"] = f"{parts.scheme}://{parts.netloc}{pages.login_url(next_url)}"
    # Behind a proxy that hides the host, the next request looks just like this one.
    response.set_cookie(HOP_COOKIE, "1", max_age=HOP_SECONDS, httponly=True, samesite="Lax")
    return response


HOP_COOKIE = "entra_hop"
HOP_SECONDS = 10


@_page_view
@csrf_exempt
@require_http_methods(["GET", "POST"])
def callback(request: HttpRequest) -> HttpResponse:
    """The registered redirect URI: a POST only keeps the answer, a GET completes the sign-in."""
    if request.method == "POST":
        return _keep(request, _parse_body(request))
    if "handle" in request.GET:
        answer = _load(request)
    else:
        answer = parse_answer(request.GET)
        if django_settings.SESSION_COOKIE_SAMESITE == "Strict":
            return _keep(request, answer)
    return _complete(request, answer)


def _parse_body(request: HttpRequest) -> Answer:
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_MAX_BYTES:
        raise SignInFailed("oversized")
    try:
        return parse_answer(request.POST)
    except SuspiciousOperation as exc:
        raise SignInFailed("oversized") from exc


def _keep(request: HttpRequest, answer: Answer) -> HttpResponse:
    """Keep the answer and come back by GET, with the cookies of this site."""
    settings = get_settings()
    sealed = open_flow(answer.state, settings)
    keep_answer(answer, sealed.handle, Entries(settings))
    query = urlencode({"handle": sealed.handle, "state": answer.state})
    url = f"{reverse('django_entra_auth:callback')}?{query}"
    if django_settings.SESSION_COOKIE_SAMESITE == "Strict":
        return pages.continue_to(request, url, _("Signing you in…"))
    response = HttpResponse(status=303)
    response["Location"] = url
    response["Referrer-Policy"] = "no-referrer"
    return response


def _load(request: HttpRequest) -> Answer:
    """The kept answer; without it the state alone still says where the person was going."""
    settings = get_settings()
    state = request.GET.get("state", "")
    sealed = open_flow(state, settings)
    handle = request.GET["handle"]
    kept = load_answer(handle, Entries(settings))
    matches = hmac.compare_digest(handle.encode(), sealed.handle.encode())
    if kept is None or kept.state != state or not matches:
        return Answer(state=state)
    return kept


def _complete(request: HttpRequest, answer: Answer) -> HttpResponse:
    outcome = sign_in.complete(request, answer, find_backend())
    if isinstance(outcome, sign_in.Restart):
        return pages.redirect_to_prompt(sign_in.start(request, outcome.next_url, attempt=1))
    response = pages.go_on(request, outcome.next_url)
    sign_in_id = request.entra.sign_in_id  # type: ignore[attr-defined]
    if outcome.is_new and sign_in_id:
        id_hash = sign_ins.hash_id(sign_in_id)
        set_marker(response, id_hash, get_settings(), secure=outcome.secure)
    return response


@_page_view
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """POST signs out here and at Entra; GET is the signed-out page, or a button."""
    if request.method == "POST":
        end_session_uri = sign_out.sign_out(request)
        if not end_session_uri:
            return pages.render_page(request, "signed_out", {"provider_signed_out": False})
        moving = pages.continue_to(request, end_session_uri, _("Signing you out at Microsoft…"))
        set_signed_out(moving, at_provider=True)
        return moving
    if request.user.is_authenticated:
        context = {
            "username": request.user.get_username(),
            "logout_url": reverse("django_entra_auth:logout"),
        }
        return pages.render_page(request, "sign_out", context)
    at_provider = has_signed_out_at_provider(request)
    return pages.render_page(request, "signed_out", {"provider_signed_out": at_provider})


@login_not_required
@never_cache
@xframe_options_exempt
@csrf_exempt
@require_safe
def front_channel_logout(request: HttpRequest) -> HttpResponse:
    """OIDC Front-Channel Logout: found by `sid`, as no cookie travels; tells nothing."""
    sid = sign_ins.normalise_guid(request.GET.get("sid"))
    if sid:
        sign_ins.end_from_elsewhere(sid, issuer=request.GET.get("iss"))
    return HttpResponse()
