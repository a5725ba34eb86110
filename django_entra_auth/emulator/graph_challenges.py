"""Claims challenges in the shapes that real APIs send them."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

from .constants import GRAPH_RESOURCE_ID
from .graph import ChallengeStyle

Parameters = dict[str, str]


class Challenge(NamedTuple):
    """The status and the values of `WWW-Authenticate`, one per header field."""

    status: int
    fields: tuple[str, ...]


def revocation_claims(revoked_at: float) -> str:
    """The claims of a token issued after that time; spaced as Graph does it."""
    return f'{{"access_token":{{"nbf":{{"essential":true, "value":"{int(revoked_at)}"}}}}}}'


def context_claims(context: str) -> str:
    """The claims of a token with an authentication context."""
    section = {"acrs": {"essential": True, "value": context}}
    return json.dumps({"access_token": section}, separators=(",", ":"))


def plain_challenge(origin: str) -> str:
    """The `WWW-Authenticate` of a 401 that asks for no claims."""
    return _join("Bearer", _place(origin))


def build_challenge(style: ChallengeStyle, claims: str, *, origin: str, tid: str) -> Challenge:
    """A challenge for `claims` (JSON text) in the wanted style."""
    if style == "forbidden":
        return Challenge(403, (_consent_challenge(claims, origin),))
    parameters = {**_place(origin), "error": "insufficient_claims", "claims": _standard(claims)}
    changed = _CHANGES[style](parameters, claims, tid) if style in _CHANGES else parameters
    unquoted = ("authorization_uri", "client_id", "error") if style == "unquoted" else ()
    bearer = _join("Bearer", changed, unquoted)
    if style == "two_challenges":
        return Challenge(401, (f"{_proof_of_possession(origin)}, {bearer}",))
    if style == "two_fields":
        return Challenge(401, (_proof_of_possession(origin), bearer))
    return Challenge(401, (bearer,))


def _place(origin: str) -> Parameters:
    uri = f"{origin}/common/oauth2/authorize"
    return {"realm": "", "authorization_uri": uri, "client_id": GRAPH_RESOURCE_ID}


def _join(scheme: str, parameters: Parameters, unquoted: tuple[str, ...] = ()) -> str:
    parts = (f"{k}={v}" if k in unquoted else f'{k}="{v}"' for k, v in parameters.items())
    return f"{scheme} {', '.join(parts)}"


def _proof_of_possession(origin: str) -> str:
    return _join("PoP", {**_place(origin), "nonce": "ey=="})


def _consent_challenge(claims: str, origin: str) -> str:
    parameters = {
        "consentUri": f"{origin}/common/oauth2/v2.0/authorize",
        "claims": claims,
        "scopes": "User.Read",
        "proposedAction": "consent",
    }
    return _join("Bearer", parameters)


def _standard(text: str) -> str:
    return b64encode(text.encode()).decode()


def _changed_claims(parameters: Parameters, value: dict[str, Any]) -> Parameters:
    return parameters | {"claims": _standard(json.dumps(value))}


def _claims_first(parameters: Parameters, claims: str, tid: str) -> Parameters:
    return dict(reversed(parameters.items()))


def _extra_members(parameters: Parameters, claims: str, tid: str) -> Parameters:
    value = json.loads(claims)
    value.setdefault("access_token", {})["xms_caeerror"] = {"value": "10012"}
    return _changed_claims(parameters, value)


def _number(parameters: Parameters, claims: str, tid: str) -> Parameters:
    value = json.loads(claims)
    nbf = value.get("access_token", {}).get("nbf")
    if nbf:
        nbf["value"] = int(nbf["value"])
    return _changed_claims(parameters, value)


def _base64url(parameters: Parameters, claims: str, tid: str) -> Parameters:
    return parameters | {"claims": urlsafe_b64encode(claims.encode()).decode().rstrip("=")}


def _without_claims(parameters: Parameters, claims: str, tid: str) -> Parameters:
    return {name: value for name, value in parameters.items() if name != "claims"}


def _with(**more: str) -> "_Change":
    # Before `error`, where recordings have them.
    def change(parameters: Parameters, claims: str, tid: str) -> Parameters:
        last = {name: parameters[name] for name in ("error", "claims")}
        return _without_claims(parameters, claims, tid) | more | last

    return change


_Change = Callable[[Parameters, str, str], Parameters]
_DESCRIPTION = "The token does not satisfy the policy, see claims"
_CHANGES: dict[ChallengeStyle, _Change] = {
    "claims_first": _claims_first,
    "error_description": _with(error_description=_DESCRIPTION),
    "errorDescription": _with(errorDescription=_DESCRIPTION),
    "realm": lambda parameters, _, tid: parameters | {"realm": tid},
    "extra_members": _extra_members,
    "number": _number,
    "cc_type": _with(cc_type="authcontext"),
    "base64url": _base64url,
    "raw_json": lambda parameters, claims, _: parameters | {"claims": claims},
    "invalid_token": lambda parameters, _, __: parameters | {"error": "invalid_token"},
    "without_claims": _without_claims,
    "undecodable": lambda parameters, _, __: parameters | {"claims": "not base64!"},
}
