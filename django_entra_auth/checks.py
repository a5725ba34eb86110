"""System checks: what would go wrong later, said at start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import NoReverseMatch, get_resolver, reverse
from django.urls.resolvers import LocalePrefixPattern, URLResolver
from django.utils.module_loading import import_string

from django_entra_auth.backends import EntraBackend
from django_entra_auth.conf import EntraSettings, find_problems, get_settings

Kind = type[Error] | type[Warning]
Messages = list[CheckMessage]

MIDDLEWARE = "django_entra_auth.middleware.EntraAuthMiddleware"
NEEDED_BEFORE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
UNSHARED_BACKENDS = {
    "DummyCache": "keeps nothing",
    "FileBasedCache": "has no atomic add",
    "LocMemCache": "is not shared between processes",
}


def _message(kind: Kind, code: str, text: str, hint: str) -> CheckMessage:
    return kind(text, hint=hint, id=f"django_entra_auth.{code}")


@register(Tags.security)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """ENTRA_AUTH itself."""
    problems = find_problems(getattr(settings, "ENTRA_AUTH", None))
    return [_message(Error, item.code, item.message, item.hint) for item in problems]


@register(Tags.security, deploy=True)
def check_emulator(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """No local emulator in production."""
    entra = _settings_or_none()
    if entra is None or not entra.local_emulator:
        return []
    text = "ENTRA_AUTH['LOCAL_EMULATOR'] is on: anybody can sign in as anybody."
    return [_message(Error, "E006", text, "Remove it in production.")]


@register(Tags.security)
def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The middleware is there, after what it needs, and last."""
    places = [_find_middleware(needed) for needed in (*NEEDED_BEFORE, MIDDLEWARE)]
    *before, place = places
    if place is None:
        text = "EntraAuthMiddleware is not in MIDDLEWARE."
        return [_message(Error, "E008", text, f"Add {MIDDLEWARE!r} as the last entry.")]
    late = [
        needed
        for needed, other in zip(NEEDED_BEFORE, before, strict=True)
        if other is None or other > place
    ]
    if late:
        hint = "Put it there, and EntraAuthMiddleware last."
        texts = [f"EntraAuthMiddleware needs {needed} before it." for needed in late]
        return [_message(Error, "E009", text, hint) for text in texts]
    if place != len(settings.MIDDLEWARE) - 1:
        text = "EntraAuthMiddleware is not the last entry of MIDDLEWARE."
        hint = "Move it to the end, so that no other process_exception swallows a challenge."
        return [_message(Warning, "W001", text, hint)]
    return []


def _find_middleware(wanted: str) -> int | None:
    """The place of a middleware, or of a project's subclass of it."""
    base = import_string(wanted)
    for place, path in enumerate(settings.MIDDLEWARE):
        found = _import_or_none(path)
        if isinstance(found, type) and issubclass(found, base):
            return place
    return None


def _import_or_none(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError:
        return None


@register(Tags.security)
def check_backend(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """AUTHENTICATION_BACKENDS names an EntraBackend."""
    for path in settings.AUTHENTICATION_BACKENDS:
        found = _import_or_none(path)
        if isinstance(found, type) and issubclass(found, EntraBackend):
            return []
    text = "AUTHENTICATION_BACKENDS has no EntraBackend."
    return [_message(Error, "E010", text, "Add 'django_entra_auth.backends.EntraBackend'.")]


@register(Tags.caches)
def check_cache(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The cache can hold one-time claims (development)."""
    return _cache_messages(Warning)


@register(Tags.caches, deploy=True)
def check_cache_deploy(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The cache can hold one-time claims (production)."""
    return _cache_messages(Error)


def _cache_messages(kind: Kind) -> Messages:
    entra = _settings_or_none()
    if entra is None:
        return []
    alias = entra.cache_alias
    if alias not in settings.CACHES:
        text = f"ENTRA_AUTH['CACHE_ALIAS'] is {alias!r}, which CACHES does not define."
        return [_message(Error, "E011", text, "Name an alias of CACHES.")] * (kind is Warning)
    config = settings.CACHES[alias]
    backend = str(config.get("BACKEND", ""))
    name = backend.rpartition(".")[2]
    if kind is Warning:
        return [
            *_unfit_cache(alias, backend, config),
            *_unshared_cache(alias, name, Warning, "W002"),
        ]
    return _unshared_cache(alias, name, Error, "E014")


def _unshared_cache(alias: str, name: str, kind: Kind, code: str) -> Messages:
    if name not in UNSHARED_BACKENDS:
        return []
    text = f"The cache {alias!r} ({name}) {UNSHARED_BACKENDS[name]}."
    return [_message(kind, code, text, "Use Redis or memcached where more than one process runs.")]


def _unfit_cache(alias: str, backend: str, config: dict[str, Any]) -> Messages:
    messages: Messages = []
    atomic = any(db.get("ATOMIC_REQUESTS") for db in settings.DATABASES.values())
    if backend.endswith(".DatabaseCache") and atomic:
        text = f"The cache {alias!r} is in a database with ATOMIC_REQUESTS."
        hint = "A claim made in a request that fails would be rolled back: use Redis or memcached."
        messages.append(_message(Error, "E012", text, hint))
    options = config.get("OPTIONS", {})
    everywhere = getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False)
    if backend.startswith("django_redis.") and options.get("IGNORE_EXCEPTIONS", everywhere):
        text = f"The cache {alias!r} ignores exceptions, so an outage looks like an empty cache."
        hint = "Turn IGNORE_EXCEPTIONS off, or use an alias of its own."
        messages.append(_message(Error, "E013", text, hint))
    return messages


@register(Tags.urls)
def check_urls(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The URLs are included, and the registered redirect URI does not change with the language."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    try:
        reverse("django_entra_auth:callback")
    except NoReverseMatch:
        text = "The URLs of django_entra_auth are not included."
        hint = 'Add path("auth/", include("django_entra_auth.urls")) to the URLconf.'
        return [_message(Error, "E015", text, hint)]
    if _is_below_language_prefix():
        text = "The callback lies inside i18n_patterns: its address changes with the language."
        hint = "Include django_entra_auth.urls outside i18n_patterns."
        return [_message(Warning, "W003", text, hint)]
    return []


def _is_below_language_prefix() -> bool:
    return any(
        isinstance(item, URLResolver)
        and isinstance(item.pattern, LocalePrefixPattern)
        and _has_our_urls(item)
        for item in get_resolver().url_patterns
    )


def _has_our_urls(resolver: URLResolver) -> bool:
    return any(
        isinstance(item, URLResolver)
        and (item.app_name == "django_entra_auth" or _has_our_urls(item))
        for item in resolver.url_patterns
    )


def _settings_or_none() -> EntraSettings | None:
    raw = getattr(settings, "ENTRA_AUTH", None)
    return None if find_problems(raw) else get_settings()
