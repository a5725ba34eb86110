"""The exceptions carry data, and the tree in the docstring is the one in the code."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from django_entra_auth import exceptions
from django_entra_auth.exceptions import (
    ConfigurationRejected,
    EntraAuthError,
    InteractionRequired,
    SignInFailed,
    TemporarilyUnavailable,
    TokenError,
    TokenThrottled,
    build_token_error,
)


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn = re.findall(r"^([ │]*)[├└]── (\w+)", exceptions.__doc__ or "", re.MULTILINE)
    parents = {name: TokenError if "│" in indent else EntraAuthError for indent, name in drawn}
    real = {
        name: cls.__base__
        for name, cls in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(cls, EntraAuthError) and cls is not EntraAuthError
    }
    assert parents == real


def test_interaction_required_is_raised_with_nothing_at_all() -> None:
    error = InteractionRequired()
    assert error.result == {"error": "interaction_required"}
    assert (error.scopes, error.claims, error.auth_context, error.max_age) == ((), None, None, None)


def test_interaction_required_carries_what_to_ask_for() -> None:
    error = InteractionRequired(
        {"error": "invalid_grant"}, scopes=["Mail.Read"], claims="{}", auth_context="c1", max_age=0
    )
    assert error.result == {"error": "invalid_grant"}
    assert (error.scopes, error.claims, error.auth_context, error.max_age) == (
        ("Mail.Read",),
        "{}",
        "c1",
        0,
    )


def test_the_result_is_a_copy() -> None:
    result = {"error": "invalid_grant"}
    errors: list[Any] = [TokenError(result), SignInFailed("blocked", result=result)]
    result["error"] = "changed"
    assert [error.result for error in errors] == [{"error": "invalid_grant"}] * 2


@pytest.mark.parametrize(
    "error",
    [
        TokenError({"error": "invalid_grant", "access_token": "t0ken", "error_description": "x"}),
        SignInFailed("blocked", result={"error": "x", "code": "t0ken"}),
        InteractionRequired({"error": "x", "refresh_token": "t0ken"}),
        TokenThrottled({"error": "x", "id_token": "t0ken"}, retry_after=7),
        TemporarilyUnavailable({"error": "x", "id_token": "t0ken"}),
    ],
)
def test_the_text_tells_no_member_of_the_result(error: TokenError | SignInFailed) -> None:
    assert "t0ken" not in f"{error} {error!r}"


def test_waiting_times_are_seconds() -> None:
    assert TokenThrottled(retry_after=7).retry_after == 7
    assert TemporarilyUnavailable().retry_after == 5


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (None, InteractionRequired),
        ({}, InteractionRequired),
        ({"error": "interaction_required"}, InteractionRequired),
        ({"error": "invalid_grant", "suberror": "basic_action"}, InteractionRequired),
        ({"error": "invalid_grant", "suberror": "message_only"}, InteractionRequired),
        ({"error": "invalid_grant", "suberror": "bad_token"}, InteractionRequired),
        ({"error": "consent_required"}, InteractionRequired),
        ({"error": "user_password_expired"}, InteractionRequired),
        ({"error": "invalid_grant", "error_codes": [50196]}, InteractionRequired),
        ({"error": "new_one", "claims": "{}"}, InteractionRequired),
        ({"error": "x", "status": 429, "retry_after": 7}, TokenThrottled),
        ({"error": "temporarily_unavailable"}, TemporarilyUnavailable),
        ({"error": "x", "status": 500}, TemporarilyUnavailable),
        ({"error": "invalid_id_token"}, TemporarilyUnavailable),
        ({"error": "invalid_client"}, ConfigurationRejected),
        ({"error": "invalid_scope"}, ConfigurationRejected),
        ({"error": "new_one"}, ConfigurationRejected),
    ],
)
def test_an_error_dict_becomes_its_exception(result: Any, kind: type[EntraAuthError]) -> None:
    error = build_token_error(result, scopes=["Mail.Read"])
    assert type(error) is kind
    if result:
        assert error.result == result  # type: ignore[attr-defined]


def test_a_need_found_at_the_token_endpoint_says_what_to_ask_for() -> None:
    result = {"error": "invalid_grant", "suberror": "basic_action", "claims": '{"a":1}'}
    error = build_token_error(result, scopes=["Mail.Read"], claims_challenge='{"b":2}')
    assert isinstance(error, InteractionRequired)
    assert (error.source, error.scopes, error.claims) == ("token", ("Mail.Read",), '{"a":1}')
    del result["claims"]
    error = build_token_error(result, claims_challenge='{"b":2}')
    assert isinstance(error, InteractionRequired)
    assert error.claims == '{"b":2}'


def test_a_throttle_keeps_its_time() -> None:
    throttled = build_token_error({"error": "x", "status": 429, "retry_after": 7})
    assert isinstance(throttled, TokenThrottled)
    assert throttled.retry_after == 7
    failed = SignInFailed("throttled", result={"error": "x", "retry_after": 9})
    assert failed.retry_after == 9
    assert SignInFailed("too_many", retry_after=600).retry_after == 600
    assert SignInFailed("blocked").retry_after is None


def test_a_rejected_configuration_tells_its_word_alone() -> None:
    error = ConfigurationRejected(result={"error": "invalid_client", "error_description": "t0ken"})
    assert str(error) == "invalid_client"
    assert "t0ken" not in repr(error)
    assert str(ConfigurationRejected()) == "configuration"
