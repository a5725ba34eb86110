"""Whatever Entra and APIs answer, nobody is prompted twice for one reason without wanting it."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest

from django_entra_auth.emulator.policies import Policy
from tests.challenges.asking import (
    BY_NAME,
    KINDS,
    NAVIGATE,
    SCRIPTED,
    Caller,
    Walker,
    claims_of,
)
from tests.challenges.sources import BY_NAME as SOURCES
from tests.challenges.sources import CONSENT_FOR_MAIL, MFA_FOR_CONTEXT, refuse_refresh
from tests.visitor import text_of

NAVIGATION, FORM, FETCH = BY_NAME["navigation"], BY_NAME["form"], BY_NAME["fetch"]
GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PRIVATE = "max-age=0, no-cache, no-store, must-revalidate, private"


def prompt_through(walker: Walker, caller: Caller, path: str) -> Any:
    """Ask, be prompted, come back and go on; what comes then."""
    prompt = walker.find_prompt(caller, walker.ask(caller, path))
    landed = walker.deliver(walker.answer(prompt))
    assert landed.status_code == 302, text_of(landed)
    return walker.repeat(caller, path, landed)


def read_details(answer: Any) -> dict[str, str]:
    """The details of a stop, on a page or as JSON."""
    if answer["Content-Type"] == "application/json":
        return dict(answer.json()["details"])
    return {str(label): value for label, value in answer.context["details"]}


def make_endless_token_endpoint(walker: Walker) -> None:
    """Every refresh is refused, and no token lasts for a second."""
    walker.entra.always_challenges = True
    walker.entra.mutate_token_response = lambda answer: {**answer, "expires_in": 1}


def make_endless_api(walker: Walker) -> None:
    """An API that challenges every call, in other words each time."""
    walker.entra.graph.take_challenge = iter_challenges().__next__


def iter_challenges() -> Any:
    for number in itertools.count(1_000):
        yield f'{{"access_token":{{"nbf":{{"essential":true,"value":"{number}"}}}}}}'


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_a_token_endpoint_that_always_challenges(
    caller: Caller, walker: Walker, done: Any, prompts: Any
) -> None:
    make_endless_token_endpoint(walker)
    stop = prompt_through(walker, caller, "/token/")
    assert stop.status_code == 403
    assert stop["Cache-Control"] == PRIVATE
    assert (done, len(prompts), walker.count("/authorize")) == ([], 1, 1)
    details = read_details(stop)
    assert details["Error number"] == "AADSTS50076"
    assert re.fullmatch(GUID, details["Correlation ID"])
    assert re.fullmatch(GUID, details["Trace ID"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", details["Time"])


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_an_api_that_always_challenges_in_other_words(
    caller: Caller, walker: Walker, done: Any, prompts: Any
) -> None:
    make_endless_api(walker)
    stop = prompt_through(walker, caller, "/api/")
    assert stop.status_code == 403
    assert (done, len(prompts), walker.count("/authorize")) == ([], 1, 1)
    assert read_details(stop)["Time"]


@pytest.mark.parametrize("path", ["/token/", "/api/"])
def test_asking_on_and_on_stays_stopped(path: str, walker: Walker, prompts: Any) -> None:
    if path == "/token/":
        make_endless_token_endpoint(walker)
    else:
        make_endless_api(walker)
    prompt_through(walker, NAVIGATION, path)
    for _ in range(3):
        assert walker.ask(NAVIGATION, path).status_code == 403
    assert len(prompts) == 1


def test_the_stop_page_offers_a_retry_of_ones_own(walker: Walker, done: Any) -> None:
    """The click asks for the same; when Entra behaves, the person is where they were."""
    make_endless_api(walker)
    stop = prompt_through(walker, NAVIGATION, "/api/")
    assert "asked for again" in text_of(stop)
    retry = stop.context["retry_url"]
    assert retry.replace("&", "&amp;") in stop.content.decode()
    prompt = walker.visit(retry)
    assert "nbf" in claims_of(prompt["Location"])["access_token"]
    del walker.entra.graph.take_challenge
    landed = walker.deliver(walker.answer(prompt["Location"]))
    assert walker.visit(landed["Location"]).content == b"Done"


def test_a_retry_in_vain_is_stopped_again(walker: Walker, prompts: Any) -> None:
    make_endless_api(walker)
    stop = prompt_through(walker, NAVIGATION, "/api/")
    prompt = walker.visit(stop.context["retry_url"])["Location"]
    landed = walker.deliver(walker.answer(prompt))
    assert walker.visit(landed["Location"]).status_code == 403
    assert (len(prompts), walker.count("/authorize")) == (1, 2)


def test_a_form_that_was_stopped_is_not_lost(walker: Walker, done: Any) -> None:
    """The body has been sent twice in vain; the retry brings it back once more."""
    make_endless_api(walker)
    stop = prompt_through(walker, FORM, "/api/")
    assert stop.status_code == 403
    del walker.entra.graph.take_challenge
    prompt = walker.visit(stop.context["retry_url"])["Location"]
    landed = walker.deliver(walker.answer(prompt))
    assert walker.send_on(landed["Location"]).content == b"Done"
    assert len(done) == 1
    assert dict(done[0])["a"] == ["2 & 3"]


def test_a_script_is_told_that_it_is_in_vain(walker: Walker) -> None:
    make_endless_api(walker)
    stop = prompt_through(walker, FETCH, "/api/")
    assert stop["Content-Type"] == "application/json"
    body = stop.json()
    assert (body["error"], body["reason"]) == ("interaction_refused", "repeated")
    assert "WWW-Authenticate" not in stop.headers


@pytest.mark.parametrize("first", KINDS, ids=str)
def test_a_different_challenge_after_a_success_prompts_again(
    first: Caller, walker: Walker, done: Any, prompts: Any
) -> None:
    walker.entra.graph.challenge_once('{"access_token":{"nbf":{"value":"1"}}}')
    walker.entra.graph.challenge_once('{"access_token":{"nbf":{"value":"2"}}}')
    assert prompt_through(walker, first, "/api/").content == b"Done"
    walker.entra.graph.challenge_once('{"access_token":{"acrs":{"value":"c5"}}}')
    walker.entra.graph.challenge_once('{"access_token":{"acrs":{"value":"c5"}}}')
    assert prompt_through(walker, first, "/api/").content == b"Done"
    assert (len(done), len(prompts)) == (2, 2)


def test_needs_that_show_one_after_the_other_are_two_prompts(
    walker: Walker, done: Any, prompts: Any
) -> None:
    """The view asks for a context, then its token needs consent: another reason, not a loop."""
    walker.entra.policies.add(MFA_FOR_CONTEXT)
    walker.entra.policies.add(CONSENT_FOR_MAIL)
    first = walker.ask(NAVIGATION, "/twofold/")["Location"]
    landed = walker.deliver(walker.answer(first))
    second = walker.visit(landed["Location"])["Location"]
    landed = walker.deliver(walker.answer(second))
    assert walker.visit(landed["Location"]).content == b"Done"
    assert len(prompts) == 2


def test_needs_that_are_known_together_are_one_prompt(
    walker: Walker, done: Any, prompts: Any
) -> None:
    walker.entra.policies.add(MFA_FOR_CONTEXT)
    walker.entra.policies.add(CONSENT_FOR_MAIL)
    assert prompt_through(walker, NAVIGATION, "/both/").content == b"Done"
    assert len(prompts) == 1


def test_two_endless_sources_behind_one_page_end_too(walker: Walker, prompts: Any) -> None:
    """The token endpoint and the API take turns: each reason is prompted for once."""
    make_endless_api(walker)
    make_endless_token_endpoint(walker)
    answer = walker.ask(NAVIGATION, "/api/")
    for _ in range(4):
        if answer.status_code != 302:
            break
        landed = walker.deliver(walker.answer(answer["Location"]))
        answer = walker.visit(landed["Location"])
    assert answer.status_code == 403
    assert len(prompts) <= 2


def test_another_page_has_its_own_prompt(walker: Walker, prompts: Any) -> None:
    make_endless_api(walker)
    assert prompt_through(walker, NAVIGATION, "/api/").status_code == 403
    assert walker.ask(NAVIGATION, "/api-transfer/").status_code == 302
    assert len(prompts) == 2


def test_a_step_up_counts_for_its_time_and_then_prompts_again(
    walker: Walker, site: Any, done: Any, prompts: Any
) -> None:
    SOURCES["context"].arrange(walker)
    assert prompt_through(walker, NAVIGATION, "/context/").content == b"Done"
    assert walker.ask(NAVIGATION, "/context/").content == b"Done"
    age_context(walker, 3590)
    assert walker.ask(NAVIGATION, "/context/").content == b"Done"
    age_context(walker, 3600)
    assert prompt_through(walker, NAVIGATION, "/context/").content == b"Done"
    assert (len(done), len(prompts)) == (4, 2)


def age_context(walker: Walker, seconds: int) -> None:
    session = walker.client.session
    session["_entra"]["contexts"]["c1"] = int(time.time()) - seconds
    session.save()


def test_a_mark_is_forgotten_in_time(walker: Walker, prompts: Any) -> None:
    make_endless_api(walker)
    assert prompt_through(walker, NAVIGATION, "/api/").status_code == 403
    session = walker.client.session
    marks = session["_entra_prompted"]
    session["_entra_prompted"] = {reason: when - 301 for reason, when in marks.items()}
    session.save()
    assert walker.ask(NAVIGATION, "/api/").status_code == 302


@pytest.mark.parametrize("caller", KINDS, ids=str)
@pytest.mark.parametrize(
    ("members", "number", "text"),
    [
        ({"error": "invalid_grant", "suberror": "message_only", "error_codes": [53003]},
         "AADSTS53003", "does not allow"),
        ({"error": "unauthorized_client", "suberror": "protection_policy_required",
          "error_codes": [53005]}, "AADSTS53005", "does not allow"),
        ({"error": "invalid_grant", "error_codes": [50196]}, "AADSTS50196", "stopped a repeated"),
        ({"error": "interaction_required", "error_codes": [50196]}, "AADSTS50196",
         "stopped a repeated"),
    ],
    ids=["message_only", "protection_policy_required", "50196", "50196-interaction"],
)  # fmt: skip
def test_what_a_prompt_cannot_change_is_no_prompt(
    caller: Caller, members: Any, number: str, text: str, walker: Walker, prompts: Any
) -> None:
    refuse_refresh(walker, **members)
    stop = walker.ask(caller, "/token/")
    assert stop.status_code == 403
    assert read_details(stop)["Error number"] == number
    assert text in text_of(stop)
    assert stop["Cache-Control"] == PRIVATE
    assert (prompts, walker.count("/authorize")) == ([], 0)


@pytest.mark.parametrize("control", ["block", "risk", "app_protection"])
def test_a_policy_that_blocks(control: Any, walker: Walker, prompts: Any, done: Any) -> None:
    walker.entra.policies.add(Policy(name="b", control=control, scopes=frozenset({"Mail.Read"})))
    stop = walker.ask(FORM, "/token/")
    assert stop.status_code == 403
    assert (prompts, done) == ([], [])
    walker.entra.policies.clear()
    retry = walker.visit(stop.context["retry_url"])["Location"]
    landed = walker.deliver(walker.answer(retry))
    assert walker.send_on(landed["Location"]).content == b"Done"


@pytest.mark.parametrize("caller", [NAVIGATION, FORM], ids=str)
@pytest.mark.parametrize("wish", ["cancel", "decline"])
def test_who_declines_is_not_asked_again_unasked(
    wish: str, caller: Caller, walker: Walker, done: Any, prompts: Any
) -> None:
    walker.entra.policies.add(CONSENT_FOR_MAIL)
    prompt = walker.find_prompt(caller, walker.ask(caller, "/scopes/"))
    wishes = {"cancel": True} if wish == "cancel" else {"consent": False}
    page = walker.deliver(walker.answer(prompt, **wishes))
    assert page.status_code == 403
    assert len(prompts) == 1
    assert walker.client.get("/private/").status_code == 200
    retry = walker.visit(page.context["retry_url"])["Location"]
    landed = walker.deliver(walker.answer(retry))
    assert walker.repeat(caller, "/scopes/", landed).content == b"Done"
    assert len(done) == 1


def test_scripts_that_poll_during_a_prompt_sign_nobody_out(walker: Walker, done: Any) -> None:
    SOURCES["context"].arrange(walker)
    headers = {**SCRIPTED, "Referer": "http://127.0.0.1:8000/page/"}
    prompt = walker.ask(NAVIGATION, "/context/")["Location"]
    for _ in range(3):
        assert walker.client.get("/context/", headers=headers).status_code == 401
    answer = walker.answer(prompt)
    assert walker.client.get("/context/", headers=headers).status_code == 401
    landed = walker.deliver(answer)
    assert walker.client.get("/context/", headers=headers).content == b"Done"
    assert walker.client.get(landed["Location"], headers=NAVIGATE).content == b"Done"
