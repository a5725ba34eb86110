"""The token endpoint: codes, refresh tokens, client credentials, and tokens on behalf of others."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .claims_request import (
    handles_challenges,
    parse_claims,
    requested_contexts,
    requested_policies,
)
from .client_authentication import ON_BEHALF_OF, authenticate_client, read_azpacr, require_field
from .directory import Application, Segment
from .discovery import require_segment
from .enforcement import (
    Asked,
    Proof,
    find_demand,
    make_endless_challenge,
    make_exchange_refusal,
    make_refusal,
)
from .errors import EntraError
from .grants import CODE_SECONDS, PREFIX, REFRESH_TOKEN_SECONDS, Grant
from .issuing import Wanted, issue
from .messages import Request, Response, json_response
from .on_behalf_of import check_assertion
from .scopes import RESERVED, parse_scopes, require_one_resource
from .state import State
from .tokens import build_access_token_claims, issuer_of, sign

_APP_TOKEN_SECONDS = 3599


def token(state: State, request: Request, segment_text: str) -> Response:
    """Answer a token request; every failure is an EntraError."""
    if request.method != "POST":
        raise EntraError(900561)
    if request.repeated:
        raise EntraError(90004, "A parameter was sent twice.")
    segment = require_segment(state, segment_text)
    application = authenticate_client(state, request, segment)
    grant_type = require_field(request, "grant_type")
    if grant_type == "client_credentials":
        answer = _client_credentials(state, request, segment, application)
    else:
        answer = _for_person(state, request, segment, application)
    if state.mutate_token_response is not None:
        answer = state.mutate_token_response(answer)
    return json_response(answer).with_headers(("x-ms-clitelem", "1,0,0,,"))


def _client_credentials(
    state: State, request: Request, segment: Segment, application: Application
) -> dict[str, Any]:
    if segment.tenant is None:
        raise EntraError(9001023)
    scopes = parse_scopes(require_field(request, "scope"))
    if len(scopes) != 1 or not scopes[0].endswith(".default"):
        raise EntraError(70011, "Exactly one '{resource}/.default' is needed.")
    resource, tid = require_one_resource(scopes), segment.tenant.tenant_id
    is_told = resource in state.applications and "idtyp" in state.optional_claims
    claims = build_access_token_claims(
        issuer=issuer_of(state.origin, tid),
        client_id=application.client_id,
        tid=tid,
        resource=resource,
        scopes=(),
        now=state.clock(),
        lifetime=_APP_TOKEN_SECONDS,
        azpacr=read_azpacr(request),
        extra={"idtyp": "app"} if is_told else None,
    )
    return {
        "token_type": "Bearer",
        "expires_in": _APP_TOKEN_SECONDS,
        "ext_expires_in": _APP_TOKEN_SECONDS,
        "access_token": sign(claims, state.keys.signing, resource=resource),
    }


def _for_person(
    state: State, request: Request, segment: Segment, application: Application
) -> dict[str, Any]:
    grant_type = request.form["grant_type"]
    grant, scopes = _READERS[grant_type](state, request, segment, application)
    require_one_resource(scopes)
    _require_account(state, grant)
    claims = parse_claims(request.form.get("claims", ""))
    asked = _make_asked(state, application, grant, scopes, claims)
    _require_policies(state, asked, grant, grant_type)
    if not application.has_consent(grant.account, scopes):
        raise EntraError(65001)
    if grant_type == "authorization_code" and not state.grants.use_code(request.form["code"]):
        raise EntraError(54005)
    granted = tuple(scope for scope in scopes if scope not in state.grants_fewer_scopes)
    wanted = Wanted(
        grant,
        replace(asked, scopes=granted),
        handles_challenges=handles_challenges(claims),
        is_refresh=grant_type == "refresh_token",
        wants_client_info=request.form.get("client_info") == "1",
        azpacr=read_azpacr(request),
    )
    return issue(state, wanted)


def _make_asked(
    state: State,
    application: Application,
    grant: Grant,
    scopes: tuple[str, ...],
    claims: dict[str, Any],
) -> Asked:
    asked = Asked(application, grant.account, scopes)
    if state.ignores_claims:
        return asked
    return replace(
        asked,
        contexts=grant.contexts | requested_contexts(claims, "id_token"),
        access_contexts=requested_contexts(claims, "access_token"),
        policy_ids=requested_policies(claims),
    )


def _require_policies(state: State, asked: Asked, grant: Grant, grant_type: str) -> None:
    if grant_type == "refresh_token" and state.always_challenges:
        raise make_endless_challenge()
    # A code is judged as of the sign-in it stands for, everything else as of now.
    at = grant.issued_at if grant_type == "authorization_code" else state.clock()
    demand = find_demand(state, asked, Proof(grant.facts, at, grant.is_fresh))
    if demand is None:
        return
    make = make_exchange_refusal if grant_type == ON_BEHALF_OF else make_refusal
    raise make(demand, asked)


_Presented = tuple[Grant, tuple[str, ...]]


def _read_code(
    state: State, request: Request, segment: Segment, application: Application
) -> _Presented:
    grant = _check_code(state, request, segment, application, require_field(request, "code"))
    return grant, _code_scopes(request, grant)


def _read_refresh_token(
    state: State, request: Request, segment: Segment, application: Application
) -> _Presented:
    grant = _check_refresh_token(state, request, segment, application)
    return grant, parse_scopes(request.form.get("scope", "")) or grant.scopes


def _read_assertion(
    state: State, request: Request, segment: Segment, application: Application
) -> _Presented:
    grant = check_assertion(state, request, segment, application)
    return grant, parse_scopes(require_field(request, "scope"))


_READERS: Mapping[str, Callable[[State, Request, Segment, Application], _Presented]] = {
    "authorization_code": _read_code,
    "refresh_token": _read_refresh_token,
    ON_BEHALF_OF: _read_assertion,
}


def _code_scopes(request: Request, grant: Grant) -> tuple[str, ...]:
    # The resource may be narrowed at redemption; what OpenID Connect asked for stays.
    asked = parse_scopes(request.form.get("scope", ""))
    reserved = tuple(scope for scope in grant.scopes if scope in RESERVED)
    return tuple(dict.fromkeys((*reserved, *asked))) if asked else grant.scopes


def _check_code(
    state: State, request: Request, segment: Segment, application: Application, code: str
) -> Grant:
    redirect_uri = require_field(request, "redirect_uri")
    if not code.startswith(PREFIX):
        raise EntraError(9002313)
    grant = state.grants.find_code(code)
    if grant is None or grant.client_id != application.client_id:
        raise EntraError(70000)
    if grant.segment != segment.key:
        raise EntraError(700005)
    if state.grants.is_used(code):
        raise EntraError(54005)
    if state.clock() - grant.issued_at > CODE_SECONDS:
        raise EntraError(70008)
    if grant.redirect_uri != redirect_uri:
        raise EntraError(70000, "The redirect URI is not the one of the authorize request.")
    _check_verifier(grant, request.form.get("code_verifier", ""))
    return grant


def _check_verifier(grant: Grant, verifier: str) -> None:
    if grant.code_challenge is None:
        if verifier:
            # Accepting it would let an attacker strip the challenge from the authorize request.
            raise EntraError(501481)
        return
    if not verifier:
        raise EntraError(50148)
    if grant.code_challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = urlsafe_b64encode(digest).decode().rstrip("=")
    if not hmac.compare_digest(verifier.encode(), grant.code_challenge.encode()):
        raise EntraError(501481)


def _check_refresh_token(
    state: State, request: Request, segment: Segment, application: Application
) -> Grant:
    value = require_field(request, "refresh_token")
    if not value.startswith(PREFIX):
        raise EntraError(9002313)
    grant = state.grants.find_refresh_token(value)
    if grant is None or grant.client_id != application.client_id:
        raise EntraError(70000, suberror="bad_token")
    if state.clock() - grant.issued_at > REFRESH_TOKEN_SECONDS:
        raise EntraError(700082)
    if segment.tenant is not None and segment.tenant.tenant_id != grant.account.tid:
        raise EntraError(50020)
    return grant


def _require_account(state: State, grant: Grant) -> None:
    person = grant.account.person
    if not state.has_person(person):
        raise EntraError(500341)
    if not person.enabled:
        raise EntraError(50057)
    if grant.revocations != person.revocations or grant.issued_at < person.tokens_valid_from:
        raise EntraError(50173)
