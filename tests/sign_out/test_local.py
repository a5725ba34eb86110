"""Sign-outs that begin here: what ends, and that it ends whatever else is in trouble."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.contrib.auth.views import LogoutView
from django.core.cache import cache, caches
from django.test import Client
from django.urls import path

from django_entra_auth import sign_ins
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import EntraSignIn
from tests.redis_cache import DOWN
from tests.sign_out.conftest import MEMORY
from tests.site.urls_challenges import urlpatterns as site_urls
from tests.visitor import SITE, Visitor, make_client, query_of, text_of

urlpatterns = [path("leave/", LogoutView.as_view()), *site_urls]

pytestmark = pytest.mark.urls(__name__)

LOGOUT = "/auth/logout/"


def cookies_of(visitor: Visitor) -> Client:
    """Another window of the same browser, or somebody who has a copy of its cookies."""
    client = make_client()
    client.cookies.load(visitor.client.cookies.output(header=""))
    return client


# What ends


@pytest.mark.usefixtures("engine")
def test_everything_of_the_sign_in_ends_and_is_told_once(visitor, heard, left):
    sign_in_id = visitor.client.session["_entra"]["id"]
    assert left("tokens", "account") == {"tokens": 1, "account": 1}
    thief = cookies_of(visitor)
    visitor.client.post(LOGOUT)
    assert not visitor.is_signed_in()
    assert thief.get("/private/").status_code == 302
    assert EntraSignIn.objects.count() == 0
    assert left("tokens", "account", "resource", "ended") == {
        "tokens": 0, "account": 0, "resource": 0, "ended": 1,
    }  # fmt: skip
    assert sign_ins.has_ended(sign_in_id)
    (told,) = heard
    assert told["request"].path == LOGOUT
    assert told["user"].get_username() == "alice@contoso.example"
    assert told["sign_in_hash"] == sign_ins.hash_id(sign_in_id)


@pytest.mark.usefixtures("engine")
def test_other_browsers_of_the_person_stay_signed_in(come):
    here, elsewhere = come(), come()
    here.client.post(LOGOUT)
    assert not here.is_signed_in()
    assert elsewhere.is_signed_in()


def test_forms_that_were_kept_go_too(come, site, left):
    visitor = come("alice", client=make_client(enforce_csrf_checks=True))
    visitor.client.get("/late-step-up/")
    token = visitor.client.cookies["csrftoken"].value
    sent = {"amount": "12", "csrfmiddlewaretoken": token}
    assert "Microsoft" in text_of(visitor.client.post("/late-step-up/", sent))
    assert left("form") == {"form": 1}
    visitor.client.post(LOGOUT, {"csrfmiddlewaretoken": token})
    assert left("form") == {"form": 0}


def test_the_way_on_leads_to_entra_and_back(visitor):
    hint = visitor.client.session["_entra"]["claims"]["login_hint"]
    uri = visitor.client.post(LOGOUT).context["continue_url"]
    assert query_of(uri) == {"post_logout_redirect_uri": f"{SITE}{LOGOUT}", "logout_hint": hint}


def test_without_the_optional_claim_entra_is_asked_without_a_hint(entra, come):
    entra.optional_claims -= {"login_hint"}
    uri = come().client.post(LOGOUT).context["continue_url"]
    assert "logout_hint" not in query_of(uri)


def test_a_fixed_redirect_uri_names_the_origin_of_the_way_back(visitor, site):
    site.ENTRA_AUTH = {**site.ENTRA_AUTH, "REDIRECT_URI": "http://localhost:9/auth/callback"}
    uri = visitor.client.post(LOGOUT).context["continue_url"]
    assert query_of(uri)["post_logout_redirect_uri"] == f"http://localhost:9{LOGOUT}"


def test_nothing_but_the_known_fields_is_read(visitor):
    """Nobody is sent elsewhere by an address or a field."""
    fields = {"next": "https://evil.example/", "post_logout_redirect_uri": "https://evil.example/"}
    response = visitor.client.post(f"{LOGOUT}?next=/reports/", fields)
    assert response.status_code == 200
    assert "evil" not in response.content.decode()
    assert "reports" not in response.content.decode()


# Once more, or too late


@pytest.mark.parametrize("csrf_in_session", [False, True])
@pytest.mark.usefixtures("engine")
def test_a_second_click_is_harmless(come, site, heard, csrf_in_session):
    site.CSRF_USE_SESSIONS = csrf_in_session
    visitor = come("alice", client=make_client(enforce_csrf_checks=True))
    page = visitor.client.get(LOGOUT).content.decode()
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    fields = {"csrfmiddlewaretoken": token}
    second = cookies_of(visitor)
    second.handler.enforce_csrf_checks = True
    assert visitor.client.post(LOGOUT, fields).status_code == 200
    response = second.post(LOGOUT, fields, follow=True)
    assert response.redirect_chain == [(LOGOUT, 302)]
    assert "You are signed out" in text_of(response)
    assert len(heard) == 1


@pytest.mark.parametrize("csrf_in_session", [False, True])
def test_an_expired_session_is_signed_out_and_can_still_go_on_to_entra(
    come, site, heard, csrf_in_session
):
    site.CSRF_USE_SESSIONS = csrf_in_session
    visitor = come("alice", client=make_client(enforce_csrf_checks=True))
    visitor.client.session.flush()
    response = visitor.client.post(LOGOUT, follow=True)
    assert response.status_code == 200
    assert "You may still be signed in to Microsoft" in text_of(response)
    assert "Sign out of Microsoft too" in text_of(response)
    assert not heard
    response = visitor.client.post(LOGOUT, {"provider": "1"})
    uri = response.context["continue_url"]
    assert uri.startswith(f"{visitor.entra.authority}/oauth2/v2.0/logout")
    assert visitor.client.get(LOGOUT).context["provider_signed_out"]
    assert query_of(visitor.begin())["prompt"] == "select_account"


def test_what_strangers_keep_in_their_session_is_left_alone(entra, site):
    """Without a token anybody could send this request."""
    client = make_client(enforce_csrf_checks=True)
    session = client.session
    session["basket"] = [1, 2]
    session.save()
    client.cookies["sessionid"] = session.session_key
    for fields in ({}, {"everywhere": "1"}, {"provider": "1"}):
        assert client.post(LOGOUT, fields, follow=True).status_code == 200
    assert client.session["basket"] == [1, 2]


def test_a_deactivated_person_can_still_end_what_is_left(visitor, left):
    get_user_model().objects.update(is_active=False)
    assert "You are signed out" in text_of(visitor.client.get(LOGOUT))
    response = visitor.client.post(LOGOUT, {"provider": "1"})
    assert "oauth2/v2.0/logout" in response.context["continue_url"]
    assert left("tokens", "account") == {"tokens": 0, "account": 0}
    assert EntraSignIn.objects.count() == 0


@pytest.mark.parametrize("field", ["", "everywhere", "provider"])
def test_signed_in_people_need_a_token(come, field):
    visitor = come("alice", client=make_client(enforce_csrf_checks=True))
    assert visitor.client.post(LOGOUT, {field: "1"} if field else {}).status_code == 403
    assert visitor.is_signed_in()
    assert EntraSignIn.objects.count() == 1


def test_people_of_other_backends_may_go_on_to_entra_when_they_say_so(entra, site):
    client, user = make_client(), get_user_model().objects.create_user("local", password="x")
    for fields, goes_on in (({}, False), ({"provider": "1"}, True)):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        response = client.post(LOGOUT, fields)
        assert ("continue_url" in response.context) == goes_on
        assert "_auth_user_id" not in client.session


# By Django's own means


@pytest.mark.parametrize("page", ["/leave/", "/admin/logout/"])
@pytest.mark.usefixtures("engine")
def test_djangos_own_logout_ends_the_sign_in_and_can_end_on_our_page(
    visitor, site, heard, left, page
):
    site.LOGOUT_REDIRECT_URL = "django_entra_auth:logout"
    get_user_model().objects.update(is_staff=True)
    response = visitor.client.post(page, follow=True)
    assert response.redirect_chain == [(LOGOUT, 302)]
    assert "You may still be signed in to Microsoft" in text_of(response)
    assert not visitor.is_signed_in()
    assert left("tokens", "account", "ended") == {"tokens": 0, "account": 0, "ended": 1}
    assert EntraSignIn.objects.count() == 0
    assert len(heard) == 1


def test_a_logout_of_an_api_without_sessions_is_none_of_ours(rf, django_user_model):
    """Token authentication for APIs sends Django's signal too."""
    user = django_user_model(username="local")
    for request in (None, rf.post("/api/logout/")):
        user_logged_out.send(type(user), request=request, user=user)


