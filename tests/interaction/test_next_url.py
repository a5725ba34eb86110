"""`next`: only paths of this site, whatever a browser makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.test import RequestFactory
from django.urls import set_script_prefix
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_entra_auth.interaction.next_url import (
    NEXT_MAX_BYTES,
    check_next,
    default_next,
    read_next,
)

SITE = "https://site.example"

REFUSED = [
    "",
    " ",
    "evil.example",
    "evil.example/path",
    "private/",
    "./private/",
    "../private/",
    "?a=b",
    "#top",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//evil.example/%2e%2e",
    "//",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/path\\evil",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "%2f%2fevil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "https:///evil.example",
    "http://evil.example/private/",
    "HTTPS://evil.example",
    "https://testserver/private/",
    "//testserver/private/",
    "https://site.example@evil.example/",
    "//site.example@evil.example/",
    "@evil.example",
    ":evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "javascript://site.example/%0aalert(1)",
    "data:text/html,<script>",
    "vbscript:x",
    "ftp://evil.example",
    "file:///etc/passwd",
    "mailto:a@evil.example",
    "\t//evil.example",
    " //evil.example",
    " /private/",
    "\x00/private/",
    "\ufeff/private/",
    "\u3000//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\r\n/evil.example",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "/ /evil.example",
    "/path\r\nSet-Cookie: a=b",
    "/path\nLocation: https://evil.example",
    "/path\x00",
    "/path\x1f",
    "/path\x7f",
    "/path\x85",
    "/path\x9f",
    "\uff0f\uff0fevil.example",
    "\u2044/evil.example",
    "http:\\\\evil.example",
    "https://[::1]/",
    "//[::1]/",
    "///[",
    "/" + "x" * NEXT_MAX_BYTES,
    "/" + "\u00e4" * 100,
    "/?q=" + "x" * NEXT_MAX_BYTES,
]
OWN = [
    "/auth/login/",
    "/auth/login/?next=/private/",
    "/auth/login/?next=/auth/login/",
    "/auth/login/#top",
    "/auth/callback",
    "/auth/callback?code=x&state=y",
    "/auth/logout/",
    "/auth/front-channel-logout?sid=x",
    "/%61uth/login/",
    "/auth/%6cogin/",
    "/auth/./login/",
    "/auth/x/../login/",
    "/auth/x/%2e%2e/login/",
    "/./auth/login/",
]
KEPT = [
    "/",
    "/private/",
    "/private/?a=b&c=d",
    "/private/?next=//evil.example",
    "/private/?u=https://evil.example/",
    "/private/#part",
    "/a//b",
    "/a/%2f/b",
    "/a/%5c/b",
    "/%7Euser/",
    "/a/@b",
    "/a:b",
    "/private/?q=a%20b+c",
    "/private/?q=%0a",
    "/authentic/",
    "/author/login/",
    "/search?q=%E2%82%AC",
    "/" + "x" * (NEXT_MAX_BYTES - 1),
]


@pytest.fixture
def _below_a_prefix() -> Iterator[None]:
    set_script_prefix("/app/")
    yield
    set_script_prefix("/")


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:50])
def test_it_leads_nowhere_else(value: str) -> None:
    assert check_next(value) is None


@pytest.mark.parametrize("value", [None, 5, b"/private/", ["/private/"], {"/": 1}, True])
def test_only_text_is_a_path(value: object) -> None:
    assert check_next(value) is None


@pytest.mark.parametrize("value", OWN)
def test_the_flow_itself_is_no_destination(value: str) -> None:
    assert check_next(value) is None


@pytest.mark.parametrize("value", OWN)
@pytest.mark.usefixtures("_below_a_prefix")
def test_the_flow_itself_is_no_destination_below_a_prefix(value: str) -> None:
    assert check_next("/app" + value) is None


@pytest.mark.parametrize("value", KEPT, ids=lambda value: repr(value)[:50])
def test_a_good_path_is_kept_as_it_is(value: str) -> None:
    assert check_next(value) == value


@pytest.mark.parametrize("value", ["/app/", "/app/private/?a=b", "/app/a//b", "/other/", "/app"])
@pytest.mark.usefixtures("_below_a_prefix")
def test_a_good_path_is_kept_below_a_prefix(value: str) -> None:
    assert check_next(value) == value


@pytest.mark.parametrize("value", ["//evil.example", "/\\evil.example", "/%2fevil.example"])
@pytest.mark.usefixtures("_below_a_prefix")
def test_it_leads_nowhere_else_below_a_prefix(value: str) -> None:
    assert check_next(value) is None


def test_unicode_comes_back_quoted() -> None:
    assert check_next("/straße/?q=€") == "/stra%C3%9Fe/?q=%E2%82%AC"


def _as_a_browser(value: str) -> str:
    """The WHATWG URL parser: strips the ends, drops tab and newline, reads a backslash as slash."""
    stripped = value.strip("".join(map(chr, range(0x21))))
    path, mark, rest = re.sub(r"[\t\n\r]", "", stripped).partition("?")
    return path.replace("\\", "/") + mark + rest


NASTY = st.text(alphabet="/\\:@?#%.2fF5cC \t\n\r\x00\x85\u2028\uff0fehtps[]", max_size=30)


@hypothesis_settings(max_examples=2000)
@given(st.one_of(NASTY.map("/".__add__), NASTY, st.text(max_size=60).map("/".__add__)))
@example("//evil.example")
@example("/\t/evil.example")
@example("/\\evil.example")
def test_whatever_is_accepted_stays_on_this_site(value: str) -> None:
    accepted = check_next(value)
    if accepted is None:
        return
    assert len(accepted) <= NEXT_MAX_BYTES
    for reading in (accepted, _as_a_browser(accepted), _as_a_browser(value)):
        target = urlsplit(urljoin(SITE, reading))
        assert (target.scheme, target.netloc) == ("https", "site.example")
    # A proxy that decodes the path once must not find another host at its start.
    assert not _as_a_browser(unquote(accepted)[:2]).startswith("//")


def test_it_is_read_from_query_or_form(rf: RequestFactory) -> None:
    assert read_next(rf.get("/auth/login/", {"next": "/private/?a=b"})) == "/private/?a=b"
    assert read_next(rf.post("/auth/login/?next=/q/", {"next": "/form/"})) == "/form/"
    assert read_next(rf.post("/auth/login/?next=/q/")) == "/q/"


@pytest.mark.parametrize("query", ["", "?next=", "?next=//evil.example", "?next=/auth/login/"])
def test_without_a_good_one_it_is_the_sites_own(rf: RequestFactory, query: str) -> None:
    assert read_next(rf.get(f"/auth/login/{query}")) == default_next() == "/"


def test_the_sites_own_may_be_a_name(settings: object) -> None:
    settings.LOGIN_REDIRECT_URL = "private"  # type: ignore[attr-defined]
    assert default_next() == "/private/"
