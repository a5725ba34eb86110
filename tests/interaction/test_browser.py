"""The cookies that bind a sign-in to a browser, and the marker of a completed one."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.interaction.browser import (
    HOST_COOKIE,
    LOOPBACK_COOKIE,
    MARKER_COOKIE,
    MARKER_SECONDS,
    SIGN_OUT_COOKIE,
    drop_cookies,
    drop_marker,
    mark_signed_out,
    new_browser,
    read_browser,
    read_marker,
    set_browser,
    set_marker,
)
from django_entra_auth.sealing import KeyRing, encode_text

MINE = "M" * 43
PLANTED = "P" * 43
NOW = 1_750_000_000.0


@pytest.fixture
def entra_conf() -> EntraSettings:
    return get_settings()


def request_with(header: str | None) -> Any:
    request = RequestFactory().get("/")
    if header is not None:
        request.META["HTTP_COOKIE"] = header
    return request


def read(header: str | None, *, secure: bool = True) -> str | None:
    return read_browser(request_with(header), secure=secure)


def test_one_cookie_of_the_name_is_read() -> None:
    assert read(f"{HOST_COOKIE}={MINE}") == MINE
    assert read(f"sessionid=abc; {HOST_COOKIE}={MINE}; csrftoken=def") == MINE
    assert read(f"a=b;{HOST_COOKIE}={MINE}") == MINE


def test_none_is_none() -> None:
    assert read(None) is None
    assert read("") is None
    assert read("sessionid=abc") is None


@pytest.mark.parametrize(
    "header",
    [
        f"{HOST_COOKIE}={MINE}; {HOST_COOKIE}={PLANTED}",
        f"{HOST_COOKIE}={PLANTED}; {HOST_COOKIE}={MINE}",
        f"{HOST_COOKIE}={MINE}; {HOST_COOKIE}={MINE}",
        f"{HOST_COOKIE}={MINE}; sessionid=a; {HOST_COOKIE}=",
        f"{HOST_COOKIE}={MINE};{HOST_COOKIE} ={PLANTED}",
        f"{HOST_COOKIE}={MINE}; {HOST_COOKIE}",
    ],
)
def test_a_second_one_of_the_name_spoils_both(header: str) -> None:
    assert read(header) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "short",
        "M" * 42,
        "M" * 44,
        "M" * 42 + "=",
        "M" * 42 + "+",
        '"' + "M" * 43 + '"',
        "M" * 42 + "\u00e9",
        "M" * 42 + "\u0660",
        f"{MINE}={MINE}",
        "M" * 100_000,
    ],
)
def test_a_malformed_value_is_none(value: str) -> None:
    assert read(f"{HOST_COOKIE}={value}") is None


def test_each_scheme_has_its_name() -> None:
    both = f"{HOST_COOKIE}={MINE}; {LOOPBACK_COOKIE}={PLANTED}"
    assert read(both, secure=True) == MINE
    assert read(both, secure=False) == PLANTED
    assert read(f"{LOOPBACK_COOKIE}={PLANTED}", secure=True) is None
    assert read(f"{HOST_COOKIE.lower()}={PLANTED}", secure=True) is None


def test_a_new_one_is_256_random_bits_that_read_back() -> None:
    values = {new_browser() for _ in range(50)}
    assert len(values) == 50
    assert all(read(f"{HOST_COOKIE}={value}") == value for value in values)


def test_the_cookie_of_https_cannot_be_planted_by_a_sibling() -> None:
    response = HttpResponse()
    set_browser(response, MINE, secure=True)
    cookie = response.cookies[HOST_COOKIE]
    assert HOST_COOKIE.startswith("__Host-")
    assert cookie.value == MINE
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_the_cookie_of_loopback_http_has_no_prefix_and_is_not_secure() -> None:
    response = HttpResponse()
    set_browser(response, MINE, secure=False)
    cookie = response.cookies[LOOPBACK_COOKIE]
    assert not cookie["secure"]
    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")


def marker(entra_conf: EntraSettings, *, at: float = NOW) -> str:
    response = HttpResponse()
    set_marker(response, "hash", entra_conf, secure=True, clock=lambda: at)
    return response.cookies[MARKER_COOKIE].value


def marked(value: str, entra_conf: EntraSettings, *, at: float = NOW) -> bool:
    found = read_marker(request_with(f"{MARKER_COOKIE}={value}"), entra_conf, clock=lambda: at)
    assert found in {None, "hash"}
    return found is not None


def test_the_marker_counts_for_a_minute(entra_conf: EntraSettings) -> None:
    value = marker(entra_conf)
    assert marked(value, entra_conf)
    assert marked(value, entra_conf, at=NOW + MARKER_SECONDS)
    assert not marked(value, entra_conf, at=NOW + MARKER_SECONDS + 1)
    assert not marked(value, entra_conf, at=NOW - 3600)


def test_the_marker_is_a_short_lived_cookie_that_no_script_reads(entra_conf: EntraSettings) -> None:
    response = HttpResponse()
    set_marker(response, "hash", entra_conf, secure=True)
    cookie = response.cookies[MARKER_COOKIE]
    assert cookie["max-age"] == MARKER_SECONDS
    assert cookie["httponly"] is True
    assert cookie["secure"] is True
    assert cookie["samesite"] == "Lax"


@pytest.mark.parametrize("value", ["", "1", "1750000000", "\u00e9", "A" * 60, "=" * 8])
def test_a_forged_marker_does_not_count(entra_conf: EntraSettings, value: str) -> None:
    assert not marked(value, entra_conf)


def test_an_altered_marker_does_not_count(entra_conf: EntraSettings) -> None:
    value = marker(entra_conf)
    for place in range(len(value)):
        other = "A" if value[place] != "A" else "Q"
        assert not marked(value[:place] + other + value[place + 1 :], entra_conf)


def test_a_seal_of_another_use_or_key_is_no_marker(entra_conf: EntraSettings) -> None:
    other_use = encode_text(KeyRing(entra_conf, "entry").seal_json(int(NOW)))
    assert not marked(other_use, entra_conf)
    with override_settings(SECRET_KEY="foreign" * 10):
        foreign = marker(get_settings())
    assert not marked(foreign, entra_conf)


def test_no_marker_is_no_marker(entra_conf: EntraSettings) -> None:
    assert read_marker(request_with(None), entra_conf) is None


def test_signing_out_drops_all_three() -> None:
    request, response = request_with(None), HttpResponse()
    mark_signed_out(request)
    drop_cookies(request, response)
    note = response.cookies.pop(SIGN_OUT_COOKIE)
    assert (note.value, note["max-age"]) == ("site", 600)
    assert set(response.cookies) == {HOST_COOKIE, LOOPBACK_COOKIE, MARKER_COOKIE}
    assert {cookie["max-age"] for cookie in response.cookies.values()} == {0}
    assert {cookie["path"] for cookie in response.cookies.values()} == {"/"}
    # A browser ignores a __Host- cookie without it, also one that deletes.
    assert response.cookies[HOST_COOKIE]["secure"] is True


def test_nothing_is_dropped_without_a_sign_out() -> None:
    response = HttpResponse()
    drop_cookies(request_with(f"{HOST_COOKIE}={MINE}"), response)
    assert not response.cookies


def test_a_sign_in_after_the_sign_out_gets_a_secret_of_its_own() -> None:
    request, response = request_with(f"{HOST_COOKIE}={MINE}"), HttpResponse()
    mark_signed_out(request)
    assert read_browser(request, secure=True) is None
    set_browser(response, PLANTED, secure=True)
    drop_cookies(request, response)
    assert response.cookies[HOST_COOKIE].value == PLANTED
    assert response.cookies[MARKER_COOKIE]["max-age"] == 0


def test_the_marker_is_dropped_alone() -> None:
    response = HttpResponse()
    drop_marker(response)
    assert set(response.cookies) == {MARKER_COOKIE}
