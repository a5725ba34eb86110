"""Who is asking, told by the headers that browsers and scripts send."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.interaction.caller import Caller, find_way_back, identify_caller
from django_entra_auth.interaction.next_url import check_next

HTML = {"Accept": "text/html,*/*;q=0.8"}
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
CORS = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
FORM = "application/x-www-form-urlencoded"
SITE = "http://testserver"


def ask(headers: dict[str, str], method: str = "GET", content_type: str = FORM) -> Any:
    return RequestFactory().generic(
        method, "/part/?a=1", b"a=1", content_type=content_type, headers=headers
    )


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ({}, Caller.NAVIGATION),
        (HTML, Caller.NAVIGATION),
        ({"Accept": "text/*"}, Caller.NAVIGATION),
        ({"Accept": "application/xhtml+xml"}, Caller.NAVIGATION),
        ({**NAVIGATE, "Accept": "*/*"}, Caller.NAVIGATION),
        ({"Accept": "*/*"}, Caller.NAVIGATION),
        ({"Accept": ""}, Caller.SCRIPT),
        ({"Accept": "application/json"}, Caller.SCRIPT),
        ({"Accept": "application/json, */*"}, Caller.SCRIPT),
        ({**HTML, **CORS}, Caller.SCRIPT),
        ({**HTML, "Sec-Fetch-Mode": "navigate"}, Caller.SCRIPT),
        ({**HTML, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty"}, Caller.SCRIPT),
        ({**HTML, "X-Requested-With": "XMLHttpRequest"}, Caller.SCRIPT),
        ({**CORS, "HX-Request": "true"}, Caller.HTMX),
        ({"HX-Request": "true"}, Caller.HTMX),
        ({**HTML, "HX-Request": "false"}, Caller.NAVIGATION),
        ({**HTML, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, Caller.FRAME),
        ({**HTML, "Sec-Fetch-Dest": "fencedframe"}, Caller.FRAME),
        ({**NAVIGATE, "Sec-Purpose": "prefetch"}, Caller.PREFETCH),
        ({**NAVIGATE, "Sec-Purpose": "prefetch;prerender"}, Caller.PREFETCH),
        ({**CORS, "Sec-Purpose": "prefetch", "HX-Request": "true"}, Caller.PREFETCH),
        ({**HTML, "Purpose": "prefetch"}, Caller.PREFETCH),
    ],
    ids=repr,
)
def test_who_asks_by_get(headers: dict[str, str], caller: Caller) -> None:
    assert identify_caller(ask(headers)) is caller


@pytest.mark.parametrize(
    ("method", "content_type", "caller"),
    [
        ("HEAD", FORM, Caller.NAVIGATION),
        ("POST", FORM, Caller.FORM),
        ("POST", f"{FORM}; charset=utf-8", Caller.FORM),
        ("POST", "multipart/form-data; boundary=x", Caller.FORM),
        ("POST", "text/plain", Caller.FORM),
        ("POST", "application/json", Caller.SCRIPT),
        ("POST", "", Caller.SCRIPT),
        ("PUT", FORM, Caller.SCRIPT),
        ("DELETE", FORM, Caller.SCRIPT),
    ],
)
def test_who_asks_otherwise(method: str, content_type: str, caller: Caller) -> None:
    assert identify_caller(ask({**HTML, **NAVIGATE}, method, content_type)) is caller


def test_a_page_is_its_own_way_back() -> None:
    request = ask({"Referer": f"{SITE}/elsewhere/"})
    assert find_way_back(request, Caller.NAVIGATION) == "/part/?a=1"


def test_a_page_with_a_long_query_is_gone_back_to_without_it() -> None:
    request = RequestFactory().get("/part/?q=" + "x" * 600)
    assert find_way_back(request, Caller.NAVIGATION) == "/part/"


@pytest.mark.parametrize("caller", [Caller.FORM, Caller.FRAME, Caller.SCRIPT, Caller.HTMX])
def test_what_happens_inside_a_page_goes_back_to_the_page(caller: Caller) -> None:
    request = ask({"Referer": f"{SITE}/page/?b=2#part"}, "POST")
    assert find_way_back(request, caller) == "/page/?b=2"
    assert find_way_back(ask({}, "POST"), caller) is None
    assert find_way_back(ask({}), caller) == "/part/?a=1"


def test_htmx_says_itself_which_page_it_is() -> None:
    headers = {"HX-Current-URL": f"{SITE}/page/", "Referer": f"{SITE}/older/"}
    assert find_way_back(ask(headers, "POST"), Caller.HTMX) == "/page/"
    assert find_way_back(ask(headers, "POST"), Caller.SCRIPT) == "/older/"


def test_behind_a_proxy_the_scheme_counts(settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"X-Forwarded-Proto": "https", "Host": "testserver"}
    https = ask({**headers, "Referer": "https://testserver/page/"}, "POST")
    plain = ask({**headers, "Referer": "http://testserver/page/"}, "POST")
    assert find_way_back(https, Caller.SCRIPT) == "/page/"
    assert find_way_back(plain, Caller.SCRIPT) is None


def test_the_registered_name_is_one_of_this_sites(settings: Any) -> None:
    request = ask({"Referer": "https://public.example/page/"}, "POST")
    assert find_way_back(request, Caller.SCRIPT) is None
    uri = "https://public.example/auth/callback"
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "REDIRECT_URI": uri}
    assert find_way_back(request, Caller.SCRIPT) == "/page/"
    for other in ("http://public.example/page/", "https://evil.example/page/", "/page/", "//x"):
        assert find_way_back(ask({"Referer": other}, "POST"), Caller.SCRIPT) is None


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=80), st.sampled_from(Caller))
def test_whatever_the_referer_it_is_a_local_path(tail: str, caller: Caller) -> None:
    for url in (tail, SITE + tail, f"{SITE}/{tail}"):
        for headers in ({"Referer": url}, {"HX-Current-URL": url}):
            found = find_way_back(ask(headers, "POST"), caller)
            assert found is None or check_next(found) == found


@given(st.dictionaries(
    st.sampled_from(["Accept", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Purpose", "HX-Request"]),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=30),
))  # fmt: skip
def test_whatever_the_headers_somebody_asks(headers: dict[str, str]) -> None:
    assert identify_caller(ask(headers)) in Caller
