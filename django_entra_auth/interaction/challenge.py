"""From an exception to the answer that fits who asks: a prompt, a page that waits, or a stop."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from django_entra_auth import signals
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import (
    ConfigurationRejected,
    EntraAuthError,
    InteractionRequired,
    SignInFailed,
    TemporarilyUnavailable,
    TokenError,
    TokenThrottled,
    build_token_error,
)
from django_entra_auth.interaction import answers, pages, prompt
from django_entra_auth.interaction.browser import ensure_browser, has_signed_out
from django_entra_auth.interaction.caller import Caller, find_way_back, identify_caller
from django_entra_auth.interaction.failures import build_stop
from django_entra_auth.interaction.loop_guard import (
    build_reason,
    cannot_be_prompted,
    note_answer,
    was_just_prompted,
)
from django_entra_auth.interaction.next_url import default_next
from django_entra_auth.interaction.requirement import Requirement, read_requirement
from django_entra_auth.interaction.resume import Owner, keep_form
from django_entra_auth.interaction.resume_pages import NOT_KEPT
from django_entra_auth.interaction.sent_form import NotKept
from django_entra_auth.interaction.state import Flow, name_account
from django_entra_auth.session import EntraSession

NO_RESUME_FLAG = "_entra_no_resume"

logger = logging.getLogger(__name__)


def challenge_response(request: HttpRequest, exc: EntraAuthError) -> HttpResponse:
    """The answer to an exception of this app, for whoever asks.

    A redirect to Entra with the claims for a person's browser on its way to a page, 401 with a
    `login_url` for scripts, 503 with Retry-After for trouble that passes, a stop page where
    another prompt cannot help. Public for handlers that catch exceptions before the middleware.
    """
    note_answer(request)
    caller = identify_caller(request)
    try:
        return answers.protect(_answer(request, exc, caller))
    except SignInFailed as failure:
        return answers.protect(answers.refuse(request, caller, failure))
    except TemporarilyUnavailable as outage:
        return answers.protect(answers.wait(request, caller, outage))


def _answer(request: HttpRequest, exc: EntraAuthError, caller: Caller) -> HttpResponse:
    if type(exc) is TokenError:
        exc = build_token_error(exc.result)
    if isinstance(exc, TokenThrottled | TemporarilyUnavailable):
        return answers.wait(request, caller, exc)
    if isinstance(exc, InteractionRequired):
        return _prompt(request, exc, caller)
    if not isinstance(exc, ConfigurationRejected):
        raise TypeError(f"{type(exc).__name__} is no challenge") from exc
    logger.error("The configuration was rejected: %s", exc)
    return answers.refuse(request, caller, SignInFailed("configuration", result=exc.result))


def _prompt(request: HttpRequest, exc: InteractionRequired, caller: Caller) -> HttpResponse:
    if caller is Caller.PREFETCH:
        return answers.refuse_prefetch()
    requirement = read_requirement(exc)
    reason = build_reason(request, exc, requirement)
    is_signed_in = EntraSession(request).is_signed_in
    if is_signed_in:
        if exc.source == "site" and EntraSession(request).heal():
            # A request from before the last prompt had written its older session back.
            return HttpResponseRedirect(answers.own_address(request), preserve_request=True)
        if cannot_be_prompted(exc.result) or was_just_prompted(request.session, reason):
            return _stop(request, exc, caller, build_flow(request, caller, requirement, reason))
        signals.claims_challenged.send_robust(
            InteractionRequired,
            request=request,
            claims=requirement.build_claims(),
            scopes=requirement.scopes,
            result=exc.result,
        )
    elif caller is Caller.NAVIGATION:
        next_url = _way_back(request, caller)
        if not requirement:
            return redirect_to_login(next_url, pages.login_url())
        if pages.has_lost_session(request):
            return pages.render_no_session(request, next_url)
    flow = build_flow(request, caller, requirement, reason)
    return answer_with_prompt(request, flow, caller)


def _stop(
    request: HttpRequest, exc: InteractionRequired, caller: Caller, flow: Flow
) -> HttpResponse:
    """No redirect: what happened, and a retry that is the person's own click."""
    if caller is Caller.FORM:
        kept = _keep(request, flow)
        flow = flow if isinstance(kept, NotKept) else replace(flow, resume_id=kept)
    found = build_stop(exc.result, is_repeated=not cannot_be_prompted(exc.result))
    found.flow, found.next_url = flow, flow.next_url
    return answers.refuse(request, caller, found)


def build_flow(request: HttpRequest, caller: Caller, requirement: Requirement, reason: str) -> Flow:
    """The flow that prompts the running account, or anybody where none is signed in."""
    account = EntraSession(request).account
    return prompt.plan(
        request,
        _way_back(request, caller),
        requirement=requirement,
        reason=reason if account else "",
        expected=name_account(account),
    )


def answer_with_prompt(request: HttpRequest, flow: Flow, caller: Caller) -> HttpResponse:
    """Send a caller on its way to Entra, as far as it can go there."""
    if caller is Caller.PREFETCH:
        return answers.refuse_prefetch()
    if caller is Caller.SCRIPT:
        return answers.tell_script(request, flow)
    if caller is Caller.FRAME:
        return answers.link_out_of_frame(request, flow)
    if caller is Caller.FORM:
        return _keep_and_prompt(request, flow)
    if caller is Caller.HTMX:
        sends = request.method not in {"GET", "HEAD"}
        return answers.redirect_htmx(request, flow, None if sends else start(request, flow))
    return pages.redirect_to_prompt(start(request, flow))


def start(request: HttpRequest, flow: Flow) -> prompt.Prompt:
    """Prompt for what a flow asks: the running account without the account picker.

    Raises SignInFailed, with the flow for the person's own next try, and TemporarilyUnavailable.
    """
    try:
        return prompt.start(request, flow, **_choose_parameters(request, flow))
    except SignInFailed as failure:
        failure.flow = flow if flow.is_challenge else None
        raise


def _choose_parameters(request: HttpRequest, flow: Flow) -> dict[str, str | None]:
    if not flow.expected:
        # Whoever has just signed out is not to be signed in again, or as somebody else, unasked.
        return {"prompt": "select_account" if has_signed_out(request) else None}
    claims = EntraSession(request).claims
    hint = claims.get("login_hint") or claims.get("preferred_username")
    # Credentials anew where the last time is known to be too long ago.
    is_old = "auth_time" in claims and not flow.requirement.is_recent(
        claims["auth_time"], time.time()
    )
    return {"prompt": "login" if is_old else None, "login_hint": hint}


def _keep_and_prompt(request: HttpRequest, flow: Flow) -> HttpResponse:
    """Keep what was sent, and come back to it; tell people when that cannot be."""
    kept = _keep(request, flow)
    if isinstance(kept, NotKept):
        return answers.tell_not_kept(request, flow, NOT_KEPT[kept])
    started = start(request, replace(flow, resume_id=kept))
    return pages.continue_to_prompt(request, started)


def _keep(request: HttpRequest, flow: Flow) -> str | NotKept:
    if not flow.expected:
        return NotKept.ANONYMOUS
    if hasattr(request, NO_RESUME_FLAG):
        return NotKept.SWITCHED_OFF
    browser = ensure_browser(request, secure=flow.is_secure)
    owner = Owner(browser, str(request.user.pk))
    return keep_form(request, owner, flow_id=flow.id, settings=get_settings())


def _way_back(request: HttpRequest, caller: Caller) -> str:
    return find_way_back(request, caller) or default_next()
