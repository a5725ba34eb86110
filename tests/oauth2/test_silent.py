"""Tokens without asking the person: kept ones, refreshed ones, and every way it can fail."""

from __future__ import annotations

import logging
import threading

import pytest

from django_entra_auth.oauth2 import MemoryTokenCache, NullTokenCache
from tests.oauth2.scripted import OID, OTHER_TENANT, SECRET, TENANT, Answer

SCOPES = ["User.Read"]


@pytest.fixture
def cache():
    return MemoryTokenCache()


@pytest.fixture
def app(make_app, cache, sign_in):
    """An application in which one person has signed in."""
    app = make_app(token_cache=cache, client_capabilities=["cp1"], max_retries=0)
    assert "error" not in sign_in(app)
    return app


@pytest.fixture
def account(app):
    (account,) = app.get_accounts()
    return account


@pytest.fixture
def refreshed(provider):
    """A refresh's answer; each has its own tokens."""
    count = iter(range(1, 100))

    def make(**changes):
        def answer(_=None):
            number = next(count)
            tokens = {"access_token": f"at-{number}", "refresh_token": f"rt-{number}", **changes}
            id_token = provider.sign(provider.claims(nonce=None))
            return Answer(body=provider.tokens(id_token, **tokens))

        return answer

    return make


@pytest.fixture
def asked(server, provider):
    """How many token requests were sent since the sign-in."""
    return lambda: server.count(provider.paths["token"]) - 1


@pytest.fixture
def forms(server, provider):
    def read():
        path = provider.paths["token"]
        return [request.form for request in server.received if request.path == path][1:]

    return read


def fail(**members):
    return Answer(400, {"error": "invalid_grant", **members})


class TestAccounts:
    def test_dictionary(self, account, server):
        assert account == {
            "home_account_id": f"{OID}.{TENANT}",
            "environment": server.origin.removeprefix("http://"),
            "realm": TENANT,
            "local_account_id": OID,
            "username": "alice@contoso.example",
            "authority_type": "MSSTS",
        }

    def test_by_username(self, app, account):
        assert app.get_accounts("ALICE@contoso.example") == [account]
        assert app.get_accounts("bob@contoso.example") == []

    def test_removal(self, app, account, cache, asked):
        app.remove_account(account)
        assert app.get_accounts() == []
        assert app.acquire_token_silent(SCOPES, account) is None
        assert asked() == 0

    def test_a_refused_sign_in_stores_nothing(self, make_app, sign_in):
        app = make_app()
        assert sign_in(app, claims={"nonce": "wrong"})["error"] == "invalid_id_token"
        assert app.get_accounts() == []

    @pytest.mark.parametrize("info", [None, "", "***", "bm90IGpzb24", "W10", "e30", "\xff"])
    def test_without_client_info(self, make_app, sign_in, info):
        app = make_app()
        sign_in(app, tokens={"client_info": info})
        assert app.get_accounts()[0]["home_account_id"] == f"{OID}.{TENANT}"

    def test_bind_shares_all_but_the_tokens(self, app, account):
        other = app.bind(MemoryTokenCache())
        assert other.get_accounts() == []
        assert app.get_accounts() == [account]
        assert other._http is app._http

    def test_null_cache(self, make_app, sign_in):
        app = make_app(token_cache=NullTokenCache())
        assert sign_in(app)["access_token"]
        assert app.get_accounts() == []
        app.remove_account({"home_account_id": "x"})


