"""Whether the application can prove who it is, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from cryptography import x509

from django_entra_auth.conf import EntraSettings
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
from django_entra_auth.oauth2.certificate import ClientCertificate, PfxFile, load_pfx
from django_entra_auth.oauth2.credential import (
    ROLLOVER_NUMBERS,
    ClientSecret,
    Credential,
    parse_credentials,
)

TOPIC = "credentials"
WARN_DAYS = 30
DAY = 86_400
NEW_ONE = "Add a new one in the app registration and put it first in CLIENT_CREDENTIAL as a list."


@dataclass(frozen=True, slots=True)
class Described:
    """A credential without its secret: "certificate 2"; `ends` only for certificates."""

    name: str
    ends: datetime | None = None

    def days_left(self, now: float) -> float | None:
        """Days until its end, below 0 afterwards; None where only Entra knows."""
        return None if self.ends is None else (self.ends.timestamp() - now) / DAY


def describe(client_credential: Any) -> list[Described]:
    """What each credential is. Raises ValueError, without repeating it, for one of no use."""
    chain = list(parse_credentials(client_credential))
    return [_describe(item, number) for number, item in enumerate(chain, start=1)]


def _describe(credential: Credential, number: int) -> Described:
    if isinstance(credential, ClientSecret):
        return Described(f"secret {number}")
    if not isinstance(credential, ClientCertificate):
        return Described(f"assertion {number}")
    source = credential.source
    pair = load_pfx(source.path, source.passphrase) if isinstance(source, PfxFile) else source
    return Described(f"certificate {number}", _read_end(pair.certificates[0]))


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
        described = describe(settings.client_credential)
    except ValueError as exc:
        fix = "Correct CLIENT_CREDENTIAL; nobody can sign in before."
        yield failed(TOPIC, f"{exc}.", fix)
        return
    yield from _look_at_ends(described, clock())
    if not is_offline:
        yield from _try_all(settings, described)


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
        elif item.name.startswith("secret"):
            reason = f"When the {item.name} ends, Entra alone knows: see Certificates & secrets."
            yield passed(TOPIC, reason)


def _try_all(settings: EntraSettings, described: list[Described]) -> Findings:
    authority = _find_tenant_authority(settings)
    if authority is None:
        reason = "Whether Entra accepts them was not tried: no tenant's GUID is known for it."
        yield skipped(TOPIC, reason, "List the tenants in ALLOWED_TENANTS, or watch a sign-in.")
        return
    raw = settings.client_credential
    values = list(raw) if isinstance(raw, list | tuple) else [raw]
    results = [_try(settings, authority, value) for value in values]
    yield from _judge(described, results)


def _find_tenant_authority(settings: EntraSettings) -> str | None:
    """An authority that names one tenant: an application has tokens of its own only there."""
    authority = parse_authority(settings.authority, allow_loopback=True)
    if not settings.is_multi_tenant:
        return settings.authority if authority.kind != "b2c" else None
    tenants = [tenant for tenant in settings.allowed_tenants if is_guid(tenant)]
    return f"{authority.origin}/{tenants[0]}" if tenants else None


def _try(settings: EntraSettings, authority: str, value: Any) -> Mapping[str, Any]:
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
        if rejected:
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


def _is_rejected(result: Mapping[str, Any]) -> bool:
    return result.get("error") == "invalid_client" or classify(result).number in ROLLOVER_NUMBERS
