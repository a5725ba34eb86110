"""The Graph-like API: permissions, revocation, authentication contexts, shapes of challenges."""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64decode
from typing import Any, get_args

import jwt
import pytest
import requests

from django_entra_auth.emulator import CLIENT_ID, Emulator
from django_entra_auth.emulator.graph import CHALLENGE_STYLES, ChallengeStyle
from django_entra_auth.oauth2.challenges import find_claims_challenge, parse_www_authenticate
from tests.emulator.wire import Wire, claims_of

CP1 = json.dumps({"access_token": {"xms_cc": {"values": ["cp1"]}}})
CP1_C1 = json.dumps({"access_token": {"xms_cc": {"values": ["cp1"]}, "acrs": {"value": "c1"}}})
NO_CHALLENGES = ("invalid_token", "without_claims", "undecodable")


class GraphClient:
    """An API client by hand: one token, no repeats."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.entra = wire.entra

    def access_token(self, person: str = "alice", *, claims: str | None = CP1, **more: Any) -> str:
        return str(self.tokens(person, claims=claims, **more)["access_token"])

    def tokens(
        self, person: str = "alice", *, claims: str | None = CP1, **more: Any
    ) -> dict[str, Any]:
        code = self.wire.sign_in(person, claims=claims, **more)["code"]
        answer = self.wire.token(code=code, claims=claims)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def call(self, path: str, token: str = "", *, method: str = "", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        verb = method or ("POST" if "json" in more else "GET")
        url = f"{self.entra.origin}{path}"
        return requests.request(verb, url, headers=headers, timeout=10, **more)


@pytest.fixture
def graph(wire: Wire) -> GraphClient:
    """A client of the Graph-like API."""
    return GraphClient(wire)


def _error_code(answer: requests.Response) -> str:
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "innerError"}
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert error["innerError"]["client-request-id"] == answer.headers["client-request-id"]
    assert answer.headers["Cache-Control"] == "no-store"
    return str(error["code"])


def _challenged_claims(answer: requests.Response) -> dict[str, Any]:
    found = find_claims_challenge(answer.headers["WWW-Authenticate"])
    assert found, answer.headers["WWW-Authenticate"]
    return dict(json.loads(found))


def test_me_is_the_person_of_the_token(graph: GraphClient) -> None:
    answer = graph.call("/v1.0/me", graph.access_token("bob"))
    person = graph.entra.people["bob"]
    assert answer.status_code == 200
    assert answer.json()["id"] == person.oid
    assert answer.json()["userPrincipalName"] == person.username
    assert uuid.UUID(answer.headers["request-id"])


def test_a_guest_has_the_object_id_of_the_tenant(graph: GraphClient) -> None:
    answer = graph.call("/v1.0/me", graph.access_token("carol"))
    assert answer.json()["id"] == graph.entra.people["carol"].oid


def test_the_sub_of_userinfo_is_the_one_of_the_id_token(graph: GraphClient) -> None:
    tokens = graph.tokens()
    for method in ("GET", "POST"):
        answer = graph.call("/oidc/userinfo", tokens["access_token"], method=method)
        assert answer.json()["sub"] == claims_of(tokens["id_token"])["sub"]
        assert not {"oid", "tid"} & set(answer.json())


def test_a_client_request_id_comes_back_if_it_is_one(graph: GraphClient) -> None:
    sent = str(uuid.uuid4())
    answer = graph.call("/v1.0/me", headers={"client-request-id": sent})
    assert answer.headers["client-request-id"] == sent
    assert _error_code(answer) == "InvalidAuthenticationToken"
    answer = graph.call("/v1.0/me", headers={"client-request-id": "<b>"})
    assert uuid.UUID(answer.headers["client-request-id"])
    assert "<b>" not in answer.text


def test_without_a_token_the_answer_is_a_401_that_asks_for_no_claims(graph: GraphClient) -> None:
    answer = graph.call("/v1.0/me")
    assert (answer.status_code, _error_code(answer)) == (401, "InvalidAuthenticationToken")
    (challenge,) = parse_www_authenticate(answer.headers["WWW-Authenticate"])
    assert challenge.claims is None
    assert "error" not in challenge.parameters


def _forge(entra: Emulator, header: dict[str, Any], **changes: Any) -> str:
    now = int(entra.clock())
    claims = {
        "aud": "00000003-0000-0000-c000-000000000000",
        "iss": f"{entra.authority}/v2.0",
        "iat": now,
        "exp": now + 600,
        "oid": entra.people["alice"].oid,
        "tid": entra.tenant_id,
        "scp": "User.Read",
    }
    key = entra.keys.signing
    header = {"kid": key.kid, **header}
    alg = header.pop("alg", "RS256")
    return jwt.encode(claims | changes, key.private_key if alg == "RS256" else "", alg, header)


def test_a_forged_token_that_differs_in_nothing_is_accepted(graph: GraphClient) -> None:
    assert graph.call("/v1.0/me", _forge(graph.entra, {})).status_code == 200


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({"kid": "another"}, {}),
        ({"alg": "none"}, {}),
        ({}, {"aud": CLIENT_ID}),
        ({}, {"iss": "https://evil.example/v2.0"}),
        ({}, {"exp": 1}),
        ({}, {"oid": str(uuid.uuid4())}),
        ({}, {"tid": str(uuid.uuid4())}),
    ],
)
def test_tokens_of_others_are_refused(
    graph: GraphClient, header: dict[str, Any], changes: dict[str, Any]
) -> None:
    answer = graph.call("/v1.0/me", _forge(graph.entra, header, **changes))
    assert (answer.status_code, _error_code(answer)) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.b.c", "..", "a" * 5000])
def test_garbage_is_refused(graph: GraphClient, token: str) -> None:
    headers = {"Authorization": b"Bearer " + token.encode("latin-1")}
    assert graph.call("/v1.0/me", headers=headers).status_code == 401


def test_an_id_token_is_no_access_token(graph: GraphClient) -> None:
    assert graph.call("/v1.0/me", graph.tokens()["id_token"]).status_code == 401


def test_a_token_ends_by_the_emulator_s_clock(graph: GraphClient) -> None:
    token = graph.access_token()
    graph.entra.clock = lambda: time.time() + 30 * 3600
    assert graph.call("/v1.0/me", token).status_code == 401


def test_an_application_has_no_me(graph: GraphClient) -> None:
    answer = graph.wire.token(
        grant_type="client_credentials",
        scope="https://graph.microsoft.com/.default",
        redirect_uri=None,
    )
    answer = graph.call("/v1.0/me", answer.json()["access_token"])
    assert (answer.status_code, _error_code(answer)) == (400, "BadRequest")


def test_each_address_needs_its_permission(graph: GraphClient) -> None:
    token = graph.access_token()
    answer = graph.call("/v1.0/me/messages", token)
    assert (answer.status_code, _error_code(answer)) == (403, "Authorization_RequestDenied")
    assert "WWW-Authenticate" not in answer.headers
    mail = graph.access_token(scope="openid https://graph.microsoft.com/Mail.Read")
    assert len(graph.call("/v1.0/me/messages", mail).json()["value"]) == 3
    assert graph.call("/v1.0/me", mail).status_code == 403


def test_unknown_addresses_and_methods(graph: GraphClient) -> None:
    token = graph.access_token()
    assert _error_code(graph.call("/v1.0/me/nothing", token)) == "BadRequest"
    assert graph.call("/v1.0/me", token, json={}).status_code == 405
    assert graph.call("/v1.0/me/nothing").status_code == 401


def test_groups_beyond_the_overage(graph: GraphClient) -> None:
    token = graph.access_token("frank")
    path = "/v1.0/me/getMemberObjects"
    answer = graph.call(path, token, json={"securityEnabledOnly": True})
    assert answer.json()["value"] == graph.entra.people["frank"].groups
    assert graph.call(path, token, json={}).status_code == 400
    assert graph.call(path, token, method="POST", data=b"[[[").status_code == 400


def test_a_revocation_challenges_at_once_in_graph_s_own_shape(graph: GraphClient) -> None:
    token = graph.access_token()
    graph.entra.clock = lambda: 1_635_527_790.4
    answer = graph.call("/v1.0/me/revokeSignInSessions", token, json={})
    assert (answer.status_code, answer.json()["value"]) == (200, True)
    answer = graph.call("/v1.0/me", token)
    assert (answer.status_code, _error_code(answer)) == (401, "InvalidAuthenticationToken")
    assert "TokenIssuedBeforeRevocationTimestamp" in answer.json()["error"]["message"]
    assert answer.json()["error"]["innerError"]["date"] == "2021-10-29T17:16:30"
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="", '
        f'authorization_uri="{graph.entra.origin}/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims", '
        'claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTYzNTUyNzc5MC'
        'J9fX0="'
    )


def test_a_revocation_ends_the_refresh_token_until_the_person_signs_in_again(
    graph: GraphClient,
) -> None:
    tokens = graph.tokens()
    graph.entra.revoke_sign_ins("alice")
    answer = graph.call("/v1.0/me", tokens["access_token"])
    claims = json.dumps(_challenged_claims(answer))
    refused = graph.wire.refresh(tokens["refresh_token"], claims=claims).json()
    assert (refused["error_codes"], refused["suberror"]) == ([50173], "bad_token")
    assert graph.call("/v1.0/me", graph.access_token(claims=claims)).status_code == 200


def test_a_revocation_within_the_same_instant_as_the_tokens_around_it(graph: GraphClient) -> None:
    now = time.time()
    graph.entra.clock = lambda: now
    before = graph.access_token()
    graph.entra.revoke_sign_ins("alice")
    after = graph.access_token()
    assert graph.call("/v1.0/me", before).status_code == 401
    assert graph.call("/v1.0/me", after).status_code == 200


def test_a_revocation_concerns_one_person(graph: GraphClient) -> None:
    token = graph.access_token("erin")
    graph.entra.revoke_sign_ins("alice")
    assert graph.call("/v1.0/me", token).status_code == 200


def test_tokens_from_before_the_valid_time_of_a_person_are_revoked(graph: GraphClient) -> None:
    token = graph.access_token()
    graph.entra.people["alice"].tokens_valid_from = time.time() + 10
    assert "nbf" in _challenged_claims(graph.call("/v1.0/me", token))["access_token"]


def test_a_client_without_the_capability_gets_a_plain_401(graph: GraphClient) -> None:
    token = graph.access_token(claims=None)
    graph.entra.revoke_sign_ins("alice")
    answer = graph.call("/v1.0/me", token)
    assert (answer.status_code, _error_code(answer)) == (401, "InvalidAuthenticationToken")
    assert find_claims_challenge(answer.headers["WWW-Authenticate"]) is None


def test_disabled_and_deleted_accounts_end_at_once(graph: GraphClient) -> None:
    token = graph.access_token()
    graph.entra.people["alice"].enabled = False
    assert "nbf" in _challenged_claims(graph.call("/v1.0/me", token))["access_token"]
    del graph.entra.people["alice"]
    assert graph.call("/v1.0/me", token).status_code == 401


def test_a_protected_operation_asks_for_its_context(graph: GraphClient) -> None:
    answer = graph.call("/v1.0/me/transfer", graph.access_token(), json={"amount": 5})
    assert answer.status_code == 401
    acrs = {"acrs": {"essential": True, "value": "c1"}}
    assert _challenged_claims(answer) == {"access_token": acrs}
    encoded = parse_www_authenticate(answer.headers["WWW-Authenticate"])[0].parameters["claims"]
    assert b64decode(encoded) == b'{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    token = graph.access_token(claims=CP1_C1)
    done = graph.call("/v1.0/me/transfer", token, json={"amount": 5, "to": "Bob"})
    assert (done.status_code, done.json()["amount"]) == (200, 5)


def test_a_client_without_the_capability_is_not_challenged_for_a_context(
    graph: GraphClient,
) -> None:
    answer = graph.call("/v1.0/me/transfer", graph.access_token(claims=None), json={})
    assert (answer.status_code, _error_code(answer)) == (403, "Authorization_RequestDenied")
    assert "WWW-Authenticate" not in answer.headers


def test_any_path_can_be_protected_and_freed(graph: GraphClient) -> None:
    graph.entra.graph.require_context("/v1.0/me", "c2")
    graph.entra.graph.require_context("/v1.0/me/transfer", None)
    token = graph.access_token()
    answer = graph.call("/v1.0/me", token)
    assert _challenged_claims(answer)["access_token"]["acrs"]["value"] == "c2"
    assert graph.call("/v1.0/me/transfer", token, json={}).status_code == 200


def test_the_contexts_are_listed(graph: GraphClient) -> None:
    path = "/v1.0/identity/conditionalAccess/authenticationContextClassReferences"
    token = graph.access_token(scope="openid Policy.Read.ConditionalAccess")
    listed = graph.call(path, token).json()["value"]
    assert [one["id"] for one in listed] == ["c1", "c2", "c3"]
    assert set(listed[0]) == {"id", "displayName", "description", "isAvailable"}


def test_a_challenge_can_be_forced_once(graph: GraphClient) -> None:
    wanted = {"access_token": {"acrs": {"essential": True, "value": "c7"}}}
    graph.entra.graph.challenge_once(wanted)
    token = graph.access_token(claims=None)
    assert _challenged_claims(graph.call("/v1.0/me", token)) == wanted
    assert graph.call("/v1.0/me", token).status_code == 200


@pytest.mark.parametrize("style", [s for s in CHALLENGE_STYLES if s not in NO_CHALLENGES])
@pytest.mark.parametrize("reason", ["revoked", "context"])
def test_every_style_says_the_same(graph: GraphClient, style: ChallengeStyle, reason: str) -> None:
    token = graph.access_token()
    graph.entra.graph.challenge_style = style
    if reason == "revoked":
        graph.entra.revoke_sign_ins("alice")
    answer = graph.call("/v1.0/me/transfer", token, json={})
    assert answer.status_code == (403 if style == "forbidden" else 401)
    asked = _challenged_claims(answer)["access_token"]
    if reason == "revoked":
        revoked_at = graph.entra.people["alice"].revoked_at
        assert revoked_at is not None
        assert int(asked["nbf"]["value"]) == int(revoked_at)
    else:
        assert asked["acrs"]["value"] == "c1"
    assert ("xms_caeerror" in asked) == (style == "extra_members")


@pytest.mark.parametrize("style", NO_CHALLENGES)
def test_what_looks_like_a_challenge_and_is_none(graph: GraphClient, style: ChallengeStyle) -> None:
    graph.entra.graph.challenge_style = style
    answer = graph.call("/v1.0/me/transfer", graph.access_token(), json={})
    assert answer.status_code == 401
    assert find_claims_challenge(answer.headers["WWW-Authenticate"]) is None


def test_styles_differ_on_the_wire(graph: GraphClient) -> None:
    token, seen = graph.access_token(), set()
    for style in CHALLENGE_STYLES:
        graph.entra.graph.challenge_style = style
        answer = graph.call("/v1.0/me/transfer", token, json={})
        fields = answer.raw.headers.getlist("WWW-Authenticate")
        assert len(fields) == (2 if style == "two_fields" else 1)
        seen.add(tuple(fields))
    # A number and a text differ only in what has a number: here nothing has.
    assert len(seen) >= len(get_args(ChallengeStyle)) - 1


@pytest.mark.parametrize("style", ["", "Quoted", None])
def test_an_unknown_style_is_a_mistake(graph: GraphClient, style: Any) -> None:
    with pytest.raises(ValueError, match="no such challenge style"):
        graph.entra.graph.challenge_style = style


@pytest.mark.parametrize("claims", ["[]", "nothing", "{"])
def test_claims_are_a_json_object(graph: GraphClient, claims: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        graph.entra.graph.challenge_once(claims)


def test_calls_are_listed_so_that_repeats_can_be_counted(graph: GraphClient) -> None:
    token = graph.access_token(claims=CP1_C1)
    graph.call("/v1.0/me/transfer", token, json={"amount": 1})
    graph.entra.revoke_sign_ins("alice")
    graph.call("/v1.0/me/transfer", token, json={"amount": 2})
    graph.call("/v1.0/me")
    oid = graph.entra.people["alice"].oid
    seen = [(call.method, call.path, call.oid, call.status) for call in graph.entra.graph.calls]
    assert seen == [
        ("POST", "/v1.0/me/transfer", oid, 200),
        ("POST", "/v1.0/me/transfer", oid, 401),
        ("GET", "/v1.0/me", "", 401),
    ]
    assert [json.loads(call.body or b"{}") for call in graph.entra.graph.calls] == [
        {"amount": 1},
        {"amount": 2},
        {},
    ]
    assert token not in repr(graph.entra.graph.calls)


def test_a_reset_undoes_the_switches(graph: GraphClient) -> None:
    before = graph.entra.graph
    before.challenge_style = "forbidden"
    before.require_context("/v1.0/me", "c9")
    graph.call("/v1.0/me")
    graph.entra.reset()
    after = graph.entra.graph
    assert after.challenge_style == "quoted"
    assert after.contexts == {"/v1.0/me/transfer": "c1"}
    assert after.calls == []
