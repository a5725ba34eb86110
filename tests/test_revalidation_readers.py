"""Who reads `request.user` decides when a check with Entra is made, and who may be prompted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from django_entra_auth.emulator.policies import Policy
from tests.revalidation_site import (
    TEMPLATES,
    add_middleware,
    come_long_ago,
    is_signed_in,
    logged,
    make_due,
    refreshes,
)
from tests.visitor import SITE, Visitor

pytestmark = [pytest.mark.urls("tests.revalidation_site"), pytest.mark.django_db]

HERE = "tests.revalidation_site"
EARLY, EARLY_VIEW, LATE = (f"{HERE}.{name}" for name in ("Early", "EarlyView", "Late"))
WALL = "django.contrib.auth.middleware.LoginRequiredMiddleware"
NAME = b"alice@contoso.example"
READERS = ["/reading/", "/reading-async/", "/template/", "/swallowing/", "/wrapping/", "/private/"]
OWN_PAGES = ["/auth/logout/", "/auth/login/", "/auth/resume/none/"]
UNTOUCHED = ["/public/", "/with-session/"]


@pytest.fixture(autouse=True)
def _fresh(settings: Any) -> Iterator[None]:
    settings.TEMPLATES = TEMPLATES
    logged.clear()
    yield
    logged.clear()


@pytest.fixture
def visitor(entra: Any, entra_settings: Any) -> Visitor:
    """Alice, who signed in long ago, and whom Entra wants to see."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    return come_long_ago(entra)


def need_person(entra: Any) -> None:
    entra.policies.add(Policy(name="m", control="mfa", people=frozenset({"alice"})))


def lose_person(entra: Any) -> None:
    entra.people["alice"].enabled = False


def assert_prompted(response: Any, entra: Any) -> None:
    assert response.status_code == 302
    assert response["Location"].startswith(f"{entra.origin}/")
    assert "no-store" in response["Cache-Control"]
    assert NAME not in response.content


# Views


@pytest.mark.parametrize("page", UNTOUCHED)
def test_a_page_that_asks_for_nobody_is_not_touched(entra, visitor, page):
    need_person(entra)
    response = visitor.client.get(page)
    assert response.status_code == 200
    assert (page == "/with-session/") == response.has_header("Vary")
    assert refreshes(entra) == 0


@pytest.mark.parametrize("page", READERS)
def test_a_reader_is_prompted_and_comes_back(entra, visitor, page):
    need_person(entra)
    response = visitor.client.get(page)
    assert_prompted(response, entra)
    back = visitor.deliver(visitor.answer(response["Location"]))
    assert back["Location"] == page
    page_after = visitor.client.get(page)
    assert page_after.status_code == 200
    assert NAME in page_after.content or page_after.content == b"in"


@pytest.mark.parametrize("page", READERS)
def test_a_reader_sees_nobody_who_is_gone(entra, visitor, page):
    lose_person(entra)
    response = visitor.client.get(page)
    assert not is_signed_in(visitor)
    assert NAME not in response.content
    assert response.content in {b"", b"out", b"nobody"}


def test_behind_the_async_handler(entra, visitor):
    client = AsyncClient(HTTP_HOST="127.0.0.1:8000")
    client.cookies = visitor.client.cookies
    get = async_to_sync(client.get)
    for page in READERS:
        assert get(page).status_code == 200
    make_due(visitor)
    need_person(entra)
    for page in READERS:
        assert_prompted(get(page), entra)
    assert refreshes(entra) == 2  # an identical refusal is not asked for again


def test_who_is_gone_is_out_behind_the_async_handler(entra, visitor):
    client = AsyncClient(HTTP_HOST="127.0.0.1:8000")
    client.cookies = visitor.client.cookies
    lose_person(entra)
    assert async_to_sync(client.get)("/reading-async/").content == b""
    assert not is_signed_in(visitor)


def test_what_a_template_swallows_is_asked_all_the_same(entra, visitor):
    """`{% if user.is_authenticated and … %}` takes any exception for False."""
    need_person(entra)
    assert_prompted(visitor.client.get("/swallowing/"), entra)
    assert refreshes(entra) == 1


def test_a_view_that_swallows_shows_nobody_and_asks_once(entra, visitor):
    need_person(entra)
    assert_prompted(visitor.client.get("/stubborn/"), entra)
    visitor.client.cookies.pop("csrftoken", None)
    response = visitor.client.post("/stubborn/")
    assert (response.status_code, response.content) == (200, b"")  # what it did is done
    assert is_signed_in(visitor)


