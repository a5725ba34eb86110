"""What views get when there is no token to be had."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from django_entra_auth.emulator.faults import Fault
from tests.request_tokens.site import DOWN, ask, open_cache, requests_for_tokens, shorten
from tests.visitor import Visitor, make_client

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


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
