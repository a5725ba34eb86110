"""Recognises the answers that send a browser to Entra, and reads what they ask there."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpResponse

AUTHORIZE = "/oauth2/v2.0/authorize"
_REFRESH = re.compile(rb'http-equiv="refresh" content="\d+;url=([^"]+)"')
_OF_SIGN_IN = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True)
class Prompt:
    """A way to Entra; `state` is for comparing, never for showing."""

    how: str
    state: str
    claims: str
    scopes: str
    prompt: str
    max_age: str


def find_prompt(response: HttpResponse, origin: str) -> Prompt | None:
    """The prompt that a response leads to, whichever way; None for any other response."""
    for how, url in _find_ways(response).items():
        parts = urlsplit(url)
        if url.startswith(f"{origin}/") and parts.path.endswith(AUTHORIZE):
            return _read(how, dict(parse_qsl(parts.query)))
    return None


def _find_ways(response: HttpResponse) -> dict[str, str]:
    ways = {
        "The site redirected your browser": response.get("Location", ""),
        "The site answered the script with HX-Redirect, which moved your browser": response.get(
            "HX-Redirect", ""
        ),
    }
    if not response.streaming and response.status_code == 200:
        found = _REFRESH.search(response.content)
        url = html.unescape(found[1].decode()) if found else ""
        ways["The site kept your form, and a page of its own moved your browser"] = url
    return ways


def _read(how: str, query: Mapping[str, str]) -> Prompt:
    scopes = [name for name in query.get("scope", "").split() if name not in _OF_SIGN_IN]
    return Prompt(
        how,
        query.get("state", ""),
        query.get("claims", ""),
        ", ".join(scopes),
        query.get("prompt", ""),
        query.get("max_age", ""),
    )
