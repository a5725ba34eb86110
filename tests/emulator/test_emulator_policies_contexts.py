"""Authentication contexts, the capability cp1, revocation, and a provider that misbehaves."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from django_entra_auth.emulator import EmulatorPage
from django_entra_auth.emulator.directory import Account
from django_entra_auth.emulator.policies import Policy
from tests.emulator import policy_cases as case
from tests.emulator.policy_cases import ask, challenge_of, claims_for, refused, silent, walk
from tests.emulator.wire import ALL_SCOPES, Wire, claims_of

CP1 = json.dumps({"access_token": {"xms_cc": {"values": ["CP1"]}}})
IN_ACCESS_TOKEN = claims_for("access_token", "c1")
IN_ID_TOKEN = claims_for("id_token", "c1")


def _redeem(wire: Wire, claims: str, person: str = "alice", **options: Any) -> dict[str, Any]:
    code = walk(wire, person, claims=claims, **options)["code"]
    answer = wire.token(code=code, claims=claims)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("section", "token"), [("id_token", "id_token"), ("access_token", "access_token")]
)
def test_a_context_without_a_policy_is_granted(wire: Wire, section: str, token: str) -> None:
    claims = claims_for(section, "c7", "c99")
    body = _redeem(wire, claims)
    other = {"id_token": "access_token", "access_token": "id_token"}[token]
    assert claims_of(body[token])["acrs"] == ["c7", "c99"]
    assert "acrs" not in claims_of(body[other])
    body = wire.refresh(body["refresh_token"], claims=claims).json()
    assert claims_of(body[token])["acrs"] == ["c7", "c99"]
    assert "acrs" not in claims_of(body[other])


@pytest.mark.parametrize("claims", [IN_ACCESS_TOKEN, IN_ID_TOKEN])
@pytest.mark.parametrize(("policy", "page"), [(case.C1_MFA, "mfa"), (case.C1_DEVICE, "device")])
def test_a_context_is_worth_its_policy(wire: Wire, claims: str, policy: Policy, page: str) -> None:
    wire.entra.policies.add(policy)
    before = wire.tokens()["refresh_token"]
    assert wire.refresh(before).status_code == 200
    assert wire.refresh(before, claims=claims_for("access_token", "c2")).status_code == 200
    assert ask(wire, claims=claims) == page
    assert silent(wire, claims=claims)[0] == "interaction_required"
    answer = wire.refresh(before, claims=claims)
    challenge = challenge_of(answer)
    (section,) = json.loads(claims)
    assert challenge[section]["acrs"] == {"essential": True, "value": "c1"}
    assert challenge["access_token"]["capolids"]["values"] == [policy.policy_id]
    body = _redeem(wire, answer.json()["claims"])
    assert claims_of(body[section])["acrs"] == ["c1"]
    again = wire.refresh(body["refresh_token"], claims=claims).json()
    assert claims_of(again[section])["acrs"] == ["c1"]
    assert refused(wire.refresh(before, claims=claims))[0] == "invalid_grant"


def test_an_unsatisfied_context_reads_as_mfa_that_is_missing(wire: Wire) -> None:
    wire.entra.policies.add(case.C1_MFA)
    token = wire.tokens()["refresh_token"]
    answer = wire.refresh(token, claims=IN_ACCESS_TOKEN)
    assert refused(answer) == ("invalid_grant", 50076, "basic_action")


@pytest.mark.parametrize(
    "policy",
    [
        Policy(name="c1 terms", control="terms_of_use", context="c1"),
        Policy(name="c1 age", control="sign_in_frequency", seconds=0, context="c1"),
        Policy(name="c1 consent", control="user_consent", context="c1"),
    ],
    ids=lambda policy: policy.control,
)
def test_whatever_a_context_needs_the_challenge_asks_for_it_again(
    wire: Wire, policy: Policy
) -> None:
    wire.entra.policies.add(policy)
    token = wire.tokens()["refresh_token"]
    challenge = challenge_of(wire.refresh(token, claims=claims_for("access_token", "c1", "c2")))
    assert challenge["access_token"]["acrs"] == {"essential": True, "values": ["c1", "c2"]}


def test_a_code_is_no_way_around_a_context(wire: Wire) -> None:
    wire.entra.policies.add(case.C1_MFA)
    code = walk(wire)["code"]
    assert refused(wire.token(code=code, claims=IN_ACCESS_TOKEN))[1] == 50076
    assert refused(wire.token(code=code, claims=IN_ID_TOKEN))[1] == 50076
    assert "acrs" not in claims_of(wire.token(code=code).json()["id_token"])


def test_an_optional_context_goes_when_a_policy_comes(wire: Wire) -> None:
    wire.entra.optional_claims.add("acrs")
    token = _redeem(wire, claims_for("id_token", "c1", "c2"))["refresh_token"]
    assert claims_of(wire.refresh(token).json()["id_token"])["acrs"] == ["c1", "c2"]
    wire.entra.policies.add(case.C1_MFA)
    assert claims_of(wire.refresh(token).json()["id_token"])["acrs"] == ["c2"]


def test_a_step_up_keeps_the_account_that_is_chosen_there(wire: Wire) -> None:
    wire.entra.policies.add(case.C1_MFA)
    wire.sign_in("alice")
    body = _redeem(wire, IN_ID_TOKEN, "erin", prompt="login")
    claims = claims_of(body["id_token"])
    assert (claims["oid"], claims["acrs"]) == (wire.entra.people["erin"].oid, ["c1"])


def test_the_capability_lengthens_tokens_for_graph(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    for body in (
        wire.refresh(token, claims=CP1).json(),
        wire.token(code=wire.sign_in()["code"], claims=CP1).json(),
    ):
        assert 20 * 3600 <= body["expires_in"] <= 28 * 3600
        assert body["refresh_in"] == body["expires_in"] // 2
        assert claims_of(body["access_token"])["xms_cc"] == ["cp1"]
    other = wire.refresh(token, claims=CP1, scope="api://thing/Read").json()
    assert other["expires_in"] < 5400
    assert claims_of(other["access_token"])["xms_cc"] == ["cp1"]


@pytest.mark.parametrize(
    "claims",
    [
        None,
        "{}",
        '{"access_token": []}',
        '{"access_token": {"xms_cc": []}}',
        '{"access_token": {"xms_cc": {"values": "cp1"}}}',
        '{"access_token": {"xms_cc": {"values": [1, "cp2"]}}}',
        '{"id_token": {"xms_cc": {"values": ["cp1"]}}}',
    ],
)
def test_without_the_capability_tokens_are_short(wire: Wire, claims: str | None) -> None:
    body = wire.refresh(wire.tokens()["refresh_token"], claims=claims).json()
    assert body["expires_in"] < 5400
    assert "refresh_in" not in body
    assert "xms_cc" not in claims_of(body["access_token"])


def test_what_an_api_reads_in_an_access_token(wire: Wire) -> None:
    alice = wire.entra.people["alice"]
    token = wire.tokens()["refresh_token"]
    challenge = json.dumps({"access_token": {**json.loads(CP1)["access_token"], "nbf": {}}})
    claims = claims_of(wire.refresh(token, claims=challenge).json()["access_token"])
    assert claims["scp"] == "User.Read"
    assert (claims["oid"], claims["tid"]) == (alice.oid, wire.entra.tenant_id)
    assert claims["iat"] == claims["nbf"]
    assert claims["emulator_revocations"] == 0
    wire.entra.revoke_sign_ins("alice")
    claims = claims_of(wire.tokens("alice")["access_token"])
    assert claims["emulator_revocations"] == 1


def test_continuous_access_evaluation_as_it_was_recorded(wire: Wire) -> None:
    now = int(time.time())
    challenge = json.dumps(
        {
            "access_token": {
                "nbf": {"essential": True, "value": str(now)},
                "xms_cc": {"values": ["cp1"]},
            }
        }
    )
    first = _redeem(wire, CP1)
    wire.entra.revoke_sign_ins("alice")
    answer = wire.refresh(first["refresh_token"], claims=challenge)
    assert refused(answer) == ("invalid_grant", 50173, "bad_token")
    assert ask(wire, claims=challenge) == "sign_in"
    second = _redeem(wire, challenge)
    assert wire.refresh(second["refresh_token"], claims=challenge).status_code == 200
    assert refused(wire.refresh(first["refresh_token"]))[1] == 50173


def test_a_page_left_open_does_not_outlive_a_revocation(wire: Wire) -> None:
    wire.sign_in()
    wire.entra.policies.add(case.TERMS)
    page = wire.get(wire.authorize_url()).text
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    wire.entra.revoke_sign_ins("alice")
    answer = wire.post(f"{wire.entra.origin}/sign-in/terms", form)
    assert case.page_of(answer) == "sign_in"


def test_a_revocation_is_known_at_once(wire: Wire) -> None:
    alice, now = wire.entra.people["alice"], 1_700_000_000.25
    account = Account(alice, alice.tid, alice.oid)
    assert wire.entra.last_revocation(account) is None
    assert wire.entra.find_revocation(alice.oid) is None
    assert wire.entra.find_revocation("nobody") is None
    wire.entra.clock = lambda: now
    wire.entra.revoke_sign_ins("alice")
    assert wire.entra.last_revocation(account) == now
    assert wire.entra.find_revocation(alice.oid) == now
    alice.tokens_valid_from = now + 10
    assert wire.entra.last_revocation(account) == now + 10
    carol = wire.entra.people["carol"]
    wire.entra.revoke_sign_ins("carol")
    assert wire.entra.find_revocation(carol.home_oid) == wire.entra.find_revocation(carol.oid)


def test_a_provider_that_ignores_claims(wire: Wire) -> None:
    wire.entra.policies.add(case.C1_MFA)
    wire.entra.optional_claims.add("acrs")
    wire.entra.ignores_claims = True
    both = json.dumps(json.loads(IN_ID_TOKEN) | json.loads(IN_ACCESS_TOKEN))
    body = _redeem(wire, both, mfa=False)
    assert "acrs" not in claims_of(body["id_token"])
    assert "acrs" not in claims_of(body["access_token"])
    body = wire.refresh(body["refresh_token"], claims=both).json()
    assert "acrs" not in claims_of(body["id_token"])
    assert "acrs" not in claims_of(body["access_token"])
    wire.entra.policies.add(case.MFA)
    assert refused(wire.refresh(body["refresh_token"]))[1] == 50076


def test_ignored_claims_do_not_come_back_from_the_session(wire: Wire) -> None:
    wire.entra.optional_claims.add("acrs")
    token = _redeem(wire, IN_ID_TOKEN)["refresh_token"]
    wire.entra.ignores_claims = True
    assert "acrs" not in claims_of(wire.refresh(token).json()["id_token"])


def test_a_provider_that_always_challenges(wire: Wire) -> None:
    wire.entra.always_challenges = True
    for _ in range(2):
        token = wire.tokens()["refresh_token"]
        answer = wire.refresh(token)
        assert refused(answer) == ("interaction_required", 50076, "basic_action")
        assert challenge_of(answer)["access_token"]["capolids"]["essential"] is True
        code = walk(wire, claims=answer.json()["claims"])["code"]
        assert wire.token(code=code, claims=answer.json()["claims"]).status_code == 200
    wire.entra.always_challenges = False
    assert wire.refresh(token).status_code == 200


def test_a_provider_that_grants_fewer_scopes(wire: Wire) -> None:
    wire.entra.grants_fewer_scopes = frozenset({"Mail.Read"})
    asked = f"{ALL_SCOPES} {case.GRAPH}/Mail.Read"
    body = wire.tokens(scope=asked)
    assert body["scope"] == "openid profile email User.Read"
    assert claims_of(body["access_token"])["scp"] == "User.Read"
    body = wire.refresh(body["refresh_token"], scope="Mail.Read").json()
    assert body["scope"] == ""
    assert claims_of(body["access_token"])["scp"] == ""


def test_another_account_answers(wire: Wire) -> None:
    url = wire.authorize_url(login_hint="alice@contoso.example", claims=IN_ID_TOKEN)
    fields = wire.entra.complete_sign_in(url, "bob").fields
    claims = claims_of(wire.token(code=fields["code"]).json()["id_token"])
    assert claims["preferred_username"] == "bob@contoso.example"


def test_a_policy_for_a_context_can_block(wire: Wire) -> None:
    wire.entra.policies.add(Policy(name="Never", control="block", context="c3"))
    assert "code" in walk(wire)
    with pytest.raises(EmulatorPage, match="53003"):
        walk(wire, claims=claims_for("access_token", "c3"))
