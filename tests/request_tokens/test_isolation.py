"""Nobody gets what another sign-in has, and no entry can be read, moved or forged."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command

from django_entra_auth import sign_ins
from django_entra_auth.emulator.faults import Fault
from tests.request_tokens.site import CHALLENGE, ask, keys_of, requests_for_tokens
from tests.visitor import Visitor

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]


SPOILERS = [
    pytest.param(lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), id="tampered"),
    pytest.param(lambda sealed: sealed[: len(sealed) // 2], id="half"),
    pytest.param(lambda sealed: sealed[:5], id="stump"),
    pytest.param(lambda sealed: b"", id="empty"),
    pytest.param(lambda sealed: b"1", id="number"),
    pytest.param(lambda sealed: b"\0" * len(sealed), id="zeros"),
]


class TestIsolation:
    def test_two_browsers_of_one_person_share_nothing(self, entra, visitor, redis, view):
        other = Visitor(entra)
        other.sign_in()
        one, two = (ask(each.client, view=view)["access_token"] for each in (visitor, other))
        assert one != two
        assert len(keys_of(redis, "tokens")) == len(keys_of(redis, "account")) == 2
        new = ask(visitor.client, view=view, force="1")["access_token"]
        assert ask(other.client, view=view)["access_token"] == two != new

    def test_nor_do_they_renew_for_each_other(self, entra, visitor):
        other = Visitor(entra)
        other.sign_in()
        for each in (visitor, other):
            ask(each.client, force="1")
        used = [one.form["refresh_token"] for one in requests_for_tokens(entra)[2:]]
        assert len(set(used)) == 2

    def test_an_entry_moved_to_another_sign_in_is_a_miss(self, entra, visitor, redis):
        (mine,) = keys_of(redis, "tokens")
        other = Visitor(entra)
        other.sign_in("bob")
        (his,) = [key for key in keys_of(redis, "tokens") if key != mine]
        stolen = ask(visitor.client)["access_token"]
        redis.set(his, redis.get(mine))
        result = ask(other.client)
        assert result["token_source"] == "identity_provider"
        assert result["access_token"] != stolen

    def test_an_account_moved_to_another_sign_in_is_a_miss(self, entra, visitor, redis):
        (mine,) = keys_of(redis, "account")
        other = Visitor(entra)
        other.sign_in("bob")
        (his,) = [key for key in keys_of(redis, "account") if key != mine]
        redis.set(his, redis.get(mine))
        assert ask(other.client, force="1") is None

    @pytest.mark.parametrize("spoil", SPOILERS)
    def test_spoilt_entries_are_misses(self, visitor, redis, spoil):
        """Spoilt is what Django's cache returns."""
        for kinds, source in (["tokens"], "identity_provider"), (["tokens", "account"], None):
            for key in [key for kind in kinds for key in keys_of(redis, kind)]:
                name = key.decode().partition(":1:")[2]
                caches["default"].set(name, spoil(caches["default"].get(name)), 60)
            result = ask(visitor.client)
            assert (result and result["token_source"]) == source

    @pytest.mark.parametrize("spoil", SPOILERS)
    def test_entries_spoilt_within_redis_are_misses_too(self, visitor, redis, spoil):
        """Spoilt is the pickle that Django's cache wrote."""
        for key in keys_of(redis, "tokens"):
            redis.set(key, spoil(redis.get(key)))
        assert ask(visitor.client).get("token_source") == "identity_provider"

    def test_entries_of_other_keys_are_misses(self, visitor, settings):
        mine = settings.ENTRA_AUTH
        settings.ENTRA_AUTH = {**mine, "ENCRYPTION_KEYS": ["A" * 43 + "="]}
        assert ask(visitor.client) is None
        settings.ENTRA_AUTH = {**mine, "ENCRYPTION_KEYS": None}
        assert ask(visitor.client)["token_source"] == "cache"

    def test_a_rotated_key_loses_nobody(self, visitor, settings):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        session_cookie = visitor.client.cookies["sessionid"].value
        assert session_cookie
        settings.SECRET_KEY = "another-key-of-these-tests-" + "y" * 40
        assert ask(visitor.client)["token_source"] == "cache"
        assert "error" not in ask(visitor.client, force="1")

    def test_nothing_is_in_clear_anywhere(self, entra, site, redis, caplog, capsys, settings):
        """Not in a key or value of Redis, nor in session, database or logs."""
        caplog.set_level(logging.DEBUG)
        secrets: set[str] = {entra.client_secret}

        def listen(answer: dict[str, Any]) -> dict[str, Any]:
            secrets.update(answer[name] for name in ("access_token", "refresh_token", "id_token"))
            return answer

        entra.mutate_token_response = listen
        visitor = Visitor(entra)
        visitor.sign_in()
        ask(visitor.client, "api://other/Read")
        ask(visitor.client, force="1")
        ask(visitor.client, claims=CHALLENGE)
        entra.revoke_sign_ins("alice")
        ask(visitor.client, force="1")
        entra.faults.add("token", Fault(429, "busy", {"Retry-After": "9"}))
        ask(visitor.client, force="1")
        sign_in_id = visitor.client.session["_entra"]["id"]
        oid = visitor.client.session["_entra"]["claims"]["oid"]
        keys = redis.keys("*")
        in_redis = b"\n".join([*keys, *(redis.get(key) for key in keys)])
        assert len(keys_of(redis, "tokens")) == 2
        assert len(secrets) >= 13
        call_command("dumpdata", "--indent=1")
        in_database = capsys.readouterr().out.encode()
        from django.contrib.sessions.models import Session

        in_sessions = "\n".join(str(one.get_decoded()) for one in Session.objects.all()).encode()
        in_logs = caplog.text.encode() + repr([vars(one) for one in caplog.records]).encode()
        assert b"acquire" not in in_redis
        assert sign_in_id.encode() in in_sessions
        for secret in secrets:
            for place in (in_redis, in_database, in_sessions, in_logs):
                assert secret.encode() not in place
                assert secret[len(secret) // 2 :].encode() not in place
        for place in (in_redis, in_database.replace(b"session_data", b""), in_logs):
            assert sign_in_id.encode() not in place
        assert oid.encode() not in in_redis
        assert sign_ins.hash_id(sign_in_id).encode() not in in_redis
