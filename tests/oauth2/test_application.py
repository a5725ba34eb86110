"""Sign-in by authorization code, as a whole, against a scripted provider."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from django_entra_auth.oauth2 import ConfidentialClientApplication
from django_entra_auth.oauth2.auth_code import hash_nonce
from tests.oauth2.scripted import CLIENT_ID, OID, REDIRECT_URI, SECRET, TENANT, Answer


def query_of(flow):
    return {name: value[0] for name, value in parse_qs(urlsplit(flow["auth_uri"]).query).items()}


class TestBuilding:
    def test_building_does_no_io(self, make_app, server):
        make_app()
        assert server.received == []

    def test_public_attributes(self, app, provider):
        assert app.client_id == CLIENT_ID
        assert app.authority == provider.base

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_credential": ""},
            {"client_credential": None},
            {"client_credential": 7},
            {"client_capabilities": "cp1"},
            {"client_capabilities": [""]},
            {"allow_loopback": False},
        ],
    )
    def test_misuse_is_a_value_error(self, make_app, changes):
        with pytest.raises(ValueError, match=r"client_c|loopback"):
            make_app(**changes)

    @pytest.mark.parametrize("client_id", ["", None, 5])
    def test_client_id_is_needed(self, provider, client_id):
        with pytest.raises(ValueError, match="client_id"):
            ConfidentialClientApplication(
                client_id, client_credential=SECRET, authority=provider.base, allow_loopback=True
            )

    def test_a_refused_credential_is_not_repeated_in_the_error(self, make_app):
        with pytest.raises(ValueError, match="client_credential") as caught:
            make_app(client_credential={"private_kay": "hunter2"})
        assert "hunter2" not in str(caught.value)


class TestInitiate:
    def test_parameters(self, make_app, provider):
        app = make_app(client_capabilities=["cp1"])
        flow = app.initiate_auth_code_flow(
            ["User.Read", "email"],
            REDIRECT_URI,
            state="my-state",
            prompt="select_account",
            login_hint="alice@contoso.example",
            domain_hint="contoso.example",
            claims_challenge='{"id_token":{"acrs":{"essential":true,"value":"c1"}}}',
            max_age=300,
            response_mode="form_post",
        )
        assert flow["auth_uri"].startswith(f"{provider.base}/oauth2/v2.0/authorize?")
        query = query_of(flow)
        challenge = urlsafe_b64encode(hashlib.sha256(flow["code_verifier"].encode()).digest())
        assert json.loads(query.pop("claims")) == {
            "id_token": {"acrs": {"essential": True, "value": "c1"}},
            "access_token": {"xms_cc": {"values": ["cp1"]}},
        }
        assert query == {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": "User.Read email offline_access openid profile",
            "state": "my-state",
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "nonce": hash_nonce(flow["nonce"]),
            "client_info": "1",
            "response_mode": "form_post",
            "prompt": "select_account",
            "login_hint": "alice@contoso.example",
            "domain_hint": "contoso.example",
            "max_age": "300",
        }
        assert set(flow) == {
            "state",
            "redirect_uri",
            "scope",
            "auth_uri",
            "code_verifier",
            "nonce",
            "max_age",
            "claims_challenge",
        }

    def test_nothing_unasked_is_sent(self, app):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        assert {"prompt", "claims", "max_age", "login_hint"}.isdisjoint(query_of(flow))
        assert flow["scope"] == ["offline_access", "openid", "profile"]

    def test_max_age_zero_is_kept(self, app):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI, max_age=0)
        assert query_of(flow)["max_age"] == "0"
        assert flow["max_age"] == 0

    def test_own_verifier_and_nonce(self, app):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI, code_verifier="v" * 43, nonce="n" * 30)
        assert (flow["code_verifier"], flow["nonce"]) == ("v" * 43, "n" * 30)

    def test_two_flows_share_nothing(self, app):
        first, second = (app.initiate_auth_code_flow([], REDIRECT_URI) for _ in range(2))
        for name in ("state", "nonce", "code_verifier"):
            assert first[name] != second[name]

    @pytest.mark.parametrize("reserved", ["openid", "profile", "offline_access"])
    def test_reserved_scopes(self, app, reserved):
        with pytest.raises(ValueError, match="added"):
            app.initiate_auth_code_flow([reserved], REDIRECT_URI)

    @pytest.mark.parametrize(
        ("scopes", "options"),
        [
            ("User.Read", {}),
            (["User.Read Mail.Read"], {}),
            ([""], {}),
            ([], {"max_age": -1}),
            ([], {"max_age": "300"}),
            ([], {"max_age": True}),
            ([], {"code_verifier": "short"}),
            ([], {"code_verifier": "ü" * 43}),
            ([], {"claims_challenge": "{not json"}),
        ],
    )
    def test_misuse(self, app, server, scopes, options):
        with pytest.raises(ValueError, match=r"scope|max_age|code_verifier|claims"):
            app.initiate_auth_code_flow(scopes, REDIRECT_URI, **options)
        assert server.received == []

    def test_metadata_trouble_is_a_dict(self, app, provider, server):
        server.script(provider.paths["metadata"], Answer(503, "down"))
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        assert flow["error"] == "temporarily_unavailable"
        assert flow["category"] == "transient"
        assert flow["correlation_id"]
        assert "auth_uri" not in flow


class TestRedeem:
    def test_success(self, app, sign_in, provider, server):
        result = sign_in(app)
        assert "error" not in result, result
        claims = result["id_token_claims"]
        assert (claims["tid"], claims["oid"]) == (TENANT, OID)
        assert result["token_source"] == "identity_provider"
        assert result["expires_in"] == 4799
        request = server.last(provider.paths["token"])
        verifier = request.form.pop("code_verifier")
        assert len(verifier) >= 43
        assert request.form == {
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "client_info": "1",
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": REDIRECT_URI,
            "scope": "User.Read offline_access openid profile",
        }
        assert request.headers["accept"] == "application/json"
        assert len(request.headers["client-request-id"]) == 36
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers

    def test_claims_are_sent_again(self, make_app, sign_in, provider, server):
        app = make_app(client_capabilities=["cp1"])
        challenge = '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}'
        sign_in(app, claims_challenge=challenge)
        sent = json.loads(server.last(provider.paths["token"]).form["claims"])
        assert sent["id_token"]["acrs"]["value"] == "c1"
        assert sent["access_token"]["xms_cc"]["values"] == ["cp1"]

    def test_scopes_can_be_narrowed(self, app, provider, server):
        flow = app.initiate_auth_code_flow(["User.Read", "Mail.Read"], REDIRECT_URI)
        provider.answer_tokens(Answer(400, {"error": "invalid_grant"}))
        answer = {"state": flow["state"], "code": "c"}
        app.acquire_token_by_auth_code_flow(flow, answer, scopes=["Mail.Read"])
        scope = server.last(provider.paths["token"]).form["scope"]
        assert scope == "Mail.Read offline_access openid profile"
        with pytest.raises(ValueError, match="among"):
            app.acquire_token_by_auth_code_flow(flow, answer, scopes=["Files.Read"])

    def test_numbers_as_text_become_numbers(self, app, sign_in):
        assert sign_in(app, tokens={"expires_in": "3600"})["expires_in"] == 3600

    @pytest.mark.parametrize(("sent", "kept"), [(-5, 0), (10**300, 366 * 86_400), (1.9, 1)])
    def test_lifetimes_of_a_sensible_size(self, app, sign_in, sent, kept):
        assert sign_in(app, tokens={"expires_in": sent, "refresh_in": sent})["expires_in"] == kept

    @pytest.mark.parametrize(
        "changes",
        [
            {"id_token": None},
            {"id_token": ""},
            {"id_token": 7},
            {"access_token": 7},
            {"refresh_token": ["x"]},
            {"token_type": "mac"},
            {"token_type": None},
            {"expires_in": "soon"},
            {"expires_in": []},
            {"expires_in": float("nan")},
            {"expires_in": float("inf")},
        ],
    )
    def test_unusable_success(self, app, sign_in, changes):
        result = sign_in(app, tokens=changes)
        assert (result["error"], result["category"]) == ("invalid_response", "invalid_answer")
        assert "access_token" not in result
        assert result["correlation_id"]

    def test_the_flow_is_not_changed(self, app, provider):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI, claims_challenge='{"id_token":{}}')
        before = json.dumps(flow)
        provider.answer_tokens(Answer(400, {"error": "invalid_grant"}))
        app.acquire_token_by_auth_code_flow(flow, {"state": flow["state"], "code": "c"})
        assert json.dumps(flow) == before

    @pytest.mark.parametrize("state", [None, "", "other", 7, "ü"])
    def test_foreign_state(self, app, server, state):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI, state="the-right-state")
        with pytest.raises(ValueError, match="state") as caught:
            app.acquire_token_by_auth_code_flow(flow, {"state": state, "code": "c"})
        assert "the-right-state" not in str(caught.value)
        assert not any(request.method == "POST" for request in server.received)

    @pytest.mark.parametrize("name", ["state", "redirect_uri", "code_verifier", "nonce", "scope"])
    @pytest.mark.parametrize("value", [None, "", 7])
    def test_flow_without_a_part(self, app, name, value):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        response = {"state": flow["state"], "code": "c"}
        with pytest.raises(ValueError, match=f"no {name}"):
            app.acquire_token_by_auth_code_flow({**flow, name: value}, response)

    def test_flow_with_a_strange_max_age(self, app):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        response = {"state": flow["state"], "code": "c"}
        with pytest.raises(ValueError, match="max_age"):
            app.acquire_token_by_auth_code_flow({**flow, "max_age": "300"}, response)

    def test_neither_code_nor_error(self, app):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        with pytest.raises(ValueError, match="neither"):
            app.acquire_token_by_auth_code_flow(flow, {"state": flow["state"]})

    def test_an_error_comes_before_a_code(self, app, server):
        flow = app.initiate_auth_code_flow([], REDIRECT_URI)
        answer = {
            "state": flow["state"],
            "code": "must-not-be-used",
            "error": "access_denied",
            "error_subcode": "cancel",
            "error_description": "AADSTS65004: declined",
            "error_uri": "https://login.microsoftonline.com/error?code=65004",
            "suberror": "message",
            "claims": '{"id_token":{}}',
            "timestamp": "2026-01-01 00:00:00Z",
            "trace_id": "t",
            "correlation_id": "c",
        }
        result = app.acquire_token_by_auth_code_flow(flow, answer)
        assert result.pop("category") == "cancelled"
        kept = {name: value for name, value in answer.items() if name not in ("state", "code")}
        assert result == kept
        assert not any(request.method == "POST" for request in server.received)

    def test_provider_members_are_kept_and_capped(self, app, sign_in):
        body = {
            "error": "invalid_grant",
            "error_description": "AADSTS50076: " + "d" * 10_000,
            "error_codes": [50076],
            "timestamp": "2026-01-01 00:00:00Z",
            "trace_id": "trace",
            "correlation_id": "theirs",
            "error_uri": "https://login.microsoftonline.com/error?code=50076",
            "suberror": "basic_action",
            "claims": '{"access_token":{"capolids":{"essential":true,"values":["x"]}}}',
            "access_token": "no",
            "huge": list(range(10_000)),
        }
        result = sign_in(app, answer=Answer(400, body))
        assert len(result.pop("error_description")) == 4096
        kept = {"error_description", "access_token", "huge"}
        assert result == {
            **{name: value for name, value in body.items() if name not in kept},
            "status": 400,
            "category": "interaction",
        }

    def test_half_a_claims_challenge_is_no_challenge(self, app, sign_in):
        body = {"error": "interaction_required", "claims": '{"a":"' + "x" * 9000 + '"}'}
        assert "claims" not in sign_in(app, answer=Answer(400, body))

    @pytest.mark.parametrize(
        ("answer", "error", "category"),
        [
            (Answer(400, {"error": "invalid_grant"}), "invalid_grant", "interaction"),
            (Answer(401, {"error": "invalid_client"}), "invalid_client", "configuration"),
            (Answer(200, {"error": "invalid_grant"}), "invalid_grant", "interaction"),
            (Answer(200, "<html>"), "invalid_response", "invalid_answer"),
            (Answer(200, "[]"), "invalid_response", "invalid_answer"),
            (Answer(200, "[" * 500_000), "invalid_response", "invalid_answer"),
            (Answer(200, b"\xff\xfe\x00"), "invalid_response", "invalid_answer"),
            (Answer(204, ""), "invalid_response", "invalid_answer"),
            (Answer(404, "not found"), "invalid_response", "invalid_answer"),
            (Answer(400, {"error": {"code": 7}}), "invalid_response", "invalid_answer"),
            (Answer(400, {"no": "error"}), "invalid_response", "invalid_answer"),
            (Answer(429, "Too Many Requests"), "temporarily_unavailable", "throttled"),
            (Answer(429, {"error": "busy", "x": 1}), "busy", "throttled"),
            (Answer(500, "oops"), "temporarily_unavailable", "transient"),
            (Answer(503, {"error": "service_unavailable"}), "service_unavailable", "transient"),
            (Answer(302, "", {"Location": "/x"}), "invalid_response", "invalid_answer"),
            (Answer(307, "", {"Location": "/x"}), "invalid_response", "invalid_answer"),
        ],
    )
    def test_every_answer_is_a_dict(self, app, sign_in, server, provider, answer, error, category):
        result = sign_in(app, answer=answer)
        assert (result["error"], result["category"]) == (error, category)
        assert result["status"] == answer.status
        assert result["correlation_id"]
        assert result.get("error_description") or isinstance(answer.body, dict)
        assert server.count(provider.paths["token"]) == 1
        assert server.count("/x") == 0

    @pytest.mark.parametrize("mode", ["hang", "drip_headers", "drip_body", "reset"])
    def test_a_code_is_sent_once_whatever_happens(self, make_app, sign_in, server, provider, mode):
        app = make_app(timeout=(1, 0.4), total_timeout=0.6)
        result = sign_in(app, answer=Answer(200, {"x": "y" * 500}, mode=mode))
        assert result["error"] == "temporarily_unavailable"
        assert result["category"] == "transient"
        assert server.count(provider.paths["token"]) == 1

    def test_retry_after_is_told(self, app, sign_in):
        result = sign_in(app, answer=Answer(429, "wait", {"Retry-After": "17"}))
        assert result["retry_after"] == 17

    def test_max_age(self, app, sign_in, clock):
        assert "error" not in sign_in(app, max_age=60, claims={"auth_time": int(clock()) - 170})
        result = sign_in(app, max_age=60, claims={"auth_time": int(clock()) - 190})
        assert result["failed_check"] == "auth_time"

    def test_a_refused_id_token(self, app, sign_in):
        result = sign_in(app, claims={"nonce": "another"})
        assert result["error"] == "invalid_id_token"
        assert result["failed_check"] == "nonce"
        assert result["category"] == "invalid_answer"
        assert result["correlation_id"]
        assert {"access_token", "refresh_token", "id_token"}.isdisjoint(result)

    def test_key_trouble_is_not_an_invalid_token(self, app, sign_in, server, provider):
        server.script(provider.paths["keys"], Answer(503, "down"))
        assert sign_in(app)["error"] == "temporarily_unavailable"


class TestLogout:
    def test_uri(self, app, provider):
        end = f"{provider.base}/oauth2/v2.0/logout"
        assert app.get_logout_uri() == end
        uri = app.get_logout_uri("https://app.example/out/", logout_hint="a b", state="s")
        assert uri == (
            f"{end}?post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fout%2F"
            "&logout_hint=a+b&state=s"
        )

    def test_none_without_metadata(self, app, provider, server):
        server.script(provider.paths["metadata"], Answer(500, "down"))
        assert app.get_logout_uri() is None

    def test_none_when_the_provider_has_none(self, app, provider):
        provider.publish(end_session_endpoint=None)
        assert app.get_logout_uri("https://app.example/") is None


class TestSharing:
    def test_two_people_at_once(self, app, provider, server):
        """Two threads redeem at the same time; each gets its own person."""
        barrier = threading.Barrier(2, timeout=5)
        people = {"code-a": "oid-a", "code-b": "oid-b"}
        flows = {code: app.initiate_auth_code_flow([], REDIRECT_URI) for code in people}

        def answer(request):
            barrier.wait()
            code = request.form["code"]
            nonce = hash_nonce(flows[code]["nonce"])
            token = provider.sign(provider.claims(nonce=nonce, oid=people[code]))
            return Answer(body=provider.tokens(token))

        provider.answer_tokens(answer)
        results = {}

        def run(code):
            response = {"state": flows[code]["state"], "code": code}
            results[code] = app.acquire_token_by_auth_code_flow(flows[code], response)

        threads = [threading.Thread(target=run, args=(code,)) for code in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert {c: r["id_token_claims"]["oid"] for c, r in results.items()} == people
        assert server.count(provider.paths["keys"]) == 1
        assert server.count(provider.paths["metadata"]) == 1


class TestSecrecy:
    def test_no_secret_reaches_a_log(self, make_app, sign_in, caplog, provider):
        caplog.set_level(logging.DEBUG)
        app = make_app(client_capabilities=["cp1"])
        flow = {"code_verifier": "v" * 50, "nonce": "n" * 30, "state": "the-state-value"}
        good = sign_in(app, **flow)
        assert "error" not in good
        sign_in(app, claims={"nonce": "wrong"}, **flow)
        sign_in(app, answer=Answer(400, {"error": "invalid_grant\r\nforged", "x": "y"}), **flow)
        sign_in(app, answer=Answer(200, "secret-body"), **flow)
        sign_in(app, answer=Answer(mode="reset"), **flow)
        text = caplog.text + "".join(str(vars(record)) for record in caplog.records)
        assert "oauth2" in text
        secrets = [SECRET, "the-code", good["access_token"], good["refresh_token"]]
        secrets += [good["id_token"], good["client_info"], "secret-body", *flow.values()]
        for secret in secrets:
            assert secret not in text
        assert "\nforged" not in caplog.text

    def test_correlation_id_and_codes_are_logged(self, app, sign_in, caplog):
        caplog.set_level(logging.INFO)
        result = sign_in(
            app, answer=Answer(400, {"error": "invalid_grant", "error_codes": [50173]})
        )
        (record,) = [r for r in caplog.records if getattr(r, "error_codes", None)]
        assert record.error_codes == [50173]
        assert record.correlation_id == result["correlation_id"]

    def test_repr_shows_no_secret(self, app):
        assert SECRET not in repr(vars(app))
