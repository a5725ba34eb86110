"""A rejected credential beside which another one works is told to operators, and not too often."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from django_entra_auth import signals
from django_entra_auth.client import TELL_AGAIN_SECONDS, RejectionTeller, get_application
from django_entra_auth.models import TokenErrorRecord
from tests.credentials.material import Shop, make_pair

EXPIRED = {"error": "invalid_client", "error_codes": [7000222], "correlation_id": "c"}


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def listen(sender: Any, **named: Any) -> None:
        found.append(named)

    signals.token_error.connect(listen)
    yield found
    signals.token_error.disconnect(listen)


def test_the_first_of_a_list_has_expired(
    shop: Shop, told: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    shop.entra.application.credentials.expired_secrets.add("last-years")
    shop.use(["last-years", shop.entra.client_secret])
    for person in ("alice", "erin"):
        assert shop.sign_in(person)[0].is_signed_in()
    (named,) = told
    assert named["request"] is None
    assert named["result"]["error_codes"] == [7000222]
    assert named["result"]["rejected_credential"] == 1
    row = TokenErrorRecord.objects.get()
    assert (row.kind, row.category, row.number) == ("configuration", "configuration", 7000222)
    assert (row.user, row.oid, row.count) == (None, "", 1)
    assert row.reason == "credential_rejected"
    assert row.correlation_id
    (record,) = [one for one in caplog.records if one.name == "django_entra_auth.client"]
    assert record.levelno == logging.WARNING
    assert "Credential 1 of CLIENT_CREDENTIAL is rejected (AADSTS7000222)" in record.message
    assert record.error_codes == [7000222]  # type: ignore[attr-defined]


def test_several_processes_are_one_row_with_a_count(shop: Shop) -> None:
    shop.use(["wrong", shop.entra.client_secret])
    for _ in range(3):
        shop.use(["wrong", shop.entra.client_secret])  # as in a process that has just started
        assert shop.sign_in()[0].is_signed_in()
    assert TokenErrorRecord.objects.get().count == 3


def test_an_entry_without_a_credential_is_told_too(shop: Shop, told: list[dict[str, Any]]) -> None:
    shop.use([{"client_secret_path": str(shop.folder / "none")}, shop.entra.client_secret])
    assert shop.sign_in()[0].is_signed_in()
    (named,) = told
    assert named["result"]["error"] == "credential_unavailable"
    row = TokenErrorRecord.objects.get()
    assert (row.category, row.error) == ("configuration", "credential_unavailable")


def test_an_orderly_rollover_is_not_told(shop: Shop, told: list[dict[str, Any]]) -> None:
    vault = iter(["old", shop.entra.client_secret])
    shop.use(lambda: next(vault))
    assert shop.sign_in()[0].is_signed_in()
    assert told == []


def test_when_all_are_rejected_the_failure_itself_is_told(
    shop: Shop, told: list[dict[str, Any]]
) -> None:
    other = make_pair()
    pem = {"private_key": other.key_pem(), "public_certificate": other.certificate_pem}
    shop.use(["wrong", pem])
    assert not shop.sign_in()[0].is_signed_in()
    assert told == []
    row = TokenErrorRecord.objects.get()
    assert (row.kind, row.number) == ("configuration", 700027)


def test_once_an_hour_for_each_place_and_number(told: list[dict[str, Any]], db: None) -> None:
    now = [0.0]
    tell = RejectionTeller(monotonic=lambda: now[0])
    for _ in range(3):
        tell(1, EXPIRED)
    tell(2, EXPIRED)
    tell(1, {**EXPIRED, "error_codes": [7000215]})
    assert len(told) == 3
    now[0] = TELL_AGAIN_SECONDS
    tell(1, EXPIRED)
    assert len(told) == 4


def test_receivers_cannot_break_it(shop: Shop) -> None:
    def break_down(sender: Any, **named: Any) -> None:
        raise RuntimeError

    signals.token_error.connect(break_down)
    try:
        shop.use(["wrong", shop.entra.client_secret])
        assert shop.sign_in()[0].is_signed_in()
    finally:
        signals.token_error.disconnect(break_down)


def test_background_work_is_told_as_well(shop: Shop, told: list[dict[str, Any]]) -> None:
    shop.use(["wrong", shop.entra.client_secret])
    result = get_application().acquire_token_for_client(["https://graph.microsoft.com/.default"])
    assert "access_token" in result
    assert [one["result"]["rejected_credential"] for one in told] == [1]
