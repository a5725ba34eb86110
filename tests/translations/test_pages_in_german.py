"""A browser that asks for German gets German pages, to the last word."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import translation

from django_entra_auth.exceptions import SignInFailed, TokenThrottled
from django_entra_auth.interaction import answers, pages
from django_entra_auth.interaction.caller import Caller
from django_entra_auth.interaction.failures import FAILURES
from django_entra_auth.interaction.resume_pages import NOT_KEPT, REFUSALS
from tests.challenges.asking import BY_NAME, Walker, find_continue, make_walker
from tests.translations.catalogues import PACKAGE
from tests.translations.reading import find_foreign, list_foreign
from tests.visitor import text_of

ALICE = "alice@contoso.example"
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-DE,de;q=0.9,en;q=0.5"}
IDS = {"correlation_id": "6f2c1c1e-0000-4000-8000-000000000001", "tid": "x", "trace_id": "y"}

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.challenges.site")]


@pytest.fixture
def walker(entra: Any, entra_settings: Any, polyglot: Any) -> Walker:
    """Alice, signed in, with a browser that prefers German."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    walker = make_walker(entra)
    walker.client.defaults.update(GERMAN)
    walker.sign_in()
    return walker


@pytest.fixture
def german(polyglot: Any) -> Any:
    """Requests that are not sent through the middleware are answered in German too."""
    with translation.override("de"):
        yield RequestFactory().get("/page/")


def test_a_sign_in_that_cannot_be_continued(polyglot: Any) -> None:
    page = Client(**GERMAN).get("/auth/callback")
    assert "Diese Anmeldung kann nicht fortgesetzt werden" in text_of(page)
    assert "Bitte melden Sie sich erneut an." in text_of(page)
    assert find_foreign(page) == []
    assert page["Content-Language"] == "de"


def test_who_asks_for_english_gets_english(polyglot: Any) -> None:
    page = Client(HTTP_ACCEPT_LANGUAGE="en").get("/auth/callback")
    assert "This sign-in cannot be continued" in text_of(page)
    assert len(find_foreign(page, language="en")) > 3


@pytest.mark.parametrize("reason", sorted(FAILURES))
def test_every_failure(reason: str, german: Any) -> None:
    failure = SignInFailed(reason, result={"error": "x", "error_codes": [50105], **IDS})
    page = pages.render_failure(german, failure)
    assert find_foreign(page) == []
    assert len(text_of(page)) > 80


@pytest.mark.parametrize("seconds", [1, 20, 60, 600])
@pytest.mark.parametrize("method", ["get", "post"])
def test_waiting(method: str, seconds: int, german: Any) -> None:
    request = getattr(RequestFactory(), method)("/page/")
    caller = Caller.NAVIGATION if method == "get" else Caller.FORM
    page = answers.wait(request, caller, TokenThrottled(retry_after=seconds))
    assert find_foreign(page) == []
    assert "Bitte versuchen Sie es nach" in text_of(page)
    assert ("60 Sekunden" in text_of(page)) is (seconds == 60)
    assert ("10 Minuten" in text_of(page)) is (seconds == 600)


def test_one_and_many() -> None:
    with translation.override("de"):
        for count, word in ((0, "Minuten"), (1, "Minute"), (2, "Minuten")):
            text = translation.ngettext(
                "Please try again after %(minutes)s minute.",
                "Please try again after %(minutes)s minutes.",
                count,
            )
            assert f" {word} " in text


def test_signing_out(walker: Walker) -> None:
    question = walker.visit("/auth/logout/")
    assert "Möchten Sie sich abmelden?" in text_of(question)
    assert find_foreign(question, ALICE) == []
    way = walker.client.post(
        "/auth/logout/", {"csrfmiddlewaretoken": walker.client.cookies["csrftoken"].value}
    )
    assert "Sie werden bei Microsoft abgemeldet…" in text_of(way)
    assert find_foreign(way) == []
    over = walker.visit("/auth/logout/")
    assert "Sie sind abgemeldet" in text_of(over)
    assert find_foreign(over) == []


