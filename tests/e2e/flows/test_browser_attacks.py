"""Somebody else's sign-in, brought into this browser, never becomes this person's session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from django.contrib.auth import get_user_model

from tests.e2e.support import (
    choose,
    count_prompts,
    deliver,
    expect_entra,
    expect_heading,
    expect_private,
    sign_in,
)


@pytest.fixture
def site(serve, mode, site):
    serve(RESPONSE_MODE=mode)
    return site


@dataclass(frozen=True)
class Attack:
    """The attacker's own finished sign-in, not yet delivered, and the cookie it is bound to."""

    answer: Any
    cookie: dict[str, str]


def prepare_attack(site: str, entra: Any, **options: Any) -> Attack:
    with requests.Session() as attacker:
        attacker.trust_env = False
        started = attacker.get(
            f"{site}/auth/login/?next=/private/%3Fattack=1",
            allow_redirects=False,
            timeout=10,
            **options,
        )
        answer = entra.complete_sign_in(started.headers["Location"], person="erin")
        name = next(name for name in started.cookies.keys() if "entra_browser" in name)  # noqa: SIM118
        return Attack(answer, {"name": name, "value": started.cookies[name]})


def assert_attacker_unknown() -> None:
    """Nothing of the attacker's sign-in was stored."""
    assert not get_user_model().objects.filter(username__startswith="erin").exists()


def test_attack_itself_is_sound(site, entra, page):
    """In the attacker's own browser the same answer signs the attacker in."""
    attack = prepare_attack(site, entra)
    page.context.add_cookies([{**attack.cookie, "url": site}])
    deliver(page, entra, attack.answer)
    expect_private(page, "erin", f"{site}/private/?attack=1")


def test_attackers_answer_in_a_strangers_browser(site, entra, context):
    page = context.new_page()
    deliver(page, entra, prepare_attack(site, entra).answer)
    expect_entra(page, entra)  # the victim's own sign-in, started afresh
    other = context.new_page()
    other.goto(f"{site}/private/")
    expect_entra(other, entra)
    choose(page, "Alice Adams")
    expect_private(page, "alice", f"{site}/private/?attack=1")
    assert_attacker_unknown()


def test_attackers_answer_in_the_middle_of_a_sign_in(site, entra, context):
    """The victim's browser has a cookie of its own, and keeps its own sign-in going."""
    page, pushed = context.new_page(), context.new_page()
    page.goto(f"{site}/private/?mine=1")
    deliver(pushed, entra, prepare_attack(site, entra).answer)
    expect_entra(pushed, entra)
    choose(page, "Alice Adams")
    expect_private(page, "alice", f"{site}/private/?mine=1")
    assert_attacker_unknown()


def test_attackers_answer_while_signed_in(site, entra, page):
    sign_in(page, f"{site}/private/")
    deliver(page, entra, prepare_attack(site, entra).answer)
    expect_private(page, "alice", f"{site}/private/?attack=1")
    page.reload()
    expect_private(page, "alice")
    assert_attacker_unknown()


def test_planted_cookie_beside_the_browsers_own(site, entra, context):
    page = context.new_page()
    page.goto(f"{site}/private/")
    attack = prepare_attack(site, entra)
    planted = {**attack.cookie, "domain": "127.0.0.1", "path": "/auth/"}
    context.add_cookies([planted])
    deliver(page, entra, attack.answer)
    expect_entra(page, entra)
    choose(page, "Alice Adams")
    expect_heading(page, "This sign-in was started elsewhere")
    page.goto(f"{site}/private/")
    expect_heading(page, "This sign-in was started elsewhere")
    assert_attacker_unknown()
    assert count_prompts(entra) == 5  # two for each of the person's own attempts, one planted


PLANT = """([name, value]) => {
  document.cookie = `${name}=${value}; Domain=app.localhost; Path=/; Secure`;
}"""


def test_sibling_host_cannot_plant_the_cookie_over_https(https_site, https_entra, https_context):
    """Over https the cookie's name has the prefix that no other host may set."""
    site, entra, page = https_site, https_entra, https_context.new_page()
    port = site.rpartition(":")[2]
    certificate = {"headers": {"Host": f"app.localhost:{port}"}, "verify": entra.ca_bundle}
    attack = prepare_attack(f"https://127.0.0.1:{port}", entra, **certificate)
    assert attack.cookie["name"] == "__Host-entra_browser"

    page.goto(f"https://sibling.app.localhost:{port}/")
    page.evaluate(PLANT, ["entra_browser", attack.cookie["value"]])
    page.evaluate(PLANT, ["__Host-entra_browser", attack.cookie["value"]])
    assert [one["name"] for one in https_context.cookies(site)] == ["entra_browser"]
    deliver(page, entra, attack.answer)
    expect_entra(page, entra)
    choose(page, "Alice Adams")
    expect_private(page, "alice", f"{site}/private/?attack=1")
    assert_attacker_unknown()
    ours = [one for one in https_context.cookies(site) if one["name"].startswith("__Host-")]
    assert [one["value"] for one in ours] != [attack.cookie["value"]]
    assert ours[0]["secure"]
    assert ours[0]["httpOnly"]
