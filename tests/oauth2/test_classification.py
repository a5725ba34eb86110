"""Who must act on which error: every row of Microsoft's tables."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.oauth2 import classify
from django_entra_auth.oauth2.aadsts import Actor, Category
from django_entra_auth.oauth2.errors import MAX_TEXT, read_error

SUBERRORS = [
    ("basic_action", "interaction", "person"),
    ("additional_action", "additional_action", "person"),
    ("message_only", "blocked", "administrator"),
    ("consent_required", "consent", "person"),
    ("user_password_expired", "password_change", "person"),
    ("bad_token", "expired_grant", "person"),
    ("token_expired", "expired_grant", "person"),
    ("protection_policy_required", "blocked", "administrator"),
    ("client_mismatch", "expired_grant", "person"),
    ("device_authentication_failed", "additional_action", "person"),
    ("", "interaction", "person"),
    ("something_new", "interaction", "person"),
]
ERRORS = [
    ("interaction_required", "interaction", "person"),
    ("login_required", "interaction", "person"),
    ("consent_required", "consent", "person"),
    ("user_password_expired", "password_change", "person"),
    ("invalid_client", "configuration", "operator"),
    ("unauthorized_client", "configuration", "operator"),
    ("invalid_request", "configuration", "operator"),
    ("unsupported_grant_type", "configuration", "operator"),
    ("unsupported_response_type", "configuration", "operator"),
    ("invalid_scope", "configuration", "operator"),
    ("invalid_resource", "configuration", "operator"),
    ("access_denied", "cancelled", "person"),
    ("server_error", "transient", "nobody"),
    ("temporarily_unavailable", "transient", "nobody"),
    ("service_unavailable", "transient", "nobody"),
    ("invalid_tenant", "configuration", "operator"),
    ("invalid_instance", "configuration", "operator"),
    ("authorization_pending", "interaction", "person"),
    ("authorization_declined", "cancelled", "person"),
    ("expired_token", "expired_grant", "person"),
    ("bad_verification_code", "interaction", "person"),
    ("slow_down", "throttled", "nobody"),
    ("invalid_id_token", "invalid_answer", "operator"),
    ("invalid_response", "invalid_answer", "operator"),
    ("invalid_authority_metadata", "configuration", "operator"),
    ("nobody_knows_this", "configuration", "operator"),
]


class TestTables:
    @pytest.mark.parametrize(("suberror", "category", "actor"), SUBERRORS)
    @pytest.mark.parametrize("error", ["invalid_grant", "interaction_required"])
    def test_by_suberror(self, error, suberror, category, actor):
        found = classify({"error": error, "suberror": suberror})
        assert (found.category, found.actor) == (category, actor)
        assert found.title
        assert found.remedy

    @pytest.mark.parametrize(("error", "category", "actor"), ERRORS)
    def test_by_error(self, error, category, actor):
        found = classify({"error": error})
        assert (found.category, found.actor) == (category, actor)

    @pytest.mark.parametrize("number", [70008, 54005, 501481, 700005, 70000])
    def test_codes_that_cannot_be_redeemed(self, number):
        """A fresh sign-in solves these; the code itself is of no more use."""
        assert classify({"error": "invalid_grant", "error_codes": [number]}).category == (
            "expired_grant"
        )

    def test_app_protection_is_no_configuration_error(self):
        result = {"error": "unauthorized_client", "suberror": "protection_policy_required"}
        assert classify(result).category == "blocked"

    def test_blocked_although_claims_are_there(self):
        """53003 brings claims, but no prompt can satisfy them."""
        result = {"error": "invalid_grant", "suberror": "message_only", "claims": "{}"}
        assert classify(result).category == "blocked"

    def test_claims_ask_for_interaction(self):
        result = {"error": "invalid_grant", "claims": '{"access_token":{}}', "error_codes": [70000]}
        assert classify(result).category == "interaction"

    @pytest.mark.parametrize("error", ["invalid_grant", "server_error", "x"])
    def test_status_429_is_throttling(self, error):
        assert classify({"error": error, "status": 429}).category == "throttled"

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_status_5xx_is_transient(self, status):
        assert classify({"error": "invalid_grant", "status": status}).category == "transient"

    def test_a_request_loop(self):
        assert classify({"error": "invalid_grant", "error_codes": [50196]}).category == "throttled"


class TestNumbers:
    def test_from_error_codes(self):
        assert classify({"error": "x", "error_codes": [50076, 1]}).number == 50076

    def test_from_the_text_of_a_redirect(self):
        result = {"error": "access_denied", "error_description": "AADSTS65004: User declined"}
        assert classify(result).number == 65004

    @pytest.mark.parametrize(
        "members",
        [
            {},
            {"error_codes": []},
            {"error_codes": ["50076"]},
            {"error_codes": [True]},
            {"error_codes": 50076},
            {"error_description": "see AADSTS50076"},
            {"error_description": "AADSTS" + "9" * 40},
            {"error_description": 7},
        ],
    )
    def test_none(self, members):
        assert classify({"error": "x", **members}).number is None

    def test_numbers_choose_the_help_text_not_the_category(self):
        result = {"error": "interaction_required", "error_codes": [50105]}
        found = classify(result)
        assert found.category == "interaction"
        assert found.title != classify({"error": "interaction_required"}).title

    def test_administrators_consent(self):
        found = classify({"error": "consent_required", "error_codes": [90094]})
        assert (found.category, found.actor) == ("consent", "administrator")

    def test_unknown_number(self):
        found = classify({"error": "invalid_grant", "error_codes": [99999999]})
        assert (found.number, found.category) == (99999999, "interaction")


members = st.dictionaries(
    st.sampled_from(["error", "suberror", "claims", "error_codes", "error_description", "status"])
    | st.text(),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers() | st.text(), max_size=3)
    | st.dictionaries(st.text(), st.integers(), max_size=2),
    max_size=6,
)


class TestProperties:
    @given(members)
    def test_never_raises(self, result):
        found = classify(result)
        assert found.category in get_args(Category)
        assert found.actor in get_args(Actor)

    @given(members, st.none() | st.integers(100, 599))
    def test_error_bodies(self, body, status):
        result = read_error({"error": "invalid_grant", **body}, status=status, correlation_id="c")
        assert result["category"] in get_args(Category)
        assert all(
            len(value) <= 2 * MAX_TEXT for value in result.values() if isinstance(value, str)
        )
        assert {"code", "state", "access_token"}.isdisjoint(result)