def test_the_pages_after_a_sign_out_on_all_devices(german: Any) -> None:
    for everywhere in (False, True):
        for rest in (False, True):
            context = {
                "provider_signed_out": rest,
                "everywhere": everywhere,
                "passwords_remain": rest,
                "logout_url": "/auth/logout/",
            }
            assert find_foreign(pages.render_page(german, "signed_out", context)) == []


def test_a_kept_form(walker: Walker) -> None:
    moving = walker.ask(BY_NAME["form"], "/context/")
    assert "Sie werden zu Microsoft weitergeleitet…" in text_of(moving)
    assert find_foreign(moving) == []
    landed = walker.deliver(walker.answer(find_continue(moving)))
    kept = walker.visit(walker.follow(landed))
    assert kept.status_code == 200
    assert "Ihr Formular wurde aufbewahrt" in text_of(kept)
    # Names and values of what the person had filled in.
    assert find_foreign(kept, "empty", "a", "b", "ü ☃") == []


@pytest.mark.parametrize("name", ["iframe", "form-multipart"])
def test_prompts_that_wait_for_a_click(name: str, walker: Walker) -> None:
    page = walker.ask(BY_NAME[name], "/context/")
    assert find_foreign(page) == []
    if name == "iframe":
        assert "Im ganzen Fenster fortfahren" in text_of(page)


def test_what_was_sent_and_is_lost(walker: Walker) -> None:
    answer = walker.ask(BY_NAME["iframe-form"], "/context/")
    page = walker.visit(walker.find_login(BY_NAME["iframe-form"], answer))
    if page.status_code == 302:
        page = walker.visit(page["Location"])
    assert "Es muss noch einmal gesendet werden." in text_of(page)
    assert find_foreign(page) == []


def test_a_script_is_told_in_german(walker: Walker) -> None:
    answer = walker.ask(BY_NAME["fetch"], "/context/").json()
    assert answer["error_description"].startswith("Ihre Organisation verlangt")


def test_the_words_of_the_script() -> None:
    part = "django_entra_auth/_challenge_script.html"
    script = (PACKAGE / "static/django_entra_auth/challenge.js").read_text()
    with translation.override("en"):
        english = re.findall(r'data-entra-\w+="([^"]+)"', render_to_string(part))
    assert len(english) == 4
    assert [text for text in english if f'"{text}"' not in script] == []
    with translation.override("de"):
        german = re.findall(r'data-entra-\w+="([^"]+)"', render_to_string(part))
    assert list_foreign(german, language="de") == []


def test_already_signed_in(walker: Walker) -> None:
    page = walker.visit("/auth/login/?next=/page/")
    assert "Sie sind bereits angemeldet" in text_of(page)
    assert find_foreign(page, ALICE) == []


@pytest.mark.parametrize("name", ["challenge_done", "consent_given", "no_session", "which_account"])
@pytest.mark.parametrize("can_try_again", [True, False])
def test_the_other_pages(name: str, can_try_again: bool, german: Any) -> None:
    names = {"expected_username": ALICE, "received_username": "bob@contoso.example"}
    context = {"continue_url": "/", "can_try_again": can_try_again, **names}
    assert find_foreign(pages.render_page(german, name, context), *names.values()) == []


def test_every_word_about_kept_forms(german: Any) -> None:
    refused = [
        str(text) for one in REFUSALS.values() for text in (one.title, one.message, one.advice)
    ]
    texts = [*refused, *map(str, NOT_KEPT.values())]
    assert list_foreign(texts, language="de") == []


def test_the_reader_finds_words_of_another_language() -> None:
    texts = ["Sie sind abgemeldet", "You are signed out", "Fertig and more", "Alice", "3 · (5)"]
    assert list_foreign(texts, ["Alice"], language="de") == [
        "You are signed out",
        "Fertig and more",
    ]
