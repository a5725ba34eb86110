"""Complete a sign-in from Entra's answer: a short flow over dataclasses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from django_entra_auth import sign_ins, signals
from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed, TemporarilyUnavailable
from django_entra_auth.group_membership import Membership, acquire_from, complete_groups
from django_entra_auth.interaction.admin_consent import ConsentGiven, read_admin_consent
from django_entra_auth.interaction.answer import Answer
from django_entra_auth.interaction.browser import read_browser
from django_entra_auth.interaction.establish import (
    SignInBackend,
    describe_account,
    establish,
    require_expected,
    require_satisfied,
    validate_account,
)
from django_entra_auth.interaction.failures import reason_for
from django_entra_auth.interaction.limits import (
    count_failed_redemption,
    require_redemption_allowed,
)
from django_entra_auth.interaction.loop_guard import mark_prompted
from django_entra_auth.interaction.next_url import check_next, default_next
from django_entra_auth.interaction.prompt import find_redeemed_scopes, load_details
from django_entra_auth.interaction.resume import grant
from django_entra_auth.interaction.revalidation import check_again_soon
from django_entra_auth.interaction.state import Flow, SealedFlow, open_flow
from django_entra_auth.provisioning import ValidatedSignIn
from django_entra_auth.session import EntraSession

SIGN_IN_SCOPES = ("openid", "profile", "email", "offline_access")


@dataclass(frozen=True, slots=True)
class Completed:
    """A sign-in that ended well: go to `next_url`. `is_new` unless one was there already.

    `resume_id` names the form that was kept, `is_popup` says that another window waits.
    """

    next_url: str
    is_new: bool
    secure: bool
    resume_id: str = ""
    is_popup: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """The answer could not be used, but a fresh start may well work; done once."""

    next_url: str


def complete(
    request: HttpRequest,
    answer: Answer,
    backend: SignInBackend,
    *,
    clock: Callable[[], float] = time.time,
) -> Completed | ConsentGiven | Restart:
    """Turn an answer into a signed-in session; raises SignInFailed, AccountMismatch.

    The order is part of the contract: seal and age, binding, one-time claim, error before code,
    one redemption, tenants and guests, the account, the user.
    """
    settings = get_settings()
    sealed = load_details(open_flow(answer.state, settings, clock=clock), settings)
    next_url = check_next(sealed.flow.next_url) or default_next()
    try:
        return _complete(request, answer, sealed, backend, next_url)
    except TemporarilyUnavailable as outage:
        result = outage.result
        failure = SignInFailed("cache_unavailable", result=result, next_url=next_url)
        raise _with_flow(failure, sealed.flow) from outage
    except SignInFailed as failure:
        failure.next_url = next_url
        raise _with_flow(failure, sealed.flow) from failure.__cause__


def _with_flow(failure: SignInFailed, flow: Flow) -> SignInFailed:
    """What failed, so that the person's own next click can ask for the same."""
    failure.flow = flow if flow.is_challenge else None
    return failure


def _complete(
    request: HttpRequest,
    answer: Answer,
    sealed: SealedFlow,
    backend: SignInBackend,
    next_url: str,
) -> Completed | ConsentGiven | Restart:
    flow = sealed.flow
    browser = read_browser(request, secure=flow.is_secure)
    is_bound = browser is not None and sealed.is_from(browser)
    if flow.is_admin_consent:
        # Nobody signs in by it, and administrators open the link in a browser of their own.
        return read_admin_consent(answer, flow, is_bound=is_bound)
    if browser is None or not is_bound:
        return _lost(request, flow, next_url, "browser_mismatch")
    if not _claim(flow):
        return _lost(request, flow, next_url, "replayed")
    if answer.error:
        raise SignInFailed(reason_for(answer.error), result=answer.error)
    _sign_in(request, _redeem(request, answer, sealed, browser), flow, backend)
    return Completed(
        next_url,
        is_new=True,
        secure=flow.is_secure,
        resume_id=flow.resume_id,
        is_popup=flow.is_popup,
    )


