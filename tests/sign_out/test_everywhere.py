"""A person ends their sign-ins on all devices."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from django_entra_auth import sign_ins
from django_entra_auth.models import EntraSignIn
from django_entra_auth.signals import sign_in_failed
from tests.visitor import make_client, text_of

LOGOUT = "/auth/logout/"
EVERYWHERE = {"everywhere": "1"}
PASSWORD_BACKEND = "django.contrib.auth.backends.ModelBackend"


def set_password(user: Any, password: str | None = "correct horse") -> None:
    user.set_password(password)
    user.save()


@pytest.mark.usefixtures("engine")
def test_all_of_the_person_and_nobody_elses(come, heard, left):
    here, there, bob = come("alice"), come("alice"), come("bob")
    own = sign_ins.hash_id(here.client.session["_entra"]["id"])
    response = here.client.post(LOGOUT, EVERYWHERE)
    assert "oauth2/v2.0/logout" in response.context["continue_url"]
    assert not here.is_signed_in()
    assert not there.is_signed_in()
    assert bob.is_signed_in()
    assert EntraSignIn.objects.count() == 1
    assert left("tokens", "account", "ended") == {"tokens": 1, "account": 1, "ended": 2}
    assert len(heard) == len({told["sign_in_hash"] for told in heard}) == 2
    assert {told["request"] is not None: told["sign_in_hash"] for told in heard}[True] == own


@pytest.mark.usefixtures("engine")
def test_without_the_field_the_others_stay(come):
    here, there = come("alice"), come("alice")
    here.client.post(LOGOUT, {"everywhere": ""})
    assert not here.is_signed_in()
    assert there.is_signed_in()


@pytest.mark.usefixtures("engine")
def test_sessions_of_other_backends_end_too_unless_a_password_stands(come):
    """Without a usable password all sessions of the user rest on one that is replaced."""
    come("alice")
    user, other = get_user_model().objects.get(), make_client()
    for password, stays in ((None, False), ("correct horse", True)):
        set_password(user, password)
        other.force_login(user, backend=PASSWORD_BACKEND)
        here = come("alice")
        here.client.post(LOGOUT, EVERYWHERE)
        page = here.client.get(LOGOUT)
        assert page.context["everywhere"]
        assert page.context["passwords_remain"] is stays
        assert ("where you signed in with a password" in text_of(page)) is stays
        assert other.get("/admin/", follow=True).wsgi_request.user.is_authenticated is stays
        user.refresh_from_db()


def test_somebody_here_by_password_ends_their_entra_sign_ins(come, heard):
    come("alice").client.post(LOGOUT)
    user = get_user_model().objects.get()
    set_password(user)
    there = come("alice")
    heard.clear()
    here = make_client()
    here.force_login(user, backend=PASSWORD_BACKEND)
    assert here.get(LOGOUT).context["can_end_everywhere"]
    response = here.post(LOGOUT, EVERYWHERE)
    assert "continue_url" not in response.context
    assert "on other devices have been ended" in text_of(response)
    assert not there.is_signed_in()
    assert "_auth_user_id" not in here.session
    assert len(heard) == 1


def test_it_is_offered_to_those_it_can_help(come, site):
    assert 'name="everywhere"' in come("alice").client.get(LOGOUT).content.decode()
    local = make_client()
    local.force_login(get_user_model().objects.create_user("local"), backend=PASSWORD_BACKEND)
    assert 'name="everywhere"' not in local.get(LOGOUT).content.decode()


def test_a_strangers_request_ends_nobody(come):
    visitor = come("alice")
    make_client().post(LOGOUT, EVERYWHERE)
    assert visitor.is_signed_in()


class SessionStore(DatabaseStore):
    """A store that reads and cannot delete."""

    def delete(self, session_key: str | None = None) -> None:
        raise ConnectionError


def test_sessions_out_of_reach_are_said_and_the_person_can_try_again(come, site, heard):
    come("alice").client.post(LOGOUT)
    set_password(get_user_model().objects.get())  # or a fresh unusable one would end the sessions
    heard.clear()
    here, there = come("alice"), come("alice")
    site.SESSION_ENGINE = __name__
    told: list[Any] = []

    def listen(**named: Any) -> None:
        told.append(named)

    sign_in_failed.connect(listen)
    response = here.client.post(LOGOUT, EVERYWHERE)
    assert response.status_code == 503
    assert "Retry-After" in response
    assert response.context["retry_url"] == LOGOUT
    assert "Sign-in" not in text_of(response)
    assert not told
    assert not heard
    site.SESSION_ENGINE = DatabaseStore.__module__
    assert here.is_signed_in()
    here.client.post(LOGOUT, EVERYWHERE)
    assert not here.is_signed_in()
    assert not there.is_signed_in()
