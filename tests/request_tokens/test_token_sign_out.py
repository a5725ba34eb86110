"""After a sign-out nothing is left, whatever was under way."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from django_entra_auth import sign_ins
from tests.request_tokens.site import DOWN, WAIT_SECONDS, ask, holder, keys_of, open_cache
from tests.visitor import Visitor, make_client

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


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
