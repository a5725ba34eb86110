"""The demo as a visitor meets it: started by its command, used in a browser, stopped by Ctrl-C."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.flows.demo import free_ports, launch, run_demo
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import choose, expect_heading, pass_mfa, press, watch_policy


@pytest.fixture
def console(context: BrowserContext) -> Iterator[list[str]]:
    """What the browser complains about; has to stay empty."""
    complaints = watch_policy(context)
    yield complaints
    assert complaints == []


def test_terminal_says_all_one_needs(demo):
    for text in (demo.site, demo.entra, "135790", "alice@contoso.example", "erin@contoso.example"):
        assert text in demo.text


def test_profile_after_the_second_factor(demo, page, console):
    page.goto(demo.site)
    press(page, "Sign in with Entra")
    choose(page, "Bob Brown")
    pass_mfa(page)
    expect(page).to_have_url(f"{demo.site}/profile/")
    expect_heading(page, "Bob Brown")
    claims = page.get_by_role("region", name="Your claims")
    for claim in ("preferred_username", "oid", "tid", "auth_time", "sid"):
        expect(claims.get_by_role("rowheader", name=claim, exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect_heading(page, "You are signed out")
    expect(page).to_have_url(f"{demo.site}/auth/logout/")
    page.goto(f"{demo.site}/profile/")
    expect_heading(page, "Sign in")


def test_erin_reaches_the_admin(demo, page, console):
    page.goto(f"{demo.site}/admin/")
    choose(page, "Erin Evans")
    expect(page).to_have_url(f"{demo.site}/admin/")
    expect(page.get_by_text("Site administration")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Logged out")).to_be_visible()
    page.goto(f"{demo.site}/profile/")
    expect(page).to_have_url(re.compile(rf"{demo.site}/profile/|{demo.entra}"))


def test_alice_is_not_sent_in_circles(demo, page, console):
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.goto(f"{demo.site}/admin/")
    choose(page, "Alice Adams")
    expect_heading(page, "You are already signed in")
    page.goto(f"{demo.site}/reports/")
    expect_heading(page, "You are already signed in")
    assert sum("/authorize" in url for url in seen) == 1


@pytest.mark.parametrize("person", ["Carol Clark", "Frank Fisher"])
def test_profile_of_unusual_people(demo, page, console, person):
    page.goto(f"{demo.site}/profile/")
    choose(page, person)
    expect_heading(page, person)
    guest = page.get_by_text("as a guest of this organization")
    expect(guest).to_have_count(1 if person == "Carol Clark" else 0)


def test_many_tabs_of_one_person(demo, context):
    """The demo's database is one SQLite file, and its visitors open several tabs as well."""
    first = context.new_page()
    first.goto(f"{demo.site}/profile/")
    choose(first, "Alice Adams")
    expect_heading(first, "Alice Adams")
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(demo.site)
    context.clear_cookies(domain="127.0.0.1")
    for page in pages:
        page.evaluate("setTimeout(() => { location.href = '/profile/' })")
    for page in pages:
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text(re.compile("Alice Adams|You are already signed in"))


def test_looks(demo, page, screenshot, assert_accessible):
    def look(name: str) -> None:
        check_looks(page, name, screenshot, assert_accessible)

    page.goto(demo.site)
    look("home")
    page.goto(f"{demo.site}/profile/")
    choose(page, "Erin Evans")
    expect_heading(page, "Erin Evans")
    look("profile")
    page.goto(demo.site)
    look("home-signed-in")
    page.goto(f"{demo.site}/reports/")
    expect_heading(page, "Reports")
    look("reports")


def test_looks_without_permission(demo, page, screenshot, assert_accessible):
    page.goto(f"{demo.site}/reports/")
    choose(page, "Alice Adams")
    expect_heading(page, "You are already signed in")
    check_looks(page, "reports-refused", screenshot, assert_accessible)


def test_interrupt_stops_it_cleanly(tmp_path, page):
    """With a browser whose connections are open."""
    with run_demo(tmp_path) as demo:
        page.goto(f"{demo.site}/profile/")
        choose(page, "Alice Adams")
        expect_heading(page, "Alice Adams")
        status, rest = demo.interrupt()
    assert status == 0, rest
    assert "Traceback" not in rest


@pytest.mark.parametrize("taken", ["PORT", "EMULATOR_PORT"])
def test_taken_port_is_one_line(tmp_path, taken):
    port, emulator_port = free_ports()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port if taken == "PORT" else emulator_port))
        listener.listen()
        process = launch(tmp_path, port=port, emulator_port=emulator_port)
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(text.strip().splitlines()) == 1
    assert taken in text
