"""Whether the application can prove who it is, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from cryptography import x509

from django_entra_auth.conf import EntraSettings
from django_entra_auth.conf.credentials import resolve_credential
from django_entra_auth.doctor.findings import (
    Finding,
    Findings,
    explain,
    failed,
    never_breaking,
    passed,
    skipped,
    warned,
)
from django_entra_auth.oauth2 import ConfidentialClientApplication, classify
from django_entra_auth.oauth2.authority import is_guid, parse_authority
from django_entra_auth.oauth2.certificate import ClientCertificate
from django_entra_auth.oauth2.credential import ROLLOVER_NUMBERS, parse_credentials
from django_entra_auth.oauth2.credential_forms import (
    ClientSecret,
    Credential,
    CredentialUnavailable,
)
from django_entra_auth.oauth2.credential_sources import Function, Source
from django_entra_auth.oauth2.token_request import UNAVAILABLE

TOPIC = "credentials"
WARN_DAYS = 30
DAY = 86_400
FROM_FUNCTION = "function's credential"
NO_USE = "Correct CLIENT_CREDENTIAL; nobody can sign in with this one."
NEW_ONE = "Add a new one in the app registration and put it first in CLIENT_CREDENTIAL as a list."


@dataclass(frozen=True, slots=True)
class Described:
    """A credential without its secret: "certificate 2"; `ends` only for certificates.

    `fault` says why there is none in its file or from its function. `credential` is None then, and
    for a function that was not called.
    """

    name: str
    ends: datetime | None = None
    fault: str = ""
    credential: Credential | None = field(default=None, repr=False)

    def days_left(self, now: float) -> float | None:
        """Days until its end, below 0 afterwards; None where only Entra knows."""
        return None if self.ends is None else (self.ends.timestamp() - now) / DAY


def describe(client_credential: Any, *, calls_functions: bool) -> list[Described]:
    """What each credential is, its files read, and its function called if `calls_functions`.

    Raises ValueError, without repeating it, for a form that does not exist.
    """
    sources = parse_credentials(resolve_credential(client_credential)).sources
    return [
        described
        for place, source in enumerate(sources, start=1)
        for described in _describe_source(source, place, calls_functions=calls_functions)
    ]


def _describe_source(source: Source, place: int, *, calls_functions: bool) -> Iterator[Described]:
    if isinstance(source, Function) and not calls_functions:
        yield Described(f"{FROM_FUNCTION} {place}")
        return
    try:
        loaded = source.load()
    except CredentialUnavailable as exc:
        yield Described(f"credential {place}", fault=f"{exc}")
        return
    for position, credential in enumerate(loaded, start=1):
        number = f"{place}" if len(loaded) == 1 else f"{place}.{position}"
        yield _describe(credential, number)


def _describe(credential: Credential, number: str) -> Described:
    if isinstance(credential, ClientCertificate):
        end = _find_end(credential)
        return Described(f"certificate {number}", end, credential=credential)
    kind = "secret" if isinstance(credential, ClientSecret) else "assertion"
    return Described(f"{kind} {number}", credential=credential)


def _find_end(credential: ClientCertificate) -> datetime:
    """Entra looks at the certificates above the first only when they are sent along."""
    certificates = credential.pair.certificates
    return min(map(_read_end, certificates if credential.send_x5c else certificates[:1]))


def _read_end(certificate: x509.Certificate) -> datetime:
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    # cryptography before 42 tells UTC without saying so.
    return certificate.not_valid_after.replace(tzinfo=timezone.utc)


def find_ending(described: list[Described], now: float) -> Iterator[tuple[Described, str]]:
    """The certificates that end within WARN_DAYS or have ended, with a sentence on it."""
    for item in described:
        left = item.days_left(now)
        if left is None or left > WARN_DAYS:
            continue
        when = f"{item.ends:%Y-%m-%d}"
        if left <= 0:
            yield item, f"The client's {item.name} ended on {when}."
        else:
            yield item, f"The client's {item.name} ends in {int(left)} days, on {when}."


@never_breaking(TOPIC)
def look(
    settings: EntraSettings, *, clock: Callable[[], float] = time.time, is_offline: bool
) -> Findings:
    """End dates, and unless `is_offline` whether Entra accepts each."""
    try:
        described = describe(settings.client_credential, calls_functions=not is_offline)
    except ValueError as exc:
        yield failed(TOPIC, f"{exc}.", NO_USE)
        return
    good = [item for item in described if not item.fault]
    yield from _tell_faults(described, has_other=bool(good))
    yield from _look_at_ends(good, clock())
    if not is_offline and good:
        yield from _try_all(settings, good)


def _tell_faults(described: list[Described], *, has_other: bool) -> Findings:
    for item in described:
        if item.fault:
            tell = warned if has_other else failed
            yield tell(TOPIC, f"The {item.name} cannot be had: {item.fault}.", NO_USE)


def _look_at_ends(described: list[Described], now: float) -> Findings:
    ending = dict(find_ending(described, now))
    has_other = len(described) > len([item for item in ending if (item.days_left(now) or 0) <= 0])
    for item in described:
        if item in ending:
            is_over = (item.days_left(now) or 0) <= 0
            tell = failed if is_over and not has_other else warned
            yield tell(TOPIC, ending[item], NEW_ONE)
        elif item.ends is not None:
            left = int(item.days_left(now) or 0)
            reason = f"The {item.name} is good until {item.ends:%Y-%m-%d}, {left} days from now."
            yield passed(TOPIC, reason)
        elif item.name.startswith(FROM_FUNCTION):
            reason = f"The {item.name} was not called (--offline)."
            yield skipped(TOPIC, reason, "Run this without --offline where the function works.")
        elif item.name.startswith("secret"):
            reason = f"When the {item.name} ends, Entra alone knows: see Certificates & secrets."
            yield passed(TOPIC, reason)


def _try_all(settings: EntraSettings, described: list[Described]) -> Findings:
    authority = _find_tenant_authority(settings)
    if authority is None:
        reason = "Whether Entra accepts them was not tried: no tenant's GUID is known for it."
        yield skipped(TOPIC, reason, "List the tenants in ALLOWED_TENANTS, or watch a sign-in.")
        return
    results = [_try(settings, authority, item.credential) for item in described]
    yield from _judge(described, results)


def _find_tenant_authority(settings: EntraSettings) -> str | None:
    """An authority that names one tenant: an application has tokens of its own only there."""
    authority = parse_authority(settings.authority, allow_loopback=True)
    if not settings.is_multi_tenant:
        return settings.authority if authority.kind != "b2c" else None
    tenants = [tenant for tenant in settings.allowed_tenants if is_guid(tenant)]
    return f"{authority.origin}/{tenants[0]}" if tenants else None


def _try(settings: EntraSettings, authority: str, value: Credential | None) -> Mapping[str, Any]:
    """Ask for a token of the application for itself, which any registration may have."""
    application = ConfidentialClientApplication(
        settings.client_id,
        client_credential=value,
        authority=authority,
        allow_loopback=settings.local_emulator,
        timeout=settings.http_timeout,
        proxies=settings.proxies,
        ca_bundle=settings.ca_bundle,
    )
    try:
        return application.acquire_token_for_client([f"{settings.client_id}/.default"])
    finally:
        application.close()


def _judge(described: list[Described], results: list[Mapping[str, Any]]) -> Findings:
    is_rejected = [_is_rejected(result) for result in results]
    for item, result, rejected in zip(described, results, is_rejected, strict=True):
        if result.get("error") == UNAVAILABLE:
            tell = warned if len(described) > 1 else failed
            yield tell(TOPIC, f"The {item.name} cannot be had: {_tell_why(result)}.", NO_USE)
        elif rejected:
            yield _tell_rejected(item, result, is_only=all(is_rejected))
        elif "access_token" in result:
            yield passed(TOPIC, f"Entra accepts the {item.name}.")
        elif classify(result).category in {"transient", "throttled", "invalid_answer"}:
            reason, fix = explain(result)
            yield skipped(TOPIC, f"The {item.name} could not be tried: {reason}.", fix)
        else:
            reason, fix = explain(result)
            yield warned(TOPIC, f"Tried with the {item.name}, Entra said: {reason}.", fix)


def _tell_rejected(item: Described, result: Mapping[str, Any], *, is_only: bool) -> Finding:
    reason, fix = explain(result)
    if is_only:
        return failed(TOPIC, f"Entra rejects the {item.name}: {reason}.", fix)
    reason = f"Entra rejects the {item.name}, and every new worker tries it: {reason}."
    return warned(TOPIC, reason, f"{fix} Or take it off the list.")


def _tell_why(result: Mapping[str, Any]) -> str:
    """Our own sentence: no answer of Entra's is behind it."""
    return str(result.get("error_description", ""))


def _is_rejected(result: Mapping[str, Any]) -> bool:
    return result.get("error") == "invalid_client" or classify(result).number in ROLLOVER_NUMBERS
