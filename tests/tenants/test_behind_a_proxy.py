"""The redirect URI behind proxies: Entra sees the public address, whole sign-ins end there."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

import pytest
from django.core.checks import run_checks
from django.test import Client
from django.urls import clear_script_prefix, set_script_prefix

from tests.visitor import query_of, text_of

pytestmark = pytest.mark.django_db

PUBLIC = "https://www.example.test"
PUBLIC_LOGIN = f"{PUBLIC}/auth/login/?next=%2Fprivate%2F"
TLS_AHEAD = ("HTTP_X_FORWARDED_PROTO", "https")


class Proxied:
    """A browser at the public address, and the proxy that passes its requests on."""

    def __init__(self, entra, *, public=PUBLIC, prefix="", forwards_host=True, **headers):
        self.entra, self.public, self.prefix = entra, public, prefix
        parts = urlsplit(public)
        host = {"HTTP_X_FORWARDED_HOST": parts.netloc} if forwards_host else {}
        seen = "app.internal.example.test:8000" if forwards_host else parts.netloc
        self.fields = {"HTTP_X_FORWARDED_PROTO": parts.scheme, "HTTP_HOST": seen, **host, **headers}
        self.client = Client(**self.fields)

    def inside(self, url):
        """The path that the site is asked for; an address elsewhere is a mistake."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" in (self.public, "://"), url
        assert parts.path.startswith(self.prefix), url
        return parts.path.removeprefix(self.prefix) + (f"?{parts.query}" if parts.query else "")

    def get(self, url):
        return self.client.get(self.inside(url))

    def begin(self, next_url, login="/auth/login/"):
        return self.get(f"{self.prefix}{login}?{urlencode({'next': next_url})}")

    def deliver(self, answer):
        assert answer.method == "POST"
        kept = Client(**self.fields).post(
            self.inside(answer.url),
            urlencode(answer.fields),
            content_type="application/x-www-form-urlencoded",
        )
        assert kept.status_code == 303
        return self.get(kept["Location"])


def redirect_uri(response):
    assert response.status_code == 302, text_of(response)
    return query_of(response["Location"])["redirect_uri"]


@pytest.fixture
def behind(entra, entra_settings):
    """Settings of a site behind a proxy that ends TLS and names the public host."""
    entra_settings.SECURE_PROXY_SSL_HEADER = TLS_AHEAD
    entra_settings.USE_X_FORWARDED_HOST = True
    entra.application.redirect_uris.append(f"{PUBLIC}/auth/callback")
    return entra_settings


def walk(browser, next_url="/private/"):
    """A whole sign-in; the protected page's response."""
    response = browser.begin(next_url)
    answer = browser.entra.complete_sign_in(response["Location"])
    done = browser.deliver(answer)
    assert done["Location"] == next_url
    return browser.get(done["Location"])


def test_scheme_and_host_are_forwarded(entra, behind):
    browser = Proxied(entra)
    assert redirect_uri(browser.begin("/private/")) == f"{PUBLIC}/auth/callback"
    assert b"alice@contoso.example" in walk(browser).content
    assert browser.client.cookies["__Host-entra_browser"]["secure"]


def test_the_public_host_and_port(entra, behind):
    entra.application.redirect_uris.append(f"{PUBLIC}:8443/auth/callback")
    browser = Proxied(entra, public=f"{PUBLIC}:8443")
    assert redirect_uri(browser.begin("/private/")) == f"{PUBLIC}:8443/auth/callback"
    assert walk(browser).status_code == 200


def test_a_forwarded_host_counts_only_where_the_site_says_so(entra, behind):
    """Else any visitor would choose where Entra sends the code."""
    behind.USE_X_FORWARDED_HOST = False
    browser = Proxied(entra, forwards_host=False, HTTP_X_FORWARDED_HOST="evil.example.test")
    assert redirect_uri(browser.begin("/private/")) == f"{PUBLIC}/auth/callback"


def test_nor_does_a_host_that_the_site_does_not_have(entra, behind):
    browser = Proxied(entra, HTTP_X_FORWARDED_HOST="evil.example")
    assert browser.begin("/private/").status_code == 400