class TestKept:
    def test_from_the_sign_in(self, app, account, asked, clock):
        clock.move(60)
        result = app.acquire_token_silent(SCOPES, account)
        assert result == {
            "access_token": "at-" + "x" * 40,
            "token_type": "Bearer",
            "expires_in": 4799 - 60,
            "token_source": "cache",
        }
        assert asked() == 0

    @pytest.mark.parametrize(
        "scopes",
        [["user.read"], ["USER.READ"], ["https://graph.microsoft.com/User.Read"], [], ["email"]],
    )
    def test_spellings(self, app, account, asked, scopes):
        assert app.acquire_token_silent(scopes, account)["token_source"] == "cache"
        assert asked() == 0

    def test_until_five_minutes_before_the_end(
        self, app, account, asked, clock, provider, refreshed
    ):
        provider.answer_tokens(refreshed())
        clock.move(4799 - 301)
        assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"
        clock.move(2)
        result = app.acquire_token_silent(SCOPES, account)
        assert (result["access_token"], asked()) == ("at-1", 1)

    def test_other_scopes_are_fetched(self, app, account, asked, provider, refreshed):
        provider.answer_tokens(refreshed(scope="openid profile Mail.Read"))
        assert app.acquire_token_silent(["Mail.Read"], account)["access_token"] == "at-1"
        assert app.acquire_token_silent(["Mail.Read"], account)["token_source"] == "cache"
        assert app.acquire_token_silent(SCOPES, account)["access_token"] == "at-" + "x" * 40
        assert asked() == 1

    def test_resources_are_apart(self, app, account, asked, provider, refreshed):
        provider.answer_tokens(refreshed(scope="api://one/read"), refreshed(scope="api://two/read"))
        one = app.acquire_token_silent(["api://one/read"], account)
        two = app.acquire_token_silent(["api://two/read"], account)
        assert (one["access_token"], two["access_token"]) == ("at-1", "at-2")
        assert app.acquire_token_silent(["api://one/read"], account)["access_token"] == "at-1"
        assert asked() == 2

    def test_default_scope(self, app, account, asked, provider, refreshed):
        provider.answer_tokens(refreshed(scope="api://one/read"))
        for _ in range(2):
            app.acquire_token_silent(["api://one/.default"], account)
        assert asked() == 1

    @pytest.mark.parametrize("account", [None, {}, {"x": 1}, {"home_account_id": "nobody"}])
    def test_nobody(self, make_app, account):
        assert make_app().acquire_token_silent(SCOPES, account) is None

    @pytest.mark.parametrize("scopes", ["User.Read", ["openid"], [7], ["a b"]])
    def test_misuse(self, app, account, scopes):
        with pytest.raises(ValueError, match=r"scope|added"):
            app.acquire_token_silent(scopes, account)

    def test_alias(self, app, account):
        assert app.acquire_token_silent_with_error(SCOPES, account)["access_token"]


class TestRefresh:
    def test_wire(self, app, account, provider, refreshed, forms):
        provider.answer_tokens(refreshed())
        result = app.acquire_token_silent(SCOPES, account, force_refresh=True)
        (form,) = forms()
        assert form.pop("client_secret")
        assert form.pop("claims") == '{"access_token":{"xms_cc":{"values":["cp1"]}}}'
        assert form == {
            "grant_type": "refresh_token",
            "refresh_token": "rt-" + "y" * 40,
            "client_id": app.client_id,
            "client_info": "1",
            "scope": "User.Read offline_access openid profile",
        }
        assert result["token_source"] == "identity_provider"
        assert result["id_token_claims"]["oid"] == OID

    def test_the_new_refresh_token_is_used_next(self, app, account, provider, refreshed, forms):
        provider.answer_tokens(refreshed(), refreshed(refresh_token=None), refreshed())
        for _ in range(3):
            app.acquire_token_silent(SCOPES, account, force_refresh=True)
        used = [form["refresh_token"] for form in forms()]
        assert used == ["rt-" + "y" * 40, "rt-1", "rt-1"]

    def test_without_a_refresh_token(self, make_app, sign_in, clock, asked):
        app = make_app()
        sign_in(app, tokens={"refresh_token": None})
        (account,) = app.get_accounts()
        assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"
        assert app.acquire_token_silent(["Mail.Read"], account) is None
        assert app.acquire_token_silent(SCOPES, account, force_refresh=True) is None
        clock.move(4800)
        assert app.acquire_token_silent(SCOPES, account) is None
        assert asked() == 0

    def test_shared_authority_asks_the_accounts_own_tenant(
        self, make_app, sign_in, provider, server
    ):
        provider.segment = "organizations"
        provider.publish(issuer=f"{server.origin}/{{tenantid}}/v2.0")
        app = make_app(authority=provider.base)
        sign_in(app)
        (account,) = app.get_accounts()
        server.script(f"/{TENANT}/oauth2/v2.0/token", fail())
        assert app.acquire_token_silent(SCOPES, account, force_refresh=True)["status"] == 400
        assert server.count(f"/{TENANT}/oauth2/v2.0/token") == 1

    @pytest.mark.parametrize(
        ("claims", "failed"),
        [({"oid": "somebody-else"}, "oid"), ({"aud": "other"}, "aud"), ({"exp": 1}, "exp")],
    )
    def test_an_id_token_of_somebody_else(self, app, account, provider, claims, failed):
        token = provider.sign(provider.claims(**claims))
        provider.answer_tokens(Answer(body=provider.tokens(token, access_token="stolen")))
        result = app.acquire_token_silent(SCOPES, account, force_refresh=True)
        assert (result["error"], result["failed_check"]) == ("invalid_id_token", failed)
        assert app.acquire_token_silent(SCOPES, account)["access_token"] != "stolen"

    def test_another_tenant(self, make_app, sign_in, provider, server):
        provider.segment = "common"
        provider.publish(issuer=f"{server.origin}/{{tenantid}}/v2.0")
        app = make_app(authority=provider.base)
        sign_in(app)
        (account,) = app.get_accounts()
        claims = {"tid": OTHER_TENANT, "iss": f"{server.origin}/{OTHER_TENANT}/v2.0"}
        body = provider.tokens(provider.sign(provider.claims(**claims)))
        server.script(f"/{TENANT}/oauth2/v2.0/token", Answer(body=body))
        result = app.acquire_token_silent(SCOPES, account, force_refresh=True)
        assert result["failed_check"] == "tid"


