"""What Entra says when asked: discovery, keys, its clock, what it knows of this client."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from django_entra_auth.conf import EntraSettings
from django_entra_auth.doctor.addresses import find_redirect_uris
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
from django_entra_auth.oauth2 import aadsts
from django_entra_auth.oauth2.answers import make_headers, new_correlation_id, read_answer
from django_entra_auth.oauth2.auth_code import add_query
from django_entra_auth.oauth2.authority import Authority, parse_authority
from django_entra_auth.oauth2.errors import ProtocolFailure
from django_entra_auth.oauth2.http import BoundedHttpClient, HttpResponse, TransportError
from django_entra_auth.oauth2.id_token import LEEWAY
from django_entra_auth.oauth2.keys import SigningKey, parse_keys
from django_entra_auth.oauth2.metadata import ProviderMetadata, read_metadata

SKEW_WARN = 30
# The page's text, or the configuration that its script reads.
_NUMBER_ON_PAGE = re.compile(r'(?:AADSTS|"sErrorCode"\s*:\s*")(\d{4,9})\b')
_WAYS_OUT = {
    "tls": "Let CA_BUNDLE name the certificates of a proxy that looks into TLS.",
    "timeout": "Open the way out of this machine, set PROXIES, or raise HTTP_TIMEOUT.",
    "connection": "Correct AUTHORITY, open the way out of this machine, or set PROXIES.",
    "too_large": "Correct AUTHORITY: this is not Entra.",
}


@never_breaking("discovery")
def look(
    settings: EntraSettings, urls: tuple[str, ...], *, clock: Callable[[], float] = time.time
) -> Findings:
    """Ask the authority of the settings; no shared cache is read or written."""
    http = BoundedHttpClient(
        timeout=settings.http_timeout, proxies=settings.proxies, ca_bundle=settings.ca_bundle
    )
    authority = parse_authority(settings.authority, allow_loopback=settings.local_emulator)
    try:
        answer = _get(http, authority.metadata_url)
        yield _judge_clock(answer, clock())
        metadata = read_metadata(_read(answer), authority)
        yield _describe(metadata, authority)
        yield from _look_at_keys(http, metadata, authority)
        yield from _look_at_registration(http, metadata, settings, urls)
    except TransportError as exc:
        yield failed("discovery", f"Entra cannot be asked: {exc}.", _WAYS_OUT[exc.reason])
    except ProtocolFailure as failure:
        yield _tell_refused(failure.result)
    finally:
        http.close()


def _get(http: BoundedHttpClient, url: str) -> HttpResponse:
    return http.get(url, headers=make_headers(new_correlation_id()))


def _read(answer: HttpResponse) -> dict[str, Any]:
    """The JSON object of an answer; raises ProtocolFailure for an error."""
    document = read_answer(answer, correlation_id="", now=time.time())
    if "error" in document:
        raise ProtocolFailure(document)
    return dict(document)


def _tell_refused(result: Any) -> Finding:
    if result.get("error") == "invalid_authority_metadata":  # our own words
        reason = str(result.get("error_description"))
        return failed("discovery", reason, "Correct AUTHORITY or TENANT_ID.")
    reason, fix = explain(result)
    more = "Correct TENANT_ID or AUTHORITY, unless the service is in trouble."
    return failed(
        "discovery", f"The authority does not describe itself: {reason}.", f"{fix} {more}"
    )


def _describe(metadata: ProviderMetadata, authority: Authority) -> Finding:
    whose = f"tenant {metadata.tenant_id}" if metadata.tenant_id else "people of several tenants"
    return passed("discovery", f"{authority.url} signs in {whose}; its endpoints are its own.")


def _judge_clock(answer: HttpResponse, now: float) -> Finding:
    theirs = _read_date(answer)
    if theirs is None:
        return skipped("clock", "Entra's answer tells no time.")
    skew = round(now - theirs)
    reason = f"The clocks differ by {abs(skew)} s; this one is {'ahead' if skew > 0 else 'behind'}."
    fix = "Let this machine keep time by NTP."
    if abs(skew) > LEEWAY:
        return failed("clock", f"{reason} Tokens and certificates are refused for it.", fix)
    if abs(skew) > SKEW_WARN:
        return warned("clock", reason, fix)
    return passed("clock", f"The clocks agree within {abs(skew)} s.")


def _read_date(answer: HttpResponse) -> float | None:
    """Unix time of the Date header; RFC 9110 section 6.6.1, with the Age of section 5.1 of 9111."""
    age = answer.headers.get("age", "")
    try:
        date = parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return date.timestamp() + (int(age[:9]) if age.isascii() and age.isdigit() else 0)


def _look_at_keys(
    http: BoundedHttpClient, metadata: ProviderMetadata, authority: Authority
) -> Findings:
    try:
        keys = parse_keys(_read(_get(http, metadata.jwks_uri)))
    except TransportError as exc:
        yield failed("keys", f"The signing keys cannot be had: {exc}.", _WAYS_OUT[exc.reason])
        return
    except ProtocolFailure as failure:
        reason, fix = explain(failure.result)
        yield failed("keys", f"The signing keys cannot be had: {reason}.", fix)
        return
    usable = [key for key in keys.values() if not authority.is_shared or key.issuer]
    yield _judge_keys(usable)


def _judge_keys(usable: list[SigningKey]) -> Finding:
    if not usable:
        fix = "Correct AUTHORITY; if it is right, every sign-in fails until Entra publishes one."
        return failed("keys", "The authority publishes no key that signs ID tokens.", fix)
    return passed("keys", f"{len(usable)} signing keys are published.")


def _look_at_registration(
    http: BoundedHttpClient,
    metadata: ProviderMetadata,
    settings: EntraSettings,
    urls: tuple[str, ...],
) -> Findings:
    uris = find_redirect_uris(settings, urls)
    if not uris:
        reason = "Whether Entra knows this site's redirect URI was not tried: it is not known here."
        yield skipped("registration", reason, "Run this with --url https://your.site.")
    for uri in uris:
        yield _try_redirect(http, metadata, settings, uri)


def _try_redirect(
    http: BoundedHttpClient, metadata: ProviderMetadata, settings: EntraSettings, uri: str
) -> Finding:
    """Begin a sign-in that shows no page: Entra sends it back only to where it may."""
    asked = {
        "client_id": settings.client_id,
        "response_type": "code",
        "redirect_uri": uri,
        "scope": "openid",
        "response_mode": "query",
        "prompt": "none",
        "state": "doctor",
        "nonce": "doctor",
    }
    try:
        answer = http.get(add_query(metadata.authorization_endpoint, asked))
    except TransportError as exc:
        return skipped("registration", f"{uri} could not be tried: {exc}.")
    if answer.headers.get("location", "").startswith(f"{uri}?"):
        return passed("registration", f"Entra knows this client and sends people back to {uri}.")
    number = _NUMBER_ON_PAGE.search(answer.text)
    entry = aadsts.find(int(number[1])) if number else None
    if entry is None:
        reason = f"Entra did not tell whether it sends people back to {uri}."
        return skipped("registration", reason, "Compare it with the app registration.")
    fix = f"{entry.remedy} Compare CLIENT_ID and the redirect URI with the app registration."
    return failed("registration", f"{uri}: {entry.title} (AADSTS{entry.number}).", fix)
