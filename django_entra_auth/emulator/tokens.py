"""What tokens say: ID tokens as lean as Entra's, access tokens, `client_info`."""

import hashlib
import json
import secrets
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jwt

from .constants import GRAPH_RESOURCE_ID
from .directory import Account, Application
from .grants import SignInFacts
from .keys import SigningKey

Claims = dict[str, Any]

# Recorded ID tokens are dated five minutes back and live 65 minutes from there.
BACKDATED_SECONDS = 300
_ID_TOKEN_SECONDS = 3900
_MAX_GROUPS = 200
# Exact where `iat` has whole seconds and is dated back.
REVOCATIONS_CLAIM = "emulator_revocations"


def pairwise_subject(client_id: str, account: Account) -> str:
    """The `sub` of `account` for one client; another client gets another."""
    text = f"{client_id} {account.tid} {account.oid}"
    return _base64url(hashlib.sha256(text.encode()).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def make_client_info(account: Account) -> str:
    """The `client_info` field: base64url JSON of home object id and home tenant, no padding."""
    person = account.person
    payload = {"uid": person.home_oid, "utid": person.home_tid}
    return _base64url(json.dumps(payload).encode())


def issuer_of(origin: str, tid: str) -> str:
    """The v2.0 issuer of a tenant."""
    return f"{origin}/{tid}/v2.0"


def _names(account: Account) -> Claims:
    person = account.person
    return {"name": person.name, "preferred_username": person.username, "oid": account.oid}


def _group_claims(account: Account) -> Claims:
    groups = account.person.groups
    if not groups:
        return {}
    if len(groups) <= _MAX_GROUPS:
        return {"groups": list(groups)}
    endpoint = f"https://graph.windows.net/{account.tid}/users/{account.oid}/getMemberObjects"
    return {
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": endpoint}},
    }


def _verified_mail(account: Account) -> Claims:
    person = account.person
    verified = [person.mail] if person.mail and person.mail_domain_verified else []
    return {"verified_primary_email": verified}


_OPTIONAL: dict[str, Callable[[Account, SignInFacts], Claims]] = {
    "acct": lambda account, _: {"acct": int(account.is_guest)},
    "acrs": lambda _, facts: {"acrs": sorted(facts.contexts)},
    "auth_time": lambda _, facts: {"auth_time": int(facts.auth_time)},
    "ctry": lambda account, _: {"ctry": account.person.country},
    "email": lambda account, _: {"email": account.person.mail},
    "family_name": lambda account, _: {"family_name": account.person.name.partition(" ")[2]},
    "given_name": lambda account, _: {"given_name": account.person.name.partition(" ")[0]},
    "groups": lambda account, _: _group_claims(account),
    "login_hint": lambda account, _: {"login_hint": account.person.login_hint},
    "sid": lambda _, facts: {"sid": facts.sid},
    "upn": lambda account, _: {"upn": account.person.username},
    "verified_primary_email": lambda account, _: _verified_mail(account),
    "xms_edov": lambda account, _: {"xms_edov": account.person.mail_domain_verified},
}
OPTIONAL_CLAIMS = frozenset(_OPTIONAL)


def _optional_claims(names: Collection[str], account: Account, facts: SignInFacts) -> Claims:
    claims: Claims = {}
    for name in sorted(OPTIONAL_CLAIMS.intersection(names)):
        claims.update(_OPTIONAL[name](account, facts))
    return {name: value for name, value in claims.items() if value not in (None, "", [])}


def build_id_token_claims(
    *,
    origin: str,
    application: Application,
    account: Account,
    facts: SignInFacts,
    scopes: tuple[str, ...],
    optional_claims: set[str],
    contexts: frozenset[str],
    nonce: str | None,
    now: float,
) -> Claims:
    """The claims of an ID token: what the scopes give, and only switched-on optional claims."""
    issued_at = int(now) - BACKDATED_SECONDS
    person = account.person
    claims: Claims = {
        "aud": application.client_id,
        "iss": issuer_of(origin, account.tid),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + _ID_TOKEN_SECONDS,
        "rh": f"1.{secrets.token_urlsafe(24)}.",
        "sub": pairwise_subject(application.client_id, account),
        "tid": account.tid,
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
    }
    if account.is_guest:
        claims["idp"] = f"https://sts.windows.net/{person.home_tid}/"
    if nonce is not None:
        claims["nonce"] = nonce
    if person.roles:
        claims["roles"] = list(person.roles)
    asked = optional_claims | ({"email"} if "email" in scopes else set())
    claims.update(_names(account) if "profile" in scopes else {})
    claims.update(_optional_claims(asked, account, facts))
    if contexts:
        claims["acrs"] = sorted(contexts | set(claims.get("acrs", ())))
    claims.update(person.extra_claims)
    return claims


def build_api_claims(
    account: Account, facts: SignInFacts, optional_claims: Collection[str]
) -> Claims:
    """What the API of a registration of this directory reads of a person beside the standard."""
    roles = account.person.roles
    claims: Claims = {"roles": list(roles)} if roles else {}
    return claims | _optional_claims(optional_claims, account, facts)


def build_access_token_claims(
    *,
    issuer: str,
    client_id: str,
    tid: str,
    resource: str,
    scopes: tuple[str, ...],
    now: float,
    lifetime: int,
    azpacr: str,
    account: Account | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Claims:
    """The claims of an access token; `azpacr` is "1" for a secret and "2" for an assertion."""
    issued_at = int(now) - BACKDATED_SECONDS
    claims: Claims = {
        "aud": resource,
        "iss": issuer,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": int(now) + lifetime,
        "azp": client_id,
        "azpacr": azpacr,
        "oid": account.oid if account else str(uuid.uuid5(uuid.NAMESPACE_URL, client_id)),
        "tid": tid,
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
    }
    claims["sub"] = pairwise_subject(resource, account) if account else claims["oid"]
    if account is not None:
        claims["scp"] = " ".join(scopes)
        claims[REVOCATIONS_CLAIM] = account.person.revocations
    return claims | dict(extra or {})


def sign(claims: Claims, key: SigningKey, *, resource: str = "") -> str:
    """`claims` as a compact JWT; Graph's tokens get a header that clients cannot verify by."""
    header = {"kid": key.kid}
    if resource == GRAPH_RESOURCE_ID:
        header["nonce"] = secrets.token_urlsafe(24)
    return jwt.encode(claims, key.private_key, algorithm="RS256", headers=header)
