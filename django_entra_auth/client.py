"""The token client of this process, built from the settings."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from django_entra_auth import signals
from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.conf.credentials import resolve_credential
from django_entra_auth.oauth2 import (
    ConfidentialClientApplication,
    NullTokenCache,
    ThrottleLimits,
    classify,
)

logger = logging.getLogger(__name__)

TELL_AGAIN_SECONDS = 3600


class _Built(NamedTuple):
    settings: EntraSettings  # replaced with ENTRA_AUTH, SECRET_KEY or its fallbacks
    caches: Any
    application: ConfidentialClientApplication


_lock = threading.Lock()
_built: _Built | None = None


def get_application() -> ConfidentialClientApplication:
    """The one application of this process; a new one when the settings were replaced.

    It holds no person's tokens and is shared by all threads. Raises ImproperlyConfigured.
    """
    global _built  # noqa: PLW0603  the one memo of this module
    settings, caches = get_settings(), django_settings.CACHES
    built = _built
    if built is not None and built.settings is settings and built.caches is caches:
        return built.application
    with _lock:
        if _built is None or _built.settings is not settings or _built.caches is not caches:
            _built = _Built(settings, caches, _build_or_refuse(settings))
        return _built.application


def _build_or_refuse(settings: EntraSettings) -> ConfidentialClientApplication:
    try:
        return _build_application(settings)
    except ValueError as exc:
        raise ImproperlyConfigured(f"ENTRA_AUTH cannot be used: {exc}") from exc


class RejectionTeller:
    """Tells operators of a rejected credential beside which another one works.

    By `token_error` and the log; once in TELL_AGAIN_SECONDS for each place in the list and AADSTS
    number, because nothing is the matter with the request that has met it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[tuple[int, object], float] = {}

    def __call__(self, place: int, result: Mapping[str, Any]) -> None:
        """Tell of the credential at `place`, counted from 1, and the error dict it has met."""
        number = classify(result).number
        now = self._monotonic()
        last = self._told.get((place, number))
        if last is not None and now - last < TELL_AGAIN_SECONDS:
            return
        self._told[place, number] = now
        logger.warning(
            "Credential %d of CLIENT_CREDENTIAL is rejected (%s); another one of the list works",
            place,
            f"AADSTS{number}" if number else result.get("error"),
            extra={
                "correlation_id": result.get("correlation_id"),
                "error_codes": result.get("error_codes"),
            },
        )
        signals.token_error.send_robust(
            RejectionTeller,
            request=None,
            result={**result, "rejected_credential": place},
            scopes=(),
            account=None,
            reason="credential_rejected",
        )


def _build_application(settings: EntraSettings) -> ConfidentialClientApplication:
    return ConfidentialClientApplication(
        settings.client_id,
        client_credential=resolve_credential(settings.client_credential),
        authority=settings.authority,
        token_cache=NullTokenCache(),
        http_cache=DjangoHTTPCache(),
        on_credential_rejected=RejectionTeller(),
        client_capabilities=list(settings.client_capabilities),
        allow_loopback=settings.local_emulator,
        timeout=settings.http_timeout,
        proxies=settings.proxies,
        ca_bundle=settings.ca_bundle,
        throttle_limits=ThrottleLimits(
            default=settings.throttle_seconds,
            maximum=settings.throttle_max_seconds,
            rejection=settings.rejection_cache_seconds,
        ),
    )
