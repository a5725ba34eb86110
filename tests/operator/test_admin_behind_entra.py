"""docs/how-to/admin-behind-entra.md: both ways work as written, and none goes in circles."""

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

TEXT = (Path(__file__).parents[2] / "docs/how-to/admin-behind-entra.md").read_text()
BLOCKS = re.findall(r"```(python|django)\n(.*?)```", TEXT, re.DOTALL)
MOST_REDIRECTS = 6

pytestmark = pytest.mark.django_db


def load(word: str) -> dict[str, Any]:
    """What the one Python block with this word defines."""
    (block,) = [text for kind, text in BLOCKS if kind == "python" and word in text]
    namespace: dict[str, Any] = {}
    exec(compile(block, "admin-behind-entra.md", "exec"), namespace)
    return namespace


def make_urlconf(patterns: list[Any]) -> type:
    """What ROOT_URLCONF may name besides a module."""
    return type("Urls", (), {"urlpatterns": patterns})


@pytest.fixture
def visitor(entra: Any, entra_settings: Any) -> Visitor:
    """Roles as in the guide."""
    roles = load("STAFF_ROLES")["ENTRA_AUTH"]
    names = ("STAFF_ROLES", "SUPERUSER_ROLES")
    chosen = {name: roles[name] for name in names}
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **chosen}
    return Visitor(entra)


@pytest.fixture
def without(visitor: Visitor, settings: Any) -> Visitor:
    """Entra alone."""
    settings.ROOT_URLCONF = make_urlconf(load("RedirectView")["urlpatterns"])
    (backends,) = [text for _kind, text in BLOCKS if 'BACKENDS = ["' in text]
    namespace: dict[str, Any] = {}
    exec(backends, namespace)
    settings.AUTHENTICATION_BACKENDS = namespace["AUTHENTICATION_BACKENDS"]
    return visitor


@pytest.fixture
def beside(visitor: Visitor, settings: Any, tmp_path: Path) -> Visitor:
    """The admin's form with a link."""
    (template,) = [text for kind, text in BLOCKS if kind == "django"]
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin" / "login.html").write_text(template)
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    settings.AUTHENTICATION_BACKENDS = load("ModelBackend")["AUTHENTICATION_BACKENDS"]
    urls = [path("auth/", include("django_entra_auth.urls")), path("admin/", admin.site.urls)]
    settings.ROOT_URLCONF = make_urlconf(urls)
    return visitor


def follow(visitor: Visitor, address: str) -> Any:
    """Where somebody ends who opens an address, or the redirect that leaves the site."""
    for _ in range(MOST_REDIRECTS):
        response = visitor.client.get(address)
        if response.status_code != 302 or not response["Location"].startswith("/"):
            return response
        address = response["Location"]
    raise AssertionError("endless redirect")


def come_in(visitor: Visitor, person: str, address: str = "/admin/") -> Any:
    return visitor.deliver(visitor.answer(follow(visitor, address)["Location"], person))


def is_inside(visitor: Visitor) -> bool:
    return "Site administration" in text_of(visitor.client.get("/admin/"))


def find_link(page: Any) -> str:
    found = re.search(r'href="(/auth/login/[^"]*)"', page.content.decode())
    assert found
    return found[1]


def test_without_passwords_staff_come_back_to_where_they_were_going(without: Visitor) -> None:
    landed = come_in(without, "erin", "/admin/auth/?q=1")
    assert landed["Location"] == "/admin/auth/?q=1"
    assert is_inside(without)


@pytest.mark.parametrize("address", ["/admin/", "/admin/auth/", "/admin/login/?next=/admin/"])
def test_without_passwords_others_get_a_page_and_no_circle(without: Visitor, address: str) -> None:
    come_in(without, "alice")
    refused = follow(without, address)
    assert refused.status_code == 403
    assert "may not be open to you" in text_of(refused)
    assert not is_inside(without)


def test_without_passwords_no_form_takes_one(without: Visitor) -> None:
    get_user_model().objects.create_superuser("boss", password="local-only")
    form = {"username": "boss", "password": "local-only", "next": "/admin/"}
    without.client.post("/admin/login/", form)
    assert not is_inside(without)


def test_the_admins_own_log_out_ends_the_sign_in_here(without: Visitor) -> None:
    come_in(without, "erin")
    without.client.post("/admin/logout/")
    assert not is_inside(without)
    assert follow(without, "/admin/")["Location"].startswith(without.entra.origin)


def test_who_loses_the_role_is_out(without: Visitor) -> None:
    come_in(without, "erin")
    without.client.logout()
    without.entra.people["erin"].roles = []
    without.client.cookies.clear()
    come_in(without, "erin")
    assert follow(without, "/admin/").status_code == 403


def test_beside_passwords_both_ways_in_work(beside: Visitor) -> None:
    form = follow(beside, "/admin/auth/?q=1")
    assert 'type="password"' in form.content.decode()
    landed = come_in(beside, "erin", find_link(form))
    assert landed["Location"] == "/admin/auth/?q=1"
    assert is_inside(beside)
    beside.client.logout()
    get_user_model().objects.create_superuser("boss", password="local-only")
    fields = {"username": "boss", "password": "local-only", "next": "/admin/"}
    assert beside.client.post("/admin/login/", fields)["Location"] == "/admin/"
    assert is_inside(beside)


def test_beside_passwords_others_see_form_and_page_and_no_circle(beside: Visitor) -> None:
    come_in(beside, "alice", find_link(follow(beside, "/admin/")))
    form = follow(beside, "/admin/")
    assert form.status_code == 200
    assert "not authorized" in text_of(form)
    assert follow(beside, find_link(form)).status_code == 403


def test_another_user_s_running_session_is_not_swapped(beside: Visitor) -> None:
    boss = get_user_model().objects.create_user("boss", password="local-only")
    beside.client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    page = come_in(beside, "erin", find_link(follow(beside, "/admin/")))
    assert page.status_code == 403
    assert not is_inside(beside)
    assert beside.client.session["_auth_user_id"] == str(boss.pk)


def test_the_step_up_comes_before_anything_is_shown(visitor: Visitor, settings: Any) -> None:
    site = load("SteppedUpAdminSite")["SteppedUpAdminSite"]()
    urls = [path("auth/", include("django_entra_auth.urls")), path("admin/", site.urls)]
    settings.ROOT_URLCONF = make_urlconf(urls)
    asked = follow(visitor, "/admin/")
    assert "acrs" in asked["Location"]
    assert visitor.deliver(visitor.answer(asked["Location"], "erin"))["Location"] == "/admin/"
    assert is_inside(visitor)


def test_staff_without_permissions_see_none_of_this_app(without: Visitor, settings: Any) -> None:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "SUPERUSER_ROLES": []}
    come_in(without, "erin")
    assert is_inside(without)
    assert "token errors" not in text_of(without.client.get("/admin/")).lower()
    for name in ("tokenerrorrecord", "tokenerrorrecord/throttles", "entrasignin", "entraidentity"):
        assert without.client.get(f"/admin/django_entra_auth/{name}/").status_code == 403, name
