"""The pages of a sign-in and what pressing their buttons does."""

import hmac

from .admin_consent_answers import deliver_admin_consent, deliver_admin_refusal
from .answers import deliver, deliver_cancel, deliver_error
from .browsers import Browser, Pending, Session
from .constants import MFA_CODE
from .directory import EVERYTHING, Account, Person, account_in
from .errors import EntraError, PageError, Stamp
from .grants import Grant
from .messages import Request, Response
from .shapes import PASSWORD_FORGOTTEN, USER_CANCELLED, b2c_refusal, client_info_at
from .state import State
from .step_pages import render_step
from .steps import consents_for_all, current_demand, next_step, signed_in_account


def show_next_page(
    state: State, browser: Browser, pending: Pending, *, trouble: int = 0
) -> Response:
    """The page the sign-in needs next, or its answer; `trouble` is the number to show there."""
    step = next_step(state, browser, pending)
    if step == "done":
        return finish(state, browser, pending)
    return render_step(state, browser, pending, step, trouble)


def press(state: State, request: Request, button: str) -> Response:
    """A button of a page was pressed; `button` is the last part of the form's address."""
    browser, page_browser = _require_cookie(state, request), _require_page(state, request)
    pending = page_browser.find_pending(request.form.get("flow", ""), state.clock())
    if pending is None:
        raise PageError(50089)
    if page_browser is not browser:
        # Two tabs opened at once: each got a cookie, and the browser kept the other one.
        page_browser.finish(pending)
        browser.adopt(pending)
    return _BUTTONS[button](state, request, browser, pending)


def require_browser(state: State, request: Request) -> Browser:
    """The browser a page's form came from; a PageError for a forged or outdated form."""
    browser = _require_cookie(state, request)
    if _require_page(state, request) is not browser:
        raise PageError(50089)
    return browser


def _require_cookie(state: State, request: Request) -> Browser:
    browser = state.browsers.find(request.cookies.get(state.cookie_name, ""))
    if browser is None:
        raise PageError(50089)
    return browser


def _require_page(state: State, request: Request) -> Browser:
    browser = state.browsers.find_by_csrf_token(request.form.get("csrf", ""))
    if browser is None:
        raise PageError(50089)
    return browser


