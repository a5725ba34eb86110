"""docs/admin.md: each way in to the Django admin works as written, and none goes in circles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import include, path

from tests.visitor import Visitor, text_of

TEXT = (Path(__file__).parents[1] / "docs" / "admin.md").read_text()
BLOCKS = re.findall(r"```(python|django)\n(.*?)```", TEXT, re.DOTALL)
pytestmark = pytest.mark.django_db


def load(word: str) -> dict[str, Any]:
    (block,) = [text for kind, text in BLOCKS if kind == "python" and word in text]
    namespace: dict[str, Any] = {}
    exec(compile(block, "admin.md", "exec"), namespace)
    return namespace


def make_urlconf(patterns: list[Any]) -> type:
    """What ROOT_URLCONF may name besides a module."""
    return type("Urls", (), {"urlpatterns": patterns})


@pytest.fixture
def visitor(entra: Any, entra_settings: Any) -> Visitor:
    roles = load("STAFF_ROLES")["ENTRA_AUTH"]
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "STAFF_ROLES": roles["STAFF_ROLES"],
        "SUPERUSER_ROLES": roles["SUPERUSER_ROLES"],
    }
    return Visitor(entra)


@pytest.fixture
def instead(visitor: Visitor, settings: Any) -> Visitor:
    """Entra alone."""
    urls = load("RedirectView")["urlpatterns"]
    settings.ROOT_URLCONF = make_urlconf(urls)
    settings.AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
    return visitor


@pytest.fixture
def beside(visitor: Visitor, settings: Any, tmp_path: Path) -> Visitor:
    """The admin's form with a link."""
    (template,) = [text for kind, text in BLOCKS if kind == "django"]
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin" / "login.html").write_text(template)
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    urls = [path("auth/", include("django_entra_auth.urls")), path("admin/", admin.site.urls)]
    settings.ROOT_URLCONF = make_urlconf(urls)
    return visitor


def follow(visitor: Visitor, address: str) -> Any:
    for _ in range(6):
        response = visitor.client.get(address)
        if response.status_code != 302 or not response["Location"].startswith("/"):
            return response
        address = response["Location"]
    raise AssertionError("endless redirect")


def is_inside(visitor: Visitor) -> bool:
    return "Site administration" in text_of(visitor.client.get("/admin/"))


def find_link(page: Any) -> str:
    found = re.search(r'href="(/auth/login/[^"]*)"', page.content.decode())
    assert found
    return found[1]


def test_instead_of_passwords_staff_get_in(instead: Visitor) -> None:
    asked = follow(instead, "/admin/auth/")
    landed = instead.deliver(instead.answer(asked["Location"], "erin"))
    assert landed["Location"] == "/admin/auth/"
    assert is_inside(instead)


def test_instead_of_passwords_others_get_a_page(instead: Visitor) -> None:
    instead.deliver(instead.answer(follow(instead, "/admin/")["Location"], "alice"))
    refused = follow(instead, "/admin/")
    assert refused.status_code == 403
    assert "may not be open to you" in text_of(refused)


def test_who_loses_the_role_loses_the_admin(instead: Visitor) -> None:
    instead.deliver(instead.answer(follow(instead, "/admin/")["Location"], "erin"))
    instead.client.logout()
    instead.entra.people["erin"].roles = []
    instead.client.cookies.clear()
    instead.deliver(instead.answer(follow(instead, "/admin/")["Location"], "erin"))
    assert follow(instead, "/admin/").status_code == 403


def test_beside_passwords_the_form_has_a_link_that_leads_back(beside: Visitor) -> None:
    form = follow(beside, "/admin/auth/?q=1")
    assert 'type="password"' in form.content.decode()
    asked = follow(beside, find_link(form))
    landed = beside.deliver(beside.answer(asked["Location"], "erin"))
    assert landed["Location"] == "/admin/auth/?q=1"
    assert is_inside(beside)


def test_beside_passwords_others_get_form_and_page_and_no_circle(beside: Visitor) -> None:
    asked = follow(beside, find_link(follow(beside, "/admin/")))
    beside.deliver(beside.answer(asked["Location"], "alice"))
    form = follow(beside, "/admin/")
    assert form.status_code == 200
    assert "not authorized" in text_of(form)
    assert follow(beside, find_link(form)).status_code == 403


def test_beside_passwords_passwords_work(beside: Visitor) -> None:
    get_user_model().objects.create_superuser("boss", password="local-only")
    form = {"username": "boss", "password": "local-only", "next": "/admin/"}
    assert beside.client.post("/admin/login/", form)["Location"] == "/admin/"
    assert is_inside(beside)


def test_a_step_up_comes_before_the_admin(visitor: Visitor, settings: Any) -> None:
    site = load("SteppedUpAdminSite")["SteppedUpAdminSite"]()
    urls = [path("auth/", include("django_entra_auth.urls")), path("admin/", site.urls)]
    settings.ROOT_URLCONF = make_urlconf(urls)
    asked = follow(visitor, "/admin/")
    assert "acrs" in asked["Location"]
    assert visitor.deliver(visitor.answer(asked["Location"], "erin"))["Location"] == "/admin/"
    assert is_inside(visitor)
