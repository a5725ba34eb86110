"""What Entra, an API, a name or a header says never becomes markup on an operator's page."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import EntraSignIn, TokenErrorRecord
from tests.admin.making_rows import make_error, make_person
from tests.challenges.asking import BY_NAME, Walker, make_walker

SCRIPT = "<script>alert(1)</script>"
MARKUP = f"\"'>{SCRIPT}<img src=x onerror=alert(2)>"
FOUND = ("<script>alert", "<img src=x")
ERRORS = "/admin/django_entra_auth/tokenerrorrecord/"
SIGN_INS = "/admin/django_entra_auth/entrasignin/"

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.site.urls_challenges")]


@pytest.fixture
def walker(entra: Any, entra_settings: Any) -> Walker:
    """Somebody whose very name is markup, signed in."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    entra.people["alice"].name = f"Alice {MARKUP}"
    walker = make_walker(entra)
    walker.sign_in(next_url="/private/")
    get_user_model().objects.update(username=f"alice{SCRIPT}", first_name=SCRIPT)
    return walker


@pytest.fixture
def operator(settings: Any) -> Client:
    settings.ROOT_URLCONF = "tests.site.urls"
    client = Client()
    person = make_person("olga", is_superuser=True)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def check_pages(client: Client, settings: Any) -> None:
    """Look at every page that shows the rows there are."""
    settings.ROOT_URLCONF = "tests.site.urls"
    paths = [ERRORS, f"{ERRORS}?q={MARKUP}&period={MARKUP}", f"{ERRORS}throttles/", SIGN_INS]
    paths += [f"{ERRORS}{one.pk}/change/" for one in TokenErrorRecord.objects.all()]
    paths += [f"{SIGN_INS}{one.pk}/change/" for one in EntraSignIn.objects.all()]
    for path in paths:
        text = client.get(path, follow=True).content.decode()
        assert not [word for word in FOUND if word in text], path


def test_words_of_the_token_endpoint(walker: Walker, operator: Client, settings: Any) -> None:
    body = dict.fromkeys(("error", "suberror", "correlation_id", "trace_id", "claims"), MARKUP)
    body |= {"error_description": MARKUP, "error_codes": [53003]}
    headers = {"Content-Type": "application/json", "x-ms-request-id": SCRIPT}
    settings.ROOT_URLCONF = "tests.site.urls_challenges"
    walker.entra.faults.add("token", Fault(400, json.dumps(body), headers), times=None)
    page = walker.ask(BY_NAME["navigation"], "/mail/")
    assert SCRIPT not in page.content.decode()
    assert TokenErrorRecord.objects.exists()
    check_pages(operator, settings)


def test_claims_that_an_api_asks_for(walker: Walker, operator: Client, settings: Any) -> None:
    challenge = json.dumps({"access_token": {MARKUP: {"essential": True, "value": MARKUP}}})
    settings.ROOT_URLCONF = "tests.site.urls_challenges"
    walker.entra.graph.take_challenge = lambda: challenge
    walker.ask(BY_NAME["navigation"], "/me/")
    (row,) = TokenErrorRecord.objects.all()
    assert "onerror" in row.claims, "it is kept, and shown as text"
    check_pages(operator, settings)


def test_names_on_the_page_of_what_is_held_back(
    walker: Walker, operator: Client, settings: Any
) -> None:
    key = "a" * 64
    until = timezone.now() + timedelta(seconds=60)
    DjangoHTTPCache().set(key, {"status": 429, "text": MARKUP, "until": until.timestamp()}, 60)
    user = get_user_model().objects.get(username__startswith="alice")
    make_error(throttle_key=key, throttle_until=until, user=user, resource=MARKUP)
    assert "held" in operator.get(f"{ERRORS}throttles/").content.decode()
    check_pages(operator, settings)


def test_names_on_the_page_that_asks(walker: Walker, operator: Client) -> None:
    row = EntraSignIn.objects.get()
    for action in ("sign_out", "sign_out_everywhere"):
        form = {"action": action, "_selected_action": row.pk, "index": 0}
        text = operator.post(SIGN_INS, form).content.decode()
        assert "alice&lt;script&gt;" in text
        assert not [word for word in FOUND if word in text]
