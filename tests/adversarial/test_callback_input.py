"""Everything that can be wrong with a callback gets a page, and the person still arrives."""

from __future__ import annotations

import socket
import time
import uuid
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from django_entra_auth.emulator import OTHER_CLIENT_ID, OTHER_CLIENT_SECRET
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import EntraSignIn
from tests.visitor import Visitor, local, make_client, query_of, text_of

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=["form_post", "query"])
def visitor(request, entra, entra_settings):
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "RESPONSE_MODE": request.param}
    return Visitor(entra)


def assert_page(response: Any, status: int) -> str:
    assert response.status_code == status, (response.status_code, response.content[:500])
    text = text_of(response)
    assert "Traceback" not in text
    assert response["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    return text


def assert_arrives(visitor: Visitor, response: Any, next_url: str = "/private/") -> None:
    """The way out that the page offers leads to the page first asked for."""
    auth_uri = visitor.client.get(response.context["retry_url"])["Location"]
    assert visitor.deliver(visitor.answer(auth_uri))["Location"] == next_url
    assert visitor.is_signed_in()


def change_state(answer: Any, change: Any) -> Any:
    """The same answer with another state; works for both response modes."""
    if answer.method == "GET":
        fields = query_of(answer.url)
        fields["state"] = change(fields["state"])
        path = answer.url.split("?")[0]
        return type(answer)(method="GET", url=f"{path}?{urlencode(fields)}", fields={})
    fields = {**answer.fields, "state": change(answer.fields["state"])}
    return type(answer)(method="POST", url=answer.url, fields=fields)


ALTERED = {
    "wrong": lambda state: "A" * len(state),
    "first character": lambda state: chr(ord(state[0]) ^ 1) + state[1:],
    "last character": lambda state: state[:-2] + ("AA" if state[-2:] != "AA" else "BB"),
    "middle": lambda state: state[:100] + ("B" if state[100] != "B" else "C") + state[101:],
    "truncated": lambda state: state[:-10],
    "half": lambda state: state[: len(state) // 2],
    "doubled": lambda state: state + state,
    "oversized": lambda state: "A" * 5000,
    "padded": lambda state: state + "=",
    "not ASCII": lambda state: "ü" * 100,
    "NUL": lambda state: state + "\0",
    "script": lambda state: "<script>alert(1)</script>",
}


@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED.keys())
def test_altered_state(visitor, change):
    response = visitor.deliver(change_state(visitor.answer(visitor.begin()), change))
    text = assert_page(response, 400)
    assert "<script>alert" not in response.content.decode()
    assert "sign in again" in text.lower()
    assert not visitor.is_signed_in()
    assert visitor.sign_in()["Location"] == "/private/"


def test_missing_state_and_empty_callback(visitor):
    for query in ("", "?code=abc", "?error=access_denied", "?state="):
        assert_page(visitor.client.get(f"/auth/callback{query}"), 400)
    assert_page(visitor.client.post("/auth/callback", "", content_type=FORM), 400)
    assert_page(visitor.client.post("/auth/callback", "code=x", content_type=FORM), 400)


def test_expired_state_still_leads_to_the_page(visitor, settings):
    answer = visitor.answer(visitor.begin("/private/?page=7"))
    patient = settings.ENTRA_AUTH
    settings.ENTRA_AUTH = {**patient, "SIGN_IN_MAX_SECONDS": 0}
    response = visitor.deliver(answer)
    settings.ENTRA_AUTH = patient
    assert_page(response, 400)
    assert_arrives(visitor, response, "/private/?page=7")


def test_state_of_another_client_or_key(visitor, settings):
    answer = visitor.answer(visitor.begin())
    settings.SECRET_KEY = "another-key-" + "y" * 50
    assert_page(visitor.deliver(answer), 400)


def test_state_survives_a_change_of_key_that_is_announced(visitor, settings):
    answer = visitor.answer(visitor.begin())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" + "y" * 50
    assert visitor.deliver(answer)["Location"] == "/private/"


def test_attackers_answer_in_the_victims_browser(visitor):
    """Sign-in CSRF: the victim is asked to sign in as themselves and never becomes the attacker."""
    attacker = Visitor(visitor.entra)
    answer = attacker.answer(attacker.begin(), "bob")
    victim = visitor
    response = victim.deliver(answer)
    assert response.status_code == 302
    assert response["Location"].startswith(visitor.entra.origin)
    assert not victim.is_signed_in()
    done = victim.deliver(victim.answer(response["Location"], "alice"))
    assert done["Location"] == "/private/"
    assert "alice" in victim.client.get("/private/").content.decode()


def test_attackers_answer_does_not_change_a_signed_in_victim(visitor):
    attacker = Visitor(visitor.entra)
    answer = attacker.answer(attacker.begin("/private/?evil"), "bob")
    visitor.sign_in("alice")
    visitor.deliver(answer)
    assert "alice" in visitor.client.get("/private/").content.decode()
    assert get_user_model().objects.count() == 1


def test_planted_browser_cookie_is_refused(visitor):
    """A sibling host adds a second cookie of the same name: neither is believed."""
    attacker = Visitor(visitor.entra)
    answer = attacker.answer(attacker.begin(), "bob")
    planted = attacker.client.cookies["entra_browser"].value
    visitor.begin()
    own = visitor.client.cookies["entra_browser"].value
    victim = make_client(HTTP_COOKIE=f"entra_browser={own}; entra_browser={planted}")
    for header in (
        f"entra_browser={own}; entra_browser={planted}",
        f"entra_browser={planted}; entra_browser={own}",
    ):
        victim = make_client()
        victim.cookies.clear()
        response = _get_with_cookie_header(victim, visitor, answer, header)
        assert response.status_code == 302
        assert response["Location"].startswith(visitor.entra.origin)
        assert "sessionid" not in response.cookies


def _get_with_cookie_header(client: Any, visitor: Visitor, answer: Any, header: str) -> Any:
    class RawCookies:
        """A header that SimpleCookie could not write: one name twice."""

        def items(self) -> list[Any]:
            return []

        def values(self) -> list[Any]:
            return [
                type("Morsel", (), {"key": name, "coded_value": value})()
                for name, value in self.pairs
            ]

        pairs = [pair.split("=", 1) for pair in header.split("; ")]

        def update(self, other: Any) -> None:
            pass

    if answer.method == "POST":
        kept = make_client().post(local(answer.url), urlencode(answer.fields), content_type=FORM)
        path = kept["Location"]
    else:
        path = local(answer.url)
    client.cookies = RawCookies()
    return client.get(path)


def test_browser_without_cookies_gets_a_page_after_one_restart(visitor):
    class Forgetful(Visitor):
        """Keeps no cookie at all."""

    visitor.client.cookies.clear()
    response = visitor.deliver(visitor.answer(visitor.begin()), client=make_client())
    assert response.status_code == 302
    response = visitor.deliver(visitor.answer(response["Location"]), client=make_client())
    text = assert_page(response, 400)
    assert "cookie" in text
    assert query_of(response.context["retry_url"])["next"] == "/private/"


def test_browser_that_keeps_no_session_cookie_gets_a_page_not_a_loop(visitor):
    visitor.sign_in()
    del visitor.client.cookies["sessionid"]
    refused = visitor.client.get("/private/")
    response = visitor.client.get(refused["Location"])
    text = assert_page(response, 403)
    assert "cookie" in text.lower()
    # The person's own next click starts again.
    again = visitor.client.get(response.context["login_url"])
    assert again.status_code == 302
    assert visitor.deliver(visitor.answer(again["Location"]))["Location"] == "/private/"


def test_cancel(visitor):
    response = visitor.deliver(visitor.answer(visitor.begin("/private/?a=1"), cancel=True))
    text = assert_page(response, 403)
    assert "cancelled" in text
    assert_arrives(visitor, response, "/private/?a=1")


def test_code_and_error_together_is_an_error(visitor):
    answer = visitor.answer(visitor.begin())
    before = len(visitor.entra.requests)
    if answer.method == "GET":
        response = visitor.client.get(local(answer.url) + "&error=access_denied")
    else:
        answer.fields["error"] = "access_denied"
        response = visitor.deliver(answer)
    assert_page(response, 403)
    assert not visitor.is_signed_in()
    assert not [r for r in list(visitor.entra.requests)[before:] if r.path.endswith("/token")]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("access_denied", 403),
        ("interaction_required", 403),
        ("consent_required", 403),
        ("login_required", 403),
        ("server_error", 503),
        ("temporarily_unavailable", 503),
        ("invalid_request", 500),
        ("unauthorized_client", 500),
        ("invalid_scope", 500),
        ("<script>alert(1)</script>", None),
        ("something_new", None),
    ],
)
def test_errors_from_the_authorize_endpoint(visitor, error, status):
    state = query_of(visitor.begin())["state"]
    correlation_id = str(uuid.uuid4())
    fields = {
        "state": state,
        "error": error,
        "error_description": "AADSTS50105: <b>provider text</b>\r\nTrace ID: x",
        "correlation_id": correlation_id,
        "trace_id": "<b>not a guid</b>",
        "timestamp": "2026-01-02 03:04:05Z",
        "claims": '{"access_token":{}}',
    }
    response = visitor.client.get(f"/auth/callback?{urlencode(fields)}")
    text = assert_page(response, status or response.status_code)
    assert 400 <= response.status_code < 600
    body = response.content.decode()
    assert "provider text" not in body
    assert "not a guid" not in body
    assert "<script>alert" not in body
    assert correlation_id in text
    assert "50105" in text
    assert "2026-01-02 03:04:05Z" in text
    assert_arrives(visitor, response)


