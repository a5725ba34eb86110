"""What MSAL believes without checking, keeps too long, asks for too often or lets slip."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import jwt.algorithms
import msal
import pytest

from django_entra_auth.oauth2 import MemoryTokenCache, certificate
from tests.interop.differential.clients import (
    CAPABILITIES,
    CHALLENGE,
    DECLINED,
    NAMED_CAPABILITY,
    make_credential,
)
from tests.interop.differential.service import Reply
from tests.interop.faults.lab import DUE, EXPIRED, Gate, Lab, Outcome, RunBoth
from tests.oauth2.scripted import SECRET

BOTH_SCOPES = ["Mail.Read", "User.Read"]
CALLERS = 20
SIGNATURES = 3


def test_errors_of_the_authorize_endpoint(run_both: RunBoth[Any]) -> None:
    def decline(lab: Lab) -> Outcome:
        side = lab.make()
        return side.finish(side.start(), **DECLINED)

    theirs, ours = run_both(decline)
    assert set(theirs.result) == {"error", "error_description", "error_uri"}
    assert ours.result.items() >= DECLINED.items()
    assert ours.result["claims"] == CHALLENGE


def test_capabilities_that_a_challenge_names(run_both: RunBoth[Any]) -> None:
    def answer_challenge(lab: Lab) -> list[str]:
        side = lab.make()
        side.sign_in()
        (form,) = side.silent(claims_challenge=NAMED_CAPABILITY).forms
        return list(json.loads(form["claims"])["access_token"]["xms_cc"]["values"])

    theirs, ours = run_both(answer_challenge)
    assert theirs == CAPABILITIES
    assert sorted(ours) == sorted([*CAPABILITIES, "other"])


def _redeem_and_look(body: Any) -> Callable[[Lab], tuple[Outcome, list[Any]]]:
    def redeem(lab: Lab) -> tuple[Outcome, list[Any]]:
        side = lab.make()
        lab.service.reply = Reply(200, body)
        outcome = side.redeem()
        kept = [side.silent().token for _ in side.app.get_accounts()]
        return outcome, kept

    return redeem


def test_signatures_of_id_tokens(run_both: RunBoth[Any]) -> None:
    theirs, ours = run_both(_redeem_and_look("forged"))
    assert theirs[0].result["id_token_claims"]
    assert theirs[1] == ["access-token-1"]
    assert ours[0].error == "invalid_id_token"
    assert ours[1] == []


def test_tokens_with_another_nonce(run_both: RunBoth[Any]) -> None:
    theirs, ours = run_both(_redeem_and_look("wrong_nonce"))
    assert theirs[0].raised == "RuntimeError"
    assert theirs[1] == ["access-token-1"], "stored before the check"
    assert ours[0].error == "invalid_id_token"
    assert ours[1] == []


def test_other_tokens_after_a_challenge(run_both: RunBoth[Any]) -> None:
    def answer_challenge(lab: Lab) -> Outcome:
        side = lab.make()
        side.sign_in(scopes=BOTH_SCOPES)
        assert side.silent(["User.Read"], claims_challenge=CHALLENGE).token == "access-token-2"
        return side.silent(["Mail.Read"])

    theirs, ours = run_both(answer_challenge)
    assert (theirs.token, len(theirs.forms)) == ("access-token-1", 0), "the one that was refused"
    assert (ours.token, len(ours.forms)) == ("access-token-3", 1)


def _fail_and_come_back(body: Any) -> Callable[[Lab], Outcome]:
    def run(lab: Lab) -> Outcome:
        side = lab.make()
        side.sign_in(EXPIRED)
        lab.service.reply = Reply(400, body)
        assert side.silent().error == "invalid_grant"
        lab.move(61)
        return side.silent()

    return run


def test_dead_refresh_tokens(run_both: RunBoth[Any]) -> None:
    theirs, ours = run_both(_fail_and_come_back("bad_token"))
    assert [form["refresh_token"] for form in theirs.forms] == ["refresh-token-1"]
    assert (ours.result, ours.exception, ours.forms) == (None, None, ())


def test_refresh_tokens_that_only_need_a_prompt(run_both: RunBoth[Any]) -> None:
    for outcome in run_both(_fail_and_come_back("challenge")):
        assert [form["refresh_token"] for form in outcome.forms] == ["refresh-token-1"]


def _ask_all_at_once(lifetimes: dict[str, int]) -> Callable[[Lab], tuple[int, list[str]]]:
    def run(lab: Lab) -> tuple[int, list[str]]:
        side = lab.make()
        side.sign_in(lifetimes)
        # Of ours there is one request to wait for, and nothing says that no other will come.
        lab.service.gate = Gate(CALLERS, seconds=20 if lab.is_msal else 0.3)
        lab.service.take_received()
        tokens: list[str] = []
        start = threading.Barrier(CALLERS)

        def ask() -> None:
            start.wait(10)
            tokens.append(side.ask_silently()["access_token"])

        threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(lab.service.take_received()), tokens

    return run


def test_callers_at_expiry(run_both: RunBoth[Any]) -> None:
    theirs, ours = run_both(_ask_all_at_once(EXPIRED))
    assert theirs[0] == CALLERS
    assert ours == (1, ["access-token-2"] * CALLERS)


def test_callers_after_refresh_on(run_both: RunBoth[Any]) -> None:
    theirs, ours = run_both(_ask_all_at_once(DUE))
    assert theirs[0] == CALLERS
    assert ours[0] == 1
    assert len(ours[1]) == CALLERS
    assert set(ours[1]) == {"access-token-1", "access-token-2"}


def test_workers_that_save_at_the_same_time(run_both: RunBoth[Any]) -> None:
    """Two workers, each with its copy of what a session kept, get a token for one API each."""
    blobs: list[str] = []
    store: Any = MemoryTokenCache()

    def open_cache() -> Any:
        cache = msal.SerializableTokenCache()
        cache.deserialize(blobs[-1] if blobs else None)
        return cache

    def refresh_two(lab: Lab) -> list[int]:
        first = open_cache() if lab.is_msal else store
        lab.make(token_cache=first).sign_in(EXPIRED)
        blobs.append(first.serialize() if lab.is_msal else "")
        caches = [open_cache() if lab.is_msal else store for _ in range(2)]
        for cache, scope in zip(caches, BOTH_SCOPES, strict=True):
            lab.make(token_cache=cache).silent([scope])
        blobs.extend(cache.serialize() for cache in caches if lab.is_msal)
        later = lab.make(token_cache=open_cache() if lab.is_msal else store)
        return [len(later.silent([scope]).forms) for scope in BOTH_SCOPES]

    theirs, ours = run_both(refresh_two)
    assert theirs == [1, 0], "the last writer wins"
    assert ours == [0, 0]


def test_parsing_of_the_key(run_both: RunBoth[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    credential = make_credential()
    parsed: list[str] = []

    def count(module: Any) -> None:
        load = module.load_pem_private_key

        def load_and_count(*args: Any, **kwargs: Any) -> Any:
            parsed.append(module.__name__)
            return load(*args, **kwargs)

        monkeypatch.setattr(module, "load_pem_private_key", load_and_count)

    # Where PyJWT, which MSAL hands its text to, and this project load keys.
    count(jwt.algorithms)
    count(certificate)

    def sign(lab: Lab) -> tuple[int, int]:
        parsed.clear()
        side = lab.make(client_credential=credential)
        side.sign_in()
        before = len(parsed)
        forms = [side.silent(force_refresh=True).forms for _ in range(SIGNATURES)]
        assert len({form["client_assertion"] for (form,) in forms}) == SIGNATURES
        return before, len(parsed)

    theirs, ours = run_both(sign)
    assert theirs[1] - theirs[0] == SIGNATURES
    assert ours == (1, 1)


def test_secrets_in_debug_logs(run_both: RunBoth[Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def redeem(lab: Lab) -> set[str]:
        caplog.clear()
        side = lab.make()
        flow = side.start()
        outcome = side.finish(flow, code="the-code-of-alice")
        result = outcome.result
        values = {"code": "the-code-of-alice", "code_verifier": flow["code_verifier"]}
        values |= {name: result[name] for name in ("client_info", "access_token", "id_token")}
        values |= {"refresh_token": "refresh-token-1", "client_secret": SECRET}
        assert all(values.values())
        assert caplog.records
        # With what a formatter or a handler could still get at.
        text = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
        return {name for name, value in values.items() if value in text}

    theirs, ours = run_both(redeem)
    assert theirs >= {"code", "code_verifier", "client_info"}
    assert ours == set()
