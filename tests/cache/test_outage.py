"""The cache goes away: a valid token is used, nothing is lost, and nobody is told to sign in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache

from django_entra_auth import sign_ins
from django_entra_auth.cache.local_copies import local_copies
from django_entra_auth.client import get_application
from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.scopes import find_resource
from django_entra_auth.oauth2.token_cache import Holder
from tests.visitor import Visitor

WAIT_SECONDS = 20
SCOPES = ["User.Read"]
outage = threading.Event()
failures: list[str] = []
CALLS = frozenset({"get", "set", "add", "delete", "touch", "get_many"})


class FailingCache(RedisCache):
    """Redis until `outage` is set."""

    def __getattribute__(self, name: str) -> Any:
        if name in CALLS and outage.is_set():
            failures.append(name)
            raise ConnectionError
        return super().__getattribute__(name)


pytestmark = pytest.mark.django_db


@pytest.fixture
def redis_backend() -> str:
    return f"{__name__}.FailingCache"


@pytest.fixture(autouse=True)
def _mended(redis: Any) -> Iterator[None]:
    """Every test begins and ends with a cache that answers."""
    failures.clear()
    yield
    outage.clear()


@pytest.fixture
def entra(entra: Emulator, entra_settings: Any) -> Emulator:
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": SCOPES}
    return entra


class Person:
    """Somebody whose token was issued for so many seconds and read by this process once."""

    def __init__(self, entra: Any, **lifetime: int) -> None:
        entra.mutate_token_response = lambda answer: {**answer, **lifetime}
        visitor = Visitor(entra)
        visitor.sign_in()
        entra.mutate_token_response = None
        self.entry = visitor.client.session["_entra"]
        self.cache = sign_ins.open_token_cache(self.entry["id"])
        self.cache.load_tokens(*self.where)

    @property
    def where(self) -> Any:
        return Holder("account", self.entry["home"]), find_resource(SCOPES)

    def ask(self, scopes: list[str] = SCOPES, **wishes: Any) -> Any:
        application = get_application().bind(sign_ins.open_token_cache(self.entry["id"]))
        account = {"home_account_id": self.entry["home"]}
        return application.acquire_token_silent(scopes, account, **wishes)


def refreshes(entra: Any) -> list[Any]:
    posts = [one for one in list(entra.requests) if one.path.endswith("/token")]
    return [one for one in posts if one.form["grant_type"] == "refresh_token"]


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies of this process are older than LOCAL_COPY_SECONDS."""
    now = time.monotonic()
    monkeypatch.setattr(local_copies, "_clock", lambda: now + 60)


FAR, DUE, ENDING = (
    {"expires_in": 3600},
    {"expires_in": 3600, "refresh_in": 0},
    {"expires_in": 200},
)


@pytest.mark.parametrize("lifetime", [FAR, DUE, ENDING])
@pytest.mark.parametrize("is_later", [False, True])
def test_a_valid_copy_is_served_to_its_end(
    entra: Any, request: pytest.FixtureRequest, lifetime: dict[str, int], *, is_later: bool
) -> None:
    person = Person(entra, **lifetime)
    if is_later:
        request.getfixturevalue("_later")
    outage.set()
    for _ in range(2):
        result = person.ask()
        assert result["token_source"] == "cache"
        assert 0 < result["expires_in"] <= lifetime["expires_in"]
    assert refreshes(entra) == []


def test_a_cache_that_is_down_is_asked_once_in_a_while(
    entra: Any, request: pytest.FixtureRequest
) -> None:
    person = Person(entra, **FAR)
    request.getfixturevalue("_later")
    outage.set()
    for _ in range(50):
        person.ask()
    assert len(failures) == 1


@pytest.mark.parametrize(
    "wish",
    [{"force_refresh": True}, {"claims_challenge": "{}"}, {"scopes": ["api://other/Read"]}],
)
def test_what_no_copy_can_answer_is_an_outage(entra: Any, wish: dict[str, Any]) -> None:
    person = Person(entra, **DUE)
    outage.set()
    with pytest.raises(TemporarilyUnavailable):
        person.ask(**wish)


def test_nor_can_one_that_has_ended(entra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(entra, **DUE)
    outage.set()
    application = get_application()
    monkeypatch.setattr(application, "_clock", lambda: time.time() + 3601)
    with pytest.raises(TemporarilyUnavailable):
        person.ask()


@pytest.mark.parametrize("reason", ["signed out", "switched off"])
def test_nor_one_that_was_dropped(entra: Any, settings: Any, reason: str) -> None:
    if reason == "switched off":
        settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 0}
    person = Person(entra, **FAR)
    if reason == "signed out":
        sign_ins.end(person.entry["id"])
    outage.set()
    with pytest.raises(TemporarilyUnavailable):
        person.ask()


def test_after_the_outage_it_goes_on_as_ever(entra: Any) -> None:
    person = Person(entra, **DUE)
    outage.set()
    old = person.ask()["access_token"]
    outage.clear()
    assert person.ask()["access_token"] != old
    assert len(refreshes(entra)) == 1


@pytest.mark.parametrize("lifetime", [DUE, ENDING])
def test_a_refresh_that_was_under_way_is_not_lost(entra: Any, lifetime: dict[str, int]) -> None:
    """The cache goes while Entra answers: the caller and its process's waiters have the token."""
    person = Person(entra, **lifetime)

    def go_down(answer: dict[str, Any]) -> dict[str, Any]:
        outage.set()
        return {**answer, "expires_in": 3600}

    entra.mutate_token_response = go_down
    entra.faults.add("token", Fault(delay=0.3))
    with ThreadPoolExecutor(10) as pool:
        results = [future.result() for future in [pool.submit(person.ask) for _ in range(10)]]
    assert len(refreshes(entra)) == 1
    fresh = {r["access_token"] for r in results if r["token_source"] == "identity_provider"}
    assert len(fresh) == 1
    assert all("access_token" in result for result in results)
    if lifetime is ENDING:
        assert {result["access_token"] for result in results} == fresh


def test_a_refused_refresh_is_told_though_it_cannot_be_noted(entra: Any) -> None:
    person = Person(entra, **ENDING)
    entra.revoke_sign_ins("alice")
    seen = threading.Event()
    entra.faults.add("token", Fault(delay=0.5))

    def go_down() -> None:
        while not refreshes(entra) and not seen.wait(0.01):
            pass
        outage.set()

    watcher = threading.Thread(target=go_down)
    watcher.start()
    result = person.ask(force_refresh=True)
    seen.set()
    watcher.join(WAIT_SECONDS)
    assert (result["error"], result["suberror"]) == ("invalid_grant", "bad_token")
