"""`request.entra.acquire_token_silent` after real sign-ins, with a real Redis behind it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import include, path

from django_entra_auth import sign_ins
from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.decorators import entra_login_required
from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.oauth2.token_cache import CachedToken, Holder
from tests.site.urls import urlpatterns as site_urls
from tests.visitor import Visitor, make_client

COUNTED = ("get", "set", "add", "delete", "incr", "touch", "has_key", "get_many", "set_many")
CHALLENGE = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1"}}})
SID = "00aa11bb-2222-4333-8444-555555555555"
WAIT_SECONDS = 20
operations: Counter[str] = Counter()


class CountingCache(RedisCache):
    """Counts what is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        if name in COUNTED:
            operations[name] += 1
        return super().__getattribute__(name)


CACHE = f"{__name__}.CountingCache"
DOWN = {"default": {"BACKEND": CACHE, "LOCATION": "redis://127.0.0.1:1/0"}}


def _wishes(request: HttpRequest) -> dict[str, Any]:
    return {
        "claims_challenge": request.GET.get("claims"),
        "force_refresh": "force" in request.GET,
    }


def token(request: Any) -> JsonResponse:
    result = request.entra.acquire_token_silent(request.GET.getlist("scope"), **_wishes(request))
    return JsonResponse({"result": result})


async def token_async(request: Any) -> JsonResponse:
    entra = await request.aentra()
    result = await entra.aacquire_token_silent(request.GET.getlist("scope"), **_wishes(request))
    return JsonResponse({"result": result})


def twice(request: Any) -> JsonResponse:
    for _ in range(2):
        result = request.entra.acquire_token_silent(request.GET.getlist("scope"))
    return JsonResponse({"result": result})


@login_required
def plain(request: Any) -> HttpResponse:
    return HttpResponse(request.user.get_username())


@entra_login_required
def page(request: Any) -> HttpResponse:
    result = request.entra.acquire_token_silent(["User.Read"])
    return HttpResponse("without" if "error" in result else "with")


