"""Signs client assertions with a certificate's private key."""

from __future__ import annotations

import binascii
import uuid
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
    pkcs12,
)

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 600
_MIN_BITS: Final = 2048
_MAX_PFX: Final = 1_000_000
_SEQUENCE: Final = b"\x30"
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error)


@dataclass(frozen=True)
class KeyPair:
    """A private key with its certificate, the leaf first; both are parsed.

    Equal pairs have equal certificates: a certificate belongs to one key.
    """

    private_key: RSAPrivateKey = field(repr=False, compare=False)
    certificates: tuple[x509.Certificate, ...]

    def headers(self, *, send_x5c: bool) -> dict[str, Any]:
        """Return the JOSE headers that name the certificate, and bring it along if asked."""
        digest = self.certificates[0].fingerprint(SHA256())
        headers: dict[str, Any] = {
            "x5t#S256": urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        if send_x5c:
            ders = (certificate.public_bytes(Encoding.DER) for certificate in self.certificates)
            headers["x5c"] = [b64encode(der).decode() for der in ders]
        return headers


def load_pem(private_key: str, certificate: str, passphrase: str | None) -> KeyPair:
    """Return the pair in two PEM texts. Raises ``ValueError`` without repeating either."""
    try:
        key = load_pem_private_key(private_key.encode(), _as_bytes(passphrase))
        certificates = x509.load_pem_x509_certificates(certificate.encode())
    except _UNREADABLE:
        raise ValueError(
            "client_credential: the private key or the certificate cannot be read"
        ) from None
    return _pair(key, certificates)


def load_pfx(path: str, passphrase: str | None) -> KeyPair:
    """Return the pair in a PKCS #12 file. Raises ``ValueError`` when it cannot be read."""
    try:
        content = _read_pfx(path)
        key, leaf, others = pkcs12.load_key_and_certificates(content, _as_bytes(passphrase))
    except (*_UNREADABLE, OSError):
        raise ValueError("client_credential: the PFX file cannot be read") from None
    return _pair(key, [certificate for certificate in (leaf, *others) if certificate is not None])


def _read_pfx(path: str) -> bytes:
    with Path(path).open("rb") as file:
        content = file.read(_MAX_PFX)
    # Key vaults hand a PFX file out as text, in base64; as it is, it begins with a sequence.
    return content if content[:1] == _SEQUENCE else b64decode(content, validate=False)


def _as_bytes(passphrase: str | None) -> bytes | None:
    return None if passphrase is None else passphrase.encode()


def _pair(key: object, certificates: Iterable[x509.Certificate]) -> KeyPair:
    if not isinstance(key, RSAPrivateKey) or key.key_size < _MIN_BITS:
        raise ValueError("client_credential: an RSA key of at least 2048 bits is needed")
    # Bundles do not agree on whether the leaf or the root comes first.
    chain = tuple(sorted(certificates, key=lambda one: not _is_of(key, one)))
    if not chain or not _is_of(key, chain[0]):
        raise ValueError("client_credential: the certificate does not belong to the private key")
    return KeyPair(key, chain)


def _is_of(key: RSAPrivateKey, certificate: x509.Certificate) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except _UNREADABLE:
        return False


@dataclass(frozen=True)
class ClientCertificate:
    """Signs an assertion for each request (OIDC Core section 9, private_key_jwt).

    PS256 with the certificate's SHA-256 thumbprint, as Microsoft's "certificate credentials"
    ask for; ``send_x5c`` brings the certificate along for subject-name validation.
    """

    pair: KeyPair = field(repr=False)
    send_x5c: bool = False

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        """Return the fields of a signed assertion, good for ten minutes."""
        claims = {
            "aud": token_endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": str(uuid.uuid4()),
            "nbf": int(now),
            "iat": int(now),
            "exp": int(now) + ASSERTION_SECONDS,
        }
        headers = self.pair.headers(send_x5c=self.send_x5c)
        assertion = jwt.encode(claims, self.pair.private_key, "PS256", headers=headers)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