class TestFailures:
    def test_the_error_is_not_swallowed(self, app, account, clock, provider):
        body = {
            "error": "invalid_grant",
            "error_description": "AADSTS50076: more",
            "error_codes": [50076],
            "suberror": "basic_action",
            "claims": '{"access_token":{}}',
            "correlation_id": "c",
        }
        provider.answer_tokens(Answer(400, body))
        clock.move(4700)
        assert app.acquire_token_silent(SCOPES, account) == {
            **body,
            "status": 400,
            "category": "interaction",
            "classification": "basic_action",
        }

    def test_no_classification_without_a_suberror(self, app, account, clock, provider):
        provider.answer_tokens(fail())
        clock.move(4700)
        assert "classification" not in app.acquire_token_silent(SCOPES, account)

    def test_classification_hides_what_is_not_for_people(self, app, account, clock, provider):
        provider.answer_tokens(fail(suberror="token_expired"))
        clock.move(4700)
        assert app.acquire_token_silent(SCOPES, account)["classification"] == ""

    def test_bad_token_drops_the_refresh_token(self, app, account, clock, provider, asked, cache):
        provider.answer_tokens(fail(suberror="bad_token"))
        clock.move(4700)
        assert app.acquire_token_silent(SCOPES, account)["suberror"] == "bad_token"
        assert cache.load_account(account["home_account_id"]).refresh_token is None
        assert app.acquire_token_silent(SCOPES, account) is None
        assert asked() == 1

    def test_bad_token_does_not_take_the_access_token(self, app, account, provider):
        """What was issued stays good until its end, or until an API refuses it."""
        provider.answer_tokens(fail(suberror="bad_token"))
        assert "error" in app.acquire_token_silent(SCOPES, account, force_refresh=True)
        assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"

    @pytest.mark.parametrize("suberror", [None, "basic_action", "token_expired", "message_only"])
    def test_other_refusals_keep_it(self, app, account, clock, provider, cache, suberror):
        provider.answer_tokens(fail(suberror=suberror))
        clock.move(4700)
        app.acquire_token_silent(SCOPES, account)
        assert cache.load_account(account["home_account_id"]).refresh_token

    @pytest.mark.parametrize(
        "trouble",
        [
            Answer(500, "oops"),
            Answer(503, {"error": "service_unavailable"}),
            Answer(429, "Too Many Requests", {"Retry-After": "60"}),
            Answer(mode="reset"),
        ],
    )
    def test_an_outage_while_the_token_is_valid(self, app, account, clock, provider, trouble):
        """Five minutes before its end a token counts as expired, but it still works."""
        provider.answer_tokens(trouble)
        clock.move(4799 - 100)
        result = app.acquire_token_silent(SCOPES, account)
        assert (result["token_source"], result["expires_in"]) == ("cache", 100)
        clock.move(101)
        result = app.acquire_token_silent(SCOPES, account)
        assert result["category"] in {"transient", "throttled"}

    def test_forced_means_forced(self, app, account, provider):
        provider.answer_tokens(Answer(503, "down"))
        assert "error" in app.acquire_token_silent(SCOPES, account, force_refresh=True)

    def test_after_a_reset_it_is_tried_once_more(self, make_app, sign_in, provider, refreshed):
        app = make_app()
        sign_in(app)
        (account,) = app.get_accounts()
        provider.answer_tokens(Answer(mode="reset"), refreshed())
        result = app.acquire_token_silent(SCOPES, account, force_refresh=True)
        assert result["access_token"] == "at-1"

    def test_refusals_are_not_asked_for_again(self, app, account, clock, provider, asked):
        provider.answer_tokens(fail())
        clock.move(4700)
        results = [app.acquire_token_silent(SCOPES, account) for _ in range(5)]
        assert asked() == 1
        assert [result.get("throttled") for result in results] == [None, *[True] * 4]

    def test_signed_out_meanwhile(self, app, account, clock, provider, refreshed, cache):
        """A refresh that was under way must not bring the person back."""

        def answer(_):
            app.remove_account(account)
            return refreshed()()

        provider.answer_tokens(answer)
        clock.move(4700)
        app.acquire_token_silent(SCOPES, account)
        assert app.get_accounts() == []
        assert cache._tokens == {}


