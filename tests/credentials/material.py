"""Keys, certificates and whole sign-ins for the tests of credentials."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from django_entra_auth.emulator.registered_credentials import (
    EXCHANGE_AUDIENCE,
    FederatedCredential,
)
from tests.rsa_keys import next_key
from tests.visitor import Visitor

PASSPHRASE = "open sesame"
ISSUER, SUBJECT = "https://oidc.cluster.example/", "system:serviceaccount:shop:web"


@dataclass(frozen=True)
class Pair:
    """A key with its certificate, and the one that signed it, if any."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    issuer: x509.Certificate | None = None

    def key_pem(self, passphrase: str | None = None) -> str:
        return self.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, protect(passphrase)
        ).decode()

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def issuer_pem(self) -> str:
        assert self.issuer is not None
        return self.issuer.public_bytes(Encoding.PEM).decode()

    def pfx(self, passphrase: str | None = None) -> bytes:
        others = [self.issuer] if self.issuer else None
        return pkcs12.serialize_key_and_certificates(
            b"site", self.key, self.certificate, others, protect(passphrase)
        )


def protect(passphrase: str | None) -> Any:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


def make_pair(*, days: float = 365, issuer_days: float | None = None) -> Pair:
    """A new pair that ends in `days`; with `issuer_days`, signed by another that ends then."""
    key = next_key()
    if issuer_days is None:
        return Pair(key, sign(key, "site", key, "site", days))
    above = next_key()
    issuer = sign(above, "issuer", above, "issuer", issuer_days)
    return Pair(key, sign(key, "site", above, "issuer", days), issuer)


def sign(
    key: rsa.RSAPrivateKey, name: str, signer: rsa.RSAPrivateKey, issuer: str, days: float
) -> x509.Certificate:
    end = datetime.now(timezone.utc) + timedelta(days=days)
    builder = x509.CertificateBuilder(
        name_of(issuer), name_of(name), key.public_key(), 7, end - timedelta(days=730), end
    )
    return builder.sign(signer, hashes.SHA256())


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Shop:
    """A folder for files, a registered pair, and the settings that sign in with them."""

    entra: Any
    settings: Any
    folder: Path
    pair: Pair

    def write(self, name: str, content: str | bytes) -> str:
        """Put a file in the place of what is there, as deployments do; its path."""
        path, newer = self.folder / name, self.folder / f"{name}.new"
        newer.write_bytes(content.encode() if isinstance(content, str) else content)
        newer.replace(path)
        return str(path)

    def use(self, credential: Any) -> None:
        """Configure CLIENT_CREDENTIAL."""
        self.settings.ENTRA_AUTH = {**self.settings.ENTRA_AUTH, "CLIENT_CREDENTIAL": credential}

    def sign_in(self, person: str = "alice") -> tuple[Visitor, Any]:
        """A whole sign-in in a new browser; the browser and the last answer."""
        visitor = Visitor(self.entra)
        return visitor, visitor.sign_in(person)

    def count(self) -> int:
        """How many token requests have reached Entra."""
        return len(self.token_forms())

    def token_forms(self) -> list[dict[str, str]]:
        return [one.form for one in self.entra.requests if one.path.endswith("/token")]

    def federate(self, key: rsa.RSAPrivateKey) -> None:
        """Let Entra accept tokens of a cluster that signs with `key`."""
        known = FederatedCredential(ISSUER, SUBJECT, key.public_key())
        self.entra.application.credentials.federated.append(known)


def make_cluster_token(key: rsa.RSAPrivateKey, **changes: Any) -> str:
    """What a workload's identity provider issues."""
    now = int(datetime.now(timezone.utc).timestamp())
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": EXCHANGE_AUDIENCE,
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode({**claims, **changes}, key, "RS256")


def as_base64(content: bytes) -> str:
    return b64encode(content).decode()
