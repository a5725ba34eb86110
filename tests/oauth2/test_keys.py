"""Signing keys: parsing, rotation, rate limit, outages."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from django_entra_auth.oauth2.auth_code import hash_nonce
from django_entra_auth.oauth2.keys import parse_keys
from tests.oauth2.scripted import REDIRECT_URI, Answer, make_jwk

DAY = 86_400


@pytest.fixture
def path(provider):
    return provider.paths["keys"]


@pytest.fixture
def redeem(provider):
    """Redeem a token signed with the named key."""

    def run(app, key, kid):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        claims = provider.claims(nonce=hash_nonce(flow["nonce"]))
        provider.answer_tokens(
            Answer(body=provider.tokens(provider.sign(claims, key=key, kid=kid)))
        )
        return app.acquire_token_by_auth_code_flow(flow, {"state": flow["state"], "code": "c"})

    return run


class TestParse:
    def test_keeps_what_is_usable(self, signing_key, other_key):
        good = make_jwk(signing_key, "good", issuer="https://x/{tenantid}/v2.0", x5c=["MII"])
        document = {
            "keys": [
                good,
                make_jwk(other_key, "good"),
                make_jwk(other_key, "no-use", use=None),
                make_jwk(other_key, "encryption", use="enc"),
                make_jwk(other_key, "curve", kty="EC"),
                make_jwk(other_key, "symmetric", kty="oct", k="c2VjcmV0"),
                make_jwk(other_key, ""),
                make_jwk(other_key, "no-modulus", n=None),
                make_jwk(other_key, "no-exponent", e=None),
                make_jwk(other_key, "broken", n="***"),
                make_jwk(other_key, "issuer-is-a-list", issuer=["x"]),
                "text",
                None,
                {},
            ]
        }
        keys = parse_keys(document)
        assert set(keys) == {"good", "no-use"}
        assert keys["good"].issuer == "https://x/{tenantid}/v2.0"
        assert keys["good"].public_key.public_numbers() == signing_key.public_key().public_numbers()

    def test_short_keys_are_left_out(self):
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        assert parse_keys({"keys": [make_jwk(short, "short")]}) == {}

    def test_private_members_are_ignored(self, signing_key):
        jwk = make_jwk(signing_key, "k", d="AQAB", p="AQAB", q="AQAB")
        assert isinstance(parse_keys({"keys": [jwk]})["k"].public_key, rsa.RSAPublicKey)

    @pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}])
    def test_no_set(self, document):
        assert parse_keys(document) == {}

    def test_is_bounded(self, signing_key):
        jwks = [make_jwk(signing_key, f"k{n}") for n in range(150)]
        assert len(parse_keys({"keys": jwks})) == 100

    def test_known_keys_are_not_parsed_again(self, signing_key, other_key):
        first = parse_keys({"keys": [make_jwk(signing_key, "a")]})
        again = parse_keys({"keys": [make_jwk(signing_key, "a")]}, first)
        assert again["a"] is first["a"]
        changed = parse_keys({"keys": [make_jwk(other_key, "a")]}, first)
        assert changed["a"] is not first["a"]


class TestRotation:
    def test_fetched_once(self, app, redeem, server, path, signing_key):
        for _ in range(3):
            assert "error" not in redeem(app, signing_key, "key-1")
        assert server.count(path) == 1

    def test_a_new_key_is_fetched_at_once(self, app, redeem, server, path, signing_key, other_key):
        redeem(app, signing_key, "key-1")
        jwks = [make_jwk(signing_key, "key-1"), make_jwk(other_key, "key-2")]
        server.script(path, Answer(body={"keys": jwks}))
        assert "error" not in redeem(app, other_key, "key-2")
        assert server.count(path) == 2

    def test_unknown_keys_are_asked_for_once_a_minute(
        self, app, redeem, server, path, signing_key, other_key, clock
    ):
        redeem(app, signing_key, "key-1")
        for _ in range(5):
            assert redeem(app, other_key, "forged")["failed_check"] == "kid"
        assert server.count(path) == 2
        clock.move(61)
        redeem(app, other_key, "forged")
        assert server.count(path) == 3

    def test_an_unknown_key_at_first_sight_is_asked_for_once(
        self, app, redeem, server, path, other_key
    ):
        assert redeem(app, other_key, "forged")["failed_check"] == "kid"
        assert server.count(path) == 1

    def test_a_withdrawn_key_is_gone_after_a_day(
        self, app, redeem, server, path, signing_key, other_key, clock
    ):
        redeem(app, signing_key, "key-1")
        server.script(path, Answer(body={"keys": [make_jwk(other_key, "key-2")]}))
        clock.move(DAY + 1)
        assert redeem(app, signing_key, "key-1")["failed_check"] == "kid"

    def test_last_good_copy(self, app, redeem, server, path, signing_key, clock):
        redeem(app, signing_key, "key-1")
        server.script(path, Answer(503, "down"))
        clock.move(6 * DAY)
        assert "error" not in redeem(app, signing_key, "key-1")
        clock.move(DAY + 1)
        assert redeem(app, signing_key, "key-1")["error"] == "temporarily_unavailable"

    def test_an_unknown_key_during_an_outage(
        self, app, redeem, server, path, signing_key, other_key
    ):
        redeem(app, signing_key, "key-1")
        server.script(path, Answer(503, "down"))
        assert redeem(app, other_key, "key-2")["failed_check"] == "kid"

    @pytest.mark.parametrize("body", [{"keys": []}, {"keys": [{"kty": "EC", "kid": "key-1"}]}, {}])
    def test_no_usable_key(self, app, redeem, server, path, signing_key, body):
        server.script(path, Answer(body=body))
        assert redeem(app, signing_key, "key-1")["error"] == "invalid_response"
