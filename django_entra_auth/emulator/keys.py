"""Signing keys: making, publishing and rotating them; the server's TLS certificate."""

import datetime
import ipaddress
import threading
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class SigningKey:
    """A published RSA key; `issuer` may override the key's own issuer in the key set."""

    kid: str
    private_key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    issuer: str | None = None

    def public_jwk(self, issuer: str) -> dict[str, object]:
        """The key as an entry of the key set, without `alg`, with Microsoft's `issuer`."""
        numbers = self.private_key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _base64url_number(numbers.n),
            "e": _base64url_number(numbers.e),
            "x5c": [b64encode(self.certificate.public_bytes(Encoding.DER)).decode()],
            "issuer": self.issuer or issuer,
        }


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _base64url_number(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _make_certificate(key: PrivateKey, name: str, *, server: bool = False) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )
    if server:
        builder = _for_loopback(builder, key)
    return builder.sign(key, hashes.SHA256())


def _for_loopback(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.CertificateBuilder:
    addresses = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
    names = [x509.DNSName("localhost"), *(x509.IPAddress(address) for address in addresses)]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    # Verifiers with strict RFC 5280 checks (the default from Python 3.13 on) want all of these.
    return (
        builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )


def make_signing_key(*, issuer: str | None = None) -> SigningKey:
    """A fresh key whose id is its certificate's thumbprint, as Entra's are."""
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _make_certificate(private_key, "local signing key")
    # The thumbprint only names the key; SHA-1 is what the x5t member is defined with.
    kid = _base64url(certificate.fingerprint(hashes.SHA1()))  # noqa: S303
    return SigningKey(kid, private_key, certificate, issuer)


def write_tls_files(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for loopback; returns the certificate's and the key's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _make_certificate(key, "local emulator", server=True)
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


class KeyRing:
    """The published keys; exactly one of them signs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signing = make_signing_key()
        # The real key set holds several keys and its order means nothing.
        self._published: tuple[SigningKey, ...] = (make_signing_key(), self._signing)

    @property
    def signing(self) -> SigningKey:
        """The key that signs new tokens."""
        return self._signing

    @property
    def published(self) -> tuple[SigningKey, ...]:
        """All keys of the key set."""
        return self._published

    def publish(self, key: SigningKey) -> None:
        """Add a key that signs nothing by itself."""
        with self._lock:
            self._published = (*self._published, key)

    def rotate(self, *, drop_old: bool = False) -> None:
        """Sign with a new key from now on; `drop_old` withdraws all others at once."""
        key = make_signing_key()
        with self._lock:
            self._signing = key
            self._published = (key,) if drop_old else (key, *self._published)