class TestRefreshOn:
    @pytest.fixture
    def account(self, app, sign_in):
        sign_in(app, tokens={"refresh_in": 2400})
        (account,) = app.get_accounts()
        return account

    @pytest.fixture
    def asked(self, server, provider):
        return lambda: server.count(provider.paths["token"]) - 2

    def test_before(self, app, account, asked, clock):
        clock.move(0.9 * 2400 - 1)  # a renewal may come a tenth early, see test_acquisition.py
        result = app.acquire_token_silent(SCOPES, account)
        assert 0 <= result["refresh_on"] - int(clock()) <= 241
        assert asked() == 0

    def test_after(self, app, account, asked, clock, provider, refreshed):
        provider.answer_tokens(refreshed())
        clock.move(2401)
        assert app.acquire_token_silent(SCOPES, account)["access_token"] == "at-1"
        assert app.acquire_token_silent(SCOPES, account)["access_token"] == "at-1"
        assert asked() == 1

    @pytest.mark.parametrize(
        "trouble",
        [Answer(503, "down"), Answer(200, "<html>"), Answer(mode="reset"), fail()],
    )
    def test_failing_goes_on_serving_and_pauses(
        self, app, account, asked, clock, provider, trouble
    ):
        provider.answer_tokens(trouble)
        clock.move(2401)
        for _ in range(3):
            assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"
        assert asked() == 1
        clock.move(61)
        app.acquire_token_silent(SCOPES, account)
        assert asked() == 2

    def test_the_others_do_not_wait(self, app, account, asked, clock, provider, refreshed):
        arrived, go = threading.Event(), threading.Event()

        def answer(_):
            arrived.set()
            assert go.wait(5)
            return refreshed()()

        provider.answer_tokens(answer)
        clock.move(2401)
        first = []
        thread = threading.Thread(
            target=lambda: first.append(app.acquire_token_silent(SCOPES, account))
        )
        thread.start()
        assert arrived.wait(5)
        assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"
        go.set()
        thread.join(5)
        assert first[0]["access_token"] == "at-1"
        assert asked() == 1


