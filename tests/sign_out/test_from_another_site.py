"""A sign-out that another site's form asks for: SameSite cookies stay at home."""

from __future__ import annotations

import pytest

from tests.visitor import make_client, text_of

LOGOUT = "/auth/logout/"
FORMS = [{}, {"everywhere": "1"}, {"provider": "1"}]


@pytest.mark.parametrize("csrf_in_session", [False, True])
@pytest.mark.parametrize("fields", FORMS, ids=str)
def test_it_replaces_no_session_and_no_token(come, site, fields, csrf_in_session):
    """A fresh cookie would take the place of the one that did not travel."""
    site.CSRF_USE_SESSIONS = csrf_in_session
    visitor = come("alice")
    response = make_client(enforce_csrf_checks=True).post(LOGOUT, fields)
    visitor.client.cookies.update(response.cookies)
    assert not {"sessionid", "csrftoken"} & set(response.cookies)
    assert visitor.is_signed_in()


@pytest.mark.parametrize("fields", FORMS[:2], ids=str)
def test_what_follows_tells_the_truth(come, fields):
    visitor = come("alice")
    answer = make_client().post(LOGOUT, fields)
    assert answer.content == b""
    page = text_of(visitor.client.get(answer["Location"]))
    assert "You are signed out" not in page
    assert "You are signed in as" in page


@pytest.mark.parametrize("csrf_in_session", [False, True])
def test_the_page_of_those_who_are_gone_writes_nothing_for_them(site, csrf_in_session):
    site.CSRF_USE_SESSIONS = csrf_in_session
    response = make_client().get(LOGOUT)
    assert "Sign out of Microsoft too" in text_of(response)
    assert not response.cookies
