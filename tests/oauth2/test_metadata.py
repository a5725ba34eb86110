"""Discovery over a real socket: refusals, outages, caching."""

from __future__ import annotations

import threading

import pytest

from tests.oauth2.scripted import CONSUMERS, OTHER_TENANT, REDIRECT_URI, TENANT, Answer

DAY = 86_400


@pytest.fixture
def path(provider):
    return provider.paths["metadata"]


def start(app):
    return app.initiate_auth_code_flow([], REDIRECT_URI)


class TestRefusals:
    @pytest.mark.parametrize(
        "changes",
        [
            {"token_endpoint": "https://evil.example/token"},
            {"authorization_endpoint": "http://127.0.0.1:1/authorize"},
            {"jwks_uri": "https://127.0.0.1/keys"},
            {"end_session_endpoint": "https://evil.example/out"},
            {"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"},
            {"issuer": f"http://127.0.0.1:1/{TENANT}/v2.0"},
            {"issuer": None},
        ],
    )
    def test_elsewhere(self, app, provider, changes):
        provider.publish(**changes)
        result = start(app)
        assert result["error"] == "invalid_authority_metadata"
        assert result["category"] == "configuration"

    def test_issuer_of_another_tenant(self, app, provider):
        provider.publish(issuer=f"{provider.server.origin}/{OTHER_TENANT}/v2.0")
        assert start(app)["error"] == "invalid_authority_metadata"

    def test_unknown_tenant_is_entras_own_error(self, app, server, path):
        body = {
            "error": "invalid_tenant",
            "error_description": "AADSTS90002: Tenant 'x' not found.",
            "error_codes": [90002],
            "trace_id": "t",
            "correlation_id": "c",
        }
        server.script(path, Answer(400, body))
        result = start(app)
        assert result == {**body, "status": 400, "category": "configuration"}

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(200, "<html>"), "invalid_response"),
            (Answer(200, []), "invalid_response"),
            (Answer(200, "x" * 1_000_001), "invalid_response"),
            (Answer(302, "", {"Location": "/elsewhere"}), "invalid_response"),
            (Answer(404, "no"), "invalid_response"),
            (Answer(429, "slow"), "temporarily_unavailable"),
            (Answer(500, "oops"), "temporarily_unavailable"),
            (Answer(mode="reset"), "temporarily_unavailable"),
        ],
    )
    def test_bad_answers(self, app, server, path, answer, error):
        server.script(path, answer)
        assert start(app)["error"] == error
        assert server.count("/elsewhere") == 0

    def test_unreachable(self, make_app, clock):
        app = make_app(authority=f"http://127.0.0.1:1/{TENANT}")
        result = start(app)
        assert (result["error"], result["category"]) == ("temporarily_unavailable", "transient")


class TestTenantForms:
    @pytest.mark.parametrize("segment", ["common", "organizations"])
    def test_template(self, provider, make_app, sign_in, segment):
        provider.segment = segment
        provider.publish(issuer=f"{provider.server.origin}/{{tenantid}}/v2.0")
        result = sign_in(make_app(authority=provider.base))
        assert result["id_token_claims"]["tid"] == TENANT

    def test_personal_account(self, provider, make_app, sign_in):
        provider.segment, provider.tenant = "common", CONSUMERS
        provider.publish(issuer=f"{provider.server.origin}/{{tenantid}}/v2.0")
        assert "error" not in sign_in(make_app(authority=provider.base))

    def test_personal_account_not_in_organizations(self, provider, make_app, sign_in):
        provider.segment, provider.tenant = "organizations", CONSUMERS
        provider.publish(issuer=f"{provider.server.origin}/{{tenantid}}/v2.0")
        assert sign_in(make_app(authority=provider.base))["failed_check"] == "tid"

    def test_domain_name_learns_the_tenant(self, provider, make_app, sign_in):
        provider.segment = "contoso.onmicrosoft.com"
        provider.publish()
        app = make_app(authority=provider.base)
        assert sign_in(app)["id_token_claims"]["tid"] == TENANT
        other = {"tid": OTHER_TENANT, "iss": f"{provider.server.origin}/{OTHER_TENANT}/v2.0"}
        assert sign_in(app, claims=other)["failed_check"] == "iss"


class TestCaching:
    def test_fetched_once_a_day(self, app, server, path, clock):
        for _ in range(3):
            start(app)
        assert server.count(path) == 1
        clock.move(DAY + 1)
        start(app)
        assert server.count(path) == 2

    def test_kept_for_a_week_of_outage(self, app, server, path, clock):
        start(app)
        server.script(path, Answer(503, "down"))
        clock.move(DAY + 1)
        assert "auth_uri" in start(app)
        asked = server.count(path)
        assert "auth_uri" in start(app)
        assert server.count(path) == asked, "an outage is not asked about by every request"
        clock.move(61)
        assert "auth_uri" in start(app)
        assert server.count(path) > asked
        clock.move(6 * DAY)
        assert start(app)["error"] == "temporarily_unavailable"

    def test_a_clear_no_is_not_an_outage(self, app, provider, clock):
        start(app)
        provider.publish(token_endpoint="https://evil.example/token")
        clock.move(DAY + 1)
        assert start(app)["error"] == "invalid_authority_metadata"

    def test_works_again_after_an_outage(self, app, server, provider, path):
        server.script(path, Answer(503, "down"))
        assert "error" in start(app)
        provider.publish()
        assert "auth_uri" in start(app)

    def test_overlapping_callers_share_one_fetch(self, app, server, provider, path):
        arrived, go = threading.Event(), threading.Event()

        def answer(_):
            arrived.set()
            assert go.wait(5)
            return Answer(body=provider.metadata())

        server.script(path, answer)
        flows = []
        threads = [threading.Thread(target=lambda: flows.append(start(app))) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert arrived.wait(5)
        go.set()
        for thread in threads:
            thread.join(10)
        assert all("auth_uri" in flow for flow in flows)
        assert (len(flows), server.count(path)) == (8, 1)
