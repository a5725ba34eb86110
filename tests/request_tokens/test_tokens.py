"""`acquire_token_silent` in views: from the cache while it is good, else from Entra."""

from __future__ import annotations

import json
import time

import pytest

from tests.request_tokens.site import (
    CHALLENGE,
    WAIT_SECONDS,
    ask,
    keys_of,
    open_cache,
    requests_for_tokens,
    shorten,
)
from tests.visitor import Visitor

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


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
