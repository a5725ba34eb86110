"""Claims requests: merging capabilities into challenges."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.oauth2 import merge_claims

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
sections = st.dictionaries(
    st.sampled_from(["access_token", "id_token", "userinfo", "other"]),
    st.none() | st.dictionaries(st.sampled_from(["xms_cc", "nbf", "acrs"]), json_values),
)


def merged(capabilities, challenge):
    return json.loads(merge_claims(capabilities, challenge))


class TestMerge:
    def test_nothing(self):
        assert merge_claims(None, None) is None
        assert merge_claims([], "") is None

    def test_capabilities_alone(self):
        assert merged(["cp1"], None) == {"access_token": {"xms_cc": {"values": ["cp1"]}}}

    def test_a_challenge_alone_is_passed_on_unchanged(self):
        challenge = '{"access_token":{"nbf":{"essential":true, "value":"1635527790"}}}'
        assert merge_claims(None, challenge) == challenge

    def test_unknown_members_are_kept(self):
        challenge = {
            "access_token": {
                "nbf": {"essential": True, "value": "1"},
                "xms_caeerror": {"value": "10012"},
            },
            "id_token": {"acrs": {"essential": True, "value": "c1"}},
            "x": [1],
        }
        expected = json.loads(json.dumps(challenge))
        expected["access_token"]["xms_cc"] = {"values": ["cp1"]}
        assert merged(["cp1"], json.dumps(challenge)) == expected

    @pytest.mark.parametrize(
        ("named", "values"),
        [
            ({"values": ["cp2"]}, ["cp2", "cp1"]),
            ({"values": ["CP1"]}, ["CP1"]),
            ({"values": []}, ["cp1"]),
            ({"value": "cp2"}, ["cp2", "cp1"]),
            ({}, ["cp1"]),
            (None, ["cp1"]),
        ],
    )
    def test_capabilities_are_united(self, named, values):
        challenge = json.dumps({"access_token": {"xms_cc": named}})
        assert merged(["cp1"], challenge)["access_token"]["xms_cc"] == {"values": values}

    def test_other_members_of_the_capability_are_kept(self):
        challenge = json.dumps({"access_token": {"xms_cc": {"essential": True, "values": ["a"]}}})
        expected = {"essential": True, "values": ["a", "cp1"]}
        assert merged(["cp1"], challenge)["access_token"]["xms_cc"] == expected

    def test_a_null_section_is_an_empty_one(self):
        assert merged(["cp1"], '{"access_token":null}')["access_token"]["xms_cc"]


class TestMisuse:
    @pytest.mark.parametrize(
        "challenge",
        [
            "{hunter2",
            "[]",
            "7",
            '"hunter2"',
            "null",
            '{"a":NaN}',
            "[" * 5000,
            '{"a":"' + "x" * 8192 + '"}',
            b"{}",
            {"hunter2": 1},
        ],
    )
    @pytest.mark.parametrize("capabilities", [None, ["cp1"]])
    def test_challenges(self, capabilities, challenge):
        with pytest.raises(ValueError, match="claims challenge") as caught:
            merge_claims(capabilities, challenge)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        "section",
        [
            [],
            "hunter2",
            {"xms_cc": []},
            {"xms_cc": "hunter2"},
            {"xms_cc": {"values": "hunter2"}},
            {"xms_cc": {"values": [7]}},
            {"xms_cc": {"value": 7}},
        ],
    )
    def test_sections_that_cannot_hold_capabilities(self, section):
        with pytest.raises(ValueError, match="claims challenge") as caught:
            merge_claims(["cp1"], json.dumps({"access_token": section}))
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("capabilities", ["cp1", [""], [7], [None]])
    def test_capabilities(self, capabilities):
        with pytest.raises(ValueError, match="client_capabilities"):
            merge_claims(capabilities, None)


class TestProperties:
    @given(st.text() | st.binary())
    def test_any_text(self, challenge):
        try:
            result = merge_claims(["cp1"], challenge)
        except ValueError:
            return
        assert "cp1" in json.loads(result)["access_token"]["xms_cc"]["values"]

    @given(sections)
    def test_any_claims(self, claims):
        text = json.dumps(claims)
        try:
            result = merged(["cp1"], text)
        except ValueError:
            return
        assert "cp1" in result["access_token"]["xms_cc"]["values"]
        rest = {name: value for name, value in result.items() if name != "access_token"}
        assert rest == {name: value for name, value in claims.items() if name != "access_token"}
        for name, value in (claims.get("access_token") or {}).items():
            if name != "xms_cc":
                assert result["access_token"][name] == value
        assert merged(["cp1"], json.dumps(result)) == result, "merging twice changes nothing"
