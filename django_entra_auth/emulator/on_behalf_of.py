"""On-behalf-of requests: an API hands in the access token it received, to call another API."""

from dataclasses import replace
from typing import Any

from .client_authentication import require_field
from .directory import Application, Segment
from .errors import EntraError
from .grants import Grant
from .issued_tokens import InvalidAccessTokenError, verify_token
from .messages import Request
from .state import State


def check_assertion(
    state: State, request: Request, segment: Segment, application: Application
) -> Grant:
    """The sign-in behind the assertion, as a grant to `application`, whose API received it."""
    assertion = require_field(request, "assertion")
    if require_field(request, "requested_token_use") != "on_behalf_of":
        raise EntraError(90023, "Not supported: 'requested_token_use'.")
    grant = _find(state, _verify(state, assertion, application))
    if grant is None:
        raise EntraError(50013, "Its sign-in is not known.")
    if segment.tenant is not None and segment.tenant.tenant_id != grant.account.tid:
        raise EntraError(50013, "It was issued by another tenant.")
    return replace(grant, client_id=application.client_id, segment=segment.key, scopes=())


def _verify(state: State, assertion: str, application: Application) -> dict[str, Any]:
    try:
        claims = verify_token(state, assertion, {application.client_id})
    except InvalidAccessTokenError as error:
        raise EntraError(50013, str(error)) from None
    if "azp" not in claims:
        raise EntraError(240002)
    if "scp" not in claims:
        raise EntraError(7000114)
    if claims["exp"] <= state.clock():
        raise EntraError(500133)
    return claims


def _find(state: State, claims: dict[str, Any]) -> Grant | None:
    return state.grants.find_access_token(str(claims.get("uti", "")))


def find_assertion(state: State, assertion: str) -> Grant | None:
    """The sign-in behind an assertion that may have expired; None when that is unknown."""
    try:
        return _find(state, verify_token(state, assertion))
    except InvalidAccessTokenError:
        return None
