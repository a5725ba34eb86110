"""System checks: each one triggered and not triggered, registered, and with a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django_redis.cache
import pytest
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning, run_checks
from django.core.checks.registry import registry
from django.http import HttpResponse
from django.test import override_settings
from django.urls import clear_url_caches, include, path

import django_entra_auth
from django_entra_auth import cache_checks, checks
from django_entra_auth.backends import EntraBackend
from django_entra_auth.conf import get_settings
from django_entra_auth.middleware import EntraAuthMiddleware
from tests.diagnosis import certificate

# Django 6.1 asks the database about the models' fields.
pytestmark = pytest.mark.django_db

TENANT = "11111111-2222-4333-8444-555555555555"
GROUP = "22222222-2222-4333-8444-555555555555"
RAW: dict[str, Any] = {
    "CLIENT_ID": "client",
    "CLIENT_CREDENTIAL": "secret",
    "TENANT_ID": "contoso.onmicrosoft.com",
}
OURS = checks.MIDDLEWARE
SESSIONS, AUTHENTICATION = checks.NEEDED_BEFORE
GZIP = "django.middleware.gzip.GZipMiddleware"
IN_TIME: dict[str, Any] = {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1}
REDIS: dict[str, Any] = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "redis://127.0.0.1:1/0",
    "OPTIONS": IN_TIME,
}
SHARED = {"default": REDIS}
OLD_STYLE = "django.core.cache.backends"


class LinkingBackend(EntraBackend):
    """A project's own."""


class OwnSessionMiddleware(SessionMiddleware):
    """A project's own."""


class OwnAuthenticationMiddleware(AuthenticationMiddleware):
    """A project's own."""


class OwnEntraAuthMiddleware(EntraAuthMiddleware):
    """A project's own."""


def page(request: object) -> HttpResponse:
    return HttpResponse()


class OwnLocMemCache(LocMemCache):
    """A project's own."""


class OwnRedisCache(django_redis.cache.RedisCache):  # type: ignore[type-arg]
    """A project's own."""


class NoUrls:
    """A URLconf without this app."""

    urlpatterns = [path("", page)]


class UrlsByLanguage:
    """A URLconf whose callback changes with the language."""

    urlpatterns = [*i18n_patterns(path("auth/", include("django_entra_auth.urls")))]


class UrlsDeepByLanguage:
    """The same, one include further down."""

    urlpatterns = [
        *i18n_patterns(path("a/", include([path("b/", include("django_entra_auth.urls"))])))
    ]


class UrlsBesideLanguage:
    """A URLconf where only other pages change with the language."""

    urlpatterns = [
        path("auth/", include("django_entra_auth.urls")),
        *i18n_patterns(path("page/", page)),
    ]


GOOD: dict[str, Any] = {"ENTRA_AUTH": RAW, "CACHES": SHARED}


@contextmanager
def site(*, atomic_requests: bool = False, **changes: Any) -> Iterator[None]:
    clear_url_caches()
    database = patch.dict(django_settings.DATABASES["default"], ATOMIC_REQUESTS=atomic_requests)
    try:
        with database, override_settings(**{**GOOD, **changes}):
            yield
    finally:
        clear_url_caches()


def ours(*, deploy: bool = True, **changes: Any) -> list[CheckMessage]:
    with site(**changes):
        found = run_checks(include_deployment_checks=deploy)
    return [message for message in found if str(message.id).startswith("django_entra_auth.")]


def ids(*, deploy: bool = True, **changes: Any) -> list[str]:
    found = ours(deploy=deploy, **changes)
    return sorted(str(message.id).removeprefix("django_entra_auth.") for message in found)


def cache(backend: str, **more: Any) -> dict[str, Any]:
    return {"CACHES": {"default": {"BACKEND": f"{OLD_STYLE}.{backend}", **more}}}


def redis(backend: str = REDIS["BACKEND"], location: Any = None, **options: Any) -> dict[str, Any]:
    config = {"BACKEND": backend, "LOCATION": location or REDIS["LOCATION"], "OPTIONS": options}
    return {"CACHES": {"default": config}}


def entra(**changes: Any) -> dict[str, Any]:
    return {"ENTRA_AUTH": {**RAW, **changes}}


