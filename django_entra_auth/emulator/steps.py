"""Which page a sign-in needs next: the rules of single sign-on, prompt, max_age, MFA, consent."""

from typing import Literal

from .browsers import Browser, Pending, Session
from .directory import account_in
from .errors import EntraError

Step = Literal["sign_in", "pick_account", "mfa", "consent", "done"]


def next_step(browser: Browser, pending: Pending, now: float) -> Step:
    """The next thing the person has to do; picks the session for single sign-on on the way."""
    if pending.session is None and not _asks_for_choice(pending):
        pending.session = _only(matching_sessions(browser, pending), pending)
    if pending.session is None:
        return "pick_account" if _offers_choice(browser, pending) else "sign_in"
    return _remaining_step(pending, pending.session, now)


def _remaining_step(pending: Pending, session: Session, now: float) -> Step:
    if not session.person.enabled or _needs_credentials(pending, session, now):
        return "sign_in"
    if session.person.mfa_required and session.mfa_at is None:
        return "mfa"
    return "consent" if _needs_consent(pending, session) else "done"


def _asks_for_choice(pending: Pending) -> bool:
    return "other" in pending.done or pending.request.prompt == "select_account"


def matching_sessions(browser: Browser, pending: Pending) -> list[Session]:
    """The sessions that fit the request's hints."""
    request = pending.request
    sessions = browser.sessions()
    if request.login_hint:
        sessions = [s for s in sessions if s.person.answers_to(request.login_hint)]
    if request.sid:
        sessions = [s for s in sessions if s.sid == request.sid]
    if request.domain_hint and request.domain_hint != "organizations":
        domain = "@" + request.domain_hint.lower()
        sessions = [s for s in sessions if s.person.username.lower().endswith(domain)]
    return sessions


def _only(sessions: list[Session], pending: Pending) -> Session | None:
    if len(sessions) != 1:
        return None
    return sessions[0] if account_in(sessions[0].person, pending.request.segment) else None


def _offers_choice(browser: Browser, pending: Pending) -> bool:
    if "other" in pending.done or pending.request.prompt == "login":
        return False
    if pending.request.prompt == "select_account":
        return bool(browser.sessions())
    return bool(matching_sessions(browser, pending))


def _needs_credentials(pending: Pending, session: Session, now: float) -> bool:
    if "credentials" in pending.done:
        return False
    max_age = pending.request.max_age
    too_old = max_age is not None and (max_age == 0 or now - session.auth_time > max_age)
    return too_old or pending.request.prompt == "login"


def _needs_consent(pending: Pending, session: Session) -> bool:
    request = pending.request
    account = account_in(session.person, request.segment)
    if account is None or "consent" in pending.done:
        return False
    return request.prompt == "consent" or not request.application.has_consent(
        account, request.scopes
    )


def require_silent(browser: Browser, pending: Pending, now: float) -> None:
    """Find the session for `prompt=none`; the error for the client when a page is needed."""
    sessions = matching_sessions(browser, pending)
    if not sessions:
        raise EntraError(160021 if pending.request.sid else 50058)
    pending.session = _only(sessions, pending)
    if pending.session is None:
        raise EntraError(16000)
    if not pending.session.person.enabled:
        raise EntraError(50057, error="interaction_required")
    step = _remaining_step(pending, pending.session, now)
    if step == "sign_in":
        raise EntraError(50058, "The sign-in is older than asked for.")
    if step == "mfa":
        raise EntraError(50076, error="interaction_required", suberror="basic_action")
    if step == "consent":
        raise EntraError(65001, error="consent_required", suberror="consent_required")
