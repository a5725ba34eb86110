"""What a token request that is granted gets: tokens, lifetimes, and the next refresh token."""

import secrets
from dataclasses import dataclass, replace
from typing import Any

from .constants import GRAPH_RESOURCE_ID
from .enforcement import Asked, Proof, find_satisfied_contexts
from .grants import Grant, SignInFacts
from .scopes import require_one_resource, resource_scopes
from .shapes import client_info_at, find_issuer, shape_answer, shape_claims
from .state import State
from .tokens import (
    build_access_token_claims,
    build_api_claims,
    build_id_token_claims,
    sign,
)

_SHORT_SECONDS, _SHORT_SPREAD = 3600, 1800
_LONG_SECONDS, _LONG_SPREAD = 20 * 3600, 8 * 3600


@dataclass(frozen=True)
class Wanted:
    """A token request of a person that may be granted.

    `handles_challenges` when the client has the capability cp1; `azpacr` is how it proved itself.
    """

    grant: Grant
    asked: Asked
    handles_challenges: bool
    is_refresh: bool
    wants_client_info: bool
    azpacr: str


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
    return state.grants.issue_refresh_token(_renew(state, grant, scopes))


def _renew(state: State, grant: Grant, scopes: tuple[str, ...]) -> Grant:
    # Nonce, challenge and asked contexts belong to one authorize request, not to later tokens.
    return replace(
        grant,
        scopes=tuple(dict.fromkeys((*grant.scopes, *scopes))),
        issued_at=state.clock(),
        redirect_uri="",
        nonce=None,
        code_challenge=None,
        contexts=frozenset(),
        is_fresh=False,
    )


def _access_token(state: State, wanted: Wanted, lifetime: int) -> str:
    grant, asked = wanted.grant, wanted.asked
    resource, tid = require_one_resource(asked.scopes), asked.account.tid
    claims = build_access_token_claims(
        issuer=find_issuer(state.origin, state.find_tenant(tid), tid, grant.policy),
        client_id=asked.application.client_id,
        tid=tid,
        resource=resource,
        scopes=resource_scopes(asked.scopes),
        now=state.clock(),
        lifetime=lifetime,
        azpacr=wanted.azpacr,
        account=asked.account,
        extra=_more_claims(state, wanted, resource),
    )
    state.grants.remember_access_token(claims["uti"], _renew(state, grant, asked.scopes))
    return sign(claims, state.keys.signing, resource=resource)


def _more_claims(state: State, wanted: Wanted, resource: str) -> dict[str, Any]:
    grant, asked = wanted.grant, wanted.asked
    claims: dict[str, Any] = {}
    if resource in state.applications:
        facts = _facts(state, wanted)
        claims |= build_api_claims(asked.account, facts, state.optional_claims)
    if asked.access_contexts:
        claims["acrs"] = sorted(asked.access_contexts | set(claims.get("acrs", ())))
    if wanted.handles_challenges:
        claims["xms_cc"] = ["cp1"]
    if grant.policy:
        claims["tfp"] = grant.policy
    return claims


def _id_token(state: State, wanted: Wanted) -> str:
    key, grant, asked = state.keys.signing, wanted.grant, wanted.asked
    claims = build_id_token_claims(
        origin=state.origin,
        application=asked.application,
        account=grant.account,
        facts=_facts(state, wanted),
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


def _facts(state: State, wanted: Wanted) -> SignInFacts:
    """What is known of the sign-in, with those contexts alone that are satisfied now."""
    facts = wanted.grant.facts
    if state.ignores_claims:
        return replace(facts, contexts=frozenset())
    proof = Proof(facts, state.clock(), wanted.grant.is_fresh)
    asked = replace(wanted.asked, contexts=facts.contexts)
    return replace(facts, contexts=find_satisfied_contexts(state, asked, proof))