def test_a_path_in_front_of_the_site(request, entra, behind):
    """The proxy takes /app away again: FORCE_SCRIPT_NAME puts it into addresses."""
    entra.application.redirect_uris.append(f"{PUBLIC}/app/auth/callback")
    behind.FORCE_SCRIPT_NAME = "/app"
    request.addfinalizer(clear_script_prefix)
    set_script_prefix("/app/")  # as the WSGI handler does; the test client's does not
    browser = Proxied(entra, prefix="/app")
    assert redirect_uri(browser.begin("/app/private/")) == f"{PUBLIC}/app/auth/callback"
    assert walk(browser, "/app/private/").status_code == 200


@pytest.mark.urls("tests.tenants.urls_i18n")
class TestLanguageInTheAddress:
    @pytest.fixture
    def languages(self, behind):
        behind.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
        behind.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", *behind.MIDDLEWARE]
        return behind

    @pytest.mark.parametrize("language", ["en", "de"])
    def test_each_language_has_a_redirect_uri_of_its_own(self, entra, languages, language):
        browser = Proxied(entra, HTTP_ACCEPT_LANGUAGE=language)
        response = browser.begin("/private/", f"/{language}/auth/login/")
        assert redirect_uri(response) == f"{PUBLIC}/{language}/auth/callback"

    def test_which_the_checks_say(self, languages):
        assert "django_entra_auth.W003" in {found.id for found in run_checks()}

    def test_one_that_is_fixed_serves_all_languages(self, entra, languages):
        fixed = f"{PUBLIC}/en/auth/callback"
        entra.application.redirect_uris.append(fixed)
        languages.ENTRA_AUTH = {**languages.ENTRA_AUTH, "REDIRECT_URI": fixed}
        browser = Proxied(entra, HTTP_ACCEPT_LANGUAGE="de")
        response = browser.begin("/de/private/", "/de/auth/login/")
        assert redirect_uri(response) == fixed
        done = browser.deliver(entra.complete_sign_in(response["Location"]))
        assert done["Location"] == "/de/private/"
        assert browser.get("/de/private/").status_code == 200


class TestOneAddressIsFixed:
    @pytest.fixture
    def fixed(self, behind):
        uri = f"{PUBLIC}/auth/callback"
        behind.ENTRA_AUTH = {**behind.ENTRA_AUTH, "REDIRECT_URI": uri}
        return uri

    def test_nothing_that_a_proxy_says_changes_it(self, entra, fixed):
        browser = Proxied(entra)
        assert redirect_uri(browser.begin("/private/")) == fixed
        assert walk(browser).status_code == 200

    def test_visitors_of_another_name_go_to_the_public_one_first(self, entra, fixed):
        """The cookie of the sign-in has to be of the origin to which the answer comes."""
        elsewhere = Proxied(entra, public="https://old.example.test")
        response = elsewhere.begin("/private/")
        assert response["Location"] == PUBLIC_LOGIN
        assert "__Host-entra_browser" not in response.cookies
        arrived = Proxied(entra)
        assert redirect_uri(arrived.get(response["Location"])) == fixed

    def test_a_proxy_that_tells_nothing_makes_no_loop(self, entra, fixed, behind):
        """Without its headers the site never sees the public origin, and goes on all the same."""
        behind.SECURE_PROXY_SSL_HEADER = None
        behind.USE_X_FORWARDED_HOST = False
        browser = Proxied(entra)
        browser.public = "http://app.internal.example.test:8000"
        first = browser.begin("/private/")
        assert first["Location"] == PUBLIC_LOGIN
        again = browser.client.get("/auth/login/", {"next": "/private/"})
        assert redirect_uri(again) == fixed


def test_an_address_without_tls_is_never_sent_to_entra(entra, behind):
    """The proxy's word is missing: Entra would refuse http, and the operator is told here."""
    behind.SECURE_PROXY_SSL_HEADER = None
    behind.ENTRA_AUTH = {
        "CLIENT_ID": entra.client_id,
        "CLIENT_CREDENTIAL": entra.client_secret,
        "TENANT_ID": entra.tenant_id,
    }
    response = Proxied(entra).begin("/private/")
    assert response.status_code == 500
    assert "connected to Microsoft" in text_of(response)
    assert not entra.requests