@pytest.mark.parametrize("page", ["/missing/", "/nowhere/"])
@pytest.mark.parametrize("change", [need_person, lose_person])
def test_error_pages_may_name_the_person(entra, visitor, page, change):
    """Nobody answers the exception of an error page, so nothing is asked for one."""
    change(entra)
    response = visitor.client.get(page)
    assert response.status_code == 404
    assert response.content == b"Not found, " + NAME
    assert refreshes(entra) == 0


def test_a_body_that_is_sent_bit_by_bit_may_name_the_person(entra, visitor):
    need_person(entra)
    response = visitor.client.get("/streaming/")
    assert b"".join(response) == NAME
    assert refreshes(entra) == 0


# This app's own pages


@pytest.mark.parametrize("middleware", [None, EARLY, EARLY_VIEW, LATE])
@pytest.mark.parametrize("change", [need_person, lose_person])
def test_signing_out_asks_for_no_prompt_first(entra, visitor, settings, change, middleware):
    if middleware:
        add_middleware(settings, visitor, middleware)
    change(entra)
    response = visitor.client.post("/auth/logout/")
    assert response.status_code == 200
    assert not is_signed_in(visitor)
    assert refreshes(entra) == 0


@pytest.mark.parametrize("page", OWN_PAGES)
def test_no_page_of_the_way_back_is_checked(entra, visitor, page):
    need_person(entra)
    assert visitor.client.get(page).status_code in {200, 403, 404, 410}
    assert refreshes(entra) == 0


# Middleware


Change = Callable[[Any], None]


@pytest.mark.parametrize("page", ["/reading/", "/reading-async/", "/public/"])
@pytest.mark.parametrize("middleware", [EARLY, EARLY_VIEW, WALL])
def test_who_is_read_before_the_view_is_prompted_before_the_view(
    entra, visitor, settings, page, middleware
):
    add_middleware(settings, visitor, middleware)
    need_person(entra)
    response = visitor.client.get(page)
    assert_prompted(response, entra)
    assert refreshes(entra) == 1
    visitor.deliver(visitor.answer(response["Location"]))
    assert visitor.client.get(page).status_code == 200
    assert refreshes(entra) == 1


@pytest.mark.parametrize("page", ["/reading/", "/reading-async/", "/public/"])
@pytest.mark.parametrize("middleware", [EARLY, EARLY_VIEW, WALL])
def test_who_is_gone_passes_no_wall(entra, visitor, settings, page, middleware):
    """What ran before had seen somebody who is nobody any more: no view runs after that."""
    add_middleware(settings, visitor, middleware)
    lose_person(entra)
    response = visitor.client.get(page)
    assert (response.status_code, response["Location"]) == (302, f"/auth/login/?next={page}")
    assert not is_signed_in(visitor)
    assert refreshes(entra) == 1


@pytest.mark.parametrize("middleware", [EARLY, EARLY_VIEW, WALL, LATE])
@pytest.mark.parametrize("page", ["/reading/", "/reading-async/", "/private/"])
def test_all_is_well_with_one_request(entra, visitor, settings, page, middleware):
    add_middleware(settings, visitor, middleware)
    for _ in range(2):
        assert NAME in visitor.client.get(page).content
    assert refreshes(entra) == 1


@pytest.mark.parametrize("change", [need_person, lose_person])
@pytest.mark.parametrize("page", [*READERS, *UNTOUCHED, "/missing/", "/auth/logout/"])
def test_who_is_read_after_the_view_is_no_exception(entra, visitor, settings, page, change):
    add_middleware(settings, visitor, LATE)
    change(entra)
    assert visitor.client.get(page).status_code in {200, 302, 404}
    (name,) = logged
    is_checked = page in READERS
    assert name == ("nobody" if is_checked and change is lose_person else NAME.decode())
    assert refreshes(entra) == is_checked


def test_the_way_back_leads_to_this_site_alone(entra, visitor, settings):
    add_middleware(settings, visitor, EARLY)
    need_person(entra)
    response = visitor.client.get("/reading/?next=https://evil.example/")
    back = visitor.deliver(visitor.answer(response["Location"]))
    assert back["Location"] == "/reading/?next=https://evil.example/"
    assert SITE not in back["Location"]