def test_error_texts_that_are_huge(visitor):
    fields = {"state": query_of(visitor.begin())["state"], "error": "x" * 5000}
    assert_page(visitor.client.get(f"/auth/callback?{urlencode(fields)}"), 400)
    body = urlencode({**fields, "error": "access_denied", "error_description": "x" * 20000})
    assert_page(visitor.client.post("/auth/callback", body, content_type=FORM), 400)


def test_oversized_code_and_body(visitor):
    state = query_of(visitor.begin())["state"]
    assert_page(visitor.client.get(f"/auth/callback?state={quote(state)}&code={'c' * 5000}"), 400)
    many = "&".join(f"a{n}=1" for n in range(1500)) + f"&state={state}&code=x"
    assert_page(visitor.client.post("/auth/callback", many, content_type=FORM), 400)
    assert_page(
        visitor.client.post(
            "/auth/callback", f"state={state}&code={'c' * 5000}", content_type=FORM
        ),
        400,
    )


@pytest.mark.parametrize("length", ["many", "1e9", "-"])
def test_a_length_that_is_no_number(visitor, length):
    """Simple servers hand the header on as it came."""
    response = visitor.client.post("/auth/callback", "a=1", FORM, CONTENT_LENGTH=length)
    assert_page(response, 400)


def test_other_methods_and_content_types(visitor):
    assert visitor.client.put("/auth/callback").status_code == 405
    assert_page(
        visitor.client.post("/auth/callback", {"a": 1}, content_type="application/json"), 400
    )


