"""Every failure has a page in our own words, and details that hold no provider's text."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from django.test import RequestFactory
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction import failures
from django_entra_auth.interaction.failures import (
    FAILURES,
    build_details,
    build_stop,
    get_failure,
    reason_for,
    report_failure,
)
from django_entra_auth.oauth2.aadsts import Category
from django_entra_auth.signals import sign_in_failed

GUID = "7c9d4d52-1f0a-4b8e-9c53-2b6d0e5a1c01"
EVIL = '<script>alert("x")</script>'


def details(**result: Any) -> dict[str, str]:
    return {str(label): value for label, value in build_details(SignInFailed("x", result=result))}


@pytest.mark.parametrize("reason", sorted(FAILURES))
def test_every_page_says_what_happened_and_what_to_do(reason: str) -> None:
    page = FAILURES[reason]
    assert 400 <= page.status < 600
    for text in (page.title, page.message, page.advice):
        assert str(text).strip()
        assert not re.search(r"[<>{}%]", str(text))


def test_the_text_is_translated_when_shown_not_when_imported() -> None:
    with override("de"):
        assert str(FAILURES["cancelled"].title)
    assert type(FAILURES["cancelled"].title).__name__ == "__proxy__"


def test_every_category_of_error_has_a_page() -> None:
    assert set(failures._BY_CATEGORY) == set(get_args(Category))
    assert set(failures._BY_CATEGORY.values()) <= set(FAILURES)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"error": "access_denied", "error_subcode": "cancel"}, "cancelled"),
        ({"error": "interaction_required", "error_codes": [50076]}, "interaction_needed"),
        ({"error": "invalid_grant", "suberror": "message_only"}, "blocked"),
        ({"error": "invalid_grant", "suberror": "bad_token"}, "code_rejected"),
        ({"error": "consent_required"}, "consent_missing"),
        ({"error": "invalid_client", "error_codes": [7000215]}, "configuration"),
        ({"error": "invalid_id_token", "failed_check": "nonce"}, "invalid_answer"),
        ({"error": "temporarily_unavailable"}, "unavailable"),
        ({"error": "anything", "status": 503}, "unavailable"),
        ({"error": "anything", "status": 429}, "throttled"),
    ],
)
def test_an_error_dict_leads_to_its_page(result: dict[str, Any], reason: str) -> None:
    assert reason_for(result) == reason


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    ["error", "suberror", "error_codes", "status", "claims", "error_description", "trace_id",
     "correlation_id", "timestamp"]
)  # fmt: skip


@given(st.dictionaries(FIELDS, ODD))
def test_whatever_was_sent_there_is_a_page(result: dict[str, Any]) -> None:
    assert reason_for(result) in FAILURES
    for value in details(**result).values():
        assert re.fullmatch(r"[0-9a-f-]{36}|AADSTS-?\d+|[\d: Z-]+", value)


def test_an_unknown_reason_reads_like_a_refused_account() -> None:
    assert get_failure("a_projects_own_reason") is FAILURES["claims_refused"]


def test_the_details_are_numbers_and_ids() -> None:
    shown = details(
        error="invalid_grant",
        error_codes=[50076],
        correlation_id=GUID.upper(),
        trace_id=GUID,
        timestamp="2026-01-02 03:04:05Z",
    )
    assert shown == {
        "Error number": "AADSTS50076",
        "Correlation ID": GUID,
        "Trace ID": GUID,
        "Time": "2026-01-02 03:04:05Z",
    }


def test_what_a_provider_wrote_is_never_shown() -> None:
    shown = details(
        error=EVIL,
        error_description=f"AADSTS50076: {EVIL}",
        error_codes=[EVIL],
        correlation_id=EVIL,
        trace_id=EVIL.ljust(36),
        timestamp=f"2026-01-02 03:04:05Z{EVIL}",
        claims=EVIL,
    )
    assert not re.search(r"[<>]|script|alert", repr(shown))
    assert set(shown) == {"Error number", "Time"}


def test_there_is_always_a_time() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", details()["Time"])


@pytest.mark.parametrize(
    ("result", "is_repeated", "reason"),
    [
        ({"error": "invalid_grant", "suberror": "message_only"}, False, "blocked"),
        ({"error": "x", "suberror": "protection_policy_required"}, False, "blocked"),
        ({"error": "invalid_grant", "error_codes": [50196]}, False, "loop_detected"),
        ({"error": "invalid_grant", "error_codes": [50196]}, True, "loop_detected"),
        ({"error": "interaction_required", "error_codes": [50076]}, True, "repeated"),
        ({"error": "insufficient_claims"}, True, "repeated"),
        ({"error": "invalid_grant", "suberror": "bad_token"}, True, "repeated"),
        ({"error": "invalid_grant", "suberror": "additional_action"}, True, "action_needed"),
        ({"error": "consent_required"}, True, "consent_missing"),
        ({}, True, "repeated"),
    ],
)
def test_why_there_is_no_other_prompt(
    result: dict[str, Any], is_repeated: bool, reason: str
) -> None:
    stop = build_stop(result, is_repeated=is_repeated)
    assert stop.reason == reason
    assert stop.result == result
    assert FAILURES[reason].status == 403
    assert FAILURES[reason].can_retry


@given(st.dictionaries(FIELDS, ODD), st.booleans())
def test_whatever_was_sent_there_is_a_stop(result: dict[str, Any], is_repeated: bool) -> None:
    assert build_stop(result, is_repeated=is_repeated).reason in FAILURES


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"error": "access_denied", "error_description": "AADSTS65004: No"}, "consent_missing"),
        (
            {
                "error": "access_denied",
                "error_subcode": "cancel",
                "error_description": "AADSTS65004: Cancel",
            },
            "cancelled",
        ),
        ({"error": "access_denied"}, "cancelled"),
    ],
)
def test_declining_and_cancelling_are_told_apart(result: dict[str, Any], reason: str) -> None:
    assert reason_for(result) == reason


@pytest.mark.django_db
def test_the_log_says_the_reason_and_no_providers_text(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def note(sender: Any, *, reason: str, result: Any, **named: Any) -> None:
        seen.append((reason, result))

    sign_in_failed.connect(note)
    result = {"error": EVIL, "error_description": EVIL, "correlation_id": GUID.upper()}
    report_failure(RequestFactory().get("/"), SignInFailed("repeated", result=result))
    sign_in_failed.disconnect(note)
    assert seen == [("repeated", result)]
    [record] = [one for one in caplog.records if one.name == failures.__name__]
    assert record.getMessage() == "Sign-in failed: repeated (other)"
    assert record.correlation_id == GUID  # type: ignore[attr-defined]
