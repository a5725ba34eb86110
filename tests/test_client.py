"""The one token client of a process: built once, and anew when a setting behind it is replaced."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_entra_auth.client import get_application

LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def test_all_threads_have_the_same_one(settings: Any) -> None:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH}
    with ThreadPoolExecutor(8) as pool:
        built = {id(future.result()) for future in [pool.submit(get_application)] * 50}
    assert len(built) == 1
    assert get_application() is get_application()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHES", LOCMEM),
        ("SECRET_KEY", "another" * 10),
        ("SECRET_KEY_FALLBACKS", ["another" * 10]),
    ],
)
def test_another_one_with_other_settings(name: str, value: Any) -> None:
    before = get_application()
    with override_settings(**{name: value}):
        during = get_application()
        assert during is not before
        assert get_application() is during
    assert get_application() is not during


def test_another_one_with_another_client(settings: Any) -> None:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "CLIENT_ID": "another"}
    assert get_application().client_id == "another"


def test_what_the_protocol_layer_refuses_is_a_matter_of_configuration(settings: Any) -> None:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "CLIENT_CREDENTIAL": {"private_key": "no PEM"}}
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match="ENTRA_AUTH cannot be used"):
            get_application()
