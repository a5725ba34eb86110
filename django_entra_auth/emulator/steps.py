"""Which page a sign-in needs next: single sign-on, prompt, max_age, policies, consent."""

from typing import Literal

from .browsers import Browser, Pending, Session
from .directory import Account, account_in
from .enforcement import Asked, Demand, Proof, find_demand, make_silent_refusal
from .errors import EntraError
from .policies import Control
from .state import State

Step = Literal[
    "sign_in",
    "pick_account",
    "mfa",
    "device",
    "terms",
    "password_change",
    "approval",
    "consent",
    "blocked",
    "done",
]
_STEPS: dict[Control, Step] = {
    "assignment": "blocked",
    "block": "blocked",
    "risk": "blocked",
    "app_protection": "blocked",
    "sign_in_frequency": "sign_in",
    "mfa": "mfa",
    "compliant_device": "device",
    "password_change": "password_change",
    "terms_of_use": "terms",
    "admin_consent": "approval",
    "user_consent": "consent",
}


def next_step(state: State, browser: Browser, pending: Pending) -> Step:
    """The next thing the person has to do; picks the session for single sign-on on the way."""
    if pending.session is not None and pending.session.is_revoked:
        pending.session = None
        pending.done.discard("credentials")
    if pending.session is None and not _asks_for_choice(pending):
        pending.session = _only(matching_sessions(browser, pending), pending)
    if pending.session is None:
        return "pick_account" if _offers_choice(browser, pending) else "sign_in"
    return _remaining_step(state, browser, pending, pending.session)


def _remaining_step(state: State, browser: Browser, pending: Pending, session: Session) -> Step:
    account = signed_in_account(pending)
    if account is None or not session.person.enabled:
        return "sign_in"
    if _needs_credentials(pending, session, state.clock()):
        return "sign_in"
    if session.person.mfa_required and session.mfa_at is None:
        return "mfa"
    demand = current_demand(state, browser, pending)
    if demand is not None:
        return _step_for(demand, account)
    return _consent_step(pending, account)


def _step_for(demand: Demand, account: Account) -> Step:
    if demand.control == "admin_consent" and account.is_admin:
        return "consent"
    return _STEPS[demand.control]


def signed_in_account(pending: Pending) -> Account | None:
    """The account with which the sign-in under way goes on; None before there is one."""
    session = pending.session
    return account_in(session.person, pending.request.segment) if session else None


def asked_by(pending: Pending, account: Account) -> Asked:
    """What `account` asks for in the sign-in under way."""
    request = pending.request
    return Asked(
        request.application,
        account,
        request.scopes,
        request.contexts,
        request.access_contexts,
        request.policy_ids,
    )


def current_demand(state: State, browser: Browser, pending: Pending) -> Demand | None:
    """What policies demand before the sign-in under way can go on."""
    session, account = pending.session, signed_in_account(pending)
    if session is None or account is None:
        return None
    proof = Proof(browser.facts(session), state.clock(), "credentials" in pending.done)
    demand = find_demand(state, asked_by(pending, account), proof)
    if demand is not None and pending.request.admin_consent and demand.is_consent:
        return None
    return demand


def consents_for_all(state: State, browser: Browser, pending: Pending) -> bool:
    """Whether who accepts on the consent page does so for the whole tenant."""
    account = signed_in_account(pending)
    if account is None or not account.is_admin:
        return False
    demand = current_demand(state, browser, pending)
    is_demanded = demand is not None and demand.control == "admin_consent"
    return is_demanded or pending.request.admin_consent is not None


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


def _consent_step(pending: Pending, account: Account) -> Step:
    request = pending.request
    if request.admin_consent and not account.is_admin:
        return "approval"
    if "consent" in pending.done:
        return "done"
    is_wanted = request.prompt == "consent" or request.admin_consent is not None
    if is_wanted or not request.application.has_consent(account, request.scopes):
        return "consent"
    return "done"


def require_silent(state: State, browser: Browser, pending: Pending) -> None:
    """Find the session for `prompt=none`; the error for the client when a page is needed."""
    sessions = matching_sessions(browser, pending)
    if not sessions:
        raise EntraError(160021 if pending.request.sid else 50058)
    session = pending.session = _only(sessions, pending)
    if session is None:
        raise EntraError(16000)
    if not session.person.enabled:
        raise EntraError(50057, error="interaction_required")
    step = _remaining_step(state, browser, pending, session)
    if step != "done":
        raise _silent_error(state, browser, pending, step)


def _silent_error(state: State, browser: Browser, pending: Pending, step: Step) -> EntraError:
    demand = current_demand(state, browser, pending)
    if step == "sign_in" and (demand is None or demand.control != "sign_in_frequency"):
        return EntraError(50058, "The sign-in is older than asked for.")
    account = signed_in_account(pending)
    if demand is not None and account is not None:
        return make_silent_refusal(demand, asked_by(pending, account))
    if step == "mfa":
        return EntraError(50076, error="interaction_required", suberror="basic_action")
    return EntraError(65001, error="consent_required", suberror="consent_required")
