"""What each kind of caller is answered, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.challenges.asking import (
    BY_NAME,
    CALLERS,
    FORM,
    HTML,
    HTMX,
    JSON,
    NAVIGATE,
    PAGE,
    REFERER,
    SCRIPTED,
    Caller,
    Walker,
    claims_of,
    find_continue,
    find_requests,
    header_claims,
    is_at_entra,
    make_walker,
)
from tests.challenges.sources import BY_NAME as SOURCES
from tests.visitor import query_of, text_of

PREFETCHES = [caller for caller in CALLERS if caller.kind == "prefetch"]
PLAIN = [caller for caller in CALLERS if caller.name.endswith(("-plain", "-json", "-multipart"))]
CONTEXT_CLAIMS = {
    "access_token": {"xms_cc": {"values": ["cp1"]}},
    "id_token": {"acrs": {"essential": True, "value": "c1"}},
}
PRIVATE = "max-age=0, no-cache, no-store, must-revalidate, private"


@pytest.fixture
def challenged(walker: Walker) -> Walker:
    SOURCES["context"].arrange(walker)
    return walker


def browser_cookie(answer: Any) -> Any:
    return answer.cookies.get("entra_browser")


@pytest.mark.parametrize("caller", PLAIN, ids=str)
def test_other_spellings_of_a_caller_go_the_same_way(
    caller: Caller, challenged: Walker, done: Any, prompts: Any
) -> None:
    prompt = challenged.find_prompt(caller, challenged.ask(caller, "/context/"))
    landed = challenged.deliver(challenged.answer(prompt))
    assert challenged.repeat(caller, "/context/", landed).content == b"Done"
    assert (len(done), len(prompts), challenged.count("/authorize")) == (1, 1, 1)


def test_a_navigation_goes_to_entra_at_once(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["navigation"], "/context/?a=1&b=%C3%BC")
    assert (answer.status_code, answer.content) == (302, b"")
    assert is_at_entra(answer["Location"], challenged.entra)
    assert claims_of(answer["Location"]) == CONTEXT_CLAIMS
    assert "Sec-Fetch-Mode" in answer["Vary"]
    assert browser_cookie(answer)["httponly"]
    landed = challenged.deliver(challenged.answer(answer["Location"]))
    assert landed["Location"] == "/context/?a=1&b=%C3%BC"


def test_a_head_request_is_a_navigation(challenged: Walker) -> None:
    answer = challenged.client.head("/context/", headers=NAVIGATE)
    assert answer.status_code == 302


def test_a_form_gets_a_page_that_moves_on_within_this_site(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["form"], "/context/")
    assert answer.status_code == 200
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "no-referrer"
    html, url = answer.content.decode(), find_continue(answer)
    escaped = url.replace("&", "&amp;")
    assert f'<meta http-equiv="refresh" content="0;url={escaped}">' in html
    assert f'href="{escaped}"' in html
    assert "<script" not in html
    assert claims_of(url) == CONTEXT_CLAIMS


FILE = (
    b'--edge\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n--edge--\r\n"
)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (FILE, "multipart/form-data; boundary=edge", "files cannot be"),
        (b"a=1", "text/plain", "was not kept"),
        (b"a=" + b"x" * 300_000, FORM, "too large"),
    ],
    ids=["file", "text", "large"],
)
def test_what_cannot_be_kept_is_said_before_the_prompt(
    challenged: Walker, body: bytes, content_type: str, text: str
) -> None:
    headers = {**NAVIGATE, **REFERER}
    headers["X-CSRFToken"] = challenged.client.cookies["csrftoken"].value
    answer = challenged.client.generic(
        "POST", "/context/", body, content_type=content_type, headers=headers
    )
    assert answer.status_code == 200
    assert text in text_of(answer)
    assert 'http-equiv="refresh"' not in answer.content.decode()
    prompt = challenged.visit(find_continue(answer))
    assert claims_of(prompt["Location"]) == CONTEXT_CLAIMS
    assert challenged.deliver(challenged.answer(prompt["Location"]))["Location"] == PAGE


def test_htmx_is_sent_on_by_its_own_header(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["htmx"], "/context/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert is_at_entra(answer["HX-Redirect"], challenged.entra)
    assert claims_of(answer["HX-Redirect"]) == CONTEXT_CLAIMS
    assert browser_cookie(answer)


def test_what_htmx_posted_is_not_sent_again_and_the_page_says_so(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["htmx-form"], "/context/")
    page = challenged.visit(answer["HX-Redirect"])
    assert page.status_code == 200
    assert "was not kept: it will have to be sent again" in text_of(page)
    assert challenged.count("/authorize") == 0
    assert is_at_entra(challenged.visit(find_continue(page))["Location"], challenged.entra)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_htmx_with_other_methods_is_told_too(challenged: Walker, method: str) -> None:
    token = challenged.client.cookies["csrftoken"].value
    headers = {**SCRIPTED, **HTMX, "X-CSRFToken": token}
    answer = challenged.client.generic(method, "/context/", b"", headers=headers)
    assert "was not kept" in text_of(challenged.visit(answer["HX-Redirect"]))


def test_a_frame_shows_a_link_for_the_whole_window(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["iframe"], "/context/")
    assert answer.status_code == 401
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]
    html = answer.content.decode()
    assert 'target="_top"' in html
    assert 'http-equiv="refresh"' not in html
    assert find_continue(answer).startswith("/auth/login/?next=%2Fpage%2F")


def test_what_a_frame_posted_is_not_sent_again_and_the_page_says_so(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["iframe-form"], "/context/")
    page = challenged.visit(find_continue(answer))
    assert "was not kept" in text_of(page)


@pytest.mark.parametrize("dest", ["iframe", "frame", "embed", "object", "fencedframe"])
def test_every_kind_of_frame_is_one(challenged: Walker, dest: str) -> None:
    headers = {**NAVIGATE, "Sec-Fetch-Dest": dest}
    answer = challenged.client.get("/context/", headers=headers)
    assert answer.status_code == 401
    assert b"_top" in answer.content


@pytest.mark.parametrize("caller", PREFETCHES, ids=str)
def test_a_prefetch_begins_nothing(caller: Caller, challenged: Walker, prompts: Any) -> None:
    challenged.client.cookies.pop("entra_browser")
    answer = challenged.ask(caller, "/context/")
    assert (answer.status_code, answer.content) == (503, b"")
    assert answer["Cache-Control"] == PRIVATE
    assert browser_cookie(answer) is None
    assert (prompts, challenged.count("/authorize")) == ([], 0)


@pytest.mark.parametrize("path", ["/private/", "/context/", "/auth/login/?next=/private/"])
@pytest.mark.parametrize("caller", PREFETCHES, ids=str)
def test_nor_does_one_of_a_stranger(
    caller: Caller, path: str, entra: Any, site: Any, db: None
) -> None:
    answer = make_walker(entra).ask(caller, path)
    assert (answer.status_code, answer.content) == (503, b"")
    assert not answer.cookies


@pytest.mark.parametrize("name", ["fetch", "fetch-json"])
def test_a_script_gets_claims_and_an_address_of_this_site(name: str, challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME[name], "/context/")
    assert answer.status_code == 401
    assert header_claims(answer) == CONTEXT_CLAIMS
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert body["error"] == "interaction_required"
    for url in (body["login_url"], body["popup_url"]):
        assert url.startswith("/auth/login/?next=%2Fpage%2F%3Ffrom%3Dhere&challenge=")
    assert "location" not in answer.headers
    assert challenged.count("/authorize") == 0


def test_a_scripts_window_ends_on_a_page_that_tells_the_other_one(challenged: Walker) -> None:
    answer = challenged.ask(BY_NAME["fetch"], "/context/")
    prompt = challenged.visit(answer.json()["popup_url"])["Location"]
    landed = challenged.deliver(challenged.answer(prompt))
    assert landed.status_code == 200
    assert "data-entra-done" in landed.content.decode()
    assert challenged.ask(BY_NAME["fetch"], "/context/").content == b"Done"


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_script_is_told_at_login_too(signed_in: bool, challenged: Walker) -> None:
    """A fetch that follows redirects ends there."""
    url = challenged.ask(BY_NAME["fetch"], "/context/").json()["login_url"]
    walker = challenged if signed_in else make_walker(challenged.entra)
    if not signed_in:
        url = "/auth/login/?next=/private/"
    answer = walker.ask(BY_NAME["fetch"], url)
    assert answer.status_code == 401
    expected = CONTEXT_CLAIMS if signed_in else {"access_token": CONTEXT_CLAIMS["access_token"]}
    assert header_claims(answer) == expected
    prompt = walker.visit(answer.json()["login_url"])["Location"]
    landed = walker.deliver(walker.answer(prompt))
    assert landed["Location"] == (PAGE if signed_in else "/private/")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (HTML, 302),
        ({}, 302),
        ({"Accept": "text/*"}, 302),
        ({"Accept": "application/xhtml+xml"}, 302),
        ({"Accept": "*/*"}, 302),
        ({"Accept": "application/json, text/plain, */*"}, 401),
        ({"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, 401),
        ({"Accept": "text/html", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 401),
        ({"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty"}, 401),
        ({"Accept": "text/event-stream"}, 401),
    ],
)
def test_who_gets_a_redirect(headers: dict[str, str], status: int, challenged: Walker) -> None:
    assert challenged.client.get("/context/", headers=headers).status_code == status


@pytest.mark.parametrize("name", ["navigation", "form", "htmx", "iframe", "fetch"])
def test_strangers_are_prompted_as_well(
    name: str, entra: Any, site: Any, db: None, done: Any
) -> None:
    """Nobody is signed in: one sign-in with the context, and the page is open."""
    walker, caller = make_walker(entra), BY_NAME[name]
    walker.client.get("/page/")
    answer = walker.ask(caller, "/context/")
    if caller.kind == "form":
        assert "was not kept" in text_of(answer)
        prompt = walker.visit(find_continue(answer))["Location"]
    else:
        prompt = walker.find_prompt(caller, answer)
    assert claims_of(prompt) == CONTEXT_CLAIMS
    assert "login_hint" not in query_of(prompt)
    landed = walker.deliver(walker.answer(prompt))
    assert landed["Location"] == ("/context/" if caller.kind == "navigation" else PAGE)
    assert walker.ask(BY_NAME["navigation"], "/context/").content == b"Done"
    assert walker.count("/authorize") == 1


def test_a_domain_hint_goes_along(challenged: Walker, site: Any) -> None:
    site.ENTRA_AUTH = {**site.ENTRA_AUTH, "DOMAIN_HINT": "contoso.example"}
    answer = challenged.ask(BY_NAME["navigation"], "/context/")
    assert query_of(answer["Location"])["domain_hint"] == "contoso.example"


def test_the_opaque_login_hint_goes_before_the_name(entra: Any, site: Any, db: None) -> None:
    entra.optional_claims |= {"login_hint"}
    walker = make_walker(entra)
    walker.sign_in()
    answer = walker.ask(BY_NAME["navigation"], "/context/")
    hint = query_of(answer["Location"])["login_hint"]
    assert hint == walker.client.session["_entra"]["claims"]["login_hint"]
    assert hint != "alice@contoso.example"


def test_no_session_key_and_no_csrf_secret_change(challenged: Walker) -> None:
    """A form that is open in another tab still posts."""
    before = challenged.client.session.session_key, challenged.client.cookies["csrftoken"].value
    prompt = challenged.ask(BY_NAME["navigation"], "/context/")["Location"]
    challenged.deliver(challenged.answer(prompt))
    after = challenged.client.session.session_key, challenged.client.cookies["csrftoken"].value
    assert after == before
    assert challenged.ask(BY_NAME["form"], "/context/").content == b"Done"


def test_a_long_way_back_is_kept(challenged: Walker) -> None:
    path = "/context/?q=" + "x" * 480
    prompt = challenged.ask(BY_NAME["navigation"], path)["Location"]
    assert challenged.deliver(challenged.answer(prompt))["Location"] == path


def test_one_longer_than_allowed_loses_its_query(challenged: Walker) -> None:
    prompt = challenged.ask(BY_NAME["navigation"], "/context/?q=" + "x" * 600)["Location"]
    assert challenged.deliver(challenged.answer(prompt))["Location"] == "/context/"


@pytest.mark.parametrize("content_type", [FORM, JSON])
def test_a_silent_token_is_never_a_prompt(content_type: str, walker: Walker, done: Any) -> None:
    """What a refresh can get is got without a person."""
    caller = BY_NAME["form" if content_type == FORM else "fetch-json"]
    assert walker.ask(caller, "/token/").content == b"Done"
    assert len(find_requests(walker.entra, "/token", grant_type="refresh_token")) == 1
