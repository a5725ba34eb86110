"""Respecting Retry-After and refusals, with every rule on real HTTP answers."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.oauth2 import ThrottledHttpClient, ThrottleLimits
from django_entra_auth.oauth2.http import BoundedHttpClient, HttpResponse, TransportError
from django_entra_auth.oauth2.http_cache import CAPACITY
from django_entra_auth.oauth2.throttle import PROBE_SECONDS
from tests.oauth2.scripted import SECRET, Answer, Clock

DAY = 86_400


class NativeCache:
    """A cache that expires entries itself and is no mapping, like Django's."""

    def __init__(self, clock):
        self.clock, self.entries, self.timeouts = clock, {}, []

    def get(self, key):
        value, until = self.entries.get(key, (None, 0))
        return value if self.clock() < until else None

    def get_many(self, keys):
        return {key: self.get(key) for key in keys if self.get(key) is not None}

    def set(self, key, value, timeout):
        self.timeouts.append(timeout)
        self.entries[key] = (json.loads(json.dumps(value)), self.clock() + timeout)

    def add(self, key, value, timeout):
        if self.get(key) is not None:
            return False
        self.set(key, value, timeout)
        return True

    def delete(self, key):
        self.entries.pop(key, None)


@pytest.fixture(params=["memory", "dict", "native"])
def http_cache(request, clock):
    return {"memory": None, "dict": {}, "native": NativeCache(clock)}[request.param]


@pytest.fixture
def client(http_cache, clock):
    client = ThrottledHttpClient(
        BoundedHttpClient(timeout=(1, 2), max_retries=0), http_cache=http_cache, clock=clock
    )
    yield client
    client.close()


@pytest.fixture
def url(server):
    return f"{server.origin}/token"


def refresh(token="rt-1", **changes):
    form = {
        "grant_type": "refresh_token",
        "client_id": "c",
        "client_secret": SECRET,
        "scope": "a b",
        "refresh_token": token,
    }
    return {**form, **changes}


def code(value):
    return {"grant_type": "authorization_code", "client_id": "c", "scope": "a b", "code": value}


@pytest.fixture
def ask(client, server, url):
    """Post a form; return status, whether it was throttled, and how often the server was asked."""

    def run(form):
        response = client.post(url, data=form)
        return response.status_code, response.throttled, server.count("/token")

    return run


