"""The settings of this app: read at use, and built again when they are replaced."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from django_entra_auth.conf.problems import Problem, find_problems
from django_entra_auth.conf.settings import SETTING_FIELDS, EntraSettings, build_settings

__all__ = ["SETTING_FIELDS", "EntraSettings", "Problem", "find_problems", "get_settings"]


class _Built(NamedTuple):
    raw: Any
    secret_key: Any
    fallbacks: Any
    value: EntraSettings


_built: _Built | None = None


def get_settings() -> EntraSettings:
    """The current settings; built at first use and whenever a source has been replaced.

    Raises ImproperlyConfigured with the system check's text, because a WSGI server runs no checks.
    """
    global _built  # noqa: PLW0603  the one memo of this module
    raw = getattr(django_settings, "ENTRA_AUTH", None)
    key, fallbacks = django_settings.SECRET_KEY, django_settings.SECRET_KEY_FALLBACKS
    built = _built
    if (
        built is not None
        and built.raw is raw
        and built.secret_key is key
        and built.fallbacks is fallbacks
    ):
        return built.value
    if problems := find_problems(raw):
        raise ImproperlyConfigured(" ".join(f"{p.message} {p.hint}" for p in problems))
    _built = _Built(raw, key, fallbacks, build_settings(raw or {}))
    return _built.value
