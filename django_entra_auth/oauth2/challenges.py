"""Reads ``WWW-Authenticate`` headers and finds claims challenges in them."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .claims import merge_claims

MAX_HEADER: Final = 16_384
"""Characters of a header that are looked at; a longer one is not read at all."""

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_SEPARATOR = re.compile(r"[\s,]*")
_PARAMETER = re.compile(rf"({_WORD})\s*=\s*(?!=)")
_SCHEME = re.compile(rf"({_WORD})(?:\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|\Z)))?(?=[\s,]|\Z)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_UNQUOTED = re.compile(r'[^\s,"]*')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_JSON = json.JSONDecoder()


@dataclass(frozen=True)
class AuthChallenge:
    """One challenge: scheme and parameter names in lower case, the first of equal names."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def claims(self) -> str | None:
        """The claims asked for, as JSON text; ``None`` when this is no claims challenge.

        An error other than ``insufficient_claims``, or claims that cannot be decoded, do not
        make one: repeating the call would not help.
        """
        error = self.parameters.get("error", "insufficient_claims")
        if self.scheme != "bearer" or error.lower() != "insufficient_claims":
            return None
        return _decode_claims(self.parameters.get("claims", ""))


def parse_www_authenticate(header: str | Iterable[str] | None) -> list[AuthChallenge]:
    """Return the challenges in a ``WWW-Authenticate`` header, in order; never raises.

    ``header`` is the field's value, or several of them. Commas separate both challenges and
    parameters; values may be quoted or not, and raw JSON may stand in the quotes, unescaped, as
    some Microsoft libraries send it. What cannot be read ends the list. RFC 9110 section 11.6.1.
    """
    text = header if isinstance(header, str) else ", ".join(header or ())
    found: list[tuple[str, dict[str, str]]] = []
    position = 0 if len(text) <= MAX_HEADER else len(text)
    while position < len(text):
        next_position = _read_item(text, position, found)
        if next_position is None:
            break
        position = next_position
    return [AuthChallenge(scheme, parameters) for scheme, parameters in found]


def find_claims_challenge(header: str | Iterable[str] | None) -> str | None:
    """Return the claims (JSON text) of the first claims challenge in the header, else ``None``.

    Look at it on status 401 and 403 alike. Microsoft identity platform: "Claims challenges,
    claims requests, and client capabilities".
    """
    found = (challenge.claims for challenge in parse_www_authenticate(header))
    return next((claims for claims in found if claims is not None), None)


def _read_item(text: str, position: int, found: list[tuple[str, dict[str, str]]]) -> int | None:
    """Read a parameter or a scheme at ``position``; return where to go on."""
    start = _SEPARATOR.match(text, position).end()  # type: ignore[union-attr]
    parameter = _PARAMETER.match(text, start)
    if parameter is not None:
        value, end = _read_value(text, parameter.end())
        if value is not None and found:
            found[-1][1].setdefault(parameter[1].lower(), value)
        return end
    scheme = _SCHEME.match(text, start)
    if scheme is None:
        return None
    found.append((scheme[1].lower(), {}))
    return scheme.end()


def _read_value(text: str, position: int) -> tuple[str | None, int | None]:
    if text[position : position + 1] != '"':
        match = _UNQUOTED.match(text, position)
        return (match[0], match.end()) if match else (None, None)
    if text[position + 1 : position + 2] == "{":
        raw = _read_raw_json(text, position + 1)
        if raw is not None:
            return raw, position + len(raw) + 2
    match = _QUOTED.match(text, position)
    return (_ESCAPE.sub(r"\1", match[1]), match.end()) if match else (None, None)


def _read_raw_json(text: str, position: int) -> str | None:
    try:
        _, end = _JSON.raw_decode(text, position)
    except (ValueError, RecursionError):
        return None
    return text[position:end] if text[end : end + 1] == '"' else None


def _decode_claims(value: str) -> str | None:
    text = value.strip()
    if not text.startswith("{"):
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            padded = standard + "=" * (-len(standard) % 4)
            text = b64decode(padded, validate=True).decode()
        except (binascii.Error, ValueError):
            return None
    return text if _is_object(text) else None


def _is_object(text: str) -> bool:
    """Whether the claims can be asked for: what cannot be merged makes no challenge."""
    try:
        return bool(text) and merge_claims(("cp1",), text) is not None
    except ValueError:
        return False
