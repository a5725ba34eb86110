"""What a registration knows of its client's proofs besides the secret, and how they are checked."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from jwt.utils import base64url_encode

from .errors import EntraError

EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
SKEW_SECONDS = 300
_ALGORITHMS = ("PS256", "RS256")
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True)
class FederatedCredential:
    """Somebody else's tokens that stand for the client: who issues them, about whom, to whom.

    The real Entra finds `public_key` through the issuer's own metadata.
    """

    issuer: str
    subject: str
    public_key: RSAPublicKey = field(repr=False)
    audience: str = EXCHANGE_AUDIENCE


@dataclass(eq=False)
class RegisteredCredentials:
    """Certificates, federated credentials and expired secrets; change them at any time."""

    certificates: list[x509.Certificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    expired_secrets: set[str] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _used: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def knows_keys(self) -> bool:
        """Whether any assertion can be accepted at all."""
        return bool(self.certificates or self.federated)

    def check_assertion(
        self, assertion: str, *, client_id: str, audiences: Iterable[str], now: float
    ) -> None:
        """Refuse an assertion that proves nothing; `now` is in epoch seconds.

        `audiences` are those of an assertion that the client has signed itself. That an assertion
        counts once is stricter than what Entra documents.
        """
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise EntraError(50027, "The assertion is no JWT.") from None
        if claims.get("iss") == client_id:
            key, expected = self._find_key(header), set(audiences)
            _require_own(claims, client_id)
        else:
            key, expected = self._find_federated(claims)
        _require_signature(assertion, key)
        audience = claims.get("aud")
        if not isinstance(audience, str) or audience not in expected:
            raise EntraError(700023)
        _require_time(claims, now)
        if claims.get("iss") == client_id:
            self._use_once(str(claims.get("jti", "")), now)

    def _find_key(self, header: Mapping[str, Any]) -> RSAPublicKey:
        for certificate in self.certificates:
            key = certificate.public_key()
            if isinstance(key, RSAPublicKey) and _names(header, certificate):
                return key
        raise EntraError(700027)

    def _find_federated(self, claims: Mapping[str, Any]) -> tuple[RSAPublicKey, set[str]]:
        for known in self.federated:
            if (known.issuer, known.subject) == (claims.get("iss"), claims.get("sub")):
                return known.public_key, {known.audience}
        raise EntraError(700213 if self.federated else 700027)

    def _use_once(self, jti: str, now: float) -> None:
        with self._lock:
            if not jti or jti in self._used:
                raise EntraError(50027, "The assertion's jti is missing or was used before.")
            self._used[jti] = now
            if len(self._used) > _MAX_REMEMBERED:
                del self._used[next(iter(self._used))]


def _names(header: Mapping[str, Any], certificate: x509.Certificate) -> bool:
    digests = {"x5t#S256": SHA256(), "x5t": SHA1()}  # noqa: S303 - a name, as Entra still takes it
    return any(
        header.get(name) == base64url_encode(certificate.fingerprint(digest)).decode()
        for name, digest in digests.items()
    )


def _require_own(claims: Mapping[str, Any], client_id: str) -> None:
    if claims.get("sub") != client_id:
        raise EntraError(50048)


def _require_signature(assertion: str, key: RSAPublicKey) -> None:
    # Times are judged by the local Entra's own clock, which tests set.
    names = ("aud", "exp", "iat", "iss", "jti", "nbf", "sub")
    options: Any = {"verify_signature": True, **{f"verify_{name}": False for name in names}}
    try:
        jwt.decode(assertion, key, algorithms=list(_ALGORITHMS), options=options)
    except jwt.PyJWTError:
        raise EntraError(700027, "The signature does not fit.") from None


def _require_time(claims: Mapping[str, Any], now: float) -> None:
    begins, ends = claims.get("nbf", now), claims.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        raise EntraError(50027, "The assertion's times cannot be read.")
    if not begins - SKEW_SECONDS <= now < ends + SKEW_SECONDS:
        raise EntraError(700024)