def _sign_in(
    request: HttpRequest, result: dict[str, Any], flow: Flow, backend: SignInBackend
) -> None:
    """From a redeemed code to a session: the account, what was asked for, groups, the user."""
    settings = get_settings()
    account = validate_account(result, settings)
    require_expected(request, account, flow.expected)
    require_satisfied(result, flow.requirement)
    acquire = acquire_from(result, _kept_scopes(flow))
    membership = complete_groups(request, account.claims, settings, acquire)
    sign_in = ValidatedSignIn(membership.claims)
    keep_tokens = partial(_keep_tokens, request, result, flow)
    note_end = partial(_note_end, flow, membership)
    try:
        user = establish(request, sign_in, backend, keep_tokens=keep_tokens, note_end=note_end)
    except SignInFailed as refusal:
        raise _explain(refusal, membership) from refusal.__cause__
    signals.signed_in.send_robust(
        type(backend),
        request=request,
        user=user,
        claims=sign_in.claims,
        account=describe_account(sign_in.claims),
    )


def _explain(refusal: SignInFailed, membership: Membership) -> SignInFailed:
    """A site's own rule may go by groups: while they cannot be told, nobody is refused for good."""
    if refusal.reason != "claims_refused" or not membership.is_passing:
        return refusal
    failure = membership.failure or {}
    return SignInFailed(reason_for(failure), result=failure)


def _note_end(flow: Flow, membership: Membership, session: SessionBase) -> None:
    """In the same write as the sign-in: what comes later, a request under way may overwrite."""
    if membership.is_passing:
        check_again_soon(session, membership.retry_after)
    if flow.reason:
        mark_prompted(session, flow.reason)
    if flow.resume_id:
        grant(session, flow.resume_id)


def _claim(flow: Flow) -> bool:
    settings = get_settings()
    key = build_key("flow", flow.id.hex())
    return Entries(settings).claim(key, settings.sign_in_max_seconds + 300)


def _lost(request: HttpRequest, flow: Flow, next_url: str, reason: str) -> Completed | Restart:
    """A reload, the back button, another tab, another browser: go on, or start again once.

    A used flow was brought here by the person: its page says what is still missing. Where the
    binding is lost it may be lost each time, so only a plain sign-in goes on, and no restarted one.
    """
    is_harmless = reason == "replayed" or not (flow.is_challenge or flow.attempt)
    if EntraSession(request).is_signed_in and is_harmless:
        return Completed(next_url, is_new=False, secure=flow.is_secure)
    if flow.attempt == 0:
        return Restart(next_url)
    raise SignInFailed(reason, next_url=next_url)


def _redeem(
    request: HttpRequest, answer: Answer, sealed: SealedFlow, browser: str
) -> dict[str, Any]:
    """One redemption, never repeated; the ID token in the result is validated."""
    if not answer.code:
        raise SignInFailed("code_missing")
    entries = Entries(get_settings())
    require_redemption_allowed(request, browser, entries)
    flow = {
        "state": answer.state,
        "redirect_uri": sealed.flow.redirect_uri,
        "scope": _kept_scopes(sealed.flow),
        "code_verifier": sealed.code_verifier(browser),
        "nonce": sealed.nonce(browser),
        "claims_challenge": sealed.flow.requirement.build_claims(),
    }
    result = get_application().acquire_token_by_auth_code_flow(
        flow, {"state": answer.state, "code": answer.code}
    )
    if "error" in result:
        count_failed_redemption(request, browser, entries)
        raise SignInFailed(_reason_of_redemption(result), result=result)
    return result


def _keep_tokens(request: HttpRequest, result: dict[str, Any], flow: Flow, sign_in_id: str) -> None:
    seconds = request.session.get_expiry_age
    token_cache = sign_ins.open_token_cache(sign_in_id, session_seconds=seconds)
    application = get_application().bind(token_cache)
    application.keep_sign_in(result, _kept_scopes(flow))


def _kept_scopes(flow: Flow) -> list[str]:
    return [*find_redeemed_scopes(flow, get_settings()), *SIGN_IN_SCOPES]


def _reason_of_redemption(result: Mapping[str, Any]) -> str:
    """A bare `invalid_grant` speaks of the code; with a sub-error, of the person."""
    if result.get("error") == "invalid_grant" and not result.get("suberror"):
        return "code_rejected"
    return reason_for(result)
