"""The token client of this process, built from the settings."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.oauth2 import (
    ConfidentialClientApplication,
    NullTokenCache,
    ThrottleLimits,
)


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


def _load_credential(credential: Any) -> Any:
    """The credential with the callables that dotted paths name."""
    if isinstance(credential, list | tuple):
        return [_load_credential(one) for one in credential]
    path = credential.get("client_assertion") if isinstance(credential, Mapping) else None
    if not isinstance(path, str):
        return credential
    try:
        return {**credential, "client_assertion": import_string(path)}
    except ImportError as exc:
        raise ValueError("client_assertion is neither a callable nor a path to one") from exc


def _build_application(settings: EntraSettings) -> ConfidentialClientApplication:
    return ConfidentialClientApplication(
        settings.client_id,
        client_credential=_load_credential(settings.client_credential),
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
