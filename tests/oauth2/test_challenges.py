"""WWW-Authenticate headers, in every variant seen in the wild."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.oauth2 import find_claims_challenge, parse_www_authenticate
from django_entra_auth.oauth2.challenges import MAX_HEADER

ACRS = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
NBF = '{"access_token":{"nbf":{"essential":true, "value":"1635527790"}}}'
GRAPH = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize",'
    ' client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims",'
    ' claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTYzNTUyNzc5'
    'MCJ9fX0="'
)


def encode(claims=ACRS):
    return b64encode(json.dumps(claims).encode()).decode()


def header(claims=None, *, error="insufficient_claims"):
    return f'Bearer realm="", error="{error}", claims="{encode() if claims is None else claims}"'


def found(value):
    text = find_claims_challenge(value)
    return None if text is None else json.loads(text)


class TestParse:
    def test_one(self):
        (challenge,) = parse_www_authenticate(GRAPH)
        assert challenge.scheme == "bearer"
        assert challenge.parameters["realm"] == ""
        assert challenge.parameters["error"] == "insufficient_claims"
        assert challenge.parameters["authorization_uri"].endswith("/common/oauth2/authorize")
        assert challenge.claims == NBF

    def test_two_in_one(self):
        text = (
            'PoP realm="", authorization_uri="https://x/authorize", client_id="1", nonce="ey==", '
            f'Bearer realm="", client_id="2", error_description="a, b=c", '
            f'error="insufficient_claims", claims="{encode()}"'
        )
        pop, bearer = parse_www_authenticate(text)
        assert (pop.scheme, pop.parameters["nonce"], pop.claims) == ("pop", "ey==", None)
        assert bearer.parameters["client_id"] == "2"
        assert bearer.parameters["error_description"] == "a, b=c"
        assert json.loads(bearer.claims) == ACRS

    def test_several_fields(self):
        first, second = parse_www_authenticate(['Basic realm="x"', GRAPH])
        assert (first.scheme, second.claims) == ("basic", NBF)

    @pytest.mark.parametrize(
        ("text", "schemes"),
        [
            ("Bearer", ["bearer"]),
            ("Negotiate, Bearer", ["negotiate", "bearer"]),
            ("Negotiate dG9rZW4=, Bearer a=b", ["negotiate", "bearer"]),
            ("NTLM", ["ntlm"]),
            ('Basic realm="a \\" b", Bearer', ["basic", "bearer"]),
            ("  , ,Bearer  a = b , ", ["bearer"]),
            ("", []),
            (",,,", []),
            ('a="b"', []),
            ("\x00", []),
            (None, []),
            ([], []),
        ],
    )
    def test_shapes(self, text, schemes):
        assert [challenge.scheme for challenge in parse_www_authenticate(text)] == schemes

    def test_escapes(self):
        (challenge,) = parse_www_authenticate('Bearer a="x\\"y\\\\z"')
        assert challenge.parameters["a"] == 'x"y\\z'

    def test_first_of_equal_names(self):
        (challenge,) = parse_www_authenticate("Bearer a=1, A=2")
        assert challenge.parameters == {"a": "1"}

    def test_a_broken_end_keeps_the_beginning(self):
        (challenge,) = parse_www_authenticate('Bearer a="1", b="never closed')
        assert challenge.parameters == {"a": "1"}

    def test_too_long(self):
        assert parse_www_authenticate("Bearer " + "x" * MAX_HEADER) == []


class TestClaims:
    def test_documented(self):
        assert found(header()) == ACRS

    @pytest.mark.parametrize(
        "text",
        [
            f'Bearer claims="{encode()}", error="insufficient_claims"',
            f'bearer ERROR="insufficient_claims", CLAIMS="{encode()}"',
            f'Bearer error="insufficient_claims", errorDescription="x", claims="{encode()}"',
            f"Bearer error=insufficient_claims, claims={encode()}",
            f"Bearer authorization_uri=https://x/, error=insufficient_claims, claims={encode()}",
            f'Bearer realm="contoso.example", error="insufficient_claims", claims="{encode()}"',
            f'Bearer error="insufficient_claims", cc_type="authcontext", claims="{encode()}"',
            f'Bearer error="insufficient_claims", claims="{encode().rstrip("=")}"',
            f'Bearer error="insufficient_claims", claims=" {encode()} "',
        ],
    )
    def test_variants(self, text):
        assert found(text) == ACRS

    def test_raw_json_in_quotes(self):
        text = json.dumps(ACRS)
        scopes = f'Bearer consentUri="https://x/?a=b", claims="{text}", proposedAction="consent"'
        assert found(scopes) == ACRS
        (challenge,) = parse_www_authenticate(scopes)
        assert challenge.parameters["proposedaction"] == "consent"
        escaped = text.replace('"', '\\"')
        assert found(f'Bearer error="insufficient_claims", claims="{escaped}"') == ACRS

    def test_base64url(self):
        claims = {"access_token": {"x": "\N{GRINNING FACE}\N{LATIN SMALL LETTER Y WITH DIAERESIS}"}}
        text = json.dumps(claims, ensure_ascii=False).encode()
        assert found(header(urlsafe_b64encode(text).decode().rstrip("="))) == claims

    def test_extra_members_are_untouched(self):
        claims = {"access_token": {"nbf": {"value": 5}, "xms_caeerror": {"value": "10012"}}}
        assert found(header(encode(claims))) == claims

    @pytest.mark.parametrize(
        "text",
        [
            header(error="invalid_token"),
            'Bearer error="insufficient_claims"',
            header(""),
            header("***"),
            header("bm90IGpzb24="),
            header(encode([])),
            header(encode("text")),
            header(b64encode(b"\xff\xfe").decode()),
            header(b64encode(b"[" * 3000).decode()),
            header(encode({"a": "x" * 9000})),
            f'Basic error="insufficient_claims", claims="{encode()}"',
            f'PoP error="insufficient_claims", claims="{encode()}"',
            None,
            "",
        ],
    )
    def test_no_challenge(self, text):
        assert found(text) is None


class TestProperties:
    @given(st.text() | st.lists(st.text()))
    def test_any_text(self, text):
        for challenge in parse_www_authenticate(text):
            assert challenge.scheme
            assert challenge.claims is None or isinstance(json.loads(challenge.claims), dict)

    @given(st.text(alphabet='Bearo, ="\\{}:claimsPx\t') | st.from_regex(r"Bearer .*claims=.*"))
    def test_nearly_headers(self, text):
        find_claims_challenge(text)

    @given(
        st.dictionaries(
            st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
            st.text(st.characters(codec="ascii", min_codepoint=32), max_size=20),
            max_size=6,
        )
    )
    def test_round_trip(self, parameters):
        quoted = (
            f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
            for name, value in parameters.items()
        )
        (challenge,) = parse_www_authenticate("Bearer " + ", ".join(quoted))
        if not any(value.startswith("{") for value in parameters.values()):
            assert challenge.parameters == parameters
