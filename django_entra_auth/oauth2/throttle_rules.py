"""Which answers of the provider have to be respected, by whom, and what may be kept of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from .answers import parse_object
from .classification import classify
from .errors import read_error
from .http import HttpResponse

TOO_MANY: Final = 429
_MAX_TEXT: Final = 16_384

Form = Mapping[str, Any]

Rule = Literal["rejection", "shared", "account"]
"""Whom an answer holds back: who asks the same, everyone with the same scope, or one account."""

# What identifies the person, or the one thing, that a grant is about.
_ACCOUNT_FIELDS: Final = (
    "refresh_token",
    "code",
    "assertion",
    "username",
    "device_code",
    "user_id",
)
# Client authentication and PKCE differ from request to request without making another question.
_NOT_IN_KEY: Final = frozenset(
    {"client_assertion", "client_assertion_type", "client_secret", "code_verifier"}
)
_SECRET_FIELDS: Final = (
    "refresh_token",
    "code",
    "assertion",
    "device_code",
    "client_assertion",
    "client_secret",
    "code_verifier",
    "password",
)


def read_form(data: Any) -> Form:
    """Return the fields of a POST as ``requests`` takes it: a mapping, pairs, or encoded text.

    A body that can be read only once is left alone.
    """
    if isinstance(data, Mapping):
        return data
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    if isinstance(text, str):
        return dict(parse_qsl(text, keep_blank_values=True))
    if isinstance(text, (list, tuple)):
        return dict(text)
    return {"": repr(text)}


def make_keys(url: str, params: Any, form: Form) -> dict[Rule, str]:
    """Return under which key each rule keeps what concerns a request; all are hashes."""
    kind = "code" if form.get("grant_type") == "authorization_code" else "other"
    audience = (url, form.get("client_id"), form.get("scope"), kind)
    account = [form[name] for name in _ACCOUNT_FIELDS if form.get(name)]
    question = sorted((name, str(form[name])) for name in form if name not in _NOT_IN_KEY)
    return {
        "rejection": hash_key("400", url, order_params(params), question),
        "shared": hash_key("429", *audience),
        "account": hash_key("account", *audience, account),
    }


def choose_rule(response: HttpResponse, named: int | None, form: Form) -> Rule | None:
    """Return the rule for an answer, ``None`` when nobody is held back.

    ``named`` is the time of its ``Retry-After`` in seconds.
    """
    status = response.status_code
    if status in range(200, 300):
        return None
    if status == TOO_MANY:
        return "shared"
    if named is not None or status >= 500:
        return "account"
    return "rejection" if status == 400 and _is_final(response, form) else None


def clean_text(text: str, form: Form) -> str:
    """Return the text to keep: an error's members, or the text itself when it holds no secret."""
    if any(str(form[name]) in text for name in _SECRET_FIELDS if form.get(name)):
        return ""
    body = parse_object(text)
    if body is None:
        return text[:_MAX_TEXT]
    members = read_error(body)
    del members["category"]
    return json.dumps(members)


def hash_key(*parts: Any) -> str:
    """Return one key for the parts."""
    return hashlib.sha256(repr(parts).encode(errors="replace")).hexdigest()


def order_params(params: Any) -> Any:
    """Return query parameters so that their order makes no other key."""
    return sorted(params.items()) if isinstance(params, Mapping) else params


def _is_final(response: HttpResponse, form: Form) -> bool:
    """Return whether asking the same again would be refused again."""
    grant = str(form.get("grant_type", ""))
    if grant == "authorization_code" or grant.endswith("device_code"):
        return False
    body = parse_object(response.text)
    if body is None:
        return True
    # The next credential may be accepted; it is no part of the question's key.
    return body.get("error") != "invalid_client" and classify(body).category != "transient"
