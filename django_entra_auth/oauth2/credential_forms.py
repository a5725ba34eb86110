"""What a client can prove its identity with: a secret, a certificate, somebody else's assertion."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from .certificate import ASSERTION_TYPE, ClientCertificate, load_pem, load_pfx

MAX_FILE: Final = 65_536
"""Bytes of one file of a credential; a longer one is none."""

_PATH: Final = "_path"
_PFX: Final = "private_key_pfx_path"
_PEM_NAMES: Final = {"private_key", "public_certificate", "passphrase", "thumbprint", "send_x5c"}
_PFX_NAMES: Final = {"private_key_pfx", "passphrase", "public_certificate", "send_x5c"}
_IN_FILES: Final = frozenset(
    {"client_secret", "client_assertion", "private_key", "public_certificate", "passphrase"}
)


class CredentialUnavailable(ValueError):
    """There is no credential at the moment: a file or a function has none that can be used.

    The text names what is missing, never what it holds.
    """


class Credential(Protocol):
    """Something that adds the client's authentication to a token request."""

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        """Return the form fields that prove who is asking; ``now`` is Unix time.

        Raises ``CredentialUnavailable``.
        """


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
    ``token_endpoint`` and ``client_id`` by name, or one mapping of both. RFC 7523 section 2.2.
    """

    source: str | Callable[..., str] = field(repr=False)

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        """Return the fields of the assertion; ``CredentialUnavailable`` when there is none."""
        source = self.source
        context = {"client_id": client_id, "token_endpoint": token_endpoint}
        if not isinstance(source, str):
            source = call_safely("the assertion function", lambda: _call(self.source, context))
        if not isinstance(source, str) or not source:
            text = "client_credential: the assertion function returned no assertion"
            raise CredentialUnavailable(text)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": source}


CREDENTIALS: Final = (ClientSecret, ClientAssertion, ClientCertificate)


def call_safely(name: str, function: Callable[[], Any]) -> Any:
    """Return what the project's ``function`` returns; ``CredentialUnavailable`` if it raises.

    Of what it raises only the kind is told: the text may hold a secret.
    """
    try:
        return function()
    except Exception as exc:  # noqa: BLE001  a vault's client may raise anything
        kind = type(exc).__name__
    raise CredentialUnavailable(f"client_credential: {name} raised {kind}")


def find_files(value: Any) -> tuple[str, ...]:
    """Return the paths of the files that a form which ``check_form`` let pass is read from."""
    if not isinstance(value, Mapping):
        return ()
    return tuple(os.fspath(value[name]) for name in sorted(value) if str(name).endswith(_PATH))


def check_form(value: Any) -> None:
    """Raise ``ValueError`` for what can be no form of credential, whatever its files hold."""
    if isinstance(value, CREDENTIALS) or (isinstance(value, str) and value.strip()):
        return
    if isinstance(value, Mapping) and _names_a_form(value):
        return
    raise ValueError("client_credential is neither a secret, a certificate nor an assertion")


def build_credential(value: Any) -> Credential:
    """Return the credential that one form describes, its files read now.

    Raises ``ValueError`` without repeating the value: ``CredentialUnavailable`` where only the
    content of a file is at fault, which may be replaced.
    """
    check_form(value)
    if isinstance(value, CREDENTIALS):
        return value
    if isinstance(value, str):
        return ClientSecret(value)
    if not find_files(value):
        return _build(value)
    try:
        return _build(_read_files(value))
    except ValueError as exc:
        text = str(exc)
    # Not chained: an error of a parser may quote what it has read.
    raise CredentialUnavailable(text)


def _names_a_form(value: Mapping[Any, Any]) -> bool:
    if not all(isinstance(name, str) and _is_path(name, value[name]) for name in value):
        return False
    names = {name.removesuffix(_PATH) for name in value}
    if len(names) < len(value):
        return False
    if names == {"client_secret"}:
        return f"client_secret{_PATH}" in value
    if names == {"client_assertion"}:
        return True
    if _PFX in value:
        return names <= _PFX_NAMES
    is_whole = "public_certificate" in names or f"private_key{_PATH}" in value
    return is_whole and "private_key" in names and names <= _PEM_NAMES


def _is_path(name: str, value: Any) -> bool:
    """Whether a name that stands for a file has a path, and is one of those that may."""
    if not name.endswith(_PATH):
        return True
    is_known = name == _PFX or name.removesuffix(_PATH) in _IN_FILES
    return is_known and isinstance(value, (str, os.PathLike)) and bool(os.fspath(value))


def _read_files(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form with the texts of its files; a PFX file is left to its own reader."""
    read: dict[str, Any] = {}
    for name, content in value.items():
        is_file = name.endswith(_PATH) and name != _PFX
        read[name.removesuffix(_PATH) if is_file else name] = (
            _read(name, content) if is_file else content
        )
    if "private_key" in read:
        # A vault's PEM file often holds the key and its certificates together.
        read.setdefault("public_certificate", read["private_key"])
    return read


def _read(name: str, path: str | os.PathLike[str]) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE + 1)
        text = content.decode("utf-8-sig") if len(content) <= MAX_FILE else ""
    except (OSError, ValueError):
        text = ""
    if not text.strip():
        raise CredentialUnavailable(f"client_credential: the file of {name} cannot be read")
    # Editors end files with a line break, which is no part of a secret.
    return text.strip() if name != f"passphrase{_PATH}" else text.rstrip("\r\n")


def _build(value: Mapping[str, Any]) -> Credential:
    if "client_secret" in value:
        return ClientSecret(value["client_secret"])
    if "client_assertion" in value:
        return _build_assertion(value["client_assertion"])
    # MSAL asks for the certificate in the header by public_certificate=True.
    send_x5c = bool(value.get("send_x5c")) or value.get("public_certificate") is True
    passphrase = _read_passphrase(value)
    if _PFX in value:
        return ClientCertificate(load_pfx(os.fspath(value[_PFX]), passphrase), send_x5c=send_x5c)
    texts = (value["private_key"], value["public_certificate"])
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("client_credential: private_key and public_certificate must be PEM text")
    return ClientCertificate(load_pem(*texts, passphrase), send_x5c=send_x5c)


def _build_assertion(source: Any) -> ClientAssertion:
    if not (isinstance(source, str) and source) and not callable(source):
        raise ValueError("client_credential: client_assertion must be text or a function")
    return ClientAssertion(source)


def _read_passphrase(value: Mapping[str, Any]) -> str | None:
    passphrase = value.get("passphrase")
    if isinstance(passphrase, bytes):
        return passphrase.decode("utf-8", "replace")
    if passphrase is not None and not isinstance(passphrase, str):
        raise ValueError("client_credential: passphrase must be text")
    return passphrase


def _call(function: Any, context: dict[str, str]) -> Any:
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
