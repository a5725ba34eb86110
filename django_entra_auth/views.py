"""The views of a sign-in and a sign-out; they only translate between HTTP and the flows."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode, urlsplit

from django.conf import settings as django_settings
from django.contrib.auth import logout as django_logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from django_entra_auth import sign_ins
from django_entra_auth.backends import find_backend
from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed, TemporarilyUnavailable
from django_entra_auth.interaction import (
    answers,
    pages,
    prompt,
    resume_pages,
    sign_in,
    sign_out,
    sign_out_pages,
)
from django_entra_auth.interaction.admin_consent import ConsentGiven
from django_entra_auth.interaction.answer import (
    BODY_MAX_BYTES,
    Answer,
    keep_answer,
    load_answer,
    parse_answer,
)
from django_entra_auth.interaction.browser import drop_marker, set_marker, set_signed_out
from django_entra_auth.interaction.caller import Caller, identify_caller
from django_entra_auth.interaction.challenge import answer_with_prompt, start
from django_entra_auth.interaction.establish import AccountMismatch
from django_entra_auth.interaction.failures import report_failure
from django_entra_auth.interaction.login_url import PARAMETER, build_login_url, read_challenge
from django_entra_auth.interaction.next_url import read_next
from django_entra_auth.interaction.state import name_account, open_flow

HOP_COOKIE = "entra_hop"
HOP_SECONDS = 10
FRAMED_POLICY = "default-src 'none'; frame-ancestors *"
NOT_SENT = gettext_lazy("What you sent was not kept: it will have to be sent again.")

View = Callable[..., HttpResponse]


def _page_view(view: View) -> View:
    """Failures become pages; nothing is cached; Django's own sign-in wall lets it through."""

    @wraps(view)
    def wrapper(request: HttpRequest, **path: str) -> HttpResponse:
        try:
            return view(request, **path)
        except AccountMismatch as mismatch:
            report_failure(request, mismatch)
            return pages.render_which_account(request, mismatch)
        except TemporarilyUnavailable as outage:
            failure = SignInFailed("cache_unavailable", result=outage.result)
        except SignInFailed as refusal:
            failure = refusal
        report_failure(request, failure)
        return pages.render_failure(request, failure)

    return login_not_required(never_cache(wrapper))


@_page_view
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """GET starts a sign-in on the way to `next`; POST (CSRF) with `account` changes the account.

    Besides `next` only a sealed challenge of this site is read, as scripts and links get it.
    """
    next_url = read_next(request)
    if request.method == "POST":
        return _prompt_for_account(request, next_url)
    if elsewhere := _login_on_redirect_origin(request):
        return elsewhere
    flow, caller = read_challenge(request), identify_caller(request)
    if flow is None and request.entra.is_signed_in:  # type: ignore[attr-defined]
        return _render_already_signed_in(request, next_url)
    if caller is Caller.NAVIGATION and pages.has_lost_session(request):
        return pages.render_no_session(request, next_url)
    if flow is not None and flow.loses_input:
        return answers.tell_not_kept(request, flow, NOT_SENT)
    flow = flow or prompt.plan(request, next_url)
    return answers.protect(answer_with_prompt(request, flow, caller))


def _prompt_for_account(request: HttpRequest, next_url: str) -> HttpResponse:
    """`other` signs out and lets one choose; else the running account is asked for again."""
    if request.POST.get("account") == "other":
        django_logout(request)
        flow = prompt.plan(request, next_url)
        started = prompt.start(request, flow, prompt="select_account")
    else:
        expected = name_account(request.entra.account)  # type: ignore[attr-defined]
        flow = read_challenge(request) or prompt.plan(request, next_url, expected=expected)
        started = start(request, flow)
    return pages.continue_to_prompt(request, started)


def _render_already_signed_in(request: HttpRequest, next_url: str) -> HttpResponse:
    """Never a redirect: a page that refuses this person would send them here for ever."""
    account = request.entra.account  # type: ignore[attr-defined]
    context = {"username": account.username, "next_url": next_url}
    return pages.render_page(request, "already_signed_in", context, status=403)