class TestSharedRule:
    """Status 429 is the service talking to the application: everybody waits."""

    def test_everyone_with_the_same_scope_waits(self, ask, server, clock):
        server.script("/token", Answer(429, {"error": "busy"}, {"Retry-After": "30"}))
        assert ask(refresh("rt-1")) == (429, False, 1)
        assert ask(refresh("rt-2")) == (429, True, 1)
        clock.move(29)
        assert ask(refresh("rt-3")) == (429, True, 1)
        clock.move(2)
        assert ask(refresh("rt-3")) == (429, False, 2)

    def test_one_probe_goes_first_when_it_is_over(self, client, server, url, clock):
        """Whoever comes while it is out is answered as before, and goes when it came back well."""
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        client.post(url, data=refresh("rt-1"))
        clock.move(30)
        meanwhile: list[Any] = []

        def sign() -> dict[str, str]:
            others = [client.post(url, data=refresh(f"rt-{n}")) for n in range(3)]
            meanwhile.extend((one.throttled, one.retry_after) for one in others)
            return {}

        server.script("/token", Answer(200, {"access_token": "at"}))
        probe = client.post_form(url, refresh("rt-0"), headers={}, authenticate=sign)
        assert (probe.status_code, meanwhile) == (200, [(True, 1)] * 3)
        assert not client.post(url, data=refresh("rt-1")).throttled
        assert server.count("/token") == 3

    def test_a_probe_that_fails_holds_everybody_back_again(self, ask, server, clock):
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        ask(refresh("rt-1"))
        clock.move(30)
        assert ask(refresh("rt-2")) == (429, False, 2)
        assert ask(refresh("rt-3")) == (429, True, 2)

    def test_a_probe_that_never_comes_back_is_replaced(self, client, server, url, clock):
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        client.post(url, data=refresh("rt-1"))
        clock.move(30)

        def die() -> dict[str, str]:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            client.post_form(url, refresh("rt-0"), headers={}, authenticate=die)
        assert not client.post(url, data=refresh("rt-2")).throttled

    def test_others_do_not_wait(self, ask, server):
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        ask(refresh())
        assert ask(refresh(scope="other"))[2] == 2
        assert ask(refresh(client_id="other"))[2] == 3

    def test_code_redemptions_are_apart_from_refreshes(self, ask, server):
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        ask(refresh())
        assert ask(code("a")) == (429, False, 2)
        assert ask(code("b")) == (429, True, 2)

    def test_claims_and_force_do_not_get_through(self, ask, server):
        server.script("/token", Answer(429, "slow"))
        ask(refresh())
        assert ask(refresh(claims="{}"))[1]

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [(None, 5), ("soon", 5), ("-5", 5), ("7", 7), ("299", 299), ("99999", 300), ("1.5", 5)],
    )
    def test_for_how_long(self, client, server, url, clock, header, seconds):
        headers = {} if header is None else {"Retry-After": header}
        server.script("/token", Answer(429, "slow", headers))
        assert client.post(url, data=refresh()).retry_after == seconds
        clock.move(seconds - 1)
        response = client.post(url, data=refresh())
        assert (response.throttled, response.retry_after) == (True, 1)
        clock.move(1)
        assert not client.post(url, data=refresh()).throttled

    def test_zero_is_no_wait(self, ask, server):
        server.script("/token", Answer(429, "slow", {"Retry-After": "0"}))
        ask(refresh())
        assert ask(refresh()) == (429, False, 2)

    def test_a_date_is_understood(self, ask, server, clock):
        moment = datetime.fromtimestamp(clock() + 60, timezone.utc)
        header = format_datetime(moment, usegmt=True)
        server.script("/token", Answer(429, "slow", {"Retry-After": header}))
        ask(refresh())
        clock.move(58)
        assert ask(refresh())[1]
        clock.move(3)
        assert not ask(refresh())[1]


class TestAccountRule:
    """Other failures concern the one account that met them."""

    @pytest.mark.parametrize(
        ("answer", "seconds"),
        [
            (Answer(500, "oops"), 5),
            (Answer(503, "down"), 5),
            (Answer(503, "down", {"Retry-After": "120"}), 120),
            (Answer(503, "down", {"Retry-After": "99999"}), 3600),
            (Answer(400, {"error": "invalid_grant"}, {"Retry-After": "9"}), 9),
            (Answer(403, "no", {"Retry-After": "9"}), 9),
        ],
    )
    def test_one_waits(self, ask, server, clock, answer, seconds):
        server.script("/token", answer)
        assert ask(refresh("rt-1")) == (answer.status, False, 1)
        assert ask(refresh("rt-1")) == (answer.status, True, 1)
        assert ask(refresh("rt-2")) == (answer.status, False, 2)
        clock.move(seconds)
        assert not ask(refresh("rt-1"))[1]

    def test_one_persons_trouble_at_code_redemption_is_not_everybodys(self, ask, server):
        server.script("/token", Answer(503, "down"), Answer(200, {"access_token": "a"}))
        assert ask(code("first"))[0] == 503
        assert ask(code("second"))[0] == 200

    def test_on_behalf_of_goes_by_the_assertion(self, ask, server):
        server.script("/token", Answer(503, "down"))
        form = {"grant_type": "jwt-bearer", "client_id": "c", "scope": "a"}
        ask({**form, "assertion": "one"})
        assert ask({**form, "assertion": "one"})[1]
        assert not ask({**form, "assertion": "two"})[1]

    @pytest.mark.parametrize("status", [401, 403, 404, 302])
    def test_other_failures_without_a_time_are_not_kept(self, ask, server, status):
        server.script("/token", Answer(status, "no"))
        ask(refresh())
        assert ask(refresh()) == (status, False, 2)