def test_unknown_fields_and_repeated_ones_do_no_harm(visitor):
    answer = visitor.answer(visitor.begin())
    if answer.method == "GET":
        url = local(answer.url) + "&next=//evil.example&session_state=1&iss=x&session_state=2"
        response = visitor.client.get(url)
    else:
        answer.fields.update({"next": "//evil.example", "iss": "x"})
        response = visitor.deliver(answer)
    assert response["Location"] == "/private/"


def test_code_used_twice_at_entra(visitor):
    """Our own one-time claim is lost with the cache: Entra's refusal is told all the same."""
    answer = visitor.answer(visitor.begin())
    visitor.deliver(answer)
    cache.clear()
    other_tab = make_client()
    other_tab.cookies["entra_browser"] = visitor.client.cookies["entra_browser"].value
    response = visitor.deliver(answer, client=other_tab)
    text = assert_page(response, 400)
    assert "54005" in text
    assert "sessionid" not in response.cookies


def test_code_of_another_flow_fails_pkce(visitor):
    """A stolen code put under one's own state: the verifier does not fit."""
    victim = Visitor(visitor.entra)
    stolen = victim.answer(victim.begin(), "bob")
    fields = query_of(stolen.url) if stolen.method == "GET" else stolen.fields
    state = query_of(visitor.begin())["state"]
    query = urlencode({"state": state, "code": fields["code"]})
    response = visitor.client.get(f"/auth/callback?{query}")
    assert response.status_code >= 400
    assert not visitor.is_signed_in()
    assert get_user_model().objects.count() == 0


