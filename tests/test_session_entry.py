"""What the session keeps of a sign-in, and what a check without a prompt may change of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.session_entry import (
    CONTEXTS,
    SESSION_MAX_BYTES,
    build_entry,
    read_contexts,
    renew_entry,
)

TID = "11111111-2222-4333-8444-555555555555"
OID = "abcdef01-2222-4333-8444-555555555555"
IDENTITY = {"tid": TID, "oid": OID}


def build(*, now: float = 1000.0, contexts: Any = None, **claims: Any) -> dict[str, Any]:
    return build_entry(
        {**IDENTITY, **claims},
        sign_in_id="s" * 43,
        home_account_id=f"{OID}.{TID}",
        backend="django_entra_auth.backends.EntraBackend",
        contexts=contexts,
        now=now,
    )


def test_it_is_what_the_session_needs_and_no_more() -> None:
    entry = build(acrs=["c1"], nonce="n", groups=["g"])
    assert entry == {
        "id": "s" * 43,
        "home": f"{OID}.{TID}",
        "backend": "django_entra_auth.backends.EntraBackend",
        "checked": 1000,
        "contexts": {"c1": 1000},
        "claims": {**IDENTITY, "acrs": ["c1"]},
    }
    assert json.loads(json.dumps(entry)) == entry


def test_contexts_of_earlier_prompts_keep_their_time() -> None:
    entry = build(acrs=["c2"], contexts={"c1": 10, "c2": 20}, now=500)
    assert entry["contexts"] == {"c1": 10, "c2": 500}


def test_the_contexts_satisfied_last_are_kept() -> None:
    earlier = {f"c{number}": number for number in range(1, 60)}
    kept = build(acrs=["c99"], contexts=earlier, now=1000)["contexts"]
    assert len(kept) == CONTEXTS
    assert kept["c99"] == 1000
    assert min(kept.values()) == 60 - (CONTEXTS - 1)


@pytest.mark.parametrize(
    ("acrs", "expected"),
    [
        (["c1", "c2"], ["c1", "c2"]),
        ("c1", ["c1"]),
        (None, []),
        ([], []),
        (7, []),
        ({"c1": 1}, []),
        (["c1", 7, None, "x" * 17, "\N{SNOWMAN}"], ["c1"]),
    ],
)
def test_contexts_of_any_shape(acrs: Any, expected: list[str]) -> None:
    assert read_contexts({} if acrs is None else {"acrs": acrs}) == expected


@given(
    st.lists(st.text(max_size=512), max_size=30),
    st.dictionaries(st.text(max_size=3), st.integers(0, 2_000_000_000), max_size=30),
)
def test_no_contexts_make_the_session_too_large(acrs: list[str], earlier: Any) -> None:
    entry = build(acrs=acrs, contexts=earlier)
    assert (entry["claims"]["tid"], entry["claims"]["oid"]) == (TID, OID)
    assert len(json.dumps(entry)) <= SESSION_MAX_BYTES


# After a check without a prompt


def test_what_entra_says_now_takes_the_place_of_what_it_said() -> None:
    entry = build(name="Old", email="a@contoso.example", roles=["Reader"], now=10)
    renewed = renew_entry(entry, {**IDENTITY, "name": "New", "roles": ["Admin"]}, now=99.9)
    assert renewed["claims"]["name"] == "New"
    assert renewed["claims"]["roles"] == ["Admin"]
    assert renewed["claims"]["email"] == "a@contoso.example"
    assert renewed["checked"] == 99
    assert entry["claims"]["name"] == "Old"
    assert {**renewed, "claims": {}, "checked": 0} == {**entry, "claims": {}, "checked": 0}


def test_a_role_that_is_gone_goes() -> None:
    assert "roles" not in renew_entry(build(roles=["Admin"]), IDENTITY, now=1)["claims"]


def test_without_claims_only_the_time_changes() -> None:
    entry = build(roles=["Admin"], acrs=["c1"], auth_time=7)
    assert renew_entry(entry, {}, now=99) == {**entry, "checked": 99}


@pytest.mark.parametrize("before", [{}, {"auth_time": 7, "acrs": ["c1"]}])
def test_a_refresh_proves_nothing_about_the_person(before: dict[str, Any]) -> None:
    claims = {**IDENTITY, "auth_time": 9_999, "acrs": ["c2"]}
    renewed = renew_entry(build(**before), claims, now=99)
    kept = {name: renewed["claims"][name] for name in ("auth_time", "acrs") if name in before}
    assert kept == before
    assert {"auth_time", "acrs"} & set(renewed["claims"]) == set(before)
    assert "c2" not in renewed["contexts"]
