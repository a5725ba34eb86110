"""What was asked for is looked for in the answer; whatever goes wrong, nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from django_entra_auth.emulator.faults import Fault
from tests.challenges.asking import (
    BY_NAME,
    KINDS,
    Caller,
    Walker,
    claims_of,
    make_walker,
)
from tests.challenges.sources import BY_NAME as SOURCES
from tests.challenges.sources import CONSENT_FOR_MAIL, Source
from tests.visitor import query_of, text_of

NAVIGATION, FORM = BY_NAME["navigation"], BY_NAME["form"]
CONTEXT, MAX_AGE, CONSENT = SOURCES["context"], SOURCES["max_age"], SOURCES["consent"]


def begin(walker: Walker, caller: Caller, path: str) -> str:
    return walker.find_prompt(caller, walker.ask(caller, path))


def retry(walker: Walker, page: Any) -> str:
    """The person's own click on a page of ours; the address at Entra."""
    url = page.context["retry_url"]
    assert url.replace("&", "&amp;") in page.content.decode()
    prompt = walker.visit(url)
    assert prompt.status_code == 302, text_of(prompt)
    return str(prompt["Location"])


def drop_claims(walker: Walker) -> None:
    walker.entra.ignores_claims = True


def grant_less(walker: Walker) -> None:
    walker.entra.grants_fewer_scopes = frozenset({"Mail.Read"})


def age_credentials(walker: Walker) -> None:
    walker.entra.mutate_id_token = change_id_token(lambda claims: {**claims, "auth_time": 1})


def drop_auth_time(walker: Walker) -> None:
    walker.entra.optional_claims -= {"auth_time"}


def go_down(walker: Walker) -> None:
    walker.entra.faults.outage("503")


def hang_up(walker: Walker) -> None:
    walker.entra.faults.outage("reset")


def show_html(walker: Walker) -> None:
    walker.entra.faults.outage("html")


def throttle(walker: Walker) -> None:
    walker.entra.faults.throttle(1, times=1)


def block_code(walker: Walker) -> None:
    body = (
        '{"error":"invalid_grant","suberror":"message_only","error_codes":[53003],'
        '"error_description":"AADSTS53003: Blocked."}'
    )
    walker.entra.faults.add("token", Fault(400, body, {"Content-Type": "application/json"}))


def behave(walker: Walker) -> None:
    entra = walker.entra
    entra.ignores_claims, entra.grants_fewer_scopes = False, frozenset()
    entra.mutate_id_token = entra.mutate_token_response = None
    entra.faults.clear()
    entra.optional_claims |= {"auth_time"}


