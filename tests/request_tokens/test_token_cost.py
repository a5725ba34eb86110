"""What a token costs a view, in cache operations and queries."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from django_entra_auth.oauth2.token_cache import CachedToken
from tests.request_tokens.site import holder, open_cache, operations
from tests.visitor import Visitor

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


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
