"""Sign-in from the first request to the protected page, against the local Entra."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client

from django_entra_auth.models import EntraIdentity, EntraSignIn
from tests.visitor import Visitor, local, make_client, query_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["form_post", "query"])
def visitor(request, entra, entra_settings):
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "RESPONSE_MODE": request.param}
    return Visitor(entra)


def test_lands_on_the_page_first_asked_for(visitor):
    first = visitor.client.get("/private/?page=2&q=%C3%BC")
    assert first.status_code == 302
    to_entra = visitor.client.get(first["Location"])
    response = visitor.deliver(visitor.answer(to_entra["Location"]))
    assert response.status_code == 302
    assert response["Location"] == "/private/?page=2&q=%C3%BC"
    page = visitor.client.get(response["Location"])
    assert "Private of alice@contoso.example" in page.content.decode()


def test_asks_entra_for_what_the_protocol_wants(visitor, settings):
    parameters = query_of(visitor.begin())
    assert parameters["response_type"] == "code"
    assert parameters["code_challenge_method"] == "S256"
    assert parameters["redirect_uri"] == "http://127.0.0.1:8000/auth/callback"
    assert parameters["response_mode"] == settings.ENTRA_AUTH["RESPONSE_MODE"]
    assert set(parameters["scope"].split()) == {"openid", "profile", "email", "offline_access"}
    assert "cp1" in parameters["claims"]
    assert len(parameters["state"]) <= 1000
    assert "prompt" not in parameters


def test_user_identity_and_sign_in_are_written_once(visitor):
    visitor.sign_in()
    Visitor(visitor.entra).sign_in()  # another browser of the same person
    user = get_user_model().objects.get()
    identity = EntraIdentity.objects.get()
    alice = visitor.entra.people["alice"]
    assert (identity.user, identity.oid, identity.tid) == (
        user,
        alice.oid,
        visitor.entra.tenant_id,
    )
    assert user.username == "alice@contoso.example"
    assert not user.has_usable_password()
    assert EntraSignIn.objects.count() == 2


def test_session_key_changes_at_sign_in(visitor):
    session = visitor.client.session
    session["cart"] = "kept"
    session.save()
    before = session.session_key
    visitor.sign_in()
    assert visitor.client.session.session_key != before
    assert visitor.client.session["cart"] == "kept"


def test_mfa_is_asked_of_bob_and_passed(visitor):
    visitor.sign_in("bob")
    assert visitor.is_signed_in()


def test_request_entra_tells_account_and_claims(visitor):
    visitor.sign_in("erin", next_url="/whoami/")
    body = visitor.client.get("/whoami/").json()
    assert body["username"] == "erin@contoso.example"
    entry = visitor.client.session["_entra"]
    assert entry["claims"]["roles"] == ["Admin"]
    assert entry["home"] == f"{visitor.entra.people['erin'].oid}.{visitor.entra.tenant_id}"


def test_guest_keeps_the_home_account_id_of_the_home_tenant(visitor):
    visitor.sign_in("carol")
    utid = visitor.client.session["_entra"]["home"].partition(".")[2]
    assert utid != visitor.entra.tenant_id


def test_async_and_class_views_let_the_same_session_in(visitor):
    visitor.sign_in()
    for path in ("/private-async/", "/private-class/"):
        response = visitor.client.get(path)
        assert response.status_code == 200, path
        assert response["Cache-Control"] == "private, no-store"


def test_role_makes_an_admin_and_its_loss_ends_it(visitor, settings):
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "STAFF_ROLES": ["Admin"]}
    visitor.sign_in("erin", next_url="/admin/")
    assert get_user_model().objects.get().is_staff
    visitor.entra.people["erin"].roles = []
    Visitor(visitor.entra).sign_in("erin")
    assert not get_user_model().objects.get().is_staff


def test_twenty_tabs_side_by_side(visitor):
    """All started before any is finished; each lands on its own page, one prompt each."""
    starts = [(n, visitor.begin(f"/private/?tab={n}")) for n in range(20)]
    for number, auth_uri in reversed(starts):
        response = visitor.deliver(visitor.answer(auth_uri))
        assert response.status_code == 302
        assert response["Location"] == f"/private/?tab={number}"
    assert get_user_model().objects.count() == 1
    assert EntraSignIn.objects.count() == 1
    assert visitor.is_signed_in()


def test_tabs_opened_before_the_first_cookie_each_recover_by_one_restart(visitor):
    """Two tabs race for the browser cookie; the loser is started again without a word."""
    loser = make_client()
    lost_uri = loser.get("/auth/login/", {"next": "/private/?tab=1"})["Location"]
    response = visitor.deliver(visitor.answer(lost_uri))
    assert response.status_code == 302
    assert response["Location"].startswith(visitor.entra.origin)
    again = visitor.deliver(visitor.answer(response["Location"]))
    assert again["Location"] == "/private/?tab=1"
    assert visitor.is_signed_in()


def test_second_tab_of_a_signed_in_person_keeps_session_key_and_csrf(visitor):
    second = visitor.begin("/private/?tab=2")
    visitor.sign_in()
    key = visitor.client.session.session_key
    sign_in_id = visitor.client.session["_entra"]["id"]
    visitor.deliver(visitor.answer(second))
    assert visitor.client.session.session_key == key
    assert visitor.client.session["_entra"]["id"] != sign_in_id
    assert EntraSignIn.objects.count() == 1


def test_reload_of_and_back_to_the_callback_go_on(visitor):
    answer = visitor.answer(visitor.begin("/private/?x=1"))
    visitor.deliver(answer)
    again = visitor.deliver(answer)
    assert (again.status_code, again["Location"]) == (302, "/private/?x=1")
    assert EntraSignIn.objects.count() == 1


def test_another_account_in_a_second_tab_is_shown_not_swapped(visitor):
    second = visitor.begin("/private/")
    visitor.sign_in("alice")
    response = visitor.deliver(visitor.answer(second, "bob"))
    assert response.status_code == 403
    page = text_of(response)
    assert "alice@contoso.example" in page
    assert "bob@contoso.example" in page
    assert get_user_model().objects.count() == 1
    assert "alice" in visitor.client.get("/private/").content.decode()


def test_trying_again_as_the_same_account(visitor):
    second = visitor.begin("/private/")
    visitor.sign_in("alice")
    visitor.deliver(visitor.answer(second, "bob"))
    response = visitor.client.post("/auth/login/", {"account": "same", "next": "/private/"})
    auth_uri = response.context["continue_url"]
    assert query_of(auth_uri)["login_hint"] == "alice@contoso.example"
    assert visitor.deliver(visitor.answer(auth_uri, "bob")).status_code == 403
    response = visitor.client.post("/auth/login/", {"account": "same", "next": "/private/"})
    done = visitor.deliver(visitor.answer(response.context["continue_url"], "alice"))
    assert done["Location"] == "/private/"


def test_switching_to_the_other_account_signs_out_first(visitor):
    visitor.sign_in("alice")
    response = visitor.client.post("/auth/login/", {"account": "other", "next": "/private/"})
    assert not visitor.is_signed_in()
    auth_uri = response.context["continue_url"]
    assert query_of(auth_uri)["prompt"] == "select_account"
    visitor.deliver(visitor.answer(auth_uri, "bob"))
    assert "bob" in visitor.client.get("/private/").content.decode()


def test_switching_accounts_needs_csrf(entra, entra_settings):
    visitor = Visitor(entra, make_client(enforce_csrf_checks=True))
    visitor.sign_in("alice")
    assert visitor.client.post("/auth/login/", {"account": "other"}).status_code == 403
    assert visitor.is_signed_in()


def test_a_person_signed_in_by_password_is_never_swapped(visitor):
    local_user = get_user_model().objects.create_user("local", password="pw")
    visitor.client.force_login(local_user, backend="django.contrib.auth.backends.ModelBackend")
    assert visitor.client.get("/private/").status_code == 302
    response = visitor.sign_in("alice")
    assert response.status_code == 403
    assert "local" in text_of(response)
    assert get_user_model().objects.count() == 1
    assert int(visitor.client.session["_auth_user_id"]) == local_user.pk


def test_a_linked_person_signed_in_by_password_becomes_signed_in_through_entra(visitor):
    local_user = get_user_model().objects.create_user("local", password="pw")
    EntraIdentity.objects.create(
        user=local_user, tid=visitor.entra.tenant_id, oid=visitor.entra.people["alice"].oid
    )
    visitor.client.force_login(local_user, backend="django.contrib.auth.backends.ModelBackend")
    assert visitor.sign_in("alice")["Location"] == "/private/"
    assert visitor.is_signed_in()
    local_user.refresh_from_db()
    assert local_user.check_password("pw")


def test_under_djangos_sign_in_wall(visitor, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:-1],
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        settings.MIDDLEWARE[-1],
    ]
    assert visitor.client.get("/reports/").status_code == 302
    visitor.sign_in()
    assert visitor.is_signed_in()
    assert visitor.client.post("/auth/logout/").status_code == 200


def test_fixed_redirect_uri_moves_to_its_origin_first_and_only_once(entra, entra_settings):
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "REDIRECT_URI": "http://127.0.0.1:8000/auth/callback",
    }
    client = Client(HTTP_HOST="localhost:8000")
    moved = client.get("/auth/login/", {"next": "/private/"})
    assert moved["Location"] == "http://127.0.0.1:8000/auth/login/?next=%2Fprivate%2F"
    # A proxy that hides the host: the next request looks the same and must not move again.
    assert client.get("/auth/login/", {"next": "/private/"})["Location"].startswith(entra.origin)


def test_callback_location_holds_no_code(entra, entra_settings):
    visitor = Visitor(entra)
    answer = visitor.answer(visitor.begin())
    response = make_client().post(local(answer.url), answer.fields)
    assert response.status_code == 303
    assert answer.fields["code"] not in response["Location"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert not response.cookies


def test_a_refused_sign_in_touches_no_tokens(visitor):
    """Nothing was kept, so there is nothing to end, and no tombstone to leave."""
    visitor.sign_in()
    get_user_model().objects.update(is_active=False)
    cache.clear()
    assert Visitor(visitor.entra).sign_in().status_code == 403
    kinds = {key.split(":")[4] for key in cache._cache}
    assert kinds <= {"flow", "handle", "http"}, kinds