def test_code_of_another_client(visitor, settings):
    settings_here = settings.ENTRA_AUTH
    settings.ENTRA_AUTH = {
        **settings_here,
        "CLIENT_ID": OTHER_CLIENT_ID,
        "CLIENT_CREDENTIAL": OTHER_CLIENT_SECRET,
    }
    other = Visitor(visitor.entra)
    answer = other.answer(other.begin())
    fields = query_of(answer.url) if answer.method == "GET" else answer.fields
    settings.ENTRA_AUTH = settings_here
    state = query_of(visitor.begin())["state"]
    query = urlencode({"state": state, "code": fields["code"]})
    response = visitor.client.get(f"/auth/callback?{query}")
    assert response.status_code >= 400
    assert not visitor.is_signed_in()


TROUBLE = {
    "400 json": (Fault(400, '{"error":"invalid_grant","error_codes":[70008]}'), 400),
    "401 wrong secret": (Fault(401, '{"error":"invalid_client","error_codes":[7000215]}'), 500),
    "403 html": (Fault(403, "<html>forbidden</html>"), None),
    "404 empty": (Fault(404, ""), None),
    "429 text": (Fault(429, "Too Many Requests", {"Retry-After": "60"}), 503),
    "500 html": (Fault(500, "<html>oops</html>"), 503),
    "502 empty": (Fault(502, ""), 503),
    "503 json": (Fault(503, '{"error":"temporarily_unavailable"}'), 503),
    "504 text": (Fault(504, "gateway"), 503),
    "200 html": (Fault(200, "<html>captive portal</html>"), None),
    "200 empty": (Fault(200, ""), None),
    "200 list": (Fault(200, "[1]"), None),
    "200 broken json": (Fault(200, '{"access_token":'), None),
    "200 huge": (Fault(200, "x" * 2_000_000), None),
    "302 away": (Fault(302, "", {"Location": "https://evil.example/"}), None),
    "reset": (Fault(reset=True), 503),
}


@pytest.mark.parametrize(("fault", "status"), TROUBLE.values(), ids=TROUBLE.keys())
def test_trouble_at_the_token_endpoint(visitor, fault, status):
    answer = visitor.answer(visitor.begin("/private/?kept"))
    visitor.entra.faults.add("token", fault)
    response = visitor.deliver(answer)
    assert_page(response, status or response.status_code)
    assert 400 <= response.status_code < 600
    if response.status_code == 503:
        assert int(response["Retry-After"]) > 0
    assert EntraSignIn.objects.count() == 0
    cache.clear()  # a Retry-After is over
    assert_arrives(visitor, response, "/private/?kept")


@pytest.mark.parametrize("endpoint", ["discovery", "keys"])
@pytest.mark.parametrize(
    "fault",
    [Fault(503, "down"), Fault(200, "<html>"), Fault(reset=True)],
    ids=["503", "html", "reset"],
)
def test_trouble_at_discovery_and_keys(visitor, endpoint, fault, monkeypatch):
    visitor.entra.faults.add(endpoint, fault, times=None)
    response = visitor.client.get("/auth/login/?next=/private/")
    if response.status_code == 302:
        response = visitor.deliver(visitor.answer(response["Location"]))
    assert_page(response, response.status_code)
    assert response.status_code >= 403
    assert not visitor.is_signed_in()