def _login_on_redirect_origin(request: HttpRequest) -> HttpResponse | None:
    """With a fixed REDIRECT_URI the cookies have to be of its origin: move there first, once."""
    redirect_uri = get_settings().redirect_uri
    if not redirect_uri or HOP_COOKIE in request.COOKIES:
        return None
    parts = urlsplit(redirect_uri)
    if (parts.scheme, parts.netloc) == (request.scheme, request.get_host()):
        return None
    response = HttpResponse(status=302)
    url = pages.login_url(read_next(request))
    if PARAMETER in request.GET:  # sealed for this browser: elsewhere it asks for nothing
        url += "&" + urlencode({PARAMETER: request.GET[PARAMETER]})
    response["Location"] = f"{parts.scheme}://{parts.netloc}{url}"
    # Behind a proxy that hides the host, the next request looks just like this one.
    response.set_cookie(HOP_COOKIE, "1", max_age=HOP_SECONDS, httponly=True, samesite="Lax")
    return response


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
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_MAX_BYTES:
            raise SignInFailed("oversized")
        return parse_answer(request.POST)
    except (SuspiciousOperation, ValueError) as exc:  # or a length that is no number
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
    if isinstance(outcome, ConsentGiven):
        return _render_consent_given(request, outcome)
    if isinstance(outcome, sign_in.Restart):
        again = prompt.plan(request, outcome.next_url, attempt=1)
        return pages.redirect_to_prompt(start(request, again))
    response = _go_on(request, outcome)
    sign_in_id = request.entra.sign_in_id  # type: ignore[attr-defined]
    if outcome.is_new and sign_in_id:
        id_hash = sign_ins.hash_id(sign_in_id)
        set_marker(response, id_hash, get_settings(), secure=outcome.secure)
    return response


def _render_consent_given(request: HttpRequest, outcome: ConsentGiven) -> HttpResponse:
    """The consent takes a moment to arrive everywhere, so the next step is the person's click."""
    url, browser = build_login_url(request, outcome.flow)
    response = pages.render_page(request, "consent_given", {"continue_url": url})
    pages.set_flow_browser(response, browser, outcome.flow)
    return response


def _go_on(request: HttpRequest, outcome: sign_in.Completed) -> HttpResponse:
    """Back to the page, to the form that was kept, or to the window that waits."""
    if outcome.is_popup:
        return pages.render_page(request, "challenge_done", {"next_url": outcome.next_url})
    if not outcome.resume_id:
        return pages.go_on(request, outcome.next_url)
    return pages.go_on(request, reverse("django_entra_auth:resume", args=[outcome.resume_id]))


@_page_view
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest, resume_id: str) -> HttpResponse:
    """GET shows a kept form, POST (CSRF) sends it on, once."""
    if request.method == "POST":
        return resume_pages.send(request, resume_id)
    return resume_pages.show(request, resume_id)


@_page_view
@csrf_exempt  # `_sign_out` checks; where nobody is signed in there is nothing to protect
@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """POST signs out here and at Entra; GET is the signed-out page, or a button.

    Fields of the POST (CSRF), each optional and on when not empty: `everywhere` ends the person's
    sign-ins on all other devices too; `provider` goes on to Entra's own sign-out also for people
    who are not signed in here through Entra, or no longer.
    """
    if request.method != "POST":
        is_here = request.user.is_authenticated
        return sign_out_pages.ask(request) if is_here else sign_out_pages.show(request)
    # A second click, or a session that has expired: no token could be right.
    is_here = sign_out.is_anybody_here(request)
    return _sign_out(request) if is_here else _sign_out_nobody(request)


@csrf_protect
def _sign_out(request: HttpRequest) -> HttpResponse:
    try:
        done = sign_out.sign_out(
            request,
            everywhere=bool(request.POST.get("everywhere")),
            at_provider=bool(request.POST.get("provider")),
        )
    except TemporarilyUnavailable:
        return sign_out_pages.fail(request)
    return sign_out_pages.answer(request, done)


def _sign_out_nobody(request: HttpRequest) -> HttpResponse:
    """Leaves the session alone, since nothing has shown that the person meant to send this.

    Another site's form comes without the cookies of this one, whoever is signed in: the GET that
    follows has them, and tells what is true.
    """
    uri = sign_out.build_end_session_uri(request) if request.POST.get("provider") else None
    if uri is None:
        response: HttpResponse = HttpResponseRedirect(reverse("django_entra_auth:logout"))
        set_signed_out(response)
    else:
        response = sign_out_pages.answer(request, sign_out.SignedOut(uri))
    drop_marker(response)  # whoever signs out does not wonder where the session has gone
    return response


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
    # A policy of its own, or the site's `frame-ancestors` would make the frame an error.
    return HttpResponse(headers={"Content-Security-Policy": FRAMED_POLICY})
