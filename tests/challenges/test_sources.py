"""Every source of a challenge, for every kind of caller: prompted once, and back where it began."""

from __future__ import annotations

from typing import Any

import pytest

from tests.challenges.asking import (
    KINDS,
    PAGE,
    PAIRS,
    Caller,
    Walker,
    claims_of,
    find_requests,
    grouped,
    is_at_entra,
)
from tests.challenges.sources import SOURCES, Source
from tests.visitor import query_of

STATUS = {
    "navigation": 302, "form": 200, "htmx": 200, "htmx-form": 200, "frame": 401, "script": 401,
}  # fmt: skip


def sections_of(claims: dict[str, Any]) -> set[str]:
    """The claims by "<token>.<name>", capabilities apart."""
    found = {f"{token}.{name}" for token, members in claims.items() for name in members}
    return found - {"access_token.xms_cc"}


@pytest.mark.parametrize("caller", KINDS, ids=str)
@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_it_is_prompted_once_and_ends_where_it_began(
    source: Source, caller: Caller, walker: Walker, done: Any, prompts: Any
) -> None:
    source.arrange(walker)
    answer = walker.ask(caller, source.path)
    assert answer.status_code == STATUS[caller.kind], answer.content
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert done == []
    prompt = walker.find_prompt(caller, answer)
    check_prompt(prompt, source, walker)
    landed = walker.deliver(walker.answer(prompt))
    assert landed.status_code == 302, landed.content
    if caller.kind != "form":
        assert landed["Location"] == (source.path if caller.kind == "navigation" else PAGE)
    end = walker.repeat(caller, source.path, landed)
    assert (end.status_code, end.content) == (200, b"Done")
    sent = caller.method == "POST" and caller.content_type != "application/json"
    assert done == [grouped(PAIRS) if sent else []]
    assert len(prompts) == 1
    check_entra(prompt, source, walker)


def check_prompt(prompt: str, source: Source, walker: Walker) -> None:
    assert is_at_entra(prompt, walker.entra)
    asked, claims = query_of(prompt), claims_of(prompt)
    assert claims["access_token"]["xms_cc"] == {"values": ["cp1"]}
    assert sections_of(claims) == set(source.asked)
    assert asked["login_hint"] == "alice@contoso.example"
    assert asked.get("prompt") == source.prompt
    identity = {"openid", "profile", "email", "offline_access"}
    assert set(asked["scope"].split()) == identity | source.scopes


def check_entra(prompt: str, source: Source, walker: Walker) -> None:
    """One authorize request, one code, redeemed with the claims that were asked for; none after."""
    assert walker.count("/authorize") == 1
    [redemption] = find_requests(walker.entra, "/token", grant_type="authorization_code")
    assert redemption.form["claims"] == query_of(prompt)["claims"]
    assert not walker.client.session.get("_entra_prompted")
    headers = {"X-CSRFToken": walker.client.cookies["csrftoken"].value}
    plain = walker.client.post("/auth/login/", {"account": "same"}, headers=headers)
    assert sections_of(claims_of(plain.context["continue_url"])) == set()
