"""Who sends a request, for scripted trouble and for the list of Graph calls."""

from .client_authentication import ON_BEHALF_OF
from .directory import Person
from .faults import Caller
from .graph import GraphCall
from .graph_tokens import find_account
from .messages import Request
from .on_behalf_of import find_assertion
from .state import State


def find_caller(state: State, request: Request, endpoint: str) -> Caller:
    """The grant type and the person's short name, as far as `request` tells them."""
    if endpoint == "graph":
        account = find_account(state, request)
        return Caller(person=state.short_name(account.person) if account else "")
    person = _find_grantee(state, request) if endpoint == "token" else None
    name = state.short_name(person) if person else ""
    return Caller(request.form.get("grant_type", ""), name)


def _find_grantee(state: State, request: Request) -> Person | None:
    """The person a code, refresh token or assertion was issued for."""
    form, grants = request.form, state.grants
    grant_type = form.get("grant_type")
    if grant_type == "refresh_token":
        grant = grants.find_refresh_token(form.get("refresh_token", ""))
    elif grant_type == ON_BEHALF_OF:
        grant = find_assertion(state, form.get("assertion", ""))
    else:
        grant = grants.find_code(form.get("code", ""))
    return grant.account.person if grant else None


def record_call(state: State, request: Request, status: int) -> None:
    """Put a call of the Graph-like API on its list."""
    account = find_account(state, request)
    oid = account.oid if account else ""
    state.graph.record(GraphCall(request.method, request.path, oid, status, request.body))