urlpatterns = [
    path("token/", token),
    path("token-async/", token_async),
    path("twice/", twice),
    path("plain/", plain),
    path("page/", page),
    *site_urls,
    path("again/", include("django.contrib.auth.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def redis(settings: Any, redis_url: str) -> Iterator[Any]:
    settings.CACHES = {"default": {"BACKEND": CACHE, "LOCATION": redis_url}}
    store = caches["default"]._cache.get_client()  # type: ignore[attr-defined]
    local_copies.clear()
    yield store
    store.flushdb()


@pytest.fixture(scope="module")
def running_entra() -> Iterator[Emulator]:
    with Emulator(port=0) as emulator:
        yield emulator


@pytest.fixture
def entra(running_entra: Emulator) -> Emulator:
    """The one local Entra of this module, as if freshly started."""
    running_entra.reset()
    return running_entra


@pytest.fixture
def site(entra: Any, entra_settings: Any) -> Any:
    """Signs in for Graph; no copies within the worker unless a test asks for them."""
    entra.optional_claims |= {"sid"}
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "SCOPES": ["User.Read"],
        "LOCAL_COPY_SECONDS": 0,
    }
    return entra_settings


@pytest.fixture
def visitor(entra: Any, site: Any) -> Visitor:
    visitor = Visitor(entra)
    visitor.sign_in()
    return visitor


@pytest.fixture(params=["/token/", "/token-async/"])
def view(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(client: Client, *scopes: str, view: str = "/token/", **wishes: str) -> Any:
    response = client.get(view, {"scope": scopes or ("User.Read",), **wishes})
    assert response.status_code == 200
    return response.json()["result"]


def requests_for_tokens(entra: Any) -> list[Any]:
    return [one for one in list(entra.requests) if one.path.endswith("/token")]


def shorten(entra: Any, seconds: int, **more: Any) -> None:
    entra.mutate_token_response = lambda answer: {**answer, "expires_in": seconds, **more}


def open_cache(visitor: Visitor) -> Any:
    return sign_ins.open_token_cache(visitor.client.session["_entra"]["id"])


def holder(visitor: Visitor) -> Holder:
    return Holder("account", visitor.client.session["_entra"]["home"])


def keys_of(redis: Any, kind: str) -> list[bytes]:
    return sorted(redis.keys(f"*entra:1:{kind}:*"))


class TestTokens:
    def test_the_sign_ins_own_token_is_there_at_once(self, visitor, view):
        before = len(requests_for_tokens(visitor.entra))
        first, second = (ask(visitor.client, view=view) for _ in range(2))
        assert first["access_token"] == second["access_token"]
        assert first["token_source"] == "cache"
        assert len(requests_for_tokens(visitor.entra)) == before == 1

    def test_a_forced_refresh_gets_and_keeps_a_new_one(self, visitor, view):
        old = ask(visitor.client, view=view)["access_token"]
        new = ask(visitor.client, view=view, force="1")["access_token"]
        assert new != old
        assert ask(visitor.client, view=view)["access_token"] == new
        assert requests_for_tokens(visitor.entra)[-1].form["grant_type"] == "refresh_token"
        assert len(requests_for_tokens(visitor.entra)) == 2

    def test_another_resource_has_a_token_of_its_own(self, visitor, view):
        graph = ask(visitor.client, view=view)["access_token"]
        other = ask(visitor.client, "api://other/Read", view=view)
        assert other["token_source"] == "identity_provider"
        assert other["access_token"] != graph
        again = ask(visitor.client, "api://other/Read", view=view)
        assert (again["access_token"], again["token_source"]) == (other["access_token"], "cache")
        assert ask(visitor.client, view=view)["access_token"] == graph

    @pytest.mark.parametrize("spelling", ["user.read", "https://graph.microsoft.com/User.Read"])
    def test_the_spelling_of_a_scope_does_not_matter(self, visitor, spelling):
        assert ask(visitor.client, spelling)["token_source"] == "cache"

    def test_near_its_end_a_token_is_replaced(self, entra, site, view):
        shorten(entra, 299)
        visitor = Visitor(entra)
        visitor.sign_in()
        entra.mutate_token_response = None
        result = ask(visitor.client, view=view)
        assert result["token_source"] == "identity_provider"
        assert result["expires_in"] > 3000
        assert ask(visitor.client, view=view)["token_source"] == "cache"
        assert len(requests_for_tokens(entra)) == 2

    def test_after_its_end_a_token_is_replaced(self, visitor, redis, view):
        (key,) = keys_of(redis, "tokens")
        redis.pexpire(key, 1)
        assert 0 < redis.ttl(keys_of(redis, "account")[0]) <= 1209600
        deadline = time.monotonic() + WAIT_SECONDS
        while redis.exists(key):
            assert time.monotonic() < deadline
        assert ask(visitor.client, view=view)["token_source"] == "identity_provider"

    def test_entries_end_with_their_tokens(self, entra, site, redis):
        shorten(entra, 400)
        Visitor(entra).sign_in()
        (key,) = keys_of(redis, "tokens")
        assert 390 < redis.ttl(key) <= 400

    def test_a_challenge_is_asked_of_entra(self, visitor, view):
        old = ask(visitor.client, view=view)["access_token"]
        new = ask(visitor.client, view=view, claims=CHALLENGE)["access_token"]
        sent = json.loads(requests_for_tokens(visitor.entra)[-1].form["claims"])
        assert sent["access_token"]["acrs"] == {"essential": True, "value": "c1"}
        assert sent["access_token"]["xms_cc"] == {"values": ["cp1"]}
        assert new != old
        assert ask(visitor.client, view=view)["access_token"] == new

    def test_a_challenge_leaves_other_resources_alone(self, visitor):
        other = ask(visitor.client, "api://other/Read")["access_token"]
        ask(visitor.client, claims=CHALLENGE)
        assert ask(visitor.client, "api://other/Read")["access_token"] == other

    def test_the_rotated_refresh_token_is_the_next_one_used(self, visitor):
        for _ in range(2):
            ask(visitor.client, force="1")
        used = [one.form["refresh_token"] for one in requests_for_tokens(visitor.entra)[1:]]
        assert len(set(used)) == 2
        assert open_cache(visitor).load_account("").refresh_token not in used

    def test_the_result_brings_no_refresh_token_from_the_cache(self, visitor):
        assert set(ask(visitor.client)) <= {
            "access_token", "token_type", "expires_in", "token_source", "refresh_on",
        }  # fmt: skip


class TestErrors:
    def test_a_revoked_person(self, visitor, view):
        visitor.entra.revoke_sign_ins("alice")
        error = ask(visitor.client, view=view, force="1")
        assert (error["error"], error["suberror"]) == ("invalid_grant", "bad_token")
        assert error["category"] == "expired_grant"
        assert error["error_codes"] == [50173]
        assert open_cache(visitor).load_account("").refresh_token is None
        # What is kept serves on; without it there is nothing to work with.
        assert ask(visitor.client, view=view)["token_source"] == "cache"
        before = len(requests_for_tokens(visitor.entra))
        assert ask(visitor.client, "api://other/Read", view=view) is None
        assert len(requests_for_tokens(visitor.entra)) == before

    def test_another_refusal_keeps_the_refresh_token(self, visitor):
        visitor.entra.people["alice"].enabled = False
        error = ask(visitor.client, force="1")
        assert (error["error"], error["error_codes"]) == ("invalid_grant", [50057])
        assert open_cache(visitor).load_account("").refresh_token

    def test_not_signed_in(self, site, view):
        assert ask(make_client(), view=view) is None

    def test_signed_in_by_another_backend(self, site, view):
        client = make_client()
        user = get_user_model().objects.create_user("local")
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        assert ask(client, view=view) is None

    def test_another_backends_person_gets_nothing_of_the_one_before(self, visitor, view):
        user = get_user_model().objects.get()
        visitor.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        assert "_entra" in visitor.client.session
        assert ask(visitor.client, view=view) is None

    def test_a_disabled_user(self, visitor, view):
        get_user_model().objects.update(is_active=False)
        assert ask(visitor.client, view=view) is None

    def test_everything_evicted(self, visitor, redis, view):
        redis.flushdb()
        before = len(requests_for_tokens(visitor.entra))
        assert ask(visitor.client, view=view) is None
        assert len(requests_for_tokens(visitor.entra)) == before

    def test_an_outage_of_the_cache(self, visitor, settings, view):
        settings.CACHES = DOWN
        error = ask(visitor.client, view=view)
        assert (error["error"], error["category"]) == ("temporarily_unavailable", "transient")
        assert visitor.client.get("/page/").content == b"without"
        assert visitor.client.get("/private/").status_code == 200
        assert visitor.is_signed_in()

    def test_it_recovers_without_a_restart(self, visitor, settings):
        up = settings.CACHES
        settings.CACHES = DOWN
        assert "error" in ask(visitor.client)
        settings.CACHES = up
        assert "access_token" in ask(visitor.client)

    def test_trouble_at_entra_does_not_matter_while_a_token_is_good(self, entra, site, view):
        shorten(entra, 299)
        visitor = Visitor(entra)
        visitor.sign_in()
        entra.faults.add("token", Fault(503, "busy"), times=None)
        result = ask(visitor.client, view=view)
        assert result["token_source"] == "cache"
        assert 0 < result["expires_in"] <= 299

    def test_a_sign_in_without_the_cache_is_refused_and_leaves_nothing(self, entra, site):
        visitor = Visitor(entra)
        answer = visitor.answer(visitor.begin())
        site.CACHES = DOWN
        assert visitor.deliver(answer).status_code == 503
        assert "_entra" not in visitor.client.session

    def test_misuse_is_an_exception(self, visitor):
        with pytest.raises(ValueError, match="offline_access"):
            ask(visitor.client, "offline_access")


class TestCost:
    @pytest.fixture(params=["db", "cache", "signed_cookies"])
    def visitor(self, request, entra, site):
        site.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
        visitor = Visitor(entra)
        visitor.sign_in()
        return visitor

    def cost(self, visitor: Visitor, url: str) -> Counter[str]:
        operations.clear()
        assert visitor.client.get(url).status_code == 200
        return Counter(operations)

    @pytest.mark.parametrize("view", ["/token/", "/token-async/"])
    def test_a_hit_is_one_read_however_many_resources(self, visitor, view):
        cache, who = open_cache(visitor), holder(visitor)
        plain = self.cost(visitor, "/plain/")
        for number in range(100):
            if number in {0, 5, 99}:
                url = f"{view}?scope=User.Read"
                assert self.cost(visitor, url) - plain == {"get": 1}
            scopes = frozenset({f"api://{number}/read"})
            kept = CachedToken(f"at-{number}", scopes, time.time() + 3600)
            cache.save_tokens(who, f"api://{number}", (kept,))

    @pytest.mark.parametrize("view", ["/token/", "/token-async/"])
    def test_within_the_life_of_a_copy_it_is_none(self, visitor, settings, view):
        settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 15}
        plain = self.cost(visitor, "/plain/")
        assert self.cost(visitor, f"{view}?scope=User.Read") - plain == {"get": 1}
        assert self.cost(visitor, f"{view}?scope=User.Read") - plain == {}

    def test_the_second_use_in_a_request_costs_nothing(self, visitor, settings):
        settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 15}
        beyond = self.cost(visitor, "/twice/?scope=User.Read") - self.cost(visitor, "/plain/")
        assert beyond == {"get": 1}

    def test_a_page_that_needs_no_token_reads_none(self, visitor):
        assert self.cost(visitor, "/private/") == self.cost(visitor, "/plain/")

    def test_a_hit_asks_no_database_beyond_djangos(self, visitor, django_assert_num_queries):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as plain:
            visitor.client.get("/plain/")
        with django_assert_num_queries(len(plain)):
            visitor.client.get("/token/?scope=User.Read")


SPOILERS = [
    pytest.param(lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), id="tampered"),
    pytest.param(lambda sealed: sealed[: len(sealed) // 2], id="half"),
    pytest.param(lambda sealed: sealed[:5], id="stump"),
    pytest.param(lambda sealed: b"", id="empty"),
    pytest.param(lambda sealed: b"1", id="number"),
    pytest.param(lambda sealed: b"\0" * len(sealed), id="zeros"),
]


class TestIsolation:
    def test_two_browsers_of_one_person_share_nothing(self, entra, visitor, redis, view):
        other = Visitor(entra)
        other.sign_in()
        one, two = (ask(each.client, view=view)["access_token"] for each in (visitor, other))
        assert one != two
        assert len(keys_of(redis, "tokens")) == len(keys_of(redis, "account")) == 2
        new = ask(visitor.client, view=view, force="1")["access_token"]
        assert ask(other.client, view=view)["access_token"] == two != new

    def test_nor_do_they_renew_for_each_other(self, entra, visitor):
        other = Visitor(entra)
        other.sign_in()
        for each in (visitor, other):
            ask(each.client, force="1")
        used = [one.form["refresh_token"] for one in requests_for_tokens(entra)[2:]]
        assert len(set(used)) == 2

    def test_an_entry_moved_to_another_sign_in_is_a_miss(self, entra, visitor, redis):
        (mine,) = keys_of(redis, "tokens")
        other = Visitor(entra)
        other.sign_in("bob")
        (his,) = [key for key in keys_of(redis, "tokens") if key != mine]
        stolen = ask(visitor.client)["access_token"]
        redis.set(his, redis.get(mine))
        result = ask(other.client)
        assert result["token_source"] == "identity_provider"
        assert result["access_token"] != stolen

    def test_an_account_moved_to_another_sign_in_is_a_miss(self, entra, visitor, redis):
        (mine,) = keys_of(redis, "account")
        other = Visitor(entra)
        other.sign_in("bob")
        (his,) = [key for key in keys_of(redis, "account") if key != mine]
        redis.set(his, redis.get(mine))
        assert ask(other.client, force="1") is None

    @pytest.mark.parametrize("spoil", SPOILERS)
    def test_spoilt_entries_are_misses(self, visitor, redis, spoil):
        """Spoilt is what Django's cache returns."""
        for kinds, source in (["tokens"], "identity_provider"), (["tokens", "account"], None):
            for key in [key for kind in kinds for key in keys_of(redis, kind)]:
                name = key.decode().partition(":1:")[2]
                caches["default"].set(name, spoil(caches["default"].get(name)), 60)
            result = ask(visitor.client)
            assert (result and result["token_source"]) == source

    @pytest.mark.parametrize("spoil", SPOILERS)
    def test_entries_spoilt_within_redis_are_misses_too(self, visitor, redis, spoil):
        """Spoilt is the pickle that Django's cache wrote."""
        for key in keys_of(redis, "tokens"):
            redis.set(key, spoil(redis.get(key)))
        assert ask(visitor.client).get("token_source") == "identity_provider"

    def test_entries_of_other_keys_are_misses(self, visitor, settings):
        mine = settings.ENTRA_AUTH
        settings.ENTRA_AUTH = {**mine, "ENCRYPTION_KEYS": ["A" * 43 + "="]}
        assert ask(visitor.client) is None
        settings.ENTRA_AUTH = {**mine, "ENCRYPTION_KEYS": None}
        assert ask(visitor.client)["token_source"] == "cache"

    def test_a_rotated_key_loses_nobody(self, visitor, settings):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        session_cookie = visitor.client.cookies["sessionid"].value
        assert session_cookie
        settings.SECRET_KEY = "another-key-of-these-tests-" + "y" * 40
        assert ask(visitor.client)["token_source"] == "cache"
        assert "error" not in ask(visitor.client, force="1")

    def test_nothing_is_in_clear_anywhere(self, entra, site, redis, caplog, capsys, settings):
        """Not in a key or value of Redis, nor in session, database or logs."""
        caplog.set_level(logging.DEBUG)
        secrets: set[str] = {entra.client_secret}

        def listen(answer: dict[str, Any]) -> dict[str, Any]:
            secrets.update(answer[name] for name in ("access_token", "refresh_token", "id_token"))
            return answer

        entra.mutate_token_response = listen
        visitor = Visitor(entra)
        visitor.sign_in()
        ask(visitor.client, "api://other/Read")
        ask(visitor.client, force="1")
        ask(visitor.client, claims=CHALLENGE)
        entra.revoke_sign_ins("alice")
        ask(visitor.client, force="1")
        entra.faults.add("token", Fault(429, "busy", {"Retry-After": "9"}))
        ask(visitor.client, force="1")
        sign_in_id = visitor.client.session["_entra"]["id"]
        oid = visitor.client.session["_entra"]["claims"]["oid"]
        keys = redis.keys("*")
        in_redis = b"\n".join([*keys, *(redis.get(key) for key in keys)])
        assert len(keys_of(redis, "tokens")) == 2
        assert len(secrets) >= 13
        call_command("dumpdata", "--indent=1")
        in_database = capsys.readouterr().out.encode()
        from django.contrib.sessions.models import Session

        in_sessions = "\n".join(str(one.get_decoded()) for one in Session.objects.all()).encode()
        in_logs = caplog.text.encode() + repr([vars(one) for one in caplog.records]).encode()
        assert b"acquire" not in in_redis
        assert sign_in_id.encode() in in_sessions
        for secret in secrets:
            for place in (in_redis, in_database, in_sessions, in_logs):
                assert secret.encode() not in place
                assert secret[len(secret) // 2 :].encode() not in place
        for place in (in_redis, in_database.replace(b"session_data", b""), in_logs):
            assert sign_in_id.encode() not in place
        assert oid.encode() not in in_redis
        assert sign_ins.hash_id(sign_in_id).encode() not in in_redis


def by_post(visitor: Visitor) -> None:
    visitor.client.post("/auth/logout/")


def by_django(visitor: Visitor) -> None:
    get_user_model().objects.update(is_staff=True)
    assert visitor.client.post("/admin/logout/").status_code == 200


def by_front_channel(visitor: Visitor) -> None:
    sid = visitor.client.session["_entra"]["claims"]["sid"]
    assert make_client().get("/auth/front-channel-logout", {"sid": sid}).status_code == 200


def by_another_account(visitor: Visitor) -> None:
    visitor.client.post("/auth/login/", {"account": "other", "next": "/private/"})


ENDINGS = pytest.mark.parametrize("end", [by_post, by_django, by_front_channel, by_another_account])


class TestSignOut:
    @ENDINGS
    def test_everything_of_the_sign_in_goes(self, entra, visitor, redis, end, settings):
        settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 900}
        other = Visitor(entra)
        other.sign_in("bob")
        kept = keys_of(redis, "account")
        ask(visitor.client, "api://other/Read")
        ask(visitor.client)
        ask(other.client)
        assert len(keys_of(redis, "tokens")) == 3
        cache, who = open_cache(visitor), holder(visitor)
        assert cache.peek_tokens(who, "graph")
        end(visitor)
        assert len(keys_of(redis, "tokens")) == len(keys_of(redis, "account")) == 1
        assert set(keys_of(redis, "account")) < set(kept)
        assert cache.load_account(who.id) is None
        for resource in ("graph", "api://other"):
            assert cache.peek_tokens(who, resource) == ()
        assert ask(visitor.client) is None
        assert "access_token" in ask(other.client)

    @ENDINGS
    def test_a_renewal_under_way_brings_nothing_back(self, entra, visitor, redis, end):
        """Entra's answer arrives when the person has just signed out."""
        cache, who = open_cache(visitor), holder(visitor)
        asked, go_on = threading.Event(), threading.Event()

        def hold(answer: dict[str, Any]) -> dict[str, Any]:
            asked.set()
            assert go_on.wait(WAIT_SECONDS)
            return answer

        entra.mutate_token_response = hold
        results: list[Any] = []

        def renew() -> None:
            from django_entra_auth.client import get_application

            application = get_application().bind(cache)
            account = {"home_account_id": who.id}
            results.append(
                application.acquire_token_silent(["User.Read"], account, force_refresh=True)
            )

        worker = threading.Thread(target=renew)
        worker.start()
        assert asked.wait(WAIT_SECONDS)
        end(visitor)
        go_on.set()
        worker.join(WAIT_SECONDS)
        assert len(results) == 1
        assert keys_of(redis, "tokens") == keys_of(redis, "account") == []
        assert cache.peek_tokens(who, "graph") == ()

    def test_a_second_prompt_ends_the_sign_in_before_it(self, entra, visitor, redis):
        before = open_cache(visitor)
        old = ask(visitor.client)["access_token"]
        response = visitor.client.post("/auth/login/", {"account": "same", "next": "/private/"})
        visitor.deliver(visitor.answer(response.context["continue_url"]))
        assert before.load_account("") is None
        assert len(keys_of(redis, "tokens")) == len(keys_of(redis, "account")) == 1
        assert ask(visitor.client)["access_token"] != old

    def test_an_outage_does_not_keep_anybody_signed_in(self, visitor, settings):
        settings.CACHES = DOWN
        by_post(visitor)
        assert "_auth_user_id" not in visitor.client.session

    def test_a_sign_in_that_fails_at_its_end_keeps_no_tokens(self, entra, site, redis, monkeypatch):
        from django.db import DatabaseError

        def fail(*args: Any, **kwargs: Any) -> Any:
            raise DatabaseError("no room")

        visitor = Visitor(entra)
        answer = visitor.answer(visitor.begin())
        monkeypatch.setattr(sign_ins, "start", fail)
        with pytest.raises(DatabaseError):
            visitor.deliver(answer)
        assert keys_of(redis, "tokens") == keys_of(redis, "account") == []


class TestRenewal:
    @pytest.fixture
    def visitor(self, entra, site):
        shorten(entra, 3600, refresh_in=0)
        visitor = Visitor(entra)
        visitor.sign_in()
        entra.mutate_token_response = None
        return visitor

    def test_one_renews_and_others_are_served_the_old_one(self, entra, visitor):
        old = open_cache(visitor).load_tokens(holder(visitor), "graph")[0].access_token
        asked, go_on = threading.Event(), threading.Event()

        def hold(answer: dict[str, Any]) -> dict[str, Any]:
            asked.set()
            assert go_on.wait(WAIT_SECONDS)
            return answer

        entra.mutate_token_response = hold
        from django_entra_auth.client import get_application

        account = {"home_account_id": holder(visitor).id}
        results: list[Any] = []
        application = get_application().bind(open_cache(visitor))
        worker = threading.Thread(
            target=lambda: results.append(application.acquire_token_silent(["User.Read"], account))
        )
        worker.start()
        assert asked.wait(WAIT_SECONDS)
        for view in ("/token/", "/token-async/"):
            assert ask(visitor.client, view=view)["access_token"] == old
        go_on.set()
        worker.join(WAIT_SECONDS)
        (result,) = results
        assert result["token_source"] == "identity_provider"
        assert ask(visitor.client)["access_token"] == result["access_token"] != old
        assert len(requests_for_tokens(entra)) == 2

    def test_a_renewal_that_fails_is_not_noticed_nor_repeated_at_once(self, entra, visitor):
        entra.faults.add("token", Fault(503, "busy"), times=None)
        for _ in range(3):
            assert ask(visitor.client)["token_source"] == "cache"
        assert 1 <= len(requests_for_tokens(entra)[1:]) <= 2  # one, and its one retry

    def test_without_the_account_the_good_token_serves_on(self, visitor, redis):
        (key,) = keys_of(redis, "account")
        redis.delete(key)
        assert ask(visitor.client)["token_source"] == "cache"
