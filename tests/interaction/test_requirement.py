"""What is asked of a sign-in, how it is put into claims, and when it is met."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.interaction.requirement import (
    AUTH_TIME_LEEWAY,
    NOTHING,
    Requirement,
    is_claims,
    make_requirement,
    read_requirement,
)
from django_entra_auth.oauth2 import merge_claims

NOW = 1_800_000_000
CONTEXT = {"id_token": {"acrs": {"essential": True, "value": "c1"}}}


def test_nothing_is_nothing() -> None:
    assert not NOTHING
    assert not Requirement()
    for members in ({"scopes": ("a",)}, {"claims": "{}"}, {"auth_context": "c1"}, {"max_age": 0}):
        assert Requirement(**members)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "claims", "contexts", "unmet"),
    [
        ({}, {}, [], None),
        ({"auth_context": "c1"}, {}, [], "auth_context"),
        ({"auth_context": "c1"}, {"acrs": ["c1"]}, [], "auth_context"),
        ({"auth_context": "c1"}, {}, ["c10", "c2"], "auth_context"),
        ({"auth_context": "c1"}, {}, ["c2", "c1"], None),
        ({"max_age": 300}, {}, [], "max_age"),
        ({"max_age": 300}, {"auth_time": NOW - 300 - AUTH_TIME_LEEWAY}, [], None),
        ({"max_age": 300}, {"auth_time": NOW - 301 - AUTH_TIME_LEEWAY}, [], "max_age"),
        ({"max_age": 300}, {"auth_time": str(NOW)}, [], "max_age"),
        ({"max_age": 0}, {"auth_time": NOW}, [], None),
        ({"auth_context": "c1", "max_age": 1}, {"auth_time": 0}, ["c1"], "max_age"),
        ({"scopes": ("Mail.Read",), "claims": "{}"}, {}, [], None),
    ],
)
def test_what_is_unmet(wanted: Any, claims: Any, contexts: Any, unmet: str | None) -> None:
    assert Requirement(**wanted).unmet(claims, NOW, contexts=contexts) == unmet


@pytest.mark.parametrize(
    ("asked", "granted", "is_granted"),
    [
        (("Mail.Read",), "openid profile Mail.Read User.Read", True),
        (("Mail.Read",), "mail.read", True),
        (("Mail.Read",), "https://graph.microsoft.com/Mail.Read", True),
        (("https://graph.microsoft.com/Mail.Read",), "Mail.Read", True),
        (("Mail.Read",), "Mail.ReadBasic User.Read", False),
        (("Mail.Read", "User.Read"), "User.Read", False),
        (("Mail.Read",), "", False),
        (("Mail.Read",), None, True),
        ((), "", True),
    ],
)
def test_what_is_granted(asked: tuple[str, ...], granted: str | None, is_granted: bool) -> None:
    assert Requirement(scopes=asked).is_granted(granted) is is_granted


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (None, CONTEXT),
        ("{}", CONTEXT),
        ('{"id_token":null}', CONTEXT),
        ('{"id_token":{"acrs":null}}', CONTEXT),
        ('{"id_token":{"acrs":{"value":"c1"}}}', CONTEXT),
        ('{"id_token":{"acrs":{"values":null}}}', CONTEXT),
        ('{"id_token":{"acrs":{"values":5,"value":7}}}', CONTEXT),
        ('{"id_token":{"acrs":[]}}', CONTEXT),
        (
            '{"id_token":{"acrs":{"value":"c2"}}}',
            {"id_token": {"acrs": {"essential": True, "values": ["c2", "c1"]}}},
        ),
        (
            '{"id_token":{"acrs":{"values":["c3","c1",5]},"x":null},"access_token":{"a":1}}',
            {
                "id_token": {"acrs": {"essential": True, "values": ["c3", "c1"]}, "x": None},
                "access_token": {"a": 1},
            },
        ),
    ],
)
def test_a_context_joins_the_challenge(claims: str | None, expected: Any) -> None:
    built = Requirement(claims=claims, auth_context="c1").build_claims()
    assert json.loads(built or "") == expected


def test_without_a_context_the_challenge_is_passed_on_as_it_is() -> None:
    text = ' {"access_token" : {"nbf":{"value":"1"}}} '
    assert Requirement(claims=text).build_claims() == text
    assert Requirement(max_age=5).build_claims() is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": "Mail.Read"},
        {"scopes": ["openid"]},
        {"auth_context": ""},
        {"auth_context": 1},
        {"max_age": -1},
        {"max_age": True},
        {"max_age": "300"},
        {"max_age": 1.5},
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        make_requirement(**wrong)


ODD = [
    None, "", "null", "5", "[]", "{", '{"access_token":5}', '{"access_token":{"xms_cc":5}}',
    '{"id_token":5}', '{"id_token":[]}', '{"a":NaN}', "[" * 9_000, {"a": 1}, ["x"], 5, True,
    '{"a":"' + "x" * 9_000 + '"}',
]  # fmt: skip


@pytest.mark.parametrize("claims", ODD, ids=lambda value: repr(value)[:30])
def test_claims_that_cannot_be_asked_for_are_left_out(claims: Any) -> None:
    assert not is_claims(claims)
    exc = InteractionRequired(scopes=["Mail.Read"], claims=claims, auth_context="c1", max_age=5)
    expected = Requirement(scopes=("Mail.Read",), auth_context="c1", max_age=5)
    assert read_requirement(exc) == expected


def test_claims_that_a_context_makes_too_long_are_left_out() -> None:
    claims = json.dumps({"a": "x" * 8_150})
    assert read_requirement(InteractionRequired(claims=claims)).claims == claims
    assert read_requirement(InteractionRequired(claims=claims, auth_context="c1")).claims is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id_token", "access_token", "acrs", "xms_cc", "value", "values", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON, st.none() | st.just("c1"))
def test_whatever_is_accepted_can_be_sent(value: Any, auth_context: str | None) -> None:
    exc = InteractionRequired(claims=json.dumps(value), auth_context=auth_context)
    built = read_requirement(exc).build_claims()
    merged = json.loads(merge_claims(["cp1"], built) or "{}")
    assert "cp1" in merged["access_token"]["xms_cc"]["values"]
    if auth_context:
        acrs = merged["id_token"]["acrs"]
        assert auth_context in [acrs.get("value"), *acrs.get("values", [])]


@given(st.text())
def test_any_text_is_judged_and_nothing_worse(text: str) -> None:
    assert is_claims(text) in {True, False}
