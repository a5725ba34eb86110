"""Keeps the provider's signing keys, parsed once, and follows their rotation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from .documents import fetch_document
from .errors import ProtocolFailure, make_error
from .http import HttpClient
from .shared_calls import LastGood

_MAX_KEYS: Final = 100
_MIN_BITS: Final = 2048


@dataclass(frozen=True)
class SigningKey:
    """A public key of the provider; ``issuer`` is Microsoft's member that says who may use it."""

    kid: str
    issuer: str | None
    public_key: RSAPublicKey = field(repr=False)
    modulus: str = field(repr=False)


Keys = Mapping[str, SigningKey]


class KeyStore:
    """Finds signing keys by ``kid``; an unknown one makes it fetch again, once a minute at most.

    ``jwks_uri`` is called before each fetch and may raise ``ProtocolFailure`` itself.
    """

    def __init__(
        self,
        jwks_uri: Callable[[], str],
        http_client: HttpClient,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._jwks_uri = jwks_uri
        self._http = http_client
        self._clock = clock
        self._parsed: Keys = {}
        self._document = LastGood(self._fetch, clock=clock)

    def find(self, kid: str) -> SigningKey | None:
        """Return the key named ``kid``. Raises ``ProtocolFailure`` when no keys can be had."""
        before = self._parsed
        keys = self._document.get()
        if kid not in keys and keys is before:
            keys = self._document.get_newer()
        return keys.get(kid)

    def _fetch(self, bypass: bool) -> tuple[Keys, int]:
        return fetch_document(
            self._http, self._jwks_uri(), self._read, clock=self._clock, bypass=bypass
        )

    def _read(self, document: Mapping[str, Any]) -> Keys:
        keys = parse_keys(document, self._parsed)
        if not keys:
            text = "The sign-in service published no usable signing key."
            raise ProtocolFailure(make_error("invalid_response", text))
        self._parsed = keys
        return keys


def parse_keys(document: Mapping[str, Any], known: Keys | None = None) -> dict[str, SigningKey]:
    """Return the RSA signing keys of a JWK set (RFC 7517 section 5) by ``kid``.

    Keys of other types or uses, broken ones and those under 2048 bits are left out; a key that
    is in ``known`` unchanged is not parsed again.
    """
    entries = document.get("keys")
    keys: dict[str, SigningKey] = {}
    for entry in entries[:_MAX_KEYS] if isinstance(entries, list) else []:
        key = _parse_key(entry, known or {}) if isinstance(entry, dict) else None
        if key is not None:
            keys.setdefault(key.kid, key)
    return keys


def _parse_key(entry: dict[str, Any], known: Keys) -> SigningKey | None:
    kid, issuer, modulus = entry.get("kid"), entry.get("issuer"), entry.get("n")
    if not isinstance(kid, str) or not kid or not isinstance(modulus, str):
        return None
    if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig":
        return None
    if issuer is not None and not isinstance(issuer, str):
        return None
    before = known.get(kid)
    if before is not None and (before.issuer, before.modulus) == (issuer, modulus):
        return before
    public_key = _parse_rsa(modulus, entry.get("e"))
    return None if public_key is None else SigningKey(kid, issuer, public_key, modulus)


def _parse_rsa(modulus: str, exponent: Any) -> RSAPublicKey | None:
    try:
        # Only the public members are handed over, so a private key can never come of it.
        key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": modulus, "e": exponent})
    except (InvalidKeyError, ValueError, TypeError, AttributeError):
        return None
    is_usable = isinstance(key, RSAPublicKey) and key.key_size >= _MIN_BITS
    return key if is_usable else None  # type: ignore[return-value]
