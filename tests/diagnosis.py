"""Runs the doctor, and makes what it is to find fault with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.conf import settings as django_settings
from django.test import override_settings
from django.urls import clear_url_caches

from django_entra_auth.doctor import Finding, Options, examine

NO_CACHE = Options(skip=frozenset({"cache"}))
SITE = "http://localhost:8000"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def diagnose(
    entra_auth: dict[str, Any] | None = None, options: Options = NO_CACHE, **changes: Any
) -> list[Finding]:
    """The findings on the site of the tests with these settings."""
    if entra_auth is not None:
        changes["ENTRA_AUTH"] = entra_auth
    clear_url_caches()
    try:
        with override_settings(**changes):
            return list(examine(options))
    finally:
        clear_url_caches()


def at(*urls: str, **more: Any) -> Options:
    """Options with the site's public addresses."""
    return replace(NO_CACHE, urls=urls, **more)


def local(**changes: Any) -> dict[str, Any]:
    """ENTRA_AUTH of the tests, changed."""
    return {**django_settings.ENTRA_AUTH, **changes}


def certificate(*, days: float) -> dict[str, str]:
    """A client credential whose certificate ends in `days`; below 0: has ended."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    end = datetime.now(timezone.utc) + timedelta(days=days)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=365))
        .not_valid_after(end)
        .sign(KEY, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = KEY.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = built.public_bytes(encoding)
    return {"private_key": private.decode(), "public_certificate": public.decode()}
