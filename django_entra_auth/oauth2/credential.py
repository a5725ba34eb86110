"""Proves the client's identity to the token endpoint, with one credential or the next."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from .certificate import ASSERTION_TYPE, ClientCertificate, PfxFile, load_pem

ROLLOVER_NUMBERS: Final = frozenset(
    {700024, 700027, 1000502, 7000214, 7000215, 7000222, 7000274, 7000277}
)
"""AADSTS numbers that mean: this secret or certificate is not the one that counts now."""

_PEM_NAMES = {"private_key", "public_certificate", "passphrase", "thumbprint", "send_x5c"}
_PFX_NAMES = {"private_key_pfx_path", "passphrase", "public_certificate", "send_x5c"}


class Credential(Protocol):
    """Something that adds the client's authentication to a token request."""

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        """Return the form fields that prove who is asking; ``now`` is Unix time."""


@dataclass(frozen=True)
class ClientSecret:
    """A secret shared with Entra, sent in the body (OIDC Core section 9, client_secret_post)."""

    secret: str = field(repr=False)

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        """Return the ``client_secret`` field."""
        return {"client_secret": self.secret}


@dataclass(frozen=True)
class ClientAssertion:
    """An assertion that somebody else signs, for example a workload's own identity provider.

    ``source`` is the assertion, or a function that is called for each request and may take
    ``token_endpoint`` and ``client_id`` by name, or one mapping of both. What it raises is not
    caught. RFC 7523 section 2.2.
    """

    source: str | Callable[..., str] = field(repr=False)

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        """Return the fields of the assertion; ``ValueError`` when the function returns none."""
        source = self.source
        context = {"client_id": client_id, "token_endpoint": token_endpoint}
        assertion = source if isinstance(source, str) else _call(source, context)
        if not isinstance(assertion, str) or not assertion:
            raise ValueError("client_credential: the assertion function returned no assertion")
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


class CredentialChain:
    """Credentials in the order to try; remembers which one Entra accepted last."""

    def __init__(self, credentials: tuple[Credential, ...]) -> None:
        self._credentials = credentials
        self._current = 0

    def __iter__(self) -> Iterator[Credential]:
        """Return each credential once, the remembered one first, the rest in their order."""
        first = self._current
        order = [first, *(n for n in range(len(self._credentials)) if n != first)]
        return (self._credentials[number] for number in order)

    def remember(self, credential: Credential) -> None:
        """Begin with ``credential`` from now on."""
        for number, candidate in enumerate(self._credentials):
            if candidate is credential:
                self._current = number


def parse_credentials(value: Any) -> CredentialChain:
    """Return the credentials that ``client_credential`` describes.

    A secret; a mapping with ``private_key`` and ``public_certificate`` (PEM) or with
    ``private_key_pfx_path``, both with ``passphrase`` and ``send_x5c`` if needed; a mapping with
    ``client_assertion``; or a list of these. Raises ``ValueError``, without repeating the value.
    """
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("client_credential is empty")
    return CredentialChain(tuple(_parse_one(item) for item in values))


def _parse_one(value: Any) -> Credential:
    if isinstance(value, str) and value.strip():
        return ClientSecret(value)
    if isinstance(value, Mapping):
        names = set(value)
        if names == {"client_assertion"}:
            return _parse_assertion(value["client_assertion"])
        if {"private_key", "public_certificate"} <= names <= _PEM_NAMES:
            return _parse_pem(value)
        if "private_key_pfx_path" in names and names <= _PFX_NAMES:
            return _parse_pfx(value)
    raise ValueError("client_credential is neither a secret, a certificate nor an assertion")


def _parse_assertion(source: Any) -> ClientAssertion:
    if not (isinstance(source, str) and source) and not callable(source):
        raise ValueError("client_credential: client_assertion must be text or a function")
    return ClientAssertion(source)


def _parse_pem(value: Mapping[str, Any]) -> ClientCertificate:
    texts = (value["private_key"], value["public_certificate"])
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("client_credential: private_key and public_certificate must be PEM text")
    pair = load_pem(*texts, _read_passphrase(value))
    return ClientCertificate(pair, send_x5c=bool(value.get("send_x5c")))


def _parse_pfx(value: Mapping[str, Any]) -> ClientCertificate:
    path = str(value["private_key_pfx_path"])
    # MSAL asks for the certificate in the header by public_certificate=True.
    send_x5c = bool(value.get("send_x5c")) or value.get("public_certificate") is True
    return ClientCertificate(PfxFile(path, _read_passphrase(value)), send_x5c=send_x5c)


def _read_passphrase(value: Mapping[str, Any]) -> str | None:
    passphrase = value.get("passphrase")
    if isinstance(passphrase, bytes):
        return passphrase.decode("utf-8", "replace")
    if passphrase is not None and not isinstance(passphrase, str):
        raise ValueError("client_credential: passphrase must be text")
    return passphrase


def _call(function: Callable[..., str], context: dict[str, str]) -> str:
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return function(**context)
    named = {p.name: context[p.name] for p in parameters if p.name in context}
    if named:
        return function(**named)
    needs_one = any(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )
    return function(context) if needs_one else function()
