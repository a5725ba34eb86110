"""The admin's pages are German for an operator whose browser asks for it, to the last word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from django_entra_auth.admin.meaning import ACTORS, CATEGORIES, SAMPLES, explain
from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.interaction.failures import FAILURES
from django_entra_auth.models import EntraSignIn, ErrorKind, TokenErrorRecord
from django_entra_auth.oauth2 import ThrottledHttpClient, aadsts
from django_entra_auth.oauth2.http import HttpResponse
from tests.admin.making_rows import SHAPES, make_error, make_people, make_person, make_sign_ins
from tests.translations.reading import find_foreign, list_foreign
from tests.visitor import text_of

ADMIN = "/admin/django_entra_auth/"
ERRORS, SIGN_INS, IDENTITIES = (
    f"{ADMIN}{name}/" for name in ("tokenerrorrecord", "entrasignin", "entraidentity")
)
THROTTLES = f"{ERRORS}throttles/"
OURS = ("view_tokenerrorrecord", "view_entrasignin", "view_entraidentity", "end_entrasignin")
ALL = (*OURS, "release_throttle", "forget_answer")
# What Entra, the site's code and its people are called, in any language.
DATA = (
    *("olga", "person0", "person1", "person2", "https://graph.microsoft.com", "api://reports"),
    *("https://vault.azure.net", "invalid_grant", "access_token", "essential", "value", "acrs"),
    *(shape[3] for shape in SHAPES),
    "Search",  # Django's own template has not marked it
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga(polyglot: Any) -> Client:
    """An operator who may do everything, with a German browser."""
    client = Client(HTTP_ACCEPT_LANGUAGE="de")
    person = make_person("olga", *ALL)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def errors() -> list[TokenErrorRecord]:
    """One record of each shape, and one that this site decided."""
    people = make_people(3)
    rows = [
        make_error(
            kind=kind,
            category=category,
            number=number,
            suberror=suberror,
            user=people[index % 3],
            resource="https://graph.microsoft.com",
            claims='{"access_token": {"acrs": {"essential": true, "value": "c1"}}}',
            when=timezone.now() - timedelta(minutes=index * 7),
        )
        for index, (kind, category, number, suberror) in enumerate(SHAPES)
    ]
    return [*rows, make_error(category="", number=None, error="", reason="blocked", kind="stop")]


def test_the_index(olga: Client) -> None:
    page = olga.get("/admin/")
    assert "Anmeldung mit Microsoft Entra" in text_of(page)
    assert "Tokenfehler" in text_of(page)
    assert find_foreign(page, *DATA) == []


@pytest.mark.parametrize(
    "query", ["", "?period=30d", "?category=blocked", "?number=53003", "?q=nobody"]
)
def test_the_list_of_errors_and_the_overview(
    query: str, olga: Client, errors: list[TokenErrorRecord]
) -> None:
    page = olga.get(ERRORS + query)
    assert "Fehler im Zeitverlauf" in text_of(page)
    assert find_foreign(page, *DATA, "nobody", "blocked") == []


def test_numbers_are_written_as_germans_do(olga: Client) -> None:
    make_error(count=12345)
    german = olga.get(ERRORS).content.decode()
    assert "Durch Richtlinie gesperrt 12.345</td>" in german
    assert "12,345" not in german
    english = olga.get(ERRORS, headers={"Accept-Language": "en"}).content.decode()
    assert "Blocked by policy 12,345</td>" in english


def test_an_overview_of_nothing(olga: Client) -> None:
    page = olga.get(ERRORS)
    assert "Keine Fehler." in text_of(page)
    assert find_foreign(page, *DATA) == []


def test_each_error(olga: Client, errors: list[TokenErrorRecord]) -> None:
    for record in errors:
        page = olga.get(f"{ERRORS}{record.pk}/change/")
        assert page.status_code == 200
        assert "Was es bedeutet" in text_of(page)
        assert find_foreign(page, *DATA, "blocked", "true", "c1") == []


def hold_back(status: int, seconds: int) -> None:
    """Entra refuses; it is recorded as the recorder does."""

    class Entra:
        def post(self, url: str, **more: Any) -> HttpResponse:
            text = '{"error": "invalid_grant", "error_codes": [53003]}'
            return HttpResponse(status, text, {"retry-after": str(seconds)})

    client = ThrottledHttpClient(Entra(), http_cache=DjangoHTTPCache())  # type: ignore[arg-type]
    form = {"client_id": "one", "scope": f"s{status}", "grant_type": "refresh_token"}
    answers = [client.post("https://login.example/token", data=form) for _ in range(2)]
    make_error(
        category="blocked" if status == 400 else "throttled",
        throttle_key=answers[1].throttle_key,
        throttle_until=timezone.now() + timedelta(seconds=answers[1].retry_after or 0),
    )


def test_what_is_held_back_and_let_go(olga: Client) -> None:
    assert find_foreign(olga.get(THROTTLES), *DATA) == []
    for status in (400, 429, 503):
        hold_back(status, 60)
    page = olga.get(THROTTLES)
    assert len(page.context["rows"]) == 3
    assert find_foreign(page, *DATA) == []
    for row in page.context["rows"]:
        done = olga.post(THROTTLES, {"key": row["held"].key, "do": row["do"]}, follow=True)
        assert find_foreign(done, *DATA) == []
    late = {"key": page.context["rows"][0]["held"].key, "do": page.context["rows"][0]["do"]}
    assert find_foreign(olga.post(THROTTLES, late, follow=True), *DATA) == []


@pytest.fixture
def rows(olga: Client) -> list[EntraSignIn]:
    """Sign-ins of three people."""
    make_sign_ins(3, make_people(3))
    return list(EntraSignIn.objects.order_by("pk"))


def test_sign_ins_and_accounts(olga: Client, rows: list[EntraSignIn]) -> None:
    row = rows[0]
    for url in (
        *(SIGN_INS, f"{SIGN_INS}?q=nobody", f"{SIGN_INS}{row.pk}/change/"),
        *(IDENTITIES, f"{IDENTITIES}{row.identity.pk}/change/"),
    ):
        page = olga.get(url)
        assert page.status_code == 200
        assert find_foreign(page, *DATA, *map(str, rows), "nobody", "c1") == []


@pytest.mark.parametrize("action", ["sign_out", "sign_out_everywhere"])
def test_signing_people_out(action: str, olga: Client, rows: list[EntraSignIn]) -> None:
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    question = olga.post(SIGN_INS, form)
    assert "Ja, ich bin sicher" in question.content.decode()
    assert find_foreign(question, *DATA) == []
    done = olga.post(SIGN_INS, {**form, "post": "yes"}, follow=True)
    assert "3 Anmeldungen wurden beendet." in text_of(done)
    assert find_foreign(done, *DATA) == []


def collect(build: Callable[[], list[Any]]) -> list[str]:
    with translation.override("de"):
        return [str(text) for text in build()]


def test_every_meaning_there_can_be() -> None:
    records = [TokenErrorRecord(category=name) for name in SAMPLES]
    numbers = [
        TokenErrorRecord(category=one.category, number=one.number) for one in aadsts.all_entries()
    ]
    reasons = [TokenErrorRecord(reason=name) for name in FAILURES]
    shown = collect(
        lambda: [
            text
            for one in map(explain, (*records, *numbers, *reasons, TokenErrorRecord()))
            for text in (one.title, one.actor, one.remedy)
        ]
    )
    assert len(set(shown)) > 300
    assert list_foreign(shown, language="de") == []


def test_every_name_of_a_kind_or_category() -> None:
    names = collect(lambda: [*CATEGORIES.values(), *ACTORS.values(), *ErrorKind.labels])
    assert list_foreign(names, language="de") == []


def test_names_of_models_and_fields() -> None:
    models = (TokenErrorRecord, EntraSignIn, EntraSignIn.identity.field.related_model)
    own = [field for model in models for field in model._meta.fields if not field.primary_key]
    names = collect(
        lambda: [
            *(field.verbose_name for field in own if field.name not in {"fingerprint", "minute"}),
            *(model._meta.verbose_name for model in models),
            *(text for model in models for _name, text in model._meta.permissions),
        ]
    )
    assert list_foreign(names, language="de") == []
