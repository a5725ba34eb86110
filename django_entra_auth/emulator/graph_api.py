"""The Graph-like API: who may call, and claims challenges for those who may not yet."""

import json
from datetime import datetime, timezone
from typing import Any

from .directory import Account
from .errors import Stamp, make_stamp
from .graph_challenges import (
    build_challenge,
    context_claims,
    plain_challenge,
    revocation_claims,
)
from .graph_operations import Call, GraphError, Operation, find_operation
from .graph_tokens import AccessToken, read_token
from .issued_tokens import InvalidAccessTokenError
from .messages import Request, Response, json_response
from .state import State

_CAE = "Continuous access evaluation resulted in claims challenge with result: InteractionRequired"
_REVOKED = f"{_CAE} and code: TokenIssuedBeforeRevocationTimestamp"
_SERVER = {"ServerInfo": {"DataCenter": "Local emulator", "Slice": "E", "Ring": "0"}}


def graph(state: State, request: Request, _: str) -> Response:
    """Answer a call of the Graph-like API; its errors are JSON of Graph's shape."""
    stamp = make_stamp(request, state.clock())
    try:
        response = json_response(_answer(state, request))
    except GraphError as error:
        challenges = tuple(("WWW-Authenticate", value) for value in error.fields)
        body = _error_body(error, stamp, state.clock())
        response = json_response(body, status=error.status).with_headers(*challenges)
    return response.with_headers(
        *_ids(stamp).items(),
        ("x-ms-ags-diagnostic", json.dumps(_SERVER)),
        ("Cache-Control", "no-store"),
    )


def _ids(stamp: Stamp) -> dict[str, str]:
    return {"request-id": stamp.trace_id, "client-request-id": stamp.correlation_id}


def _error_body(error: GraphError, stamp: Stamp, now: float) -> dict[str, Any]:
    date = f"{datetime.fromtimestamp(now, timezone.utc):%Y-%m-%dT%H:%M:%S}"
    inner = {"date": date, **_ids(stamp)}
    return {"error": {"code": error.code, "message": error.message, "innerError": inner}}


def _answer(state: State, request: Request) -> dict[str, Any]:
    try:
        token = read_token(state, request)
    except InvalidAccessTokenError as error:
        raise _unauthorized(state, str(error)) from None
    operation = find_operation(request)
    account = _require_account(state, token)
    _require_current(state, token, account)
    _require_scope(token, operation)
    forced = state.graph.take_challenge()
    if forced is not None:
        raise _challenge(state, token, forced, "The call was challenged by the emulator's switch.")
    _require_context(state, token, request.path)
    return operation.run(Call(state, request, token, account))


def _unauthorized(state: State, message: str) -> GraphError:
    fields = (plain_challenge(state.origin),)
    return GraphError(401, "InvalidAuthenticationToken", message, fields=fields)


def _challenge(state: State, token: AccessToken, claims: str, message: str) -> GraphError:
    style = state.graph.challenge_style
    tid = str(token.claims["tid"])
    challenge = build_challenge(style, claims, origin=state.origin, tid=tid)
    code = "InvalidAuthenticationToken" if challenge.status == 401 else "Forbidden"
    return GraphError(challenge.status, code, message, fields=challenge.fields)


def _require_account(state: State, token: AccessToken) -> Account:
    if token.is_app_only:
        raise GraphError(400, "BadRequest", "This address answers only calls for a person.")
    if token.account is None:
        raise _unauthorized(state, "The person of the access token does not exist.")
    return token.account


def _require_current(state: State, token: AccessToken, account: Account) -> None:
    """Continuous Access Evaluation: disabled accounts and revoked sign-ins end at once."""
    if account.person.enabled and not token.is_revoked:
        return
    if not token.handles_challenges:
        raise _unauthorized(state, "The access token is not valid any more.")
    revoked_at = state.last_revocation(account) if account.person.enabled else None
    claims = revocation_claims(state.clock() if revoked_at is None else revoked_at)
    raise _challenge(state, token, claims, _REVOKED)


def _require_scope(token: AccessToken, operation: Operation) -> None:
    if operation.scopes and token.scopes.isdisjoint(name.lower() for name in operation.scopes):
        raise GraphError(
            403, "Authorization_RequestDenied", "The access token lacks a permission for this."
        )


def _require_context(state: State, token: AccessToken, path: str) -> None:
    wanted = state.graph.contexts.get(path)
    if wanted is None or wanted in token.contexts:
        return
    message = "This needs an authentication context that the access token does not have."
    if not token.handles_challenges:
        raise GraphError(403, "Authorization_RequestDenied", message)
    raise _challenge(state, token, context_claims(wanted), message)