class TestRejectionRule:
    def test_the_same_question_gets_the_same_answer_for_a_minute(self, client, server, url, clock):
        body = {"error": "invalid_grant", "suberror": "basic_action", "claims": "{}"}
        server.script("/token", Answer(400, body))
        assert not client.post(url, data=refresh()).throttled
        clock.move(59)
        again = client.post(url, data=refresh())
        assert (again.throttled, json.loads(again.text)) == (True, body)
        clock.move(1)
        assert not client.post(url, data=refresh()).throttled

    @pytest.mark.parametrize(
        "changes", [{"refresh_token": "rt-2"}, {"scope": "c"}, {"claims": "{}"}, {"client_id": "d"}]
    )
    def test_another_question_is_asked(self, ask, server, changes):
        server.script("/token", Answer(400, {"error": "invalid_grant"}))
        ask(refresh())
        assert ask(refresh(**changes)) == (400, False, 2)

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_assertion": "signed-anew"},
            {"client_secret": "new"},
            {"code_verifier": "another"},
        ],
    )
    def test_a_new_proof_is_not_another_question(self, ask, server, changes):
        server.script("/token", Answer(400, {"error": "invalid_grant"}))
        ask(refresh())
        assert ask(refresh(**changes)) == (400, True, 1)

    @pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
    def test_passing_trouble_is_not_kept(self, ask, server, error):
        server.script("/token", Answer(400, {"error": error}))
        ask(refresh())
        assert ask(refresh()) == (400, False, 2)

    @pytest.mark.parametrize(
        "form",
        [
            code("a"),
            {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "d"},
        ],
    )
    def test_grants_that_are_never_kept(self, ask, server, form):
        server.script("/token", Answer(400, {"error": "invalid_grant"}))
        ask(form)
        assert ask(form) == (400, False, 2)

    def test_a_loop_is_stopped_here(self, ask, server):
        body = {"error": "invalid_grant", "error_codes": [50196]}
        server.script("/token", Answer(400, body))
        ask(refresh())
        assert ask(refresh())[1]


class TestSuccess:
    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "4"}])
    def test_is_never_kept(self, ask, server, headers):
        server.script("/token", Answer(200, {"access_token": "a"}, headers))
        ask(refresh())
        assert ask(refresh()) == (200, False, 2)


class TestSecrecy:
    def test_no_secret_in_keys_or_entries(self, server, url, clock):
        kept = {}
        client = ThrottledHttpClient(BoundedHttpClient(max_retries=0), http_cache=kept, clock=clock)
        secrets = {
            "refresh_token": "rt-secret-value",
            "client_secret": "cs-secret-value",
            "client_assertion": "ca-secret-value",
            "assertion": "as-secret-value",
            "code_verifier": "cv-secret-value",
        }
        echo = " ".join(secrets.values())
        server.script(
            "/token",
            Answer(400, {"error": "x", "access_token": "at-secret-value"}),
            Answer(429, f"you sent {echo}"),
            Answer(503, {"error": "x", "error_description": echo}),
        )
        client.post(url, data=refresh(**secrets))
        client.post(url, data=refresh(**{**secrets, "scope": "2"}))
        client.post(url, data=refresh(**{**secrets, "scope": "3"}))
        client.close()
        assert len(kept) == 3
        assert "secret-value" not in repr(kept)

    def test_keys_are_hashes(self, server, url, clock):
        kept = {}
        client = ThrottledHttpClient(BoundedHttpClient(), http_cache=kept, clock=clock)
        server.script("/token", Answer(400, {"error": "x"}))
        client.post(url, data=refresh())
        client.close()
        (key,) = kept
        assert len(key.split(":")[-1]) == 64
        assert server.origin not in key


