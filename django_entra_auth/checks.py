"""System checks: what would go wrong later, said at start."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import NoReverseMatch, get_resolver, reverse
from django.urls.resolvers import LocalePrefixPattern, URLResolver
from django.utils.module_loading import import_string

from django_entra_auth import cache_checks
from django_entra_auth.backends import EntraBackend
from django_entra_auth.cache.chain import has_cookie_sessions
from django_entra_auth.cache_checks import build_message
from django_entra_auth.conf import EntraSettings, find_problems, get_settings
from django_entra_auth.doctor import credentials
from django_entra_auth.group_membership import is_graph_scope
from django_entra_auth.sign_ins import normalise_guid

Messages = list[CheckMessage]

MIDDLEWARE = "django_entra_auth.middleware.EntraAuthMiddleware"
NEEDED_BEFORE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@register(Tags.security)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """ENTRA_AUTH itself."""
    problems = find_problems(getattr(settings, "ENTRA_AUTH", None))
    return [build_message(Error, item.code, item.message, item.hint) for item in problems]


@register(Tags.security, deploy=True)
def check_emulator(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """No local emulator in production."""
    entra = _settings_or_none()
    if entra is None or not entra.local_emulator:
        return []
    text = "ENTRA_AUTH['LOCAL_EMULATOR'] is on: anybody can sign in as anybody."
    return [build_message(Error, "E006", text, "Remove it in production.")]


@register(Tags.security, deploy=True)
def check_credential(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The client's credential can be read, and its certificate is good for a while."""
    entra = _settings_or_none()
    if entra is None:
        return []
    try:
        # What a function would ask may be out of reach where checks run.
        described = credentials.describe(entra.client_credential, calls_functions=False)
        faults = [item.fault for item in described if item.fault]
    except ValueError as exc:
        described, faults = [], [str(exc)]
    hint = "Correct ENTRA_AUTH['CLIENT_CREDENTIAL']; nobody can sign in with this one."
    errors = [build_message(Error, "E016", f"{fault}.", hint) for fault in faults]
    ending = credentials.find_ending(described, time.time())
    ends = [build_message(Warning, "W007", text, credentials.NEW_ONE) for _, text in ending]
    return [*errors, *ends]


@register(Tags.security)
def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The middleware is there, after what it needs, and last."""
    places = [_find_middleware(needed) for needed in (*NEEDED_BEFORE, MIDDLEWARE)]
    *before, place = places
    if place is None:
        text = "EntraAuthMiddleware is not in MIDDLEWARE."
        return [build_message(Error, "E008", text, f"Add {MIDDLEWARE!r} as the last entry.")]
    late = [
        needed
        for needed, other in zip(NEEDED_BEFORE, before, strict=True)
        if other is None or other > place
    ]
    if late:
        hint = "Put it there, and EntraAuthMiddleware last."
        texts = [f"EntraAuthMiddleware needs {needed} before it." for needed in late]
        return [build_message(Error, "E009", text, hint) for text in texts]
    if place != len(settings.MIDDLEWARE) - 1:
        text = "EntraAuthMiddleware is not the last entry of MIDDLEWARE."
        hint = "Move it to the end, so that no other process_exception swallows a challenge."
        return [build_message(Warning, "W001", text, hint)]
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
    return [build_message(Error, "E010", text, "Add 'django_entra_auth.backends.EntraBackend'.")]


@register(Tags.caches)
def check_cache(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The cache can hold one-time claims (development)."""
    return list(cache_checks.find_problems(_settings_or_none()))


@register(Tags.caches, deploy=True)
def check_cache_deploy(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """The cache can hold one-time claims, and answers in time (production)."""
    return list(cache_checks.find_deployment_problems(_settings_or_none()))


@register(Tags.security)
def check_sessions(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """What a sign-out costs where sessions live in the browser alone."""
    if not has_cookie_sessions():
        return []
    text = "With signed-cookie sessions every request of a signed-in person reads the cache once."
    hint = (
        "Nothing else can end a session that lives in a cookie: a mark of its end is kept for"
        " SESSION_COOKIE_AGE. Use another SESSION_ENGINE, or silence this check when that cost,"
        " and a sign-out that is lost when the cache loses the mark, are acceptable."
    )
    return [build_message(Warning, "W004", text, hint)]


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
        return [build_message(Error, "E015", text, hint)]
    if _is_below_language_prefix():
        text = "The callback lies inside i18n_patterns: its address changes with the language."
        hint = "Include django_entra_auth.urls outside i18n_patterns."
        return [build_message(Warning, "W003", text, hint)]
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


@register(Tags.security)
def check_groups(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> Messages:
    """Rights by groups: named by object id, and to be had for people in many of them."""
    entra = _settings_or_none()
    if entra is None or entra.groups_claim != "groups" or not entra.granting_values:
        return []
    return [*_find_group_names(entra), *_find_missing_graph_scope(entra)]


def _find_group_names(entra: EntraSettings) -> Messages:
    values = entra.granting_values
    names = [value for value in values if normalise_guid(value.rpartition(":")[2]) is None]
    if not names:
        return []
    text = f"GROUPS_CLAIM is 'groups', and {names[0]!r} is no object id: it grants nothing."
    hint = (
        "Write the group's object id. A name can be chosen by anybody who may make a group; for"
        " names use app roles (GROUPS_CLAIM 'roles')."
    )
    return [build_message(Warning, "W009", text, hint)]


def _find_missing_graph_scope(entra: EntraSettings) -> Messages:
    if any(map(is_graph_scope, entra.scopes)):
        return []
    text = (
        "GROUPS_CLAIM is 'groups', and SCOPES has no scope of Microsoft Graph: people in more"
        " than 200 groups get no rights unless somebody has consented to one."
    )
    hint = (
        "Add 'User.Read' to SCOPES; or let an administrator consent to it for everybody, and"
        " silence this check. App roles (GROUPS_CLAIM 'roles') need no Graph."
    )
    return [build_message(Warning, "W008", text, hint)]


def _settings_or_none() -> EntraSettings | None:
    raw = getattr(settings, "ENTRA_AUTH", None)
    return None if find_problems(raw) else get_settings()