# Once it is over


def test_the_back_button_signs_nobody_in_again_unasked(entra, site):
    """The address of the callback is still in the browser; Entra may still know the person."""
    visitor = Visitor(entra)
    used = visitor.sign_in().wsgi_request.get_full_path()
    visitor.client.post(LOGOUT)
    response = visitor.client.get(used)
    assert query_of(response["Location"])["prompt"] == "select_account"


# In trouble


@pytest.mark.usefixtures("engine")
def test_it_ends_here_while_the_cache_of_the_tokens_is_down(visitor, site, heard):
    """The sessions' cache is another one here."""
    thief = cookies_of(visitor)
    site.ENTRA_AUTH = {**site.ENTRA_AUTH, "CACHE_ALIAS": "tokens"}
    site.CACHES = {"default": MEMORY, "tokens": DOWN}
    response = visitor.client.post(LOGOUT)
    assert response.status_code == 200
    assert "oauth2/v2.0/logout" in response.context["continue_url"]
    assert not visitor.is_signed_in()
    assert thief.get("/private/").status_code != 200
    assert EntraSignIn.objects.count() == 0
    assert len(heard) == 1


@pytest.mark.parametrize("name", ["cache", "signed_cookies", "db", "file"])
def test_it_ends_for_this_browser_while_the_only_cache_is_down(come, site, tmp_path, name):
    site.SESSION_ENGINE = f"django.contrib.sessions.backends.{name}"
    site.SESSION_FILE_PATH = str(tmp_path)
    visitor = come()
    site.CACHES = {"default": DOWN}
    response = visitor.client.post(LOGOUT, follow=True)
    assert response.status_code == 200
    assert not visitor.client.cookies["sessionid"].value
    site.CACHES = {"default": MEMORY}
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("fault", [Fault(503), Fault(200, "no JSON"), Fault(302)])
def test_it_ends_here_while_entra_cannot_be_asked(visitor, site, fault):
    visitor.entra.faults.add("discovery", fault, times=None)
    site.ENTRA_AUTH = {**site.ENTRA_AUTH}  # a new application: nothing is known yet
    cache.clear()
    response = visitor.client.post(LOGOUT)
    assert response.status_code == 200
    assert "Sign out of Microsoft too" in text_of(response)
    assert not visitor.is_signed_in()
    visitor.entra.faults.clear()
    caches["default"].clear()
    response = visitor.client.post(LOGOUT, {"provider": "1"})
    assert "oauth2/v2.0/logout" in response.context["continue_url"]