class TestStore:
    def test_native_expiry_is_used(self, server, url, clock):
        cache = NativeCache(clock)
        client = ThrottledHttpClient(BoundedHttpClient(), http_cache=cache, clock=clock)
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        client.post(url, data=refresh())
        client.close()
        assert cache.timeouts == [30 + PROBE_SECONDS]

    def test_workers_share_it(self, server, url, clock):
        kept = {}
        first, second = (
            ThrottledHttpClient(BoundedHttpClient(), http_cache=kept, clock=clock) for _ in range(2)
        )
        server.script("/token", Answer(429, "slow", {"Retry-After": "30"}))
        first.post(url, data=refresh())
        assert second.post(url, data=refresh()).throttled
        first.close()
        second.close()

    def test_a_full_mapping_goes_on_working(self, clock):
        """Thousands of refused people fill it; it stays bounded, correct, and others' keys stay."""
        kept = {"somebody-elses": 1}
        upstream = Upstream(HttpResponse(503, "down"))
        client = ThrottledHttpClient(upstream, http_cache=kept, clock=clock)
        for number in range(3 * CAPACITY):
            assert not client.post("https://x.example/t", data=refresh(f"rt-{number}")).throttled
            clock.move(0.001)
        assert len(kept) <= CAPACITY + 1
        assert kept["somebody-elses"] == 1
        assert client.post("https://x.example/t", data=refresh("rt-3071")).throttled
        clock.move(10)
        for number in range(10):
            client.post("https://x.example/t", data=refresh(f"new-{number}"))
        assert client.post("https://x.example/t", data=refresh("new-9")).throttled

    def test_threads(self, clock):
        kept = {}
        client = ThrottledHttpClient(
            Upstream(HttpResponse(503, "down")), http_cache=kept, clock=clock
        )
        errors = []

        def run(offset):
            try:
                for number in range(1500):
                    client.post("https://x.example/t", data=refresh(f"{offset}-{number}"))
            except (RuntimeError, KeyError, IndexError) as exc:
                errors.append(exc)

        threads = [threading.Thread(target=run, args=(offset,)) for offset in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len(kept) <= CAPACITY


class Upstream:
    """An HTTP client with one answer, or one failure."""

    def __init__(self, answer):
        self.answer, self.count, self.closed = answer, 0, False

    def post(self, url, **_):
        self.count += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    get = post

    def close(self):
        self.closed = True


class TestDuckTypes:
    def test_any_client(self, clock):
        class Plain:
            status_code, text, headers = 429, "slow", {"Retry-After": 7}

        upstream = Upstream(Plain())
        client = ThrottledHttpClient(upstream, clock=clock)
        assert client.post("https://x.example/").retry_after == 7
        assert client.post("https://x.example/").text == "slow"
        assert upstream.count == 1
        client.close()
        assert upstream.closed

    def test_without_headers(self, clock):
        class Plain:
            status_code, text = 500, "down"

        client = ThrottledHttpClient(Upstream(Plain()), clock=clock)
        assert client.post("https://x.example/", data="raw").retry_after == 5

    def test_no_answer_is_not_kept(self, clock):
        upstream = Upstream(TransportError("connection", "x"))
        client = ThrottledHttpClient(upstream, clock=clock)
        for _ in range(2):
            with pytest.raises(TransportError):
                client.post("https://x.example/", data=refresh())
        assert upstream.count == 2

    @given(
        st.integers(100, 599),
        st.text(),
        st.none() | st.text(),
        st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
    )
    def test_anything(self, status, text, header, form):
        headers = {} if header is None else {"Retry-After": header}
        clock = Clock(1_760_000_000)
        client = ThrottledHttpClient(Upstream(HttpResponse(status, text, headers)), clock=clock)
        assert client.post("https://x.example/", data=form).status_code == status
        assert client.post("https://x.example/", data=form).status_code == status


class TestDocuments:
    @pytest.fixture
    def path(self, server):
        server.script("/doc", Answer(200, {"n": 1}), Answer(200, {"n": 2}), Answer(200, {"n": 3}))
        return f"{server.origin}/doc"

    def test_kept_for_a_day(self, client, path, server, clock):
        assert client.get(path).text == client.get(path).text == '{"n": 1}'
        clock.move(DAY)
        assert client.get(path).text == '{"n": 2}'

    def test_parameters_make_another_document(self, client, path):
        assert client.get(path, params={"p": "1"}).text != client.get(path, params={"p": "2"}).text

    def test_asked_again_once_a_minute(self, client, path, clock):
        again = {"Cache-Control": "no-cache"}
        assert client.get(path).text == '{"n": 1}'
        assert client.get(path, headers=again).text == '{"n": 2}'
        assert client.get(path, headers=again).text == '{"n": 2}'
        clock.move(60)
        assert client.get(path, headers=again).text == '{"n": 3}'

    @pytest.mark.parametrize("trouble", [Answer(503, "x"), Answer(429, "x"), Answer(mode="reset")])
    def test_a_week_of_outage(self, client, path, server, clock, trouble):
        client.get(path)
        server.script("/doc", trouble)
        clock.move(6 * DAY)
        kept = client.get(path)
        assert (kept.text, kept.headers["age"]) == ('{"n": 1}', str(6 * DAY))
        clock.move(DAY)
        try:
            assert client.get(path).status_code == trouble.status
        except TransportError:
            assert trouble.mode == "reset"

    @pytest.mark.parametrize("answer", [Answer(200, "<html>"), Answer(404, "{}"), Answer(302, "")])
    def test_pages_of_somebody_in_between_are_not_kept(self, client, path, server, answer):
        server.script("/doc", answer, Answer(200, {"n": 9}))
        client.get(path)
        assert client.get(path).text == '{"n": 9}'


class TestLimits:
    @pytest.mark.parametrize(
        ("answer", "limits", "seconds"),
        [
            (Answer(429, "x"), {"default": 7}, 7),
            (Answer(503, "x"), {"default": 7}, 7),
            (Answer(429, "x", {"Retry-After": "900"}), {"shared_maximum": 20}, 20),
            (Answer(429, "x", {"Retry-After": "900"}), {"maximum": 10}, 10),
            (Answer(503, "x", {"Retry-After": "900"}), {"maximum": 30}, 30),
            (Answer(400, {"error": "x"}), {"rejection": 40}, 40),
        ],
    )
    def test_are_kept(self, server, url, clock, answer, limits, seconds):
        client = ThrottledHttpClient(
            BoundedHttpClient(max_retries=0), limits=ThrottleLimits(**limits), clock=clock
        )
        server.script("/token", answer)
        client.post(url, data=refresh())
        clock.move(seconds - 1)
        assert client.post(url, data=refresh()).throttled
        clock.move(1)
        assert not client.post(url, data=refresh()).throttled
        client.close()

    def test_rejections_need_not_be_kept(self, server, url, clock):
        limits = ThrottleLimits(rejection=0)
        client = ThrottledHttpClient(BoundedHttpClient(), limits=limits, clock=clock)
        server.script("/token", Answer(400, {"error": "x"}))
        client.post(url, data=refresh())
        assert not client.post(url, data=refresh()).throttled
        client.close()


class TestApplication:
    def test_results_say_that_they_were_throttled(self, app, sign_in, provider, server):
        throttled = Answer(429, {"error": "busy"}, {"Retry-After": "30"})
        first = sign_in(app, answer=throttled)
        second = sign_in(app, answer=throttled)
        assert "throttled" not in first
        assert first["retry_after"] == 30
        assert (second["throttled"], second["error"]) == (True, "busy")
        assert second["category"] == "throttled"
        assert 29 <= second["retry_after"] <= 30
        assert server.count(provider.paths["token"]) == 1

    def test_a_corrected_document_is_seen(self, app, provider, clock):
        provider.publish(token_endpoint="https://evil.example/token")
        assert "error" in app.initiate_auth_code_flow([], "https://app.example/cb")
        provider.publish()
        clock.move(61)
        assert "error" not in app.initiate_auth_code_flow([], "https://app.example/cb")


def test_a_client_assertion_is_not_signed_for_a_kept_answer(client, server, url):
    """Signing costs more than the whole rest of a throttled answer."""
    signed = []

    def authenticate():
        signed.append(1)
        return {"client_assertion": "signed"}

    server.script("/token", Answer(429, "slow down", {"Retry-After": "30"}))
    form = {"client_id": "c", "scope": "s", "grant_type": "client_credentials"}
    for _ in range(3):
        client.post_form(url, form, headers={}, authenticate=authenticate)
    assert len(signed) == server.count("/token") == 1


def test_an_answer_kept_by_an_inner_client_starts_no_new_time(client, server, url, clock):
    outer = ThrottledHttpClient(client, clock=clock)
    server.script("/token", Answer(400, {"error": "invalid_grant"}))
    client.post(url, data=refresh())
    assert outer.post(url, data=refresh()).throttled
    clock.move(61)
    assert not outer.post(url, data=refresh()).throttled
    assert server.count("/token") == 2
