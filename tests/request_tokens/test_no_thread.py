"""In an async view a good token of this process's own copy needs no thread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import caches
from django.test import RequestFactory

from django_entra_auth import session as session_module
from django_entra_auth.session import MEMO_ATTRIBUTE, EntraSession
from tests.request_tokens.site import CHALLENGE, USER, requests_for_tokens

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


class NoThreads(Exception):
    """A thread was wanted."""


def refuse_thread(*args: Any, **kwargs: Any) -> Any:
    raise NoThreads


@pytest.fixture
def entra_session(visitor: Any, settings: Any) -> Any:
    """`request.entra` as an async view has it: session and user are loaded."""
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 15}
    request = RequestFactory().get("/")
    request.session = SessionStore(visitor.client.session.session_key)
    assert request.session["_entra"]
    user = User.objects.get()

    def make(*, fresh: bool = True) -> EntraSession:
        if fresh:
            request.__dict__.pop(MEMO_ATTRIBUTE, None)
        return EntraSession(request, user)

    return make


def in_a_loop_without_threads(monkeypatch: pytest.MonkeyPatch, ask: Any) -> Any:
    """Run `ask` in an event loop whose thread pools, Django's and its own, refuse."""

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        with monkeypatch.context() as patch:
            patch.setattr(loop, "run_in_executor", refuse_thread)
            patch.setattr(session_module, "sync_to_async", refuse_thread)
            patch.setattr(asyncio, "to_thread", refuse_thread)
            return await ask()

    return async_to_sync(run)()


def test_the_first_needs_one(entra_session, monkeypatch):
    """So the refusal is noticed."""
    with pytest.raises(NoThreads):
        in_a_loop_without_threads(monkeypatch, lambda: entra_session().atoken(USER))


def test_a_copy_needs_none(entra, entra_session, monkeypatch):
    token = entra_session().token(USER)

    def ask() -> Any:
        # Nor a word to the cache, whoever would speak it.
        monkeypatch.setattr(type(caches["default"]), "get", refuse_thread)
        return entra_session().atoken(USER)

    assert in_a_loop_without_threads(monkeypatch, ask) == token
    assert len(requests_for_tokens(entra)) == 1


def test_what_the_request_has_had_needs_none(entra_session, monkeypatch, settings):
    token = async_to_sync(entra_session().atoken)(USER)
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 0}
    again = in_a_loop_without_threads(monkeypatch, lambda: entra_session(fresh=False).atoken(USER))
    assert again == token


def test_tasks_that_ask_the_same_share_one_call(entra, entra_session):
    async def ask() -> list[str]:
        entra = entra_session()
        asking = [entra.atoken(["api://other/Read"]) for _ in range(20)]
        return list(await asyncio.gather(*asking))

    assert len(set(async_to_sync(ask)())) == 1
    assert len(requests_for_tokens(entra)) == 2


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_long_request_does_not_keep_its_token_for_ever(
    entra_session, monkeypatch, settings, kind
):
    """A stream that asks every ten seconds must not be served the first answer to its end."""
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 0}
    now = [1000.0]
    monkeypatch.setattr(session_module.time, "monotonic", lambda: now[0])
    long = entra_session()

    def token() -> str:
        return long.token(USER) if kind == "sync" else async_to_sync(long.atoken)(USER)

    first = token()
    newer = entra_session(fresh=False)
    other = EntraSession(RequestFactory().get("/"), newer._user)
    other._request.session = newer._request.session
    renewed = other.acquire_token_silent(USER, force_refresh=True)["access_token"]
    now[0] += 10
    assert token() == first
    now[0] += 10
    assert token() == renewed


def test_after_a_challenge_nothing_older_is_remembered(entra, entra_session):
    entra_session = entra_session(fresh=False)
    first = entra_session.token(USER)
    assert entra_session.token([]) == first
    new = entra_session.acquire_token_silent(USER, claims_challenge=CHALLENGE)["access_token"]
    assert new != first
    assert entra_session.token(USER) == entra_session.token([]) == new