def test_hanging_entra_ends_within_the_timeouts(visitor, settings):
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "HTTP_TIMEOUT": (0.5, 0.5)}
    for endpoint in ("discovery", "token"):
        visitor.entra.faults.clear()
        settings.ENTRA_AUTH = {**settings.ENTRA_AUTH}  # a new application: nothing is known yet
        cache.clear()
        if endpoint == "token":
            answer = visitor.answer(visitor.begin())
        visitor.entra.faults.add(endpoint, Fault(hang=True), times=None)
        started = time.monotonic()
        if endpoint == "token":
            response = visitor.deliver(answer)
        else:
            response = visitor.client.get("/auth/login/?next=/private/")
        assert time.monotonic() - started < 5
        assert_page(response, 503)


def test_unreachable_entra(visitor, settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    authority = f"http://localhost:{port}/{visitor.entra.tenant_id}"
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "AUTHORITY": authority}
    response = visitor.client.get("/auth/login/?next=/private/")
    assert_page(response, 503)
    assert query_of(response.context["retry_url"])["next"] == "/private/"


def test_unknown_tenant_is_a_configuration_error_without_internals(visitor, settings):
    authority = f"{visitor.entra.origin}/nowhere.example"
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "AUTHORITY": authority}
    text = assert_page(visitor.client.get("/auth/login/?next=/private/"), 500)
    assert "nowhere" not in text
    assert "90002" in text


@pytest.mark.parametrize("minutes", [-90, 90])
def test_clock_skew_beyond_the_leeway_gets_a_page(visitor, minutes):
    real = time.time
    visitor.entra.clock = lambda: real() + minutes * 60
    response = visitor.sign_in()
    assert_page(response, 403)
    visitor.entra.clock = lambda: real() + (60 if minutes > 0 else -60)
    assert visitor.sign_in()["Location"] == "/private/"


def test_failed_redemptions_are_limited_per_browser(visitor):
    statuses = []
    for _ in range(12):
        query = urlencode({"state": query_of(visitor.begin())["state"], "code": "made-up"})
        statuses.append(visitor.client.get(f"/auth/callback?{query}").status_code)
    assert statuses[:10] == [400] * 10
    assert statuses[10:] == [429] * 2
    # Another browser is not affected.
    assert Visitor(visitor.entra).sign_in()["Location"] == "/private/"


def test_failed_redemptions_are_limited_per_remote_address(visitor):
    def attempt(address: str) -> int:
        other = Visitor(visitor.entra, make_client(REMOTE_ADDR=address))
        query = urlencode({"state": query_of(other.begin())["state"], "code": "made-up"})
        return other.client.get(f"/auth/callback?{query}").status_code

    statuses = [attempt("8.8.8.8") for _ in range(102)]
    assert statuses == [400] * 100 + [429] * 2
    assert attempt("8.8.4.4") == 400


def test_cache_down_is_said_and_nothing_is_lost(visitor, settings):
    answer = visitor.answer(visitor.begin())
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    response = visitor.deliver(answer)
    assert_page(response, 503)
    assert visitor.client.get("/").status_code == 200


def test_flood_of_anonymous_starts_writes_nothing(visitor):
    from django.contrib.sessions.models import Session

    for _ in range(20):
        make_client().get("/auth/login/?next=/private/")
        make_client().get("/private/")
    assert {key.split(":")[4] for key in cache._cache} <= {"http"}  # Entra's own documents
    assert Session.objects.count() == 0


def test_handle_of_another_flow_or_made_up(visitor):
    state = query_of(visitor.begin())["state"]
    for handle in ("", "x", "A" * 43):
        query = urlencode({"handle": handle, "state": query_of(visitor.begin())["state"]})
        assert_page(visitor.client.get(f"/auth/callback?{query}"), 400)
    other = Visitor(visitor.entra)
    answer = other.answer(other.begin())
    if answer.method == "POST":
        kept = make_client().post(local(answer.url), urlencode(answer.fields), content_type=FORM)
        handle = query_of(kept["Location"])["handle"]
        query = urlencode({"handle": handle, "state": state})
        assert_page(visitor.client.get(f"/auth/callback?{query}"), 400)
        assert not visitor.is_signed_in()