def change_id_token(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    import jwt

    def mutate(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
        return jwt.encode(change(claims), key, algorithm="RS256", headers=header)

    return mutate


Misbehave = Callable[[Walker], None]
MISBEHAVIOURS = [
    (CONTEXT, drop_claims, 403, "step was not completed"),
    (MAX_AGE, age_credentials, 403, "step was not completed"),
    (MAX_AGE, drop_auth_time, 500, "Sign-in is not working"),
    (CONSENT, grant_less, 403, "Permission was not given"),
    (CONTEXT, go_down, 503, "cannot be reached"),
    (CONTEXT, hang_up, 503, "cannot be reached"),
    (CONTEXT, show_html, 503, "cannot be reached"),
    (CONTEXT, block_code, 403, "does not allow"),
]
IDS = [f"{source}-{misbehave.__name__}" for source, misbehave, *_ in MISBEHAVIOURS]


@pytest.mark.parametrize(("source", "misbehave", "status", "text"), MISBEHAVIOURS, ids=IDS)
@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_the_page_says_it_and_the_retry_succeeds(
    caller: Caller,
    source: Source,
    misbehave: Misbehave,
    status: int,
    text: str,
    walker: Walker,
    done: Any,
    prompts: Any,
) -> None:
    source.arrange(walker)
    before = walker.client.session["_entra"]
    prompt = begin(walker, caller, source.path)
    answer = walker.answer(prompt)
    misbehave(walker)
    page = walker.deliver(answer)
    assert (page.status_code, text in text_of(page)) == (status, True), text_of(page)
    assert walker.client.session["_entra"] == before  # neither signed out nor half in
    assert (done, len(prompts)) == ([], 1)
    behave(walker)
    walker.client.get("/private/")  # the person looks elsewhere meanwhile
    again = retry(walker, page)
    assert claims_of(again) == claims_of(prompt)
    same = ("scope", "login_hint", "prompt", "max_age", "redirect_uri")
    assert [query_of(again).get(name) for name in same] == [
        query_of(prompt).get(name) for name in same
    ]
    landed = walker.deliver(walker.answer(again))
    assert walker.repeat(caller, source.path, landed).content == b"Done"
    assert len(done) == 1
    assert len(prompts) == 1


def test_throttled_at_the_end_the_person_waits_and_goes_on(walker: Walker, done: Any) -> None:
    CONTEXT.arrange(walker)
    answer = walker.answer(begin(walker, FORM, "/context/"))
    throttle(walker)
    page = walker.deliver(answer)
    assert (page.status_code, page["Retry-After"]) == (503, "1")
    assert "Microsoft is busy" in text_of(page)
    time.sleep(1.1)  # what Entra has asked for: there is no event to wait for
    landed = walker.deliver(walker.answer(retry(walker, page)))
    assert walker.send_on(landed["Location"]).content == b"Done"
    assert len(done) == 1


@pytest.mark.parametrize("endpoint", ["discovery", "keys"])
def test_entra_goes_down_before_the_prompt(endpoint: Any, walker: Walker, site: Any) -> None:
    """Discovery and keys are cached: an outage of theirs stops nobody."""
    CONTEXT.arrange(walker)
    walker.entra.faults.outage("503", endpoint=endpoint)
    landed = walker.deliver(walker.answer(begin(walker, NAVIGATION, "/context/")))
    assert walker.visit(landed["Location"]).content == b"Done"


@pytest.mark.parametrize("caller", KINDS, ids=str)
@pytest.mark.parametrize("source", [CONTEXT, CONSENT, SOURCES["api-revoked"]], ids=str)
def test_another_account_never_gets_in(
    source: Source, caller: Caller, walker: Walker, done: Any
) -> None:
    source.arrange(walker)
    before = walker.client.session["_entra"]
    prompt = begin(walker, caller, source.path)
    bob = make_walker(walker.entra, person="bob")
    page = walker.deliver(bob.answer(prompt))
    assert page.status_code == 403
    assert "alice@contoso.example" in text_of(page)
    assert "bob@contoso.example" in text_of(page)
    assert walker.client.session["_entra"] == before
    assert done == []
    assert walker.ask(NAVIGATION, "/context/").content != b"Done"


def test_nor_when_the_session_has_ended_meanwhile(walker: Walker) -> None:
    """Nobody is signed in any more: the flow still says for whom it was begun."""
    CONTEXT.arrange(walker)
    prompt = begin(walker, NAVIGATION, "/context/")
    answer = make_walker(walker.entra, person="bob").answer(prompt)
    del walker.client.cookies["sessionid"]
    page = walker.deliver(answer)
    assert page.status_code == 403
    assert "bob@contoso.example" in text_of(page)
    assert not walker.is_signed_in()


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_after_another_account_the_same_one_goes_on_where_it_was(
    caller: Caller, walker: Walker, done: Any
) -> None:
    """ "Try again as alice" asks for the context at once, and a kept form is still there."""
    CONTEXT.arrange(walker)
    prompt = begin(walker, caller, "/context/")
    bob = make_walker(walker.entra, person="bob")
    page = walker.deliver(bob.answer(prompt))
    again = try_again_as_same(walker, page)
    assert claims_of(again) == claims_of(prompt)
    assert query_of(again)["login_hint"] == "alice@contoso.example"
    landed = walker.deliver(walker.answer(again))
    assert walker.repeat(caller, "/context/", landed).content == b"Done"
    assert len(done) == 1


def try_again_as_same(walker: Walker, page: Any) -> str:
    import re
    from html import unescape

    html = page.content.decode()
    [form] = [form for form in re.findall(r"<form.*?</form>", html, re.DOTALL) if '"same"' in form]
    action = unescape(re.findall(r'action="([^"]*)"', form)[0])
    fields = {
        unescape(name): unescape(value)
        for name, value in re.findall(r'name="([^"]*)" value="([^"]*)"', form)
    }
    return str(walker.client.post(action, fields).context["continue_url"])


def test_a_stranger_is_not_let_in_without_the_step(entra: Any, site: Any, db: None) -> None:
    walker = make_walker(entra)
    CONTEXT.arrange(walker)
    prompt = walker.ask(NAVIGATION, "/context/")["Location"]
    entra.ignores_claims = True
    page = walker.deliver(walker.answer(prompt))
    assert page.status_code == 403
    assert not walker.is_signed_in()
    entra.ignores_claims = False
    again = retry(walker, page)
    assert claims_of(again) == claims_of(prompt)
    landed = walker.deliver(walker.answer(again))
    assert walker.visit(landed["Location"]).content == b"Done"


def test_consent_without_the_scope_is_not_taken_for_granted(walker: Walker, done: Any) -> None:
    walker.entra.policies.add(CONSENT_FOR_MAIL)
    grant_less(walker)
    prompt = begin(walker, FORM, "/scopes/")
    page = walker.deliver(walker.answer(prompt))
    assert "Permission was not given" in text_of(page)
    again = walker.deliver(walker.answer(retry(walker, page)))
    assert "Permission was not given" in text_of(again)
    behave(walker)
    landed = walker.deliver(walker.answer(retry(walker, again)))
    assert walker.send_on(landed["Location"]).content == b"Done"


def test_a_dead_cache_at_the_end_signs_nobody_out(
    walker: Walker, site: Any, done: Any, settings: Any
) -> None:
    CONTEXT.arrange(walker)
    answer = walker.answer(begin(walker, NAVIGATION, "/context/"))
    before = walker.client.session["_entra"]
    caches = settings.CACHES
    location = {"LOCATION": "redis://127.0.0.1:1/0"}
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, **location}}
    page = walker.deliver(answer)
    assert page.status_code == 503
    settings.CACHES = caches
    assert walker.client.session["_entra"] == before
    assert walker.ask(NAVIGATION, "/context/").status_code == 302