def _password(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    pending.typed_username = request.form.get("username", "").strip()
    password = request.form.get("password", "")
    person = state.find_person(pending.typed_username, pending.request.segment, password)
    trouble = _check_password(person, pending, password)
    if person is None or trouble:
        pending.session = None
        pending.done.add("other")
        return show_next_page(state, browser, pending, trouble=trouble)
    pending.session = browser.sign_in(person, state.clock())
    pending.done.add("credentials")
    return show_next_page(state, browser, pending)


def _check_password(person: Person | None, pending: Pending, password: str) -> int:
    if person is None:
        return 50034
    if not person.has_password(password):
        return 50126
    if account_in(person, pending.request.segment) is None:
        return 50020
    return 0 if person.enabled else 50057


def _account(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    sid = request.form.get("sid", "")
    session = next((s for s in browser.sessions() if s.sid == sid), None)
    # What somebody else did on these pages does not count for whom is chosen now.
    pending.session = None
    pending.done -= {"credentials", "consent"}
    if session is None:
        pending.done.add("other")
        return show_next_page(state, browser, pending)
    if account_in(session.person, pending.request.segment) is None:
        return show_next_page(state, browser, pending, trouble=50020)
    pending.session = session
    return show_next_page(state, browser, pending)


def _mfa(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    session = _require_session(pending)
    code = request.form.get("code", "").strip()
    if not hmac.compare_digest(code.encode(), MFA_CODE.encode()):
        return show_next_page(state, browser, pending, trouble=500121)
    session.mfa_at = state.clock()
    return show_next_page(state, browser, pending)


def _require_session(pending: Pending) -> Session:
    if pending.session is None:
        raise PageError(50089)
    return pending.session


def _require_account(pending: Pending) -> Account:
    account = signed_in_account(pending)
    if account is None:
        raise PageError(50020)
    return account


def _device(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    if next_step(state, browser, pending) == "device":
        browser.is_device_registered = True
    return show_next_page(state, browser, pending)


def _terms(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    if next_step(state, browser, pending) == "terms":
        _complete(state, browser, pending)
    return show_next_page(state, browser, pending)


def _change(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    if next_step(state, browser, pending) != "password_change":
        return show_next_page(state, browser, pending)
    typed = request.form.get("new_password", "")
    if not typed or not hmac.compare_digest(
        typed.encode(), request.form.get("new_password_again", "").encode()
    ):
        return show_next_page(state, browser, pending, trouble=50142)
    # The password printed on every page stays, or nobody could sign in by it any more.
    _complete(state, browser, pending)
    return show_next_page(state, browser, pending)


def _complete(state: State, browser: Browser, pending: Pending) -> None:
    demand = current_demand(state, browser, pending)
    if demand is not None:
        _require_session(pending).completed.update(active.serial for active in demand.unmet)


def _accept(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    if next_step(state, browser, pending) != "consent":
        return show_next_page(state, browser, pending)
    asked, account = pending.request, _require_account(pending)
    if consents_for_all(state, browser, pending):
        asked.application.give_consent_for_all(account.tid, asked.scopes or (EVERYTHING,))
    asked.application.give_consent(account, asked.scopes)
    pending.done.add("consent")
    return show_next_page(state, browser, pending)


def _decline(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    browser.finish(pending)
    stamp = Stamp(pending.request.correlation_id, state.clock())
    if pending.request.admin_consent:
        return deliver_admin_refusal(pending.request, stamp, separator=state.error_separator)
    return deliver_error(
        pending.request.reply,
        EntraError(65004),
        stamp,
        state.origin,
        separator=state.error_separator,
    )


def _cancel(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    if pending.request.segment.policy:
        return _leave_user_flow(state, browser, pending, USER_CANCELLED)
    browser.finish(pending)
    return deliver_cancel(pending.request.reply)


def _forgot(state: State, request: Request, browser: Browser, pending: Pending) -> Response:
    if not pending.request.segment.policy:
        raise PageError(50089)
    return _leave_user_flow(state, browser, pending, PASSWORD_FORGOTTEN)


def _leave_user_flow(state: State, browser: Browser, pending: Pending, number: int) -> Response:
    browser.finish(pending)
    stamp = Stamp(pending.request.correlation_id, state.clock())
    return deliver(pending.request.reply, b2c_refusal(number, stamp))


_BUTTONS = {
    "password": _password,
    "account": _account,
    "mfa": _mfa,
    "device": _device,
    "terms": _terms,
    "change": _change,
    "accept": _accept,
    "decline": _decline,
    "cancel": _cancel,
    "forgot": _forgot,
}
BUTTONS = frozenset(_BUTTONS)


def finish(state: State, browser: Browser, pending: Pending) -> Response:
    """Everything is done: hand a code to the client."""
    request, session = pending.request, _require_session(pending)
    account = _require_account(pending)
    if request.admin_consent:
        browser.finish(pending)
        return deliver_admin_consent(request, account.tid)
    session.contexts |= request.all_contexts
    session.client_ids.add(request.application.client_id)
    grant = Grant(
        request.application.client_id,
        account,
        request.segment.key,
        request.scopes,
        browser.facts(session),
        issued_at=state.clock(),
        revocations=session.person.revocations,
        redirect_uri=request.reply.redirect_uri,
        nonce=request.nonce,
        code_challenge=request.code_challenge,
        code_challenge_method=request.code_challenge_method,
        contexts=request.contexts,
        is_fresh="credentials" in pending.done,
    )
    browser.finish(pending)
    fields = {"code": state.grants.issue_code(grant)}
    if request.client_info:
        fields["client_info"] = client_info_at(account, request.segment.policy)
    fields["session_state"] = session.session_state
    return deliver(request.reply, fields)
