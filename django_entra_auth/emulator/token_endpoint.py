"""The token endpoint: codes, refresh tokens and client credentials."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

from .authorization_request import parse_claims, requested_contexts
from .client_authentication import authenticate_client, require_field
from .directory import Account, Application, Segment
from .discovery import require_segment
from .errors import EntraError
from .grants import CODE_SECONDS, PREFIX, REFRESH_TOKEN_SECONDS, Grant
from .messages import Request, Response, json_response
from .scopes import RESERVED, parse_scopes, require_one_resource, resource_scopes
from .state import State
from .tokens import build_access_token_claims, build_id_token_claims, make_client_info, sign

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
    resource = require_one_resource(scopes)
    claims = build_access_token_claims(
        origin=state.origin,
        client_id=application.client_id,
        tid=segment.tenant.tenant_id,
        resource=resource,
        scopes=(),
        now=state.clock(),
        lifetime=_APP_TOKEN_SECONDS,
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
    if request.form["grant_type"] == "authorization_code":
        code = require_field(request, "code")
        grant = _check_code(state, request, segment, application, code)
        scopes = _code_scopes(request, grant)
    else:
        code = ""
        grant = _check_refresh_token(state, request, segment, application)
        scopes = parse_scopes(request.form.get("scope", "")) or grant.scopes
    require_one_resource(scopes)
    _require_account(state, grant)
    _require_consent(application, grant.account, scopes)
    claims = parse_claims(request.form.get("claims", ""))
    if code and not state.grants.use_code(code):
        raise EntraError(54005)
    return _issue(state, request, application, grant, scopes, claims)


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


def _require_consent(application: Application, account: Account, scopes: tuple[str, ...]) -> None:
    if not application.has_consent(account, scopes):
        raise EntraError(65001)


def _issue(
    state: State,
    request: Request,
    application: Application,
    grant: Grant,
    scopes: tuple[str, ...],
    claims: dict[str, Any],
) -> dict[str, Any]:
    lifetime = 3600 + secrets.randbelow(1800)
    answer: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(scope for scope in scopes if scope != "offline_access"),
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": _access_token(state, application, grant, scopes, claims, lifetime),
    }
    if "offline_access" in scopes or request.form["grant_type"] == "refresh_token":
        answer["refresh_token"] = _refresh_token(state, grant, scopes)
    if "openid" in scopes:
        contexts = grant.contexts | requested_contexts(claims, "id_token")
        answer["id_token"] = _id_token(state, application, grant, scopes, contexts)
    if request.form.get("client_info") == "1":
        answer["client_info"] = make_client_info(grant.account)
    return answer


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
    )
    return state.grants.issue_refresh_token(renewed)


def _access_token(
    state: State,
    application: Application,
    grant: Grant,
    scopes: tuple[str, ...],
    claims: dict[str, Any],
    lifetime: int,
) -> str:
    resource = require_one_resource(scopes)
    contexts = requested_contexts(claims, "access_token")
    token_claims = build_access_token_claims(
        origin=state.origin,
        client_id=application.client_id,
        tid=grant.account.tid,
        resource=resource,
        scopes=resource_scopes(scopes),
        now=state.clock(),
        lifetime=lifetime,
        account=grant.account,
        extra={"acrs": sorted(contexts)} if contexts else None,
    )
    return sign(token_claims, state.keys.signing, resource=resource)


def _id_token(
    state: State,
    application: Application,
    grant: Grant,
    scopes: tuple[str, ...],
    contexts: frozenset[str],
) -> str:
    key = state.keys.signing
    claims = build_id_token_claims(
        origin=state.origin,
        application=application,
        account=grant.account,
        facts=grant.facts,
        scopes=scopes,
        optional_claims=state.optional_claims,
        contexts=contexts,
        nonce=grant.nonce,
        now=state.clock(),
    )
    if state.mutate_id_token is not None:
        header = {"typ": "JWT", "alg": "RS256", "kid": key.kid}
        return state.mutate_id_token(header, claims, key.private_key)
    return sign(claims, key)
