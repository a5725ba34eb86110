"""A sign-in that fails anywhere leaves no user, no identity, no group and no token behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models.signals import m2m_changed, post_save, pre_save

from django_entra_auth import provisioning
from django_entra_auth.backends import EntraBackend
from django_entra_auth.cache.entries import CacheOutage
from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.models import EntraIdentity, EntraSignIn
from tests.people.asking import rights_of
from tests.visitor import Visitor, make_client

pytestmark = pytest.mark.django_db


class Failing(EntraBackend):
    """Raises `error` in the override named `where`; `after` it has done its work."""

    where = ""
    error: Exception = ValueError("no")

    def verify_claims(self, claims: Any) -> bool:
        return bool(self._fail("verify_claims", True))

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(self._fail("user_can_authenticate", True))

    def link_user(self, claims: Any) -> Any:
        return self._fail("link_user", None)

    def create_user(self, claims: Any) -> Any:
        return self._fail("create_user", super().create_user(claims))

    def update_user(self, user: Any, claims: Any) -> None:
        super().update_user(user, claims)
        Group.objects.create(name="made by the override")
        self._fail("update_user", None)

    def _fail(self, name: str, value: Any) -> Any:
        if self.where == name:
            raise self.error
        return value


@pytest.fixture
def browser(entra, configure) -> Visitor:
    configure(GROUP_MAPPING={"Admin": ["bosses", "team"]}, STAFF_ROLES=["Admin"])
    return Visitor(entra, make_client(raise_request_exception=False))


def assert_nothing_is_there(browser: Visitor) -> None:
    for model in (User, EntraIdentity, EntraSignIn, Group):
        assert not model.objects.exists(), model
    assert not browser.is_signed_in()
    kinds = {key.split(":")[4] for key in cache._cache}
    assert not kinds & {"tokens", "account", "resource"}, kinds


@pytest.mark.parametrize(
    "where", ["verify_claims", "link_user", "create_user", "user_can_authenticate", "update_user"]
)
@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no"), 500), (PermissionDenied("no"), 403)]
)
def test_an_override_that_raises(browser, settings, monkeypatch, where, error, status):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Failing"]
    monkeypatch.setattr(Failing, "where", where)
    monkeypatch.setattr(Failing, "error", error)
    assert browser.sign_in("erin").status_code == status
    assert_nothing_is_there(browser)
    monkeypatch.setattr(Failing, "where", "")
    assert browser.sign_in("erin").status_code == 302
    assert rights_of("erin@contoso.example") == (True, {"bosses", "team"})


@contextmanager
def failing_on(signal: Any, sender: Any) -> Iterator[None]:
    def fail(**kwargs: Any) -> None:
        raise ValueError("no")

    signal.connect(fail, sender=sender)
    try:
        yield
    finally:
        signal.disconnect(fail, sender=sender)


@pytest.mark.parametrize(
    ("signal", "sender"),
    [
        (pre_save, User),
        (post_save, User),
        (post_save, EntraIdentity),
        (post_save, Group),
        (m2m_changed, User.groups.through),
        (post_save, EntraSignIn),
    ],
)
def test_a_write_that_fails(browser, signal, sender):
    with failing_on(signal, sender):
        assert browser.sign_in("erin").status_code == 500
    assert_nothing_is_there(browser)


def test_tokens_that_cannot_be_kept(browser, monkeypatch):
    def fail(*args: Any, **kwargs: Any) -> None:
        raise CacheOutage({"error": "cache_unavailable"})

    monkeypatch.setattr(SignInTokenCache, "save_account", fail)
    assert browser.sign_in("erin").status_code == 503
    assert_nothing_is_there(browser)


def test_a_known_person_keeps_what_they_had(browser, settings, monkeypatch):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Failing"]
    browser.sign_in("erin")
    Group.objects.filter(name="made by the override").delete()
    browser.entra.people["erin"].roles = []
    monkeypatch.setattr(Failing, "where", "update_user")
    assert (
        Visitor(browser.entra, make_client(raise_request_exception=False))
        .sign_in("erin")
        .status_code
        == 500
    )
    assert rights_of("erin@contoso.example") == (True, {"bosses", "team"})


def test_a_name_that_somebody_takes_in_between(browser, monkeypatch):
    """As a rival's commit just after the look: the write fails, and the second try sees it."""
    boss = User.objects.create(username="erin@contoso.example", is_superuser=True)
    build, seen = provisioning.build_username, []

    def look_too_early(claims: Any, settings: Any) -> str:
        seen.append(claims["oid"])
        return build(claims, settings) if len(seen) > 1 else boss.username

    monkeypatch.setattr(provisioning, "build_username", look_too_early)
    assert browser.sign_in("erin").status_code == 302
    user = EntraIdentity.objects.get().user
    assert (user.username, user.is_superuser) == ("erin@contoso.example-0a11ce00", False)
    assert User.objects.count() == len(seen) == 2
