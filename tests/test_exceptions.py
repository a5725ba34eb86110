"""The exceptions carry data, and the tree in the docstring is the one in the code."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from django_entra_auth import exceptions
from django_entra_auth.exceptions import (
    EntraAuthError,
    InteractionRequired,
    SignInFailed,
    TemporarilyUnavailable,
    TokenError,
    TokenThrottled,
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
