"""What tells customers' directories, External ID and B2C, from a tenant: issuers, claims, answers.

External ID speaks as a tenant does, but its issuer has a host of its own. B2C has a user flow in
every address, an issuer that ends in a slash, and answers in its own words.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from .directory import Account, Segment, Tenant
from .errors import Stamp
from .tokens import issuer_of, make_client_info

Claims = dict[str, Any]

USER_CANCELLED, PASSWORD_FORGOTTEN = 90091, 90118
_B2C_TEXTS = {
    USER_CANCELLED: "The person left the page of the user flow.",
    PASSWORD_FORGOTTEN: "The person asked for a new password.",
}
# No tenant and no user name: who signed in is told by `oid` and the issuer.
_NOT_IN_B2C = ("tid", "preferred_username", "email", "rh", "uti")


def find_issuer(origin: str, tenant: Tenant | None, tid: str, policy: str = "") -> str:
    """The issuer of `tenant`'s tokens; `tid` is the GUID, or `{tenantid}` for many."""
    if tenant is None or tenant.kind == "workforce":
        return issuer_of(origin, tid)
    if tenant.kind == "external_id":
        return f"https://{tid}.ciamlogin.com/{tid}/v2.0"
    if tenant.issuer_names_policy:
        return f"{origin}/tfp/{tid}/{policy}/v2.0/"
    return f"{origin}/{tid}/v2.0/"


def segment_issuer(origin: str, segment: Segment) -> str:
    """The issuer in the discovery document of `segment`."""
    return find_issuer(origin, segment.tenant, segment.issuer_tenant, segment.policy)


def shape_claims(claims: Claims, tenant: Tenant | None, policy: str, origin: str) -> Claims:
    """The claims of an ID token as `tenant` writes them."""
    if tenant is None:
        return claims
    issuer = find_issuer(origin, tenant, tenant.tenant_id, policy)
    if tenant.kind != "b2c":
        return claims | {"iss": issuer}
    return _shape_b2c_claims(claims, policy) | {"iss": issuer}


def _shape_b2c_claims(claims: Claims, policy: str) -> Claims:
    # Here `sub` is the object id, and every address of the person comes in one list.
    address = claims.get("email") or claims.get("preferred_username")
    shaped = {name: value for name, value in claims.items() if name not in _NOT_IN_B2C}
    shaped |= {"ver": "1.0", "tfp": policy}
    if "oid" in claims:
        shaped["sub"] = claims["oid"]
    return shaped | ({"emails": [address]} if address else {})


def shape_answer(answer: Mapping[str, Any], now: float, *, has_api: bool) -> dict[str, Any]:
    """A B2C token answer: numbers as text, times besides, an access token for an API alone."""
    lifetime = int(answer["expires_in"])
    left_out = {"ext_expires_in"} if has_api else {"ext_expires_in", "access_token"}
    return {name: value for name, value in answer.items() if name not in left_out} | {
        "expires_in": str(lifetime),
        "not_before": str(int(now)),
        "expires_on": str(int(now) + lifetime),
        "id_token_expires_in": "3600",
        "profile_info": _encode({"ver": "1.0"}),
    }


def b2c_refusal(number: int, stamp: Stamp) -> dict[str, str]:
    """The fields with which a user flow tells the client that the person went elsewhere."""
    lines = (
        f"AADB2C{number}: {_B2C_TEXTS[number]}",
        f"Correlation ID: {stamp.correlation_id}",
        f"Timestamp: {stamp.timestamp}",
    )
    return {"error": "access_denied", "error_description": "\r\n".join(lines) + "\r\n"}


def client_info_at(account: Account, policy: str) -> str:
    """The `client_info` field; B2C writes the user flow behind the object id."""
    if not policy:
        return make_client_info(account)
    return _encode({"uid": f"{account.oid}-{policy}", "utid": account.tid})


def _encode(value: Mapping[str, str]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
