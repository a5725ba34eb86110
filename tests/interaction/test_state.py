"""The sealed `state`: small, bound to its browser, short-lived, and deaf to garbage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.browser import new_browser
from django_entra_auth.interaction.requirement import Requirement
from django_entra_auth.interaction.state import (
    CLOCK_SKEW,
    DAY,
    LOGIN_URL,
    STATE_MAX_CHARS,
    Flow,
    add_details,
    open_flow,
    seal_flow,
)
from django_entra_auth.sealing import decode_text, encode_text

REDIRECT = "https://site.example/auth/callback"
BROWSER = "B" * 43
NOON = 20_000 * DAY + DAY // 2
RAW: dict[str, Any] = {
    "CLIENT_ID": "3f2a6c1e-5b7d-4e90-a1c8-0d9e8f7a6b10",
    "CLIENT_CREDENTIAL": "secret",
    "TENANT_ID": "contoso.onmicrosoft.com",
}
ACCOUNT = "11111111-2222-4333-8444-555555555555.66666666-7777-4888-8999-aaaaaaaaaaaa"


def settings_with(**changes: Any) -> EntraSettings:
    with override_settings(ENTRA_AUTH={**RAW, **changes}):
        return get_settings()


SETTINGS = settings_with()


def at(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def make(**members: Any) -> str:
    """A state sealed at NOON for BROWSER."""
    members = {"redirect_uri": REDIRECT, "next_url": "/private/", **members}
    return seal_flow(Flow(**members), BROWSER, SETTINGS, clock=at(NOON))[0]


def reason_of(state: str, *, now: float = NOON, settings: EntraSettings = SETTINGS) -> str:
    with pytest.raises(SignInFailed) as caught:
        open_flow(state, settings, clock=at(now))
    return caught.value.reason


def test_what_was_sealed_comes_back() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/a?b=c", attempt=1, expected=ACCOUNT)
    state, _ = seal_flow(flow, BROWSER, SETTINGS, clock=at(NOON + 0.9))
    opened = open_flow(state, SETTINGS, clock=at(NOON + 60)).flow
    assert opened.issued_at == NOON
    assert (opened.id, opened.redirect_uri, opened.next_url) == (flow.id, REDIRECT, "/a?b=c")
    assert (opened.attempt, opened.expected) == (1, ACCOUNT)


def test_it_shows_nothing_and_is_fit_for_a_url() -> None:
    state = make(next_url="/secret-path")
    assert re.fullmatch(r"[A-Za-z0-9_-]+", state)
    assert b"secret-path" not in decode_text(state)


def test_every_flow_has_an_id_of_its_own() -> None:
    ids = {open_flow(make(), SETTINGS, clock=at(NOON)).flow.id for _ in range(20)}
    assert len(ids) == 20
    assert {len(value) for value in ids} == {16}


@pytest.mark.parametrize("expected", ["", ACCOUNT], ids=["anybody", "expected"])
def test_a_next_of_500_bytes_fits(expected: str) -> None:
    long_next = "/" + "x" * 499
    state = make(next_url=long_next, attempt=1, expected=expected)
    assert len(state) <= STATE_MAX_CHARS
    assert open_flow(state, SETTINGS, clock=at(NOON)).flow.next_url == long_next


def test_a_next_that_does_not_fit_is_given_up() -> None:
    state = make(next_url="/" + "x" * 900)
    assert len(state) <= STATE_MAX_CHARS
    assert open_flow(state, SETTINGS, clock=at(NOON)).flow.next_url == ""


def test_a_redirect_uri_that_does_not_fit_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(SignInFailed) as caught:
        make(redirect_uri="https://site.example/" + "x" * 1000)
    assert caught.value.reason == "configuration"


@given(st.text(max_size=500), st.text(max_size=73), st.integers(0, 9))
def test_no_state_is_longer_than_allowed(next_url: str, expected: str, attempt: int) -> None:
    state = make(next_url=next_url, expected=expected, attempt=attempt)
    assert len(state) <= STATE_MAX_CHARS


def test_it_opens_until_it_is_too_old() -> None:
    state = make()
    limit = NOON + SETTINGS.sign_in_max_seconds
    assert open_flow(state, SETTINGS, clock=at(limit)).flow.next_url == "/private/"
    assert reason_of(state, now=limit + 1) == "state_expired"
    assert reason_of(state, now=limit + 3600) == "state_expired"


def test_an_expired_one_still_tells_where_the_person_was_going() -> None:
    with pytest.raises(SignInFailed) as caught:
        open_flow(make(), SETTINGS, clock=at(NOON + 3601))
    assert caught.value.next_url == "/private/"


def test_a_very_old_one_is_refused() -> None:
    assert reason_of(make(), now=NOON + 400 * DAY) in {"state_expired", "state_invalid"}


def test_one_of_the_future_is_refused_but_for_a_little_skew() -> None:
    state = make()
    assert open_flow(state, SETTINGS, clock=at(NOON - CLOCK_SKEW)).flow.issued_at == NOON
    assert reason_of(state, now=NOON - CLOCK_SKEW - 1) == "state_expired"
    assert reason_of(state, now=NOON - 30 * DAY) in {"state_expired", "state_invalid"}


@pytest.mark.parametrize("later", [1, 60, 3599])
def test_it_opens_on_the_next_day(later: int) -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/private/")
    midnight = 20_001 * DAY
    state, sealed = seal_flow(flow, BROWSER, SETTINGS, clock=at(midnight - 1))
    opened = open_flow(state, SETTINGS, clock=at(midnight - 1 + later))
    assert opened.flow.issued_at == midnight - 1
    assert opened.is_from(BROWSER)
    assert opened.code_verifier(BROWSER) == sealed.code_verifier(BROWSER)


def test_a_clock_behind_over_midnight_still_opens_it() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/private/")
    midnight = 20_001 * DAY
    state, _ = seal_flow(flow, BROWSER, SETTINGS, clock=at(midnight + 30))
    assert open_flow(state, SETTINGS, clock=at(midnight - 60)).is_from(BROWSER)


def test_every_day_has_its_key() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/")
    key_ids = {
        decode_text(seal_flow(flow, BROWSER, SETTINGS, clock=at(NOON + day * DAY))[0])[:4]
        for day in range(5)
    }
    assert len(key_ids) == 5


def test_a_sign_in_may_last_for_days_when_the_settings_say_so() -> None:
    settings = settings_with(SIGN_IN_MAX_SECONDS=3 * DAY)
    assert open_flow(make(), settings, clock=at(NOON + 3 * DAY)).is_from(BROWSER)
    assert reason_of(make(), settings=settings, now=NOON + 3 * DAY + 1) == "state_expired"


def test_only_its_browser_is_its_browser() -> None:
    sealed = open_flow(make(), SETTINGS, clock=at(NOON))
    assert sealed.is_from(BROWSER)
    for foreign in (new_browser(), "", "B" * 42, "B" * 44, "b" * 43, None):
        assert not sealed.is_from(foreign)


def test_verifier_and_nonce_are_what_the_standards_ask_for() -> None:
    sealed = open_flow(make(), SETTINGS, clock=at(NOON))
    secrets = [sealed.code_verifier(BROWSER), sealed.nonce(BROWSER), sealed.handle]
    for secret in secrets:
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert len(set(secrets)) == 3


def test_verifier_and_nonce_follow_flow_and_browser() -> None:
    first, second = (open_flow(make(), SETTINGS, clock=at(NOON)) for _ in range(2))
    other = new_browser()
    derived = {
        derive(sealed, browser)
        for sealed in (first, second)
        for browser in (BROWSER, other)
        for derive in (type(sealed).code_verifier, type(sealed).nonce)
    }
    assert len(derived) == 8
    assert first.handle != second.handle


def test_they_are_the_same_at_start_and_return() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/")
    state, sealed = seal_flow(flow, BROWSER, SETTINGS, clock=at(NOON))
    opened = open_flow(state, SETTINGS, clock=at(NOON + 5))
    assert opened.code_verifier(BROWSER) == sealed.code_verifier(BROWSER)
    assert opened.nonce(BROWSER) == sealed.nonce(BROWSER)
    assert opened.handle == sealed.handle


def test_a_rotated_secret_key_lets_pending_sign_ins_finish() -> None:
    with override_settings(ENTRA_AUTH=RAW, SECRET_KEY="old" * 20):
        flow = Flow(redirect_uri=REDIRECT, next_url="/")
        state, sealed = seal_flow(flow, BROWSER, get_settings(), clock=at(NOON))
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["old" * 20]):
        opened = open_flow(state, settings_with(), clock=at(NOON))
        assert opened.nonce(BROWSER) == sealed.nonce(BROWSER)
    with override_settings(SECRET_KEY="new" * 20):
        assert reason_of(state, settings=settings_with()) == "state_invalid"


@pytest.mark.parametrize(
    "changes",
    [
        {"CLIENT_ID": "another"},
        {"TENANT_ID": "fabrikam.onmicrosoft.com"},
        {"AUTHORITY": "https://login.microsoftonline.us/contoso.onmicrosoft.com"},
    ],
    ids=repr,
)
def test_another_client_or_authority_cannot_use_it(changes: dict[str, str]) -> None:
    assert reason_of(make(), settings=settings_with(**changes)) == "state_invalid"


def test_altered_at_any_character_it_is_refused() -> None:
    state = make()
    for place in range(len(state)):
        other = "A" if state[place] != "A" else "Q"
        altered = state[:place] + other + state[place + 1 :]
        assert reason_of(altered) == "state_invalid", place


def test_cut_or_lengthened_it_is_refused() -> None:
    state = make()
    for size in range(0, len(state), 7):
        assert reason_of(state[:size]) == "state_invalid"
    for tail in ("A", "=", "==", "\n", " ", "A" * 4000):
        assert reason_of(state + tail) == "state_invalid"


def test_a_seal_of_another_purpose_is_refused() -> None:
    from django_entra_auth.sealing import KeyRing

    for purpose in ("entry", "marker"):
        key = KeyRing(SETTINGS, purpose).current(NOON // DAY)
        assert reason_of(encode_text(key.seal(b"x" * 64))) == "state_invalid"


@hypothesis_settings(max_examples=1000)
@given(st.text(max_size=1200))
def test_garbage_is_refused_and_nothing_worse(state: str) -> None:
    assert reason_of(state) == "state_invalid"


@given(st.binary(max_size=900))
def test_garbage_in_the_right_spelling_is_refused(data: bytes) -> None:
    assert reason_of(encode_text(data)) == "state_invalid"


def test_a_huge_one_is_refused_without_work() -> None:
    assert reason_of("A" * 5_000_000) == "state_invalid"


def test_https_is_read_from_the_redirect_uri() -> None:
    assert Flow(redirect_uri=REDIRECT, next_url="/").is_secure
    assert not Flow(redirect_uri="http://localhost:8000/auth/callback", next_url="/").is_secure


def test_no_secret_shows_in_a_repr() -> None:
    sealed = open_flow(make(), SETTINGS, clock=at(NOON))
    shown = f"{sealed!r} {sealed.flow!r}"
    assert repr(sealed.flow.id) not in shown
    assert repr(sealed.binding) not in shown


WANTED = Requirement(
    scopes=("Mail.Read", "User.Read"),
    claims='{"access_token":{"nbf":{"essential":true, "value":"1"}}}',
    auth_context="c1",
    max_age=0,
)


@pytest.mark.parametrize(
    "members",
    [
        {"requirement": WANTED},
        {"requirement": Requirement(scopes=("ü", "a b"))},
        {"requirement": Requirement(max_age=0)},
        {"reason": "0123456789ab-0123456789ab", "expected": ACCOUNT},
        {"resume_id": "R" * 22, "is_popup": True, "loses_input": True},
    ],
    ids=repr,
)
def test_what_was_wanted_comes_back(members: dict[str, Any]) -> None:
    for purpose in ("state", LOGIN_URL):
        flow = Flow(redirect_uri=REDIRECT, next_url="/a?b=c", **members)
        state, _ = seal_flow(flow, BROWSER, SETTINGS, purpose=purpose, clock=at(NOON))
        opened = open_flow(state, SETTINGS, purpose=purpose, clock=at(NOON)).flow
        assert opened == replace(flow, issued_at=NOON)


def test_a_challenge_is_more_than_a_sign_in() -> None:
    plain = Flow(redirect_uri=REDIRECT, next_url="/a")
    assert not plain.is_challenge
    assert not replace(plain, attempt=1, is_popup=True).is_challenge
    for members in (
        {"expected": ACCOUNT},
        {"reason": "a-b"},
        {"requirement": WANTED},
        {"has_details": True},
    ):
        assert replace(plain, **members).is_challenge  # type: ignore[arg-type]


def test_a_seal_for_one_purpose_does_not_open_for_the_other() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/a")
    for purpose, other in (("state", LOGIN_URL), (LOGIN_URL, "state")):
        text, _ = seal_flow(flow, BROWSER, SETTINGS, purpose=purpose, clock=at(NOON))
        with pytest.raises(SignInFailed) as caught:
            open_flow(text, SETTINGS, purpose=other, clock=at(NOON))
        assert caught.value.reason == "state_invalid"


LONG = Requirement(claims='{"a":"' + "x" * 8_000 + '"}', scopes=("Mail.Read",), max_age=5)


def test_what_does_not_fit_is_kept_under_the_flows_id() -> None:
    kept: dict[bytes, dict[str, Any]] = {}
    flow = Flow(
        redirect_uri=REDIRECT,
        next_url="/" + "x" * 499,
        requirement=LONG,
        reason="0123456789ab-0123456789ab",
        expected=ACCOUNT,
        resume_id="R" * 22,
    )
    state, _ = seal_flow(flow, BROWSER, SETTINGS, keep=kept.__setitem__, clock=at(NOON))
    assert len(state) <= STATE_MAX_CHARS
    sealed = open_flow(state, SETTINGS, clock=at(NOON))
    assert (sealed.flow.has_details, sealed.flow.next_url) == (True, "")
    assert list(kept) == [flow.id]
    details = json.loads(json.dumps(kept[flow.id]))
    whole = add_details(sealed, details)
    expected = replace(flow, issued_at=NOON, has_details=True)
    assert whole.flow == expected
    assert whole.is_from(BROWSER)
    assert whole.nonce(BROWSER) == sealed.nonce(BROWSER)


def test_what_fits_is_not_kept() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/a", requirement=WANTED, expected=ACCOUNT)

    def keep(flow_id: bytes, details: dict[str, Any]) -> None:
        pytest.fail("something was stored")

    state, _ = seal_flow(flow, BROWSER, SETTINGS, keep=keep, clock=at(NOON))
    assert open_flow(state, SETTINGS, clock=at(NOON)).flow.requirement == WANTED


def test_without_a_place_to_keep_it_the_page_will_ask_again() -> None:
    flow = Flow(redirect_uri=REDIRECT, next_url="/a", requirement=LONG, reason="a-b")
    state, _ = seal_flow(flow, BROWSER, SETTINGS, clock=at(NOON))
    opened = open_flow(state, SETTINGS, clock=at(NOON)).flow
    assert (opened.requirement, opened.reason, opened.next_url) == (Requirement(), "", "/a")


@given(
    st.text(max_size=300),
    st.text(max_size=1200),
    st.lists(st.text(max_size=40), max_size=8),
    st.none() | st.integers(0, 10**9),
)
def test_no_challenge_makes_it_longer_than_allowed(
    next_url: str, claims: str, scopes: list[str], max_age: int | None
) -> None:
    requirement = Requirement(scopes=tuple(scopes), claims=claims, max_age=max_age)
    flow = Flow(redirect_uri=REDIRECT, next_url=next_url, requirement=requirement)
    kept: dict[bytes, dict[str, Any]] = {}
    state, _ = seal_flow(flow, BROWSER, SETTINGS, keep=kept.__setitem__, clock=at(NOON))
    assert len(state) <= STATE_MAX_CHARS
    sealed = open_flow(state, SETTINGS, clock=at(NOON))
    if kept:
        sealed = add_details(sealed, json.loads(json.dumps(kept[flow.id])))
    assert (sealed.flow.next_url, sealed.flow.requirement) == (next_url, requirement)
