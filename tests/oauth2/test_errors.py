"""Error dictionaries: what a provider sent, and what only this layer says about it."""

from __future__ import annotations

import pytest

from django_entra_auth.exceptions import TokenThrottled, build_token_error
from django_entra_auth.oauth2.errors import read_error

WORDS = {
    "category": "blocked",
    "failed_check": "nonce",
    "retry_after": "soon",
    "status": 500,
    "throttle_key": "k",
    "throttled": True,
}


def test_a_provider_cannot_speak_for_this_layer():
    result = read_error({"error": "invalid_grant", "trace_id": "t", **WORDS})
    assert result == {"error": "invalid_grant", "trace_id": "t", "category": "interaction"}


@pytest.mark.parametrize("wait", ["soon", [], {}, "1e9"])
def test_a_time_to_wait_that_is_none_reaches_nobody(wait):
    result = read_error({"error": "slow_down", "retry_after": wait}, status=429)
    exc = build_token_error(result)
    assert isinstance(exc, TokenThrottled)
    assert exc.retry_after == 5
