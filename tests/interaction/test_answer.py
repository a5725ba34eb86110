"""Entra's answer: known fields, capped, kept once and for two minutes."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.answer import (
    BODY_MAX_BYTES,
    CODE_MAX_BYTES,
    KEPT_SECONDS,
    KNOWN_FIELDS,
    Answer,
    keep_answer,
    load_answer,
    parse_answer,
)


@pytest.fixture
def entries() -> Entries:
    return Entries(get_settings())


def parse(**fields: str) -> Answer:
    return parse_answer(QueryDict(urlencode(fields)))


def reason_of(**fields: str) -> str:
    with pytest.raises(SignInFailed) as caught:
        parse(**fields)
    return caught.value.reason


def test_a_code_is_taken() -> None:
    assert parse(state="s", code="c") == Answer(state="s", code="c", error={})


def test_unknown_fields_are_not_taken() -> None:
    answer = parse(
        state="s",
        code="c",
        next="//evil",
        session_state="x",
        client_info="y",
        iss="z",
        id_token="t",
    )
    assert answer == Answer(state="s", code="c", error={})


def test_a_refusal_is_taken_with_its_known_fields() -> None:
    answer = parse(state="s", error="access_denied", error_subcode="cancel", extra="x")
    assert answer.error == {"error": "access_denied", "error_subcode": "cancel"}
    assert answer.code == ""


def test_code_and_error_together_are_both_kept_for_the_flow_to_judge() -> None:
    answer = parse(state="s", code="c", error="access_denied")
    assert (answer.code, answer.error) == ("c", {"error": "access_denied"})


def test_fields_of_a_refusal_without_error_say_nothing() -> None:
    assert parse(state="s", code="c", error_description="x", claims="{}").error == {}


def test_without_state_there_is_nothing_to_do() -> None:
    assert reason_of(code="c") == "state_missing"
    assert reason_of(state="", code="c") == "state_missing"
    assert reason_of() == "state_missing"


def test_the_code_is_capped() -> None:
    assert len(parse(state="s", code="x" * CODE_MAX_BYTES).code) == CODE_MAX_BYTES
    assert reason_of(state="s", code="x" * (CODE_MAX_BYTES + 1)) == "oversized"
    assert reason_of(state="s", code="\u20ac" * (CODE_MAX_BYTES // 2)) == "oversized"


@pytest.mark.parametrize("name", KNOWN_FIELDS)
def test_each_field_is_capped(name: str) -> None:
    assert reason_of(**{"state": "s", "error": "x", name: "x" * 4097}) == "oversized"


def test_all_fields_together_are_capped() -> None:
    filling = dict.fromkeys(KNOWN_FIELDS[:5], "x" * 4000)
    assert sum(map(len, filling.values())) > BODY_MAX_BYTES
    assert reason_of(state="s", **filling) == "oversized"


def test_the_code_is_absent_from_repr() -> None:
    assert "s3cret" not in repr(parse(state="s", code="s3cret-code"))


def test_an_answer_comes_back(entries: Entries) -> None:
    for number, answer in enumerate(
        [Answer("s", "c"), Answer("s", "", {"error": "access_denied", "claims": "{}"})]
    ):
        keep_answer(answer, f"handle-{number}", entries)
        assert load_answer(f"handle-{number}", entries) == answer


def test_the_first_answer_stays(entries: Entries) -> None:
    keep_answer(Answer("s", "first"), "handle", entries)
    keep_answer(Answer("s", "second"), "handle", entries)
    kept = load_answer("handle", entries)
    assert kept is not None
    assert kept.code == "first"


def test_another_handle_finds_nothing(entries: Entries) -> None:
    keep_answer(Answer("s", "c"), "handle", entries)
    assert load_answer("handl", entries) is None
    assert load_answer("", entries) is None


def test_it_is_kept_for_two_minutes(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = []

    def add(key: str, value: object, timeout: float) -> bool:
        timeouts.append(timeout)
        return True

    monkeypatch.setattr(entries._cache, "add", add)
    keep_answer(Answer("s", "c"), "handle", entries)
    assert timeouts == [KEPT_SECONDS]
    assert KEPT_SECONDS <= 120


def test_code_and_handle_cannot_be_read_in_the_cache(entries: Entries) -> None:
    keep_answer(Answer("s", "s3cret-code"), "handle-value", entries)
    key = build_key("handle", "handle-value")
    assert "handle-value" not in key
    assert b"s3cret-code" not in cache.get(key)


@given(st.dictionaries(st.sampled_from(["state", "code", *KNOWN_FIELDS]), st.text(max_size=50)))
def test_no_field_makes_it_fail_otherwise(fields: dict[str, str]) -> None:
    if not fields.get("state"):
        assert reason_of(**fields) == "state_missing"
        return
    answer = parse(**fields)
    assert answer.state == fields["state"]
    assert set(answer.error) <= set(KNOWN_FIELDS)
