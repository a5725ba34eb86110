"""The pages of a sign-in under way, drawn from their templates."""

from .browsers import Browser, Pending
from .catalogue import CATALOGUE
from .constants import MFA_CODE, PASSWORD
from .errors import Stamp
from .messages import Response
from .pages import render_page
from .state import State
from .steps import Step, consents_for_all, current_demand

_SCOPE_MEANINGS = {
    "openid": "Sign you in",
    "profile": "View your basic profile",
    "email": "View your e-mail address",
    "offline_access": "Keep access to what you allowed",
}
_NEEDS_ADMINISTRATOR = 90094


def render_step(
    state: State, browser: Browser, pending: Pending, step: Step, trouble: int
) -> Response:
    """The page of `step`; `trouble` is the number of the error to show there, or 0."""
    demand = current_demand(state, browser, pending)
    number = trouble or _own_number(pending, step)
    if step == "blocked" and demand is not None:
        number = demand.number
    session = pending.session
    return render_page(
        f"{step}.html",
        flow=pending.pending_id,
        csrf=browser.csrf_token,
        application=pending.request.application,
        tenant=_tenant_name(pending),
        error_number=number,
        error_text=CATALOGUE[number].text if number else "",
        person=session.person if session else None,
        username=_username(state, pending),
        people=[p for p in state.people.values() if pending.request.segment.lists(p)],
        can_forget=bool(pending.request.segment.policy),
        sessions=browser.sessions(),
        permissions=_permissions(pending),
        for_all=step == "consent" and consents_for_all(state, browser, pending),
        policies=demand.names if demand else [],
        stamp=Stamp(pending.request.correlation_id, state.clock()),
        mfa_code=MFA_CODE,
        password=PASSWORD,
    )


def _own_number(pending: Pending, step: Step) -> int:
    session = pending.session
    if step == "sign_in" and session is not None and not session.person.enabled:
        return 50057
    return _NEEDS_ADMINISTRATOR if step == "approval" else 0


def _tenant_name(pending: Pending) -> str:
    tenant = pending.request.segment.tenant
    return tenant.name if tenant else "any organization"


def _username(state: State, pending: Pending) -> str:
    if pending.session is not None:
        return pending.session.person.username
    if "other" in pending.done:
        return pending.typed_username
    hinted = state.find_person(pending.request.login_hint, pending.request.segment)
    return hinted.username if hinted else pending.request.login_hint


def _permissions(pending: Pending) -> list[str]:
    scopes = pending.request.scopes
    return [_SCOPE_MEANINGS.get(s, s) for s in scopes] or ["Everything it is registered with"]
