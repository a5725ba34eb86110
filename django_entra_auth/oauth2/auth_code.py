"""Builds authorization requests and checks what comes back, without any I/O."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast
from urllib.parse import urlencode

from .errors import Result, read_error
from .scopes import RESERVED_SCOPES, check_scopes, decorate_scopes

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class AuthCodeFlow(TypedDict, total=False):
    """What has to be kept from the start of a sign-in until its callback; all of it is JSON."""

    state: str
    redirect_uri: str
    scope: list[str]
    auth_uri: str
    code_verifier: str
    nonce: str
    max_age: int
    claims_challenge: str


def check_verifier(code_verifier: str | None) -> str:
    """Return the PKCE verifier, a new one for ``None`` (RFC 7636 section 4.1)."""
    if code_verifier is None:
        return secrets.token_urlsafe(32)
    if not _VERIFIER.fullmatch(code_verifier):
        raise ValueError("code_verifier must be 43 to 128 unreserved characters")
    return code_verifier


def check_max_age(max_age: int | None) -> int | None:
    """Return ``max_age`` (seconds); ``ValueError`` unless it is a whole number from 0."""
    if max_age is not None and (type(max_age) is not int or max_age < 0):
        raise ValueError("max_age must be a whole number of seconds, 0 or more")
    return max_age


def hash_nonce(nonce: str) -> str:
    """Return what travels of the nonce: its hash, so that the flow's own value stays private."""
    return hashlib.sha256(nonce.encode()).hexdigest()


def build_auth_uri(
    endpoint: str, client_id: str, flow: AuthCodeFlow, hints: Mapping[str, str | None]
) -> str:
    """Return the URL that starts the sign-in; ``hints`` are further parameters, ``None`` left out.

    RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core 1.0 section 3.1.2.1.
    """
    digest = hashlib.sha256(flow["code_verifier"].encode()).digest()
    parameters: dict[str, str | None] = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": flow["redirect_uri"],
        "scope": " ".join(flow["scope"]),
        "state": flow["state"],
        "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "nonce": hash_nonce(flow["nonce"]),
        "client_info": "1",
        **hints,
    }
    return add_query(endpoint, parameters)


def add_query(endpoint: str, parameters: Mapping[str, str | None]) -> str:
    """Return ``endpoint`` with the parameters that are not ``None``."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    separator = "&" if "?" in endpoint else "?"
    return f"{endpoint}{separator}{query}" if query else endpoint


def narrow_scopes(asked: Iterable[str], scopes: Iterable[str] | None) -> list[str]:
    """Return the scopes to redeem a code for: all that were ``asked``, or some of them.

    Raises ``ValueError`` when ``scopes`` holds one that was not asked for.
    """
    if scopes is None:
        return sorted(asked)
    wanted = check_scopes(scopes)
    if not wanted <= set(asked):
        raise ValueError("scopes must be among those that the flow asked for")
    return decorate_scopes(wanted - RESERVED_SCOPES)


def check_flow(flow: Mapping[str, Any]) -> AuthCodeFlow:
    """Return the flow; ``ValueError``, without its values, when a part of it is missing."""
    names = ("state", "redirect_uri", "code_verifier", "nonce")
    missing = [name for name in names if not isinstance(flow.get(name), str) or not flow[name]]
    if not isinstance(flow.get("scope"), (list, tuple)):
        missing.append("scope")
    if missing:
        raise ValueError(f"the flow has no {', '.join(missing)}")
    check_max_age(flow.get("max_age"))
    return cast("AuthCodeFlow", flow)


def check_state(flow: AuthCodeFlow, auth_response: Mapping[str, Any]) -> None:
    """Raise ``ValueError``, without the values, unless the answer belongs to the flow."""
    received = auth_response.get("state")
    if not isinstance(received, str):
        raise ValueError("the answer has no state")  # noqa: TRY004
    if not hmac.compare_digest(flow["state"].encode(), received.encode(errors="replace")):
        raise ValueError("the answer's state belongs to another sign-in")


def read_code(auth_response: Mapping[str, Any]) -> str | Result:
    """Return the code of an answer, or the error dictionary when it is an error.

    An error comes before a code (RFC 6749 section 4.1.2.1). Raises ``ValueError`` when the
    answer has neither.
    """
    if auth_response.get("error"):
        return read_error({name: auth_response.get(name) for name in auth_response})
    code = auth_response.get("code")
    if not isinstance(code, str) or not code:
        raise ValueError("the answer has neither a code nor an error")
    return code
