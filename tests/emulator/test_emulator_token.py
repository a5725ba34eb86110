"""The token endpoint: client authentication, codes, refresh tokens, errors and headers."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import uuid

import pytest
import requests

from django_entra_auth.emulator import (
    FABRIKAM_TENANT_ID,
    OTHER_CLIENT_ID,
    OTHER_CLIENT_SECRET,
    Emulator,
)
from django_entra_auth.emulator.grants import Grants
from tests.emulator.wire import CHALLENGE, VERIFIER, Wire, claims_of

GRAPH = "00000003-0000-0000-c000-000000000000"
OTHER = {"client_id": OTHER_CLIENT_ID, "client_secret": OTHER_CLIENT_SECRET}


def _refused(answer: requests.Response) -> tuple[int, str, int, str | None]:
    body = answer.json()
    (number,) = body["error_codes"]
    return answer.status_code, body["error"], number, body.get("suberror")


def test_the_answer_to_a_code(wire: Wire) -> None:
    code = wire.sign_in()["code"]
    body = wire.token(code=code, client_info="1").json()
    assert body["token_type"] == "Bearer"
    assert body["scope"] == "openid profile email User.Read"
    assert isinstance(body["expires_in"], int)
    assert 3600 <= body["expires_in"] <= 5399
    assert body["ext_expires_in"] == body["expires_in"]
    assert len(body["refresh_token"]) > 1024
    padded = body["client_info"] + "=" * (-len(body["client_info"]) % 4)
    assert json.loads(base64.urlsafe_b64decode(padded)) == {
        "uid": wire.entra.people["alice"].oid,
        "utid": wire.entra.tenant_id,
    }
    assert claims_of(body["access_token"])["aud"] == GRAPH
    assert claims_of(body["access_token"])["scp"] == "User.Read"


@pytest.mark.parametrize(
    ("scope", "member"),
    [("openid profile", "refresh_token"), ("offline_access User.Read", "id_token")],
)
def test_what_was_not_asked_for_is_not_there(wire: Wire, scope: str, member: str) -> None:
    body = wire.tokens(scope=scope)
    assert member not in body
    assert "client_info" not in body


def test_a_code_works_once(wire: Wire) -> None:
    code = wire.sign_in()["code"]
    assert wire.token(code=code).status_code == 200
    assert _refused(wire.token(code=code)) == (400, "invalid_grant", 54005, None)


def test_a_code_works_once_for_callers_at_the_same_time(wire: Wire) -> None:
    code = wire.sign_in()["code"]
    statuses: list[int] = []
    start = threading.Barrier(8)

    def redeem() -> None:
        start.wait()
        statuses.append(Wire.token(wire, code=code).status_code)

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 7


def test_redeeming_is_atomic() -> None:
    grants = Grants()
    assert [grants.use_code("code") for _ in range(3)] == [True, False, False]


def test_a_code_lives_for_a_minute(wire: Wire) -> None:
    code, late = wire.sign_in()["code"], wire.sign_in()["code"]
    wire.entra.clock = lambda: time.time() + 55
    assert wire.token(code=code).status_code == 200
    wire.entra.clock = lambda: time.time() + 61
    assert _refused(wire.token(code=late)) == (400, "invalid_grant", 70008, None)


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ((400, "invalid_grant", 70000, None), OTHER),
        ((400, "invalid_grant", 70000, None), {"redirect_uri": "http://localhost/auth/callback"}),
        ((400, "invalid_grant", 700005, None), {"segment": "organizations"}),
        ((400, "invalid_grant", 700005, None), {"segment": FABRIKAM_TENANT_ID}),
        ((400, "invalid_request", 90002, None), {"segment": "nobody.example"}),
        ((400, "invalid_grant", 70000, None), {"code": "1.Aunknown"}),
        ((400, "invalid_grant", 9002313, "bad_token"), {"code": "garbage"}),
        ((400, "invalid_request", 900144, None), {"code": None}),
        ((400, "invalid_request", 900144, None), {"redirect_uri": None}),
        ((400, "invalid_request", 900144, None), {"grant_type": None}),
        ((400, "unsupported_grant_type", 70003, None), {"grant_type": "password"}),
        ((400, "unauthorized_client", 700016, None), {"client_id": str(uuid.uuid4())}),
        ((400, "invalid_request", 900144, None), {"client_id": None}),
        ((401, "invalid_client", 7000215, None), {"client_secret": "wrong"}),
        ((401, "invalid_client", 7000215, None), {"client_secret": "\u00e9"}),
        ((401, "invalid_client", 7000218, None), {"client_secret": None}),
        ((401, "invalid_client", 700027, None), {"client_secret": None, "client_assertion": "x"}),
        ((400, "invalid_scope", 70011, None), {"scope": "openid User.Read api://x/y"}),
        ((400, "invalid_request", 90100, None), {"claims": "no json"}),
        ((400, "invalid_grant", 501481, None), {"code_verifier": VERIFIER}),
    ],
)
def test_what_a_code_is_bound_to(
    wire: Wire, expected: tuple[object, ...], changes: dict[str, str | None]
) -> None:
    code = wire.sign_in()["code"]
    assert _refused(wire.token(**({"code": code} | changes))) == expected
    # A refused attempt, by another client for one, does not use the code up.
    assert wire.token(code=code).status_code == 200


def test_the_same_tenant_may_be_spelled_otherwise(wire: Wire) -> None:
    code = wire.sign_in(segment="contoso.example")["code"]
    assert wire.token(code=code).status_code == 200


@pytest.mark.parametrize(
    ("challenge", "method"), [(CHALLENGE, "S256"), (VERIFIER, "plain"), (VERIFIER, None)]
)
def test_the_verifier_must_fit_the_challenge(
    wire: Wire, challenge: str, method: str | None
) -> None:
    changes = {"code_challenge": challenge, "code_challenge_method": method}
    code = wire.sign_in(**changes)["code"]
    assert _refused(wire.token(code=code))[2] == 50148
    assert _refused(wire.token(code=code, code_verifier="w" * 64))[2] == 501481
    assert wire.token(code=code, code_verifier=VERIFIER).status_code == 200


def test_the_secret_may_come_as_basic_authentication(entra: Emulator, wire: Wire) -> None:
    url = f"{entra.authority}/oauth2/v2.0/token"
    body = {"grant_type": "client_credentials", "scope": "api://thing/.default"}
    good = wire.browser.post(url, data=body, auth=(entra.client_id, entra.client_secret))
    bad = wire.browser.post(url, data=body, auth=(entra.client_id, "wrong"))
    two = wire.browser.post(url, data=body | OTHER, auth=(entra.client_id, "x"))
    odd = wire.browser.post(url, data=body, headers={"Authorization": "Basic ???"})
    assert good.status_code == 200
    assert _refused(bad)[:3] == (401, "invalid_client", 7000215)
    assert _refused(two)[:3] == (400, "invalid_request", 7000110)
    assert _refused(odd)[:3] == (400, "invalid_request", 90004)


def _application_token(wire: Wire, **changes: str | None) -> requests.Response:
    fields: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "redirect_uri": None,
        "scope": "https://graph.microsoft.com/.default",
    }
    return wire.token(**(fields | changes))


def test_an_application_token_has_nobody_in_it(wire: Wire) -> None:
    body = _application_token(wire).json()
    assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert body["expires_in"] == 3599
    claims = claims_of(body["access_token"])
    assert claims["azp"] == wire.entra.client_id
    assert "scp" not in claims


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ((400, "invalid_scope", 70011), {"scope": "User.Read"}),
        ((400, "invalid_request", 900144), {"scope": None}),
        ((400, "invalid_request", 9001023), {"segment": "common"}),
        ((401, "invalid_client", 7000216), {"client_secret": None}),
    ],
)
def test_application_tokens_refused(
    wire: Wire, expected: tuple[object, ...], changes: dict[str, str | None]
) -> None:
    assert _refused(_application_token(wire, **changes))[:3] == expected


def test_each_refresh_gives_a_new_token_and_the_old_one_lives_on(wire: Wire) -> None:
    first = wire.tokens()["refresh_token"]
    bodies = [wire.refresh(first).json() for _ in range(2)]
    seconds = {body["refresh_token"] for body in bodies}
    assert len(seconds | {first}) == 3
    assert "nonce" not in claims_of(bodies[0]["id_token"])
    assert wire.refresh(seconds.pop()).status_code == 200


def test_a_refresh_can_ask_for_another_resource(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    body = wire.refresh(token, scope="api://thing/Read offline_access").json()
    assert body["scope"] == "api://thing/Read"
    assert "id_token" not in body
    assert claims_of(body["access_token"])["aud"] == "thing"


def test_a_refresh_sees_changes_of_the_person(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    wire.entra.people["alice"].roles.append("Auditor")
    body = wire.refresh(token, scope="openid profile").json()
    assert claims_of(body["id_token"])["roles"] == ["Auditor"]


def test_revocation_ends_refresh_tokens_of_that_person_only(wire: Wire) -> None:
    alice = wire.tokens("alice")["refresh_token"]
    erin = wire.tokens("erin", prompt="login")["refresh_token"]
    wire.entra.revoke_sign_ins("alice")
    assert _refused(wire.refresh(alice)) == (400, "invalid_grant", 50173, "bad_token")
    assert wire.refresh(erin).status_code == 200
    assert wire.refresh(wire.tokens("alice", prompt="login")["refresh_token"]).status_code == 200


def test_tokens_from_before_a_date_end(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    wire.entra.people["alice"].tokens_valid_from = time.time() + 1
    assert _refused(wire.refresh(token))[2] == 50173


def test_a_disabled_or_deleted_person_gets_nothing(wire: Wire) -> None:
    token, code = wire.tokens()["refresh_token"], wire.sign_in()["code"]
    wire.entra.people["alice"].enabled = False
    assert _refused(wire.refresh(token)) == (400, "invalid_grant", 50057, None)
    assert _refused(wire.token(code=code)) == (400, "invalid_grant", 50057, None)
    del wire.entra.people["alice"]
    assert _refused(wire.refresh(token)) == (400, "invalid_grant", 500341, None)


def test_consent_taken_back_stops_refreshes(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    wire.entra.application.require_consent = True
    assert _refused(wire.refresh(token)) == (400, "invalid_grant", 65001, "consent_required")


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ((400, "invalid_grant", 70000, "bad_token"), OTHER),
        ((400, "invalid_grant", 50020, None), {"segment": FABRIKAM_TENANT_ID}),
        ((400, "invalid_grant", 9002313, "bad_token"), {"refresh_token": "garbage"}),
        ((400, "invalid_grant", 70000, "bad_token"), {"refresh_token": "1.Aunknown"}),
        ((400, "invalid_request", 900144, None), {"refresh_token": None}),
    ],
)
def test_refreshes_refused(
    wire: Wire, expected: tuple[object, ...], changes: dict[str, str | None]
) -> None:
    fields: dict[str, str | None] = {
        "grant_type": "refresh_token",
        "refresh_token": wire.tokens()["refresh_token"],
        "redirect_uri": None,
    }
    assert _refused(wire.token(**(fields | changes))) == expected


def test_a_refresh_token_ends_after_ninety_days_of_rest(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    wire.entra.clock = lambda: time.time() + 89 * 86_400
    younger = wire.refresh(token).json()["refresh_token"]
    wire.entra.clock = lambda: time.time() + 91 * 86_400
    assert _refused(wire.refresh(token))[2] == 700082
    assert wire.refresh(younger).status_code == 200


def test_error_bodies_and_headers_fit_each_other(wire: Wire) -> None:
    request_id = str(uuid.uuid4())
    answer = wire.token(code="garbage", request_id=request_id)
    body = answer.json()
    assert set(body) == {
        *("error", "error_description", "error_codes", "timestamp"),
        *("trace_id", "correlation_id", "error_uri", "suberror"),
    }
    assert body["correlation_id"] == request_id
    assert body["trace_id"] == answer.headers["x-ms-request-id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", body["timestamp"])
    assert body["error_description"].endswith(
        f" Trace ID: {body['trace_id']} Correlation ID: {request_id} Timestamp: {body['timestamp']}"
    )
    assert answer.headers["Cache-Control"] == "no-store, no-cache"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.headers["Expires"] == "-1"
    assert answer.headers["x-ms-clitelem"] == "1,9002313,0,,"


def test_the_request_id_is_echoed_when_asked_for(wire: Wire) -> None:
    request_id = str(uuid.uuid4())
    headers = {"client-request-id": request_id, "return-client-request-id": "true"}
    url = f"{wire.entra.authority}/oauth2/v2.0/token"
    assert wire.post(url, {}, headers=headers).headers["client-request-id"] == request_id
    assert "client-request-id" not in wire.post(url, {}).headers


def test_the_older_line_separator_can_be_switched_on(wire: Wire) -> None:
    wire.entra.error_separator = "\r\n"
    assert "\r\nTrace ID: " in wire.token(code="garbage").json()["error_description"]


def test_a_correlation_id_that_is_no_guid_is_not_taken_over(wire: Wire) -> None:
    body = wire.token(code="garbage", request_id="<script>").json()
    assert str(uuid.UUID(body["correlation_id"])) == body["correlation_id"]


def test_only_posts_are_answered(wire: Wire) -> None:
    answer = wire.get(f"{wire.entra.authority}/oauth2/v2.0/token")
    assert _refused(answer)[:3] == (400, "invalid_request", 900561)


def test_the_answer_can_be_changed_by_a_hook(wire: Wire) -> None:
    wire.entra.mutate_token_response = lambda answer: {**answer, "expires_in": "3600"}
    assert wire.tokens()["expires_in"] == "3600"


def test_the_id_token_can_be_forged_by_a_hook(wire: Wire) -> None:
    seen: list[tuple[dict[str, object], dict[str, object]]] = []

    def forge(header: dict[str, object], claims: dict[str, object], key: object) -> str:
        seen.append((header, claims))
        return "forged"

    wire.entra.mutate_id_token = forge
    assert wire.tokens()["id_token"] == "forged"
    header, claims = seen[0]
    assert header["alg"] == "RS256"
    assert claims["nonce"] == "the nonce"
