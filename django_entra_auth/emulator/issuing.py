"""What a token request that is granted gets: tokens, lifetimes, and the next refresh token."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .constants import GRAPH_RESOURCE_ID
from .enforcement import Asked, Proof, find_satisfied_contexts
from .grants import Grant
from .scopes import require_one_resource, resource_scopes
from .shapes import client_info_at, shape_answer, shape_claims
from .state import State
from .tokens import build_access_token_claims, build_id_token_claims, sign

_SHORT_SECONDS, _SHORT_SPREAD = 3600, 1800
_LONG_SECONDS, _LONG_SPREAD = 20 * 3600, 8 * 3600


@dataclass(frozen=True)
class Wanted:
    """A token request of a person that may be granted.

    `handles_challenges` when the client has the capability cp1.
    """

    grant: Grant
    asked: Asked
    handles_challenges: bool
    is_refresh: bool
    wants_client_info: bool


def handles_challenges(claims: Mapping[str, Any]) -> bool:
    """Whether a claims request names the capability cp1 for the access token."""
    section = claims.get("access_token")
    asked = section.get("xms_cc") if isinstance(section, dict) else None
    values = asked.get("values") if isinstance(asked, dict) else None
    names = values if isinstance(values, list) else []
    return "cp1" in (name.lower() for name in names if isinstance(name, str))


def issue(state: State, wanted: Wanted) -> dict[str, Any]:
    """The body of the answer."""
    grant, asked = wanted.grant, wanted.asked
    lifetime = _lifetime(wanted)
    answer: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(scope for scope in asked.scopes if scope != "offline_access"),
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": _access_token(state, wanted, lifetime),
    }
    if lifetime >= _LONG_SECONDS:
        answer["refresh_in"] = lifetime // 2
    if "offline_access" in asked.scopes or wanted.is_refresh:
        answer["refresh_token"] = _refresh_token(state, grant, asked.scopes)
    if "openid" in asked.scopes:
        answer["id_token"] = _id_token(state, wanted)
    if wanted.wants_client_info:
        answer["client_info"] = client_info_at(grant.account, grant.policy)
    if grant.policy:
        has_api = bool(resource_scopes(asked.scopes))
        return shape_answer(answer, state.clock(), has_api=has_api)
    return answer


def _lifetime(wanted: Wanted) -> int:
    # Only some of Microsoft's own APIs evaluate access continuously; the others' tokens stay short.
    is_graph = require_one_resource(wanted.asked.scopes) == GRAPH_RESOURCE_ID
    if wanted.handles_challenges and is_graph:
        return _LONG_SECONDS + secrets.randbelow(_LONG_SPREAD + 1)
    return _SHORT_SECONDS + secrets.randbelow(_SHORT_SPREAD)


def _refresh_token(state: State, grant: Grant, scopes: tuple[str, ...]) -> str:
    all_scopes = tuple(dict.fromkeys((*grant.scopes, *scopes)))
    # Nonce, challenge and asked contexts belong to one authorize request, not to later tokens.
    renewed = replace(
        grant,
        scopes=all_scopes,
        issued_at=state.clock(),
        redirect_uri="",
        nonce=None,
        code_challenge=None,
        contexts=frozenset(),
        is_fresh=False,
    )
    return state.grants.issue_refresh_token(renewed)


def _access_token(state: State, wanted: Wanted, lifetime: int) -> str:
    asked = wanted.asked
    resource = require_one_resource(asked.scopes)
    extra: dict[str, Any] = {}
    if asked.access_contexts:
        extra["acrs"] = sorted(asked.access_contexts)
    if wanted.handles_challenges:
        extra["xms_cc"] = ["cp1"]
    claims = build_access_token_claims(
        origin=state.origin,
        client_id=asked.application.client_id,
        tid=asked.account.tid,
        resource=resource,
        scopes=resource_scopes(asked.scopes),
        now=state.clock(),
        lifetime=lifetime,
        account=asked.account,
        extra=extra,
    )
    return sign(claims, state.keys.signing, resource=resource)


def _id_token(state: State, wanted: Wanted) -> str:
    key, grant, asked = state.keys.signing, wanted.grant, wanted.asked
    claims = build_id_token_claims(
        origin=state.origin,
        application=asked.application,
        account=grant.account,
        facts=replace(grant.facts, contexts=_session_contexts(state, wanted)),
        scopes=asked.scopes,
        optional_claims=state.optional_claims,
        contexts=asked.contexts,
        nonce=grant.nonce,
        now=state.clock(),
    )
    tenant = state.find_tenant(grant.account.tid)
    claims = shape_claims(claims, tenant, grant.policy, state.origin)
    if state.mutate_id_token is not None:
        header = {"typ": "JWT", "alg": "RS256", "kid": key.kid}
        return state.mutate_id_token(header, claims, key.private_key)
    return sign(claims, key)


def _session_contexts(state: State, wanted: Wanted) -> frozenset[str]:
    if state.ignores_claims:
        return frozenset()
    facts = wanted.grant.facts
    proof = Proof(facts, state.clock(), wanted.grant.is_fresh)
    return find_satisfied_contexts(state, replace(wanted.asked, contexts=facts.contexts), proof)
