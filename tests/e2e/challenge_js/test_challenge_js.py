"""The optional script in Chromium: a refused call asks the person once and is then repeated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.challenge_js.server import SCRIPT, Site

Open = Callable[[], Page]

CALL = """([name, path, init]) => {
  window.results = window.results || {};
  window.entraFetch(path, init).then(
    async (response) => { window.results[name] = [response.status, await response.text()]; },
    (error) => { window.results[name] = [error.name, error.message]; },
  );
}"""


def call(page: Page, path: str, init: dict[str, Any] | None = None, name: str = "call") -> None:
    page.evaluate(CALL, [name, path, init or {}])


def get_result(page: Page, name: str = "call") -> list[Any]:
    """What the caller got; waits for it."""
    wait = """(name) => new Promise((resolve, reject) => {
      const look = () => (window.results || {})[name] && resolve(window.results[name]);
      const looking = setInterval(look, 10);
      setTimeout(() => { clearInterval(looking); reject(new Error("no result")); }, 5000);
    })"""
    return list(page.evaluate(wait, name))


def is_pending(page: Page, name: str = "call") -> bool:
    return not page.evaluate("(name) => Boolean((window.results || {})[name])", name)


def get_body(page: Page, name: str = "call") -> dict[str, Any]:
    status, text = get_result(page, name)
    assert status == 200
    return dict(json.loads(text))


def pass_prompt(page: Page) -> None:
    """Continue, approve in the window, and see the window go."""
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Continue").click()
    popup = opened.value
    expect(popup.get_by_role("heading")).to_have_text("Entra")
    with popup.expect_event("close"):
        popup.get_by_role("link", name="Approve").click(no_wait_after=True)


def expect_dialog(page: Page) -> None:
    expect(page.get_by_role("dialog")).to_have_count(1)
    expect(page.get_by_role("dialog")).to_be_visible()


def expect_no_dialog(page: Page) -> None:
    expect(page.locator("dialog")).to_have_count(0)


def test_a_refused_call_is_repeated_after_the_prompt(
    open_page: Open, site_of_challenge: Site, complaints: list[str]
) -> None:
    page = open_page()
    call(page, "/api/one")
    expect_dialog(page)
    assert is_pending(page)
    pass_prompt(page)
    assert get_body(page) == {"path": "/api/one"}
    expect_no_dialog(page)
    assert len(site_of_challenge.calls("/api/one")) == 2
    assert complaints == []


def test_a_call_that_is_not_refused_asks_nobody(open_page: Open, site_of_challenge: Site) -> None:
    site_of_challenge.person.approved = True
    page = open_page()
    call(page, "/api/one", {"method": "POST", "body": "text"})
    assert get_body(page) == {"path": "/api/one"}
    expect_no_dialog(page)
    assert [one.body for one in site_of_challenge.calls("/api/one")] == [b"text"]


@pytest.mark.parametrize(
    "init",
    [
        {"method": "POST", "body": "text", "headers": {"X-CSRFToken": "token"}},
        {"method": "PUT", "body": "x" * 300_000, "headers": {"X-CSRFToken": "token"}},
    ],
)
def test_method_headers_and_body_are_repeated(
    open_page: Open, site_of_challenge: Site, init: dict[str, Any]
) -> None:
    page = open_page()
    call(page, "/api/one", init)
    pass_prompt(page)
    get_body(page)
    first, second = site_of_challenge.calls("/api/one")
    assert (second.method, second.body) == (init["method"], init["body"].encode())
    assert (first.method, first.body) == (second.method, second.body)
    assert second.headers["x-csrftoken"] == "token"
    assert second.headers["content-type"] == first.headers["content-type"]


def test_a_request_object_with_a_form_is_repeated(open_page: Open, site_of_challenge: Site) -> None:
    page = open_page()
    page.evaluate(
        """() => {
          const form = new FormData();
          form.append("name", "Zoë");
          form.append("file", new Blob(["bytes"]), "file.txt");
          const request = new Request("/api/form", { method: "POST", body: form });
          window.results = {};
          window.entraFetch(request).then(async (response) => {
            window.results.call = [response.status, await response.text()];
          });
        }"""
    )
    pass_prompt(page)
    get_body(page)
    first, second = site_of_challenge.calls("/api/form")
    assert "Zoë".encode() in second.body
    assert b"bytes" in second.body
    assert first.body == second.body


def test_parallel_calls_share_one_dialog(open_page: Open, site_of_challenge: Site) -> None:
    page = open_page()
    names = [f"call-{number}" for number in range(12)]
    for name in names:
        call(page, f"/api/{name}", name=name)
    expect_dialog(page)
    pass_prompt(page)
    assert [get_body(page, name) for name in names] == [{"path": f"/api/{n}"} for n in names]
    assert [len(site_of_challenge.calls(f"/api/{name}")) for name in names] == [2] * len(names)
    assert len(site_of_challenge.calls("/auth/login/")) == 1
    expect_no_dialog(page)


def test_a_call_that_began_before_the_prompt_was_passed_asks_nobody_again(
    open_page: Open, site_of_challenge: Site
) -> None:
    page = open_page()
    call(page, "/api/one", name="one")
    expect_dialog(page)
    call(page, "/api/late", name="late")
    assert site_of_challenge.arrived.wait(15)  # refused by now, but the answer is held
    pass_prompt(page)
    get_body(page, "one")
    site_of_challenge.held.set()
    assert get_body(page, "late") == {"path": "/api/late"}
    assert len(site_of_challenge.calls("/api/late")) == 2
    assert len(site_of_challenge.calls("/auth/login/")) == 1
    expect_no_dialog(page)


@pytest.mark.parametrize("way", ["escape", "button"])
def test_cancelling_gives_the_refusal_to_the_caller(
    open_page: Open, site_of_challenge: Site, way: str
) -> None:
    page = open_page()
    call(page, "/api/one", {"method": "POST", "body": "text"})
    expect_dialog(page)
    if way == "escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Cancel").click()
    status, text = get_result(page)
    assert (status, json.loads(text)["error"]) == (401, "interaction_required")
    expect_no_dialog(page)
    assert len(site_of_challenge.calls("/api/one")) == 1
    call(page, "/api/one", name="next")
    pass_prompt(page)
    assert get_body(page, "next") == {"path": "/api/one"}


def test_a_repeated_call_that_is_refused_again_is_not_repeated(
    open_page: Open, site_of_challenge: Site
) -> None:
    site_of_challenge.person.insatiable = True
    page = open_page()
    call(page, "/api/one")
    pass_prompt(page)
    assert get_result(page)[0] == 401
    expect_no_dialog(page)
    assert len(site_of_challenge.calls("/api/one")) == 2
    assert len(site_of_challenge.calls("/auth/login/")) == 1


def test_a_window_that_is_closed_can_be_opened_again(
    open_page: Open, site_of_challenge: Site
) -> None:
    page = open_page()
    call(page, "/api/one")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Continue").click()
    expect(opened.value.get_by_role("heading")).to_have_text("Entra")
    opened.value.close()
    expect_dialog(page)
    assert is_pending(page)
    pass_prompt(page)
    assert get_body(page) == {"path": "/api/one"}


def test_without_a_window_the_page_itself_moves_on(
    open_page: Open, site_of_challenge: Site
) -> None:
    page = open_page()
    page.evaluate("() => { window.open = () => null; }")
    call(page, "/api/one")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading")).to_have_text("Entra")
    assert [one.path for one in site_of_challenge.calls("/auth/login/")] == [
        site_of_challenge.person.login_url
    ]


def test_the_callers_abort_reaches_a_waiting_call(open_page: Open, site_of_challenge: Site) -> None:
    page = open_page()
    page.evaluate(
        """() => {
          window.stop = new AbortController();
          window.results = {};
          window.entraFetch("/api/one", { signal: window.stop.signal }).catch((error) => {
            window.results.call = [error.name, error.message];
          });
        }"""
    )
    expect_dialog(page)
    page.evaluate("() => window.stop.abort()")
    assert get_result(page)[0] == "AbortError"
    assert len(site_of_challenge.calls("/api/one")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 403},
        {"content_type": "text/html"},
        {"content_type": "application/jsonp"},
        {"login_url": None},
        {"popup_url": None},
        {"popup_url": 7},
        {"popup_url": "https://evil.example/"},
        {"popup_url": "//evil.example/"},
        {"popup_url": "/\\evil.example/"},
        {"popup_url": "/\t/evil.example/"},
        {"popup_url": "javascript:alert(1)"},
        {"popup_url": "blob:/x"},
        {"popup_url": "auth/login/"},
        {"login_url": "//evil.example/"},
        {"login_url": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_other_answers_are_the_callers(
    open_page: Open, site_of_challenge: Site, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(site_of_challenge.person, name, value)
    page = open_page()
    call(page, "/api/one")
    status, text = get_result(page)
    assert status == site_of_challenge.person.status
    assert json.loads(text)["error"] == "interaction_required"
    expect_no_dialog(page)
    assert len(site_of_challenge.calls("/api/one")) == 1


def test_a_failed_call_fails_as_with_fetch(open_page: Open, site_of_challenge: Site) -> None:
    page = open_page()
    call(page, "http://127.0.0.1:1/api/one", name="network")
    assert get_result(page, "network")[0] == "TypeError"
    call(page, "/api/one", {"method": "GET", "body": "no body with GET"}, name="misuse")
    assert get_result(page, "misuse")[0] == "TypeError"


def test_texts_come_from_the_script_tag(open_page: Open, site_of_challenge: Site) -> None:
    site_of_challenge.person.attributes = (
        ' data-entra-title="Bitte bestätigen &lt;b&gt;" data-entra-message="Microsoft fragt."'
        ' data-entra-continue="Weiter" data-entra-cancel="Abbrechen"'
    )
    page = open_page()
    call(page, "/api/one")
    dialog = page.get_by_role("dialog", name="Bitte bestätigen <b>")
    expect(dialog).to_be_visible()
    expect(dialog).to_have_accessible_description("Microsoft fragt.")
    expect(dialog.get_by_role("button")).to_have_text(["Weiter", "Abbrechen"])


def test_the_dialog_is_accessible(
    open_page: Open, assert_accessible: Callable[[Page], None]
) -> None:
    page = open_page()
    page.get_by_role("button", name="Work").focus()
    call(page, "/api/one")
    expect_dialog(page)
    assert_accessible(page)
    expect(page.get_by_role("button", name="Continue")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Work")).to_be_focused()


def test_the_window_cannot_reach_a_page_without_an_opener_policy(
    open_page: Open, site_of_challenge: Site
) -> None:
    del site_of_challenge.headers["Cross-Origin-Opener-Policy"]
    page = open_page()
    call(page, "/api/one")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Continue").click()
    popup = opened.value
    expect(popup.get_by_role("heading")).to_have_text("Entra")
    assert popup.evaluate("() => window.opener") is None
    with popup.expect_event("close"):
        popup.get_by_role("link", name="Approve").click(no_wait_after=True)
    assert get_body(page) == {"path": "/api/one"}


def test_the_end_page_says_so_where_it_cannot_close(
    open_page: Open, challenge_site: tuple[Site, str], complaints: list[str]
) -> None:
    page = open_page()
    page.goto(f"{challenge_site[1]}/auth/callback")
    expect(page.get_by_text("Done. You can close this window.")).to_be_visible()
    assert page.evaluate("() => typeof window.entraFetch") == "undefined"
    assert complaints == []


def test_another_tabs_prompt_serves_too(open_page: Open, challenge_site: tuple[Site, str]) -> None:
    page = open_page()
    other = page.context.new_page()
    other.goto(f"{challenge_site[1]}/")
    call(page, "/api/one")
    expect_dialog(page)
    call(other, "/api/two")
    pass_prompt(other)
    assert get_body(other) == {"path": "/api/two"}
    assert get_body(page) == {"path": "/api/one"}
    expect_no_dialog(page)


def test_other_messages_on_the_channel_are_ignored(open_page: Open) -> None:
    page = open_page()
    call(page, "/api/one")
    expect_dialog(page)
    page.evaluate(
        """() => new Promise((resolve) => {
          const name = "django_entra_auth";
          const [sender, listener] = [new BroadcastChannel(name), new BroadcastChannel(name)];
          listener.onmessage = resolve;
          sender.postMessage({ type: "done" });
        })"""
    )
    expect_dialog(page)
    assert is_pending(page)


def test_the_script_stays_small_and_free_of_what_policies_forbid() -> None:
    source = SCRIPT.read_text()
    assert len(source.splitlines()) < 200
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|eval\(|\.style\b|https?://", source)