DJANGOS_REDIS = f"{OLD_STYLE}.redis.RedisCache"
LOWER_IN_TIME = {name.lower(): seconds for name, seconds in IN_TIME.items()}
IN_TIME_BY_URL = "redis://a:1/0?socket_timeout=1&socket_connect_timeout=1"
LOCAL = {"AUTHORITY": "http://localhost:8400/contoso"}

# id, what triggers it, whether `check --deploy` is needed for it to show
TRIGGERS: list[tuple[list[str], dict[str, Any]]] = [
    (["E001"], {"ENTRA_AUTH": None}),
    (["E001"], {"ENTRA_AUTH": ["CLIENT_ID"]}),
    (["E001"], entra(TENANT_ID=None)),
    (["E002"], entra(BLOCK_GUESTS="yes")),
    (["E003"], entra(CLIENT_SECRET="x")),
    (["E004"], entra(TENANT_ID="organizations")),
    (["E005"], entra(**LOCAL)),
    (["E006"], entra(**LOCAL, LOCAL_EMULATOR=True)),
    (["E006"], entra(LOCAL_EMULATOR=True)),
    (["E007"], entra(TENANT_ID="common", ALLOWED_TENANTS=["*"], STAFF_ROLES=["admin"])),
    (["E008"], {"MIDDLEWARE": [SESSIONS, AUTHENTICATION]}),
    (["E008"], {"MIDDLEWARE": []}),
    (["E009"], {"MIDDLEWARE": [SESSIONS, OURS, AUTHENTICATION]}),
    (["E009", "E009"], {"MIDDLEWARE": [OURS, SESSIONS, AUTHENTICATION]}),
    (["E009", "E009"], {"MIDDLEWARE": [OURS]}),
    (["E010"], {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"]}),
    (["E010"], {"AUTHENTICATION_BACKENDS": ["nowhere.Backend"]}),
    (["E011"], entra(CACHE_ALIAS="tokens")),
    (["E012"], {**cache("db.DatabaseCache", LOCATION="cache"), "atomic_requests": True}),
    (["E013"], redis(IGNORE_EXCEPTIONS=True, **IN_TIME)),
    (["E013"], redis(f"{__name__}.OwnRedisCache", IGNORE_EXCEPTIONS=True, **IN_TIME)),
    (["E013"], {"DJANGO_REDIS_IGNORE_EXCEPTIONS": True}),
    (["E014", "W002"], cache("locmem.LocMemCache")),
    (["E014", "W002"], cache("dummy.DummyCache")),
    (["E014", "W002"], cache("filebased.FileBasedCache", LOCATION="/tmp/unused")),
    (["E014", "W002"], {"CACHES": {"default": {"BACKEND": f"{__name__}.OwnLocMemCache"}}}),
    (["E015"], {"ROOT_URLCONF": NoUrls}),
    (["E016"], entra(CLIENT_CREDENTIAL={"private_key_pfx_path": "/nowhere.pfx"})),
    (["E016"], entra(CLIENT_CREDENTIAL={"client_secret": "x"})),
    (["E016"], entra(CLIENT_CREDENTIAL=["x", {"private_key": "x", "public_certificate": "x"}])),
    (["W001"], {"MIDDLEWARE": [SESSIONS, AUTHENTICATION, OURS, GZIP]}),
    (["W003"], {"ROOT_URLCONF": UrlsByLanguage}),
    (["W003"], {"ROOT_URLCONF": UrlsDeepByLanguage}),
    (["W004"], {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}),
    (["W005"], redis()),
    (["W005"], redis(SOCKET_TIMEOUT=1)),
    (["W005"], redis(SOCKET_CONNECT_TIMEOUT=1)),
    (["W005"], redis(f"{__name__}.OwnRedisCache")),
    (["W005"], redis(DJANGOS_REDIS)),
    (["W005"], redis(DJANGOS_REDIS, **IN_TIME)),
    (["W005"], redis(location="redis://127.0.0.1:1/0?socket_timeout=1")),
    (["W006"], redis(location="redis://a:1/0,redis://b:1/0", **IN_TIME)),
    (["W006"], redis(location=["redis://a:1/0", "redis://b:1/0"], **IN_TIME)),
    (["W006"], redis(DJANGOS_REDIS, ["redis://a:1", "redis://b:1"], **LOWER_IN_TIME)),
    (["W007"], entra(CLIENT_CREDENTIAL=certificate(days=29.9))),
    (["W007"], entra(CLIENT_CREDENTIAL=["x", certificate(days=-3)])),
    (["W009"], entra(GROUPS_CLAIM="groups", STAFF_ROLES=["Staff"], SCOPES=["User.Read"])),
    (
        ["W009"],
        entra(
            GROUPS_CLAIM="groups",
            ALLOWED_TENANTS=[TENANT, GROUP],
            GROUP_MAPPING={f"{TENANT}:{GROUP}": "x", f"{TENANT}:Staff": "y"},
            SCOPES=["User.Read"],
        ),
    ),
    (["W008"], entra(GROUPS_CLAIM="groups", STAFF_ROLES=[GROUP])),
    (["W008"], entra(GROUPS_CLAIM="groups", GROUP_MAPPING={GROUP: "x"}, SCOPES=["api://x/a"])),
    (["W008"], entra(GROUPS_CLAIM="groups", SUPERUSER_ROLES=[GROUP], SCOPES=["email"])),
    (["W007", "W007"], entra(CLIENT_CREDENTIAL=[certificate(days=1), certificate(days=2)])),
]


def test_a_good_site_has_nothing_to_hear() -> None:
    assert ids() == []


@pytest.mark.parametrize(("expected", "changes"), TRIGGERS, ids=lambda value: str(value)[:60])
def test_what_is_wrong_is_said(expected: list[str], changes: dict[str, Any]) -> None:
    assert ids(**changes) == expected


QUIET: list[dict[str, Any]] = [
    entra(CLIENT_CREDENTIAL=certificate(days=30.1)),
    entra(CLIENT_CREDENTIAL=["x", {"client_assertion": lambda: "x"}]),
    entra(CLIENT_CREDENTIAL=[len, {"client_credential": f"{__name__}.page"}]),
    entra(GROUPS_CLAIM="groups"),
    entra(GROUPS_CLAIM="groups", STAFF_ROLES=[GROUP], SCOPES=["User.Read"]),
    entra(GROUPS_CLAIM="groups", STAFF_ROLES=[GROUP],
          SCOPES=["https://graph.microsoft.us/User.Read"]),
    entra(STAFF_ROLES=["Admin"]),
    entra(TENANT_ID="organizations", ALLOWED_TENANTS=[TENANT]),
    {"MIDDLEWARE": [SESSIONS, AUTHENTICATION, OURS]},
    {"AUTHENTICATION_BACKENDS": ["django_entra_auth.backends.EntraBackend"]},
    {"AUTHENTICATION_BACKENDS": ["nowhere.Backend", f"{__name__}.LinkingBackend"]},
    {"CACHES": {"default": REDIS, "tokens": REDIS}, **entra(CACHE_ALIAS="tokens")},
    cache("db.DatabaseCache", LOCATION="cache"),
    {"atomic_requests": True},
    redis(IGNORE_EXCEPTIONS=False, **IN_TIME),
    {**redis(IGNORE_EXCEPTIONS=False, **IN_TIME), "DJANGO_REDIS_IGNORE_EXCEPTIONS": True},
    redis(DJANGOS_REDIS, **LOWER_IN_TIME),
    redis(DJANGOS_REDIS, location=IN_TIME_BY_URL),
    redis(location=IN_TIME_BY_URL),
    redis(CONNECTION_POOL_KWARGS=LOWER_IN_TIME),
    redis(location=["redis://a:1", "redis://b:1"], CLIENT_CLASS="django_redis.client.ShardClient",
          **IN_TIME),
    {"ROOT_URLCONF": UrlsBesideLanguage},
    {"MIDDLEWARE": [f"{__name__}.OwnSessionMiddleware", AUTHENTICATION, OURS]},
    {"MIDDLEWARE": [SESSIONS, f"{__name__}.OwnAuthenticationMiddleware", OURS]},
    {"MIDDLEWARE": [SESSIONS, AUTHENTICATION, f"{__name__}.OwnEntraAuthMiddleware"]},
]  # fmt: skip


@pytest.mark.parametrize("changes", QUIET, ids=lambda value: str(value)[:80])
def test_what_is_right_is_not_complained_about(changes: dict[str, Any]) -> None:
    assert ids(**changes) == []


def test_the_emulator_is_refused_in_production_alone() -> None:
    local = entra(**LOCAL, LOCAL_EMULATOR=True)
    assert ids(deploy=False, **local) == []
    (message,) = ours(**local)
    assert message.level == Error("").level


def test_a_cache_of_one_process_is_a_warning_until_production() -> None:
    locmem = cache("locmem.LocMemCache")
    (message,) = ours(deploy=False, **locmem)
    assert (message.id, message.level) == ("django_entra_auth.W002", Warning("").level)


def test_a_certificate_says_when_it_ends_and_what_to_do_and_nothing_of_its_key() -> None:
    pair = certificate(days=9.5)
    (message,) = ours(**entra(CLIENT_CREDENTIAL=["x", pair]))
    assert "certificate 2 ends in 9 days" in message.msg
    assert "new one" in str(message.hint)
    assert ids(deploy=False, **entra(CLIENT_CREDENTIAL=["x", pair])) == []
    assert pair["private_key"].splitlines()[1] not in repr(message)


def test_a_redis_that_may_hang_is_a_matter_of_production() -> None:
    assert ids(deploy=False, **redis()) == []


@pytest.mark.parametrize("backend", ["nowhere.Cache", f"{OLD_STYLE}.memcached.PyMemcacheCache"])
def test_a_backend_that_cannot_be_built_here_is_not_ours_to_judge(backend: str) -> None:
    with site(CACHES={"default": {"BACKEND": backend, "LOCATION": ["a:1", "b:1"]}}):
        entra_settings = get_settings()
        assert list(cache_checks.find_problems(entra_settings)) == []
        assert list(cache_checks.find_deployment_problems(entra_settings)) == []


def test_broken_settings_do_not_break_the_other_checks() -> None:
    for raw in (None, 5, {}, {"CLIENT_ID": object()}):
        assert set(ids(ENTRA_AUTH=raw)) <= {"E001", "E002"}


def test_the_suggestion_reaches_the_developer() -> None:
    (message,) = ours(**entra(CLIENT_SECRET="x"))
    assert message.hint == "Did you mean CLIENT_CREDENTIAL?"


@pytest.mark.parametrize(("expected", "changes"), TRIGGERS, ids=lambda value: str(value)[:60])
def test_every_message_has_a_hint_and_the_level_of_its_id(
    expected: list[str], changes: dict[str, Any]
) -> None:
    for message in ours(**changes):
        assert message.hint
        assert message.msg
        is_error = message.level == Error("").level
        assert str(message.id).startswith(
            "django_entra_auth.E" if is_error else "django_entra_auth.W"
        )


def test_every_id_is_triggered_here_and_stands_for_one_text_in_the_code() -> None:
    folder = Path(django_entra_auth.__file__).parent
    names = ("conf/problems.py", "checks.py", "cache_checks.py")
    code = "".join((folder / name).read_text() for name in names)
    written = set(re.findall(r'"([EW]\d{3})"', code))
    assert written == {check for expected, _ in TRIGGERS for check in expected}
    for letter in "EW":
        numbers = sorted(check for check in written if check.startswith(letter))
        assert numbers == [f"{letter}{number:03}" for number in range(1, len(numbers) + 1)]


def test_every_check_function_is_registered() -> None:
    registered = registry.registered_checks | registry.deployment_checks
    written = {
        function
        for name, function in vars(checks).items()
        if name.startswith("check_") and callable(function)
    }
    assert written <= registered
    deployment = {checks.check_emulator, checks.check_cache_deploy, checks.check_credential}
    assert deployment <= set(registry.deployment_checks)


def test_the_settings_of_the_tests_themselves_are_sound() -> None:
    found = run_checks()
    ours_found = [str(message.id) for message in found if "django_entra_auth" in str(message.id)]
    assert ours_found == ["django_entra_auth.W002"]
    assert django_settings.ENTRA_AUTH