class TestClaimsChallenge:
    CHALLENGE = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'

    def test_bypasses_the_cache(self, app, account, provider, refreshed, forms):
        provider.answer_tokens(refreshed())
        result = app.acquire_token_silent(SCOPES, account, claims_challenge=self.CHALLENGE)
        assert result["access_token"] == "at-1"
        assert '"nbf"' in forms()[0]["claims"]
        assert '"xms_cc"' in forms()[0]["claims"]
        assert app.acquire_token_silent(SCOPES, account)["access_token"] == "at-1"

    def test_the_resources_other_tokens_are_gone(self, app, account, provider, refreshed, asked):
        """They were revoked together with the one that the API refused."""
        provider.answer_tokens(
            refreshed(scope="Mail.Read"), refreshed(scope="Mail.Read"), refreshed()
        )
        app.acquire_token_silent(["Mail.Read"], account)
        app.acquire_token_silent(["Mail.Read"], account, claims_challenge=self.CHALLENGE)
        assert app.acquire_token_silent(SCOPES, account)["access_token"] == "at-3"
        assert asked() == 3

    def test_other_resources_stay(self, app, account, provider, refreshed):
        provider.answer_tokens(refreshed(scope="api://one/read"))
        app.acquire_token_silent(["api://one/read"], account, claims_challenge=self.CHALLENGE)
        assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"

    def test_refused(self, app, account, provider):
        provider.answer_tokens(fail(suberror="bad_token", claims=self.CHALLENGE))
        result = app.acquire_token_silent(SCOPES, account, claims_challenge=self.CHALLENGE)
        assert (result["category"], result["claims"]) == ("expired_grant", self.CHALLENGE)
        assert app.acquire_token_silent(SCOPES, account) is None

    def test_an_outage_forgets_nothing(self, app, account, provider):
        provider.answer_tokens(Answer(503, "down"))
        result = app.acquire_token_silent(SCOPES, account, claims_challenge=self.CHALLENGE)
        assert result["category"] == "transient"
        assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"

    @pytest.mark.parametrize("challenge", ["{", "[]", '{"access_token":[]}'])
    def test_malformed(self, app, account, asked, challenge):
        with pytest.raises(ValueError, match="claims challenge"):
            app.acquire_token_silent(SCOPES, account, claims_challenge=challenge)
        assert asked() == 0


class TestSingleFlight:
    @pytest.mark.parametrize("outcome", ["success", "failure"])
    def test_many_callers_one_request(
        self, app, account, clock, provider, refreshed, asked, outcome
    ):
        callers = 20
        clock.move(4700)
        waiting = threading.Barrier(callers + 1, timeout=10)
        go = threading.Event()

        def answer(_):
            assert go.wait(5)
            return refreshed()() if outcome == "success" else fail()

        provider.answer_tokens(answer)
        results = []

        def run():
            waiting.wait()
            results.append(app.acquire_token_silent(SCOPES, account))

        threads = [threading.Thread(target=run) for _ in range(callers)]
        for thread in threads:
            thread.start()
        waiting.wait()
        go.set()
        for thread in threads:
            thread.join(10)
        assert asked() == 1
        expected = ("access_token", "at-1") if outcome == "success" else ("error", "invalid_grant")
        assert [result[expected[0]] for result in results] == [expected[1]] * callers

    def test_results_are_not_shared_objects(self, app, account, clock, provider, refreshed):
        provider.answer_tokens(refreshed())
        clock.move(4700)
        first = app.acquire_token_silent(SCOPES, account)
        first.clear()
        assert app.acquire_token_silent(SCOPES, account)["access_token"] == "at-1"


class TestSecrecy:
    def test_no_secret_reaches_a_log_or_a_repr(
        self, app, account, cache, provider, refreshed, caplog
    ):
        caplog.set_level(logging.DEBUG)
        provider.answer_tokens(
            refreshed(), fail(error_description="rt-1"), Answer(200, "rt-1"), Answer(mode="reset")
        )
        results = [
            app.acquire_token_silent(
                SCOPES, account, claims_challenge=f'{{"id_token":{{}},"n":{n}}}'
            )
            for n in range(4)
        ]
        app.acquire_token_for_client(["api://one/.default"])
        app.acquire_token_on_behalf_of("the-users-assertion", SCOPES)
        assert results[0]["access_token"] == "at-1"
        stored = cache.load_account(account["home_account_id"])
        text = caplog.text + "".join(str(vars(record)) for record in caplog.records)
        text += repr((stored, cache._tokens, vars(app)))
        assert "Token request" in text
        secrets = [SECRET, "rt-1", "at-1", "rt-" + "y" * 40, "the-users-assertion"]
        for secret in [*secrets, results[0]["id_token"]]:
            assert secret not in text


