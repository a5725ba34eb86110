"""The token client of this process, built from the settings."""

from __future__ import annotations

import threading

from django.core.exceptions import ImproperlyConfigured

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.oauth2 import (
    ConfidentialClientApplication,
    NullTokenCache,
    ThrottleLimits,
)

_lock = threading.Lock()
_built: tuple[EntraSettings, ConfidentialClientApplication] | None = None


def get_application() -> ConfidentialClientApplication:
    """The one application of this process; a new one when the settings were replaced.

    It holds no person's tokens and is shared by all threads. Raises ImproperlyConfigured.
    """
    global _built  # noqa: PLW0603  the one memo of this module
    settings = get_settings()
    with _lock:
        if _built is None or _built[0] is not settings:
            _built = (settings, _build_or_refuse(settings))
        return _built[1]


def _build_or_refuse(settings: EntraSettings) -> ConfidentialClientApplication:
    try:
        return _build_application(settings)
    except ValueError as exc:
        raise ImproperlyConfigured(f"ENTRA_AUTH cannot be used: {exc}") from exc


def _build_application(settings: EntraSettings) -> ConfidentialClientApplication:
    return ConfidentialClientApplication(
        settings.client_id,
        client_credential=settings.client_credential,
        authority=settings.authority,
        token_cache=NullTokenCache(),
        http_cache=DjangoHTTPCache(),
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
