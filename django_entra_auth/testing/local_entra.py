"""Points a project's settings at a local Entra for the time of a test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings as django_settings
from django.core.cache import caches
from django.test import override_settings
from django.urls import NoReverseMatch, reverse

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, Emulator
from django_entra_auth.testing.settings import minimal_settings

CACHE_ALIAS = "django_entra_auth_testing"
HOSTS = ("testserver", "localhost", "127.0.0.1")


def emulator_settings(emulator: Emulator) -> dict[str, Any]:
    """The settings with which the project signs in at a running local Entra.

    ENTRA_AUTH keeps what decides who may do what; a tenant of its own becomes the emulator's. The
    cache is an empty one in memory: what one test has left there must not reach the next.
    """
    given = getattr(django_settings, "ENTRA_AUTH", None) or {}
    entra_auth = minimal_settings(given, CLIENT_ID=CLIENT_ID, CLIENT_CREDENTIAL=CLIENT_SECRET)
    segment = entra_auth.pop("TENANT_ID")
    is_shared = segment in {"common", "consumers", "organizations"}
    authority = f"{emulator.origin}/{segment}" if is_shared else emulator.authority
    entra_auth.update(AUTHORITY=authority, CACHE_ALIAS=CACHE_ALIAS)
    allowed = list(entra_auth.get("ALLOWED_TENANTS", ()))
    if allowed and "*" not in allowed:
        entra_auth["ALLOWED_TENANTS"] = [*(allowed if is_shared else ()), emulator.tenant_id]
    memory = {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": f"{CACHE_ALIAS}-{uuid.uuid4()}",
    }
    return {"ENTRA_AUTH": entra_auth, "CACHES": {**django_settings.CACHES, CACHE_ALIAS: memory}}


def register_site(emulator: Emulator) -> None:
    """Register the project's own addresses, wherever it has put them, as an administrator would."""
    with suppress(NoReverseMatch):
        paths = [reverse(f"django_entra_auth:{name}") for name in ("callback", "logout")]
        uris = emulator.application.redirect_uris
        sites = [f"{scheme}://{host}" for scheme in ("http", "https") for host in HOSTS]
        uris += [f"{site}{path}" for site in sites for path in paths]


@contextmanager
def use_emulator(emulator: Emulator) -> Iterator[Emulator]:
    """The project signs in at `emulator`, which runs and is as after its start, and then no more.

    For tests that start one themselves: `with Emulator() as entra, use_emulator(entra): ...`.
    """
    with override_settings(**emulator_settings(emulator)), fresh(emulator):
        yield emulator


@contextmanager
def fresh(emulator: Emulator) -> Iterator[None]:
    """An emulator as after its start, and a cache that is left empty."""
    published = emulator.keys.published
    emulator.reset()
    register_site(emulator)
    try:
        yield
    finally:
        emulator.reset()
        if emulator.keys.published != published:
            emulator.keys = type(emulator.keys)()
        caches[CACHE_ALIAS].clear()


class EntraEmulatorMixin:
    """For Django's test cases: `self.entra_emulator` is a local Entra the project signs in at.

    One is started for the class and is as after its start before each test: policies, people and
    faults are the test's own. Put it first: `class MyTests(EntraEmulatorMixin, TestCase)`.
    """

    entra_emulator: Emulator

    @classmethod
    def setUpClass(cls) -> None:
        """Start it."""
        cls.entra_emulator = Emulator().start()
        cls.addClassCleanup(cls.entra_emulator.stop)  # type: ignore[attr-defined]  # a mixin
        super().setUpClass()  # type: ignore[misc]

    def setUp(self) -> None:
        """Point the settings at it until the test has ended."""
        super().setUp()  # type: ignore[misc]
        used = use_emulator(self.entra_emulator)
        used.__enter__()
        self.addCleanup(used.__exit__, None, None, None)  # type: ignore[attr-defined]