class TestForClient:
    SCOPE = ["https://graph.microsoft.com/.default"]

    @pytest.fixture
    def app(self, make_app):
        return make_app()

    @pytest.fixture
    def sent(self, server, provider):
        return lambda: server.count(provider.paths["token"])

    def answer(self, number=1, **changes):
        body = {"token_type": "Bearer", "expires_in": 3599, "access_token": f"app-{number}"}
        return Answer(body={**body, **changes})

    def test_wire_and_cache(self, app, provider, server, sent):
        provider.answer_tokens(self.answer())
        first = app.acquire_token_for_client(self.SCOPE)
        assert first == {
            "token_type": "Bearer",
            "expires_in": 3599,
            "access_token": "app-1",
            "token_source": "identity_provider",
        }
        form = server.last(provider.paths["token"]).form
        assert form["grant_type"] == "client_credentials"
        assert form["scope"] == "https://graph.microsoft.com/.default"
        second = app.acquire_token_for_client(scopes=self.SCOPE)
        assert (second["token_source"], sent()) == ("cache", 1)

    def test_expiry(self, app, provider, clock, sent):
        provider.answer_tokens(self.answer(1), self.answer(2))
        app.acquire_token_for_client(self.SCOPE)
        clock.move(3300)
        assert app.acquire_token_for_client(self.SCOPE)["access_token"] == "app-2"

    def test_resources_are_apart(self, app, provider, sent):
        provider.answer_tokens(self.answer(1), self.answer(2))
        app.acquire_token_for_client(self.SCOPE)
        other = app.acquire_token_for_client(["api://one/.default"])
        assert (other["access_token"], sent()) == ("app-2", 2)

    def test_claims_challenge(self, app, provider, sent):
        provider.answer_tokens(self.answer(1), self.answer(2))
        app.acquire_token_for_client(self.SCOPE)
        challenge = '{"access_token":{"nbf":{"value":"1"}}}'
        result = app.acquire_token_for_client(self.SCOPE, claims_challenge=challenge)
        assert (result["access_token"], sent()) == ("app-2", 2)

    @pytest.mark.parametrize(
        "body", [{"token_type": "Bearer"}, {"token_type": "Bearer", "access_token": ""}]
    )
    def test_no_token(self, app, provider, body):
        provider.answer_tokens(Answer(body=body))
        assert app.acquire_token_for_client(self.SCOPE)["error"] == "invalid_response"

    @pytest.mark.parametrize("lifetime", [0, -5, None])
    def test_no_lifetime_is_not_kept(self, app, provider, sent, lifetime):
        body = {"token_type": "Bearer", "access_token": "x", "expires_in": lifetime}
        provider.answer_tokens(
            Answer(body={name: value for name, value in body.items() if value is not None})
        )
        for _ in range(2):
            assert app.acquire_token_for_client(self.SCOPE)["access_token"] == "x"
        assert sent() == 2

    def test_errors(self, app, provider):
        body = {"error": "invalid_client", "error_codes": [7000215]}
        provider.answer_tokens(Answer(401, body))
        assert app.acquire_token_for_client(self.SCOPE)["category"] == "configuration"

    def test_misuse(self, app):
        with pytest.raises(ValueError, match="scopes"):
            app.acquire_token_for_client("api://one/.default")

    def test_discovery_trouble(self, make_app):
        app = make_app(authority=f"http://127.0.0.1:1/{TENANT}")
        assert app.acquire_token_for_client(self.SCOPE)["category"] == "transient"


class TestOnBehalfOf:
    @pytest.fixture
    def app(self, make_app):
        return make_app()

    def test_wire_and_cache(self, app, provider, server):
        provider.answer_tokens(
            Answer(body=provider.tokens(None, access_token="obo-1", scope="api://x/read")),
            Answer(body=provider.tokens(None, access_token="obo-2", scope="api://x/read")),
        )
        one, again, two = (
            app.acquire_token_on_behalf_of(assertion, ["api://x/read"])
            for assertion in ("assertion-1", "assertion-1", "assertion-2")
        )
        assert [r["access_token"] for r in (one, again, two)] == ["obo-1", "obo-1", "obo-2"]
        form = server.last(provider.paths["token"]).form
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert form["requested_token_use"] == "on_behalf_of"
        assert form["assertion"] == "assertion-2"
        assert form["scope"] == "api://x/read offline_access openid profile"

    def test_the_challenge_comes_back_whole(self, app, provider):
        claims = '{"access_token":{"capolids":{"essential":true,"values":["x"]}}}'
        body = {"error": "interaction_required", "claims": claims, "suberror": "basic_action"}
        provider.answer_tokens(Answer(400, body))
        result = app.acquire_token_on_behalf_of("assertion", ["api://x/read"])
        assert (result["claims"], result["category"]) == (claims, "interaction")

    def test_no_account_comes_of_it(self, app, provider):
        provider.answer_tokens(Answer(body=provider.tokens(None)))
        app.acquire_token_on_behalf_of("assertion", ["User.Read"])
        assert app.get_accounts() == []
