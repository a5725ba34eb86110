"""Past its refresh time a token serves on while one caller gets the next."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from django_entra_auth.emulator.faults import Fault
from tests.request_tokens.site import (
    WAIT_SECONDS,
    ask,
    holder,
    keys_of,
    open_cache,
    requests_for_tokens,
    shorten,
)
from tests.visitor import Visitor

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


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
