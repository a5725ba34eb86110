"""Claims that mean harm, are odd, or are long: passed on as data, or left out."""

from __future__ import annotations

import json
from itertools import chain, repeat
from typing import Any

import pytest
from django.core.cache import caches

from tests.challenges.asking import (
    BY_NAME,
    KINDS,
    NAVIGATE,
    Caller,
    Walker,
    claims_of,
    header_claims,
)
from tests.challenges.sources import refuse_refresh
from tests.visitor import query_of, text_of

NAVIGATION, FETCH, FORM = BY_NAME["navigation"], BY_NAME["fetch"], BY_NAME["form"]
NASTY = ['\r\nSet-Cookie: a=b"', '", error="x', "\x00\x1f\x7f", "ü☃𝄞", "</script><script>", "\\"]
HOSTILE_CLAIMS = [
    {"access_token": {"x": {"essential": True, "value": nasty}}} for nasty in NASTY
] + [{"access_token": {nasty: None}} for nasty in NASTY]


class TestClaims:
    """What an API or the token endpoint asks for is passed on as data, whatever it is."""

    @pytest.mark.parametrize("claims", HOSTILE_CLAIMS, ids=repr)
    @pytest.mark.parametrize("caller", [FORM, FETCH], ids=str)
    def test_none_breaks_out_of_a_header_or_a_page(
        self, caller: Caller, claims: dict[str, Any], walker: Walker
    ) -> None:
        refuse_refresh(walker, error="interaction_required", claims=json.dumps(claims))
        answer = walker.ask(caller, "/token/")
        assert "a" not in answer.cookies
        assert all("\n" not in value and "\r" not in value for value in answer.headers.values())
        body = answer.content.decode()
        assert "<script>" not in body
        if caller.kind == "script":
            seen = header_claims(answer)
        else:
            seen = claims_of(walker.find_prompt(caller, answer))
        [(name, wanted)] = claims["access_token"].items()
        assert seen["access_token"][name] == wanted

    ODD = [
        "", "null", "5", "[]", '"text"', "{", '{"access_token":5}', '{"access_token":[]}',
        '{"access_token":{"xms_cc":5}}', '{"access_token":{"xms_cc":{"values":5}}}',
        '{"access_token":{"xms_cc":{"values":[5]}}}', '{"id_token":5}', '{"id_token":[]}',
        '{"a":NaN}', '{"a":Infinity}', "[" * 5000, '{"a":' * 3000, "x" * 10_000,
        '{"access_token":{"x":"' + "y" * 9_000 + '"}}',
    ]  # fmt: skip
    SOUND = [
        '{"id_token":null}', '{"access_token":null}', '{"id_token":{"acrs":null}}',
        '{"id_token":{"acrs":{"values":null}}}', '{"id_token":{"acrs":{"values":5}}}',
        '{"id_token":{"acrs":{"value":5}}}', '{"id_token":{"acrs":[]}}', "{}", " {} ",
        '{"access_token":{"xms_cc":null}}', '{"userinfo":{"x":null}}', '{"a":1e999}',
        '{"a":"\\ud800"}',
    ]  # fmt: skip

    @pytest.mark.parametrize("claims", [*ODD, *SOUND], ids=lambda text: text[:40])
    @pytest.mark.parametrize("caller", [NAVIGATION, FETCH], ids=str)
    def test_odd_ones_from_the_token_endpoint_still_prompt(
        self, caller: Caller, claims: str, walker: Walker
    ) -> None:
        refuse_refresh(walker, error="invalid_grant", suberror="basic_action", claims=claims)
        prompt = walker.find_prompt(caller, walker.ask(caller, "/token/"))
        asked = claims_of(prompt)
        assert asked["access_token"]["xms_cc"] == {"values": ["cp1"]}
        landed = walker.deliver(walker.answer(prompt))
        assert walker.repeat(caller, "/token/", landed).content == b"Done"

    @pytest.mark.parametrize("claims", [{"access_token": {}}, ["x"], 5, True], ids=repr)
    def test_claims_that_are_no_text_still_prompt(self, claims: Any, walker: Walker) -> None:
        refuse_refresh(walker, error="invalid_grant", suberror="basic_action", claims=claims)
        prompt = walker.find_prompt(NAVIGATION, walker.ask(NAVIGATION, "/token/"))
        landed = walker.deliver(walker.answer(prompt))
        assert walker.repeat(NAVIGATION, "/token/", landed).content == b"Done"

    @pytest.mark.parametrize(
        "claims",
        [text for text in [*ODD, *SOUND] if text.lstrip().startswith("{") and len(text) < 9_000],
        ids=lambda text: text[:40],
    )
    def test_odd_ones_from_an_api_break_nothing(self, claims: str, walker: Walker) -> None:
        """Settled without a person, prompted for, or the API's own 401: never our fault."""
        walker.client.raise_request_exception = False
        walker.entra.graph.take_challenge = chain([claims], repeat(None)).__next__
        answer = self.ask_api(walker)
        del walker.entra.graph.take_challenge
        assert answer.status_code in {200, 302, 401}, answer.content

    def ask_api(self, walker: Walker) -> Any:
        return walker.client.get("/me/", headers=NAVIGATE)

    @pytest.mark.parametrize("size", [500, 2_000, 7_900])
    @pytest.mark.parametrize("caller", KINDS, ids=str)
    def test_long_ones_go_through(
        self, caller: Caller, size: int, walker: Walker, done: Any
    ) -> None:
        """What does not fit into the sealed state is in the cache, under the flow's id."""
        claims = json.dumps({"access_token": {"x": {"value": "y" * size}}})
        refuse_refresh(walker, error="interaction_required", claims=claims)
        prompt = walker.find_prompt(caller, walker.ask(caller, "/token/"))
        assert claims_of(prompt)["access_token"]["x"] == {"value": "y" * size}
        assert len(query_of(prompt)["state"]) <= 1000
        landed = walker.deliver(walker.answer(prompt))
        assert walker.repeat(caller, "/token/", landed).content == b"Done"

    def test_a_long_one_whose_rest_was_evicted_starts_again(self, walker: Walker) -> None:
        claims = json.dumps({"access_token": {"x": {"value": "y" * 4_000}}})
        refuse_refresh(walker, error="interaction_required", claims=claims)
        prompt = walker.find_prompt(NAVIGATION, walker.ask(NAVIGATION, "/token/"))
        answer = walker.answer(prompt)
        caches["default"].clear()
        page = walker.deliver(answer)
        assert page.status_code == 400
        assert "took too long" in text_of(page)
        assert walker.client.get("/private/").status_code == 200
