"""Policies at the three places that enforce them: the pages, `prompt=none`, the token endpoint."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from django_entra_auth.emulator import Emulator, EmulatorPage
from django_entra_auth.emulator.policies import CONTROLS, Policy
from tests.emulator import policy_cases as case
from tests.emulator.policy_cases import ask, challenge_of, refused, silent, walk
from tests.emulator.wire import ALL_SCOPES, Wire, claims_of

EVERY = [
    # policy, page, number at prompt=none, refusal of the token endpoint
    (case.MFA, "mfa", "50076", ("invalid_grant", 50076, "basic_action")),
    (case.DEVICE, "device", "53000", ("invalid_grant", 53000, "additional_action")),
    (case.BLOCK, "blocked", "53003", ("invalid_grant", 53003, "message_only")),
    (case.TERMS, "terms", "50158", ("invalid_grant", 50158, None)),
    (case.PASSWORD, "password_change", "50142", ("invalid_grant", 50142, None)),
    (case.RISK, "blocked", "53011", ("invalid_grant", 53011, "message_only")),
    (
        case.APP,
        "blocked",
        "53005",
        ("unauthorized_client", 53005, "protection_policy_required"),
    ),
    (case.ASSIGNMENT, "blocked", "50105", ("invalid_grant", 50105, None)),
    (case.FREQUENCY, "sign_in", "70044", ("invalid_grant", 70043, "token_expired")),
    (case.USER_CONSENT, "consent", "65001", ("invalid_grant", 65001, "consent_required")),
    (case.ADMIN_CONSENT, "approval", "90094", ("consent_required", 90094, "consent_required")),
]
SOLVABLE = [case.MFA, case.DEVICE, case.TERMS, case.PASSWORD, case.FREQUENCY, case.USER_CONSENT]
FINAL = [case.BLOCK, case.RISK, case.APP, case.ASSIGNMENT]
NAMES_POLICY = {"mfa", "compliant_device", "block", "risk"}


def _by_name(value: object) -> str | None:
    return value.name if isinstance(value, Policy) else None


def _later(wire: Wire, seconds: float) -> None:
    wire.entra.clock = lambda: time.time() + seconds


def test_every_control_is_tried_here() -> None:
    assert {policy.control for policy, *_ in EVERY} == set(CONTROLS)


@pytest.mark.parametrize(("policy", "page", "number", "refusal"), EVERY, ids=_by_name)
def test_a_policy_holds_at_all_three_places(
    wire: Wire, policy: Policy, page: str, number: str, refusal: tuple[str, int, str | None]
) -> None:
    refresh_token = wire.tokens(scope=case.MAIL)["refresh_token"]
    code = wire.sign_in(scope=case.MAIL)["code"]
    wire.entra.policies.add(policy)
    if policy is case.FREQUENCY:
        # The code lives for a minute too: it is judged as of its sign-in, which is recent.
        assert wire.token(code=code).status_code == 200
        _later(wire, 90)
    else:
        assert refused(wire.token(code=code)) == refusal
    assert ask(wire, scope=case.MAIL) == page
    assert silent(wire, scope=case.MAIL)[1] == number
    answer = wire.refresh(refresh_token, scope=case.MAIL)
    assert refused(answer) == refusal
    names_it = policy.control in NAMES_POLICY
    challenge = {"access_token": {"capolids": {"essential": True, "values": [policy.policy_id]}}}
    assert challenge_of(answer) == (challenge if names_it else {})
    wire.entra.policies.remove(policy.name)
    assert wire.refresh(refresh_token, scope=case.MAIL).status_code == 200


@pytest.mark.parametrize("policy", SOLVABLE, ids=_by_name)
def test_a_completed_page_satisfies_later_tokens_and_no_earlier_ones(
    wire: Wire, policy: Policy
) -> None:
    before = wire.tokens(scope="openid offline_access User.Read")["refresh_token"]
    wire.entra.policies.add(policy)
    _later(wire, 90)
    code = walk(wire, scope=case.MAIL)["code"]
    after = wire.token(code=code).json()["refresh_token"]
    assert wire.refresh(after, scope=case.MAIL).status_code == 200
    assert ask(wire, scope=case.MAIL) == "redirect"
    assert silent(wire, scope=case.MAIL)[0] == "code"
    is_known_to_the_directory = policy.control == "user_consent"
    healed = wire.refresh(before, scope=case.MAIL).status_code == 200
    assert healed == is_known_to_the_directory


@pytest.mark.parametrize("policy", FINAL, ids=_by_name)
def test_a_final_refusal_stays_on_the_login_host_with_its_ids(wire: Wire, policy: Policy) -> None:
    wire.entra.policies.add(policy)
    with pytest.raises(EmulatorPage) as caught:
        walk(wire)
    (number,) = {row[3][1] for row in EVERY if row[0] is policy}
    assert (caught.value.status, caught.value.number) == (200, number)
    request_id = str(uuid.uuid4())
    page = wire.get(wire.authorize_url(**{"client-request-id": request_id}))
    assert page.status_code == 200
    assert request_id in page.text
    assert policy.name in page.text
    assert len(set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", page.text))) >= 2


@pytest.mark.parametrize(("policy", "_", "number", "refusal"), EVERY, ids=_by_name)
def test_what_a_silent_request_is_told(
    wire: Wire, policy: Policy, _: str, number: str, refusal: tuple[str, int, str | None]
) -> None:
    wire.sign_in(scope=case.MAIL)
    wire.entra.policies.add(policy)
    _later(wire, 90)
    consent = policy.control.endswith("consent")
    suberror = None if policy is case.FREQUENCY else refusal[2]
    expected = ("consent_required" if consent else "interaction_required", number, suberror)
    assert silent(wire, scope=case.MAIL) == expected


@pytest.mark.parametrize(
    ("policy", "choice"),
    [(case.DEVICE, "device"), (case.TERMS, "terms"), (case.PASSWORD, "password_change")],
    ids=_by_name,
)
def test_a_page_can_be_left(wire: Wire, policy: Policy, choice: str) -> None:
    wire.entra.policies.add(policy)
    fields = walk(wire, **{choice: False})
    assert fields == {
        "error": "access_denied",
        "error_subcode": "cancel",
        "state": "the state",
    }
    assert ask(wire) == choice
    assert "code" in walk(wire)


def test_a_wrong_code_leaves_the_page_where_it_is(wire: Wire) -> None:
    wire.entra.policies.add(case.MFA)
    with pytest.raises(EmulatorPage, match="500121"):
        walk(wire, mfa=False)
    assert ask(wire) == "mfa"


def test_two_new_passwords_must_be_the_same(wire: Wire) -> None:
    wire.entra.policies.add(case.PASSWORD)
    wire.entra.complete_sign_in(wire.authorize_url(), browser=wire.browser, password_change=False)
    page = wire.get(wire.authorize_url()).text
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    for first, second in [("", ""), ("one", "two"), ("one", "")]:
        form |= {"new_password": first, "new_password_again": second}
        answer = wire.post(f"{wire.entra.origin}/sign-in/change", form)
        assert 'data-error-number="50142"' in answer.text
    form |= {"new_password": "\u00e9\u00e9", "new_password_again": "\u00e9\u00e9"}
    assert case.page_of(wire.post(f"{wire.entra.origin}/sign-in/change", form)) == "redirect"
    assert "code" in walk(wire, prompt="login")


@pytest.mark.parametrize("button", ["device", "terms", "change", "accept"])
def test_pages_that_are_not_shown_cannot_be_completed(wire: Wire, button: str) -> None:
    wire.entra.policies.add(case.MFA)
    wire.entra.policies.add(case.DEVICE)
    wire.entra.policies.add(case.TERMS)
    page = wire.get(wire.authorize_url()).text
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    form |= {"new_password": "x", "new_password_again": "x"}
    assert case.page_of(wire.post(f"{wire.entra.origin}/sign-in/{button}", form)) == "sign_in"
    with pytest.raises(EmulatorPage):
        walk(wire, mfa=False)
    page = wire.get(wire.authorize_url()).text
    form |= dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    assert case.page_of(wire.post(f"{wire.entra.origin}/sign-in/{button}", form)) == "mfa"
    assert walk(wire, device=False)["error_subcode"] == "cancel"
    assert walk(wire, terms=False)["error_subcode"] == "cancel"


def test_accepting_terms_changes_no_password(wire: Wire) -> None:
    wire.sign_in()
    wire.entra.policies.add(case.PASSWORD)
    page = wire.get(wire.authorize_url()).text
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    answer = wire.post(f"{wire.entra.origin}/sign-in/terms", form)
    assert case.page_of(answer) == "password_change"


def test_all_pages_one_after_the_other(wire: Wire) -> None:
    for policy in SOLVABLE:
        wire.entra.policies.add(policy)
    code = walk(wire, scope=case.MAIL)["code"]
    token = wire.token(code=code).json()["refresh_token"]
    assert wire.refresh(token, scope=case.MAIL).status_code == 200


@pytest.mark.parametrize(
    ("conditions", "asked", "person", "applies"),
    [
        ({}, "openid", "alice", True),
        ({"people": frozenset({"alice"})}, "openid", "alice", True),
        ({"people": frozenset({"bob"})}, "openid", "alice", False),
        ({"resource": case.GRAPH}, "openid", "alice", False),
        ({"resource": case.GRAPH}, "openid User.Read", "alice", True),
        ({"resource": f"{case.GRAPH}/"}, "openid User.Read", "alice", True),
        ({"resource": case.GRAPH}, "openid api://thing/Read", "alice", False),
        ({"resource": "api://thing"}, "openid api://thing/Read", "alice", True),
        ({"resource": "https://mail.example"}, "https://mail.example/Read", "alice", True),
        ({"scopes": frozenset({"Mail.Read"})}, "openid User.Read", "alice", False),
        ({"scopes": frozenset({"Mail.Read"})}, "openid mail.read", "alice", True),
        ({"scopes": frozenset({"Mail.Read"})}, f"openid {case.GRAPH}/.default", "alice", True),
        ({"scopes": frozenset({"Mail.Read"})}, "openid api://thing/.default", "alice", False),
        ({"context": "c1"}, "openid", "alice", False),
    ],
)
def test_whom_and_what_a_policy_is_about(
    wire: Wire, conditions: dict[str, object], asked: str, person: str, applies: bool
) -> None:
    wire.sign_in(person)
    wire.entra.policies.add(Policy(name="Some", control="mfa", **conditions))  # type: ignore[arg-type]
    assert ask(wire, scope=asked) == ("mfa" if applies else "redirect")


def test_a_code_is_no_way_around_a_policy_of_another_resource(wire: Wire) -> None:
    wire.entra.policies.add(Policy(name="Mail", control="mfa", resource=case.GRAPH))
    code = walk(wire, scope="openid offline_access")["code"]
    assert refused(wire.token(code=code, scope="openid Mail.Read"))[1] == 50076
    token = wire.token(code=code).json()["refresh_token"]
    assert refused(wire.refresh(token, scope="User.Read"))[1] == 50076
    assert wire.refresh(token, scope="api://thing/Read").status_code == 200


def test_a_policy_can_be_about_one_resource_only_for_a_refresh(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    wire.entra.policies.add(Policy(name="Thing", control="mfa", resource="api://thing"))
    assert wire.refresh(token).status_code == 200
    assert refused(wire.refresh(token, scope="api://thing/Read"))[1] == 50076


def test_several_policies_of_a_kind_are_named_together(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    names = ["One", "Two"]
    for name in names:
        wire.entra.policies.add(Policy(name=name, control="mfa"))
    challenge = challenge_of(wire.refresh(token))
    values = challenge["access_token"]["capolids"]["values"]
    assert values == [wire.entra.policies.policy_id(name) for name in names]


def test_a_block_speaks_before_what_could_be_solved(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    for policy in (case.USER_CONSENT, case.MFA, case.BLOCK):
        wire.entra.policies.add(policy)
    assert refused(wire.refresh(token))[1] == 53003
    assert ask(wire) == "blocked"


def test_sign_in_frequency_counts_from_the_password(wire: Wire) -> None:
    wire.entra.policies.add(case.FREQUENCY)
    token = wire.tokens()["refresh_token"]
    _later(wire, 55)
    assert wire.refresh(token).status_code == 200
    assert ask(wire) == "redirect"
    _later(wire, 65)
    assert refused(wire.refresh(token)) == ("invalid_grant", 70043, "token_expired")
    assert "code" in walk(wire)
    assert refused(wire.refresh(token))[1] == 70043


def test_a_code_is_judged_as_of_its_sign_in(wire: Wire) -> None:
    now = time.time()
    wire.entra.clock = lambda: now
    wire.entra.policies.add(case.FREQUENCY)
    wire.sign_in()
    wire.entra.clock = lambda: now + 50
    code = wire.sign_in()["code"]
    wire.entra.clock = lambda: now + 70
    assert wire.token(code=code).status_code == 200


def test_every_time_still_lets_the_code_through(wire: Wire) -> None:
    always = Policy(name="Every time", control="sign_in_frequency", seconds=0)
    wire.entra.policies.add(always)
    wire.entra.policies.add(case.MFA)
    code = walk(wire)["code"]
    _later(wire, 20)
    token = wire.token(code=code).json()["refresh_token"]
    assert refused(wire.refresh(token))[1] == 70043
    assert ask(wire) == "sign_in"


def test_a_device_belongs_to_the_browser(wire: Wire, entra: Emulator) -> None:
    wire.entra.policies.add(case.DEVICE)
    walk(wire, "alice")
    other = Wire(entra)
    try:
        assert "code" in walk(wire, "erin", prompt="login", device=False)
        assert walk(other, "erin", device=False)["error_subcode"] == "cancel"
    finally:
        other.close()


@pytest.mark.parametrize("policy", [case.TERMS, case.PASSWORD], ids=_by_name)
def test_switched_off_and_on_a_policy_asks_again(wire: Wire, policy: Policy) -> None:
    wire.entra.policies.add(policy)
    walk(wire)
    wire.entra.policies.add(policy)
    assert ask(wire) == "redirect"
    wire.entra.policies.remove(policy.name)
    wire.entra.policies.add(policy)
    assert ask(wire) != "redirect"


def test_another_person_cannot_use_what_the_first_one_typed(wire: Wire) -> None:
    wire.sign_in("erin")
    wire.entra.policies.add(Policy(name="Not", control="block", people=frozenset({"alice"})))
    with pytest.raises(EmulatorPage):
        walk(wire, "alice", prompt="login")
    page = wire.get(wire.authorize_url(max_age="0", login_hint="alice@contoso.example")).text
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    form |= {"username": "alice@contoso.example", "password": "correct-horse"}
    blocked = wire.post(f"{wire.entra.origin}/sign-in/password", form)
    assert case.page_of(blocked) == "blocked"
    wire.entra.optional_claims.add("sid")
    erin = claims_of(wire.tokens("erin", login_hint="erin@contoso.example")["id_token"])["sid"]
    chosen = wire.post(f"{wire.entra.origin}/sign-in/account", {**form, "sid": erin})
    assert case.page_of(chosen) == "sign_in"


def test_a_person_can_change_from_the_block_page(wire: Wire) -> None:
    wire.entra.policies.add(Policy(name="Not", control="block", people=frozenset({"alice"})))
    with pytest.raises(EmulatorPage):
        walk(wire, "alice")
    page = wire.get(wire.authorize_url()).text
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page))
    other = wire.post(f"{wire.entra.origin}/sign-in/account", form)
    assert case.page_of(other) == "sign_in"


def test_consent_can_be_needed_for_everything(wire: Wire) -> None:
    wire.sign_in()
    wire.entra.policies.add(Policy(name="All", control="user_consent"))
    assert ask(wire, scope="openid") == "consent"


def test_a_refused_code_can_be_redeemed_once_it_is_allowed(wire: Wire) -> None:
    code = wire.sign_in(scope=ALL_SCOPES)["code"]
    wire.entra.policies.add(case.MFA)
    assert refused(wire.token(code=code))[1] == 50076
    wire.entra.policies.clear()
    assert wire.token(code=code).status_code == 200
