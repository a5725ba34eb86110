"""Who may open a kept form, how long, and that it is given once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.test import override_settings

from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.interaction.resume import (
    FORMS_KEY,
    MAX_FORMS,
    ResumeRefused,
    claim_form,
    drop_forms,
    grant,
    load_form,
)
from django_entra_auth.interaction.sent_form import NotKept
from tests.interaction.kept_forms import DOWN, PAIRS, THEIRS, keep, kept, open_with, refusal, send

NOW = 1_750_000_000.0
OPENERS = pytest.mark.parametrize("opener", [load_form, claim_form])


@pytest.fixture(name="conf")
def _conf() -> EntraSettings:
    return get_settings()


def test_an_id_is_short_safe_and_of_one_flow_alone() -> None:
    ids = [str(keep(send(), flow_id=bytes([number]) * 16)) for number in range(50)]
    assert len(set(ids)) == 50
    assert all(len(one) == 22 and one.replace("-", "").replace("_", "").isalnum() for one in ids)
    assert keep(send(), flow_id=b"\0" * 16) == ids[0]
    assert "\0" * 16 not in ids[0]


def test_an_id_cannot_be_worked_out_without_our_keys() -> None:
    ours = keep(send())
    with override_settings(SECRET_KEY="another" * 10):
        assert keep(send()) != ours


def test_looking_does_not_use_it_up() -> None:
    session, resume_id = kept()
    forms = [open_with(load_form, session, resume_id) for _ in range(3)]
    assert forms[0].fields == tuple(PAIRS)
    assert forms[0] == forms[2] == open_with(claim_form, session, resume_id)


@OPENERS
def test_it_is_given_once(opener: Any) -> None:
    session, resume_id = kept()
    open_with(claim_form, session, resume_id)
    assert refusal(opener, session, resume_id) == "used"
    assert not any(":form:" in key for key in cache._cache)  # type: ignore[attr-defined]


def test_of_many_at_once_one_gets_it() -> None:
    session, resume_id = kept()
    barrier, outcomes = threading.Barrier(8), []

    def claim() -> None:
        mine = SessionStore()
        mine.update(session)
        barrier.wait(timeout=10)
        try:
            open_with(claim_form, mine, resume_id)
            outcomes.append("form")
        except ResumeRefused as exc:
            outcomes.append(str(exc))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(outcomes) == ["form"] + ["used"] * 7


def test_a_late_second_caller_is_told_so_even_while_the_form_is_still_there() -> None:
    session, resume_id = kept()
    forms = {key: cache.get(key[3:]) for key in cache._cache if ":form:" in key}  # type: ignore[attr-defined]
    open_with(claim_form, session, resume_id)
    for key, value in forms.items():
        cache.set(key[3:], value)
    assert refusal(load_form, session, resume_id) == "used"
    assert refusal(claim_form, session, resume_id) == "used"


@OPENERS
def test_another_person_is_refused(opener: Any) -> None:
    session, resume_id = kept()
    for user_id in ("8", "", "77"):
        assert refusal(opener, session, resume_id, user_id=user_id) == "elsewhere"
    open_with(opener, session, resume_id)


@OPENERS
def test_another_browser_is_refused(opener: Any) -> None:
    session, resume_id = kept()
    for browser in (THEIRS, "", "M" * 42):
        assert refusal(opener, session, resume_id, browser=browser) == "elsewhere"
    open_with(opener, session, resume_id)


@OPENERS
def test_it_waits_for_the_end_of_its_flow(opener: Any) -> None:
    request = send()
    resume_id = keep(request)
    assert refusal(opener, request.session, resume_id) == "not_granted"
    grant(request.session, str(resume_id))
    open_with(opener, request.session, resume_id)


@OPENERS
def test_another_session_of_the_same_person_and_browser_is_refused(opener: Any) -> None:
    _, resume_id = kept()
    assert refusal(opener, SessionStore(), resume_id) == "not_granted"


@OPENERS
def test_the_end_of_another_flow_opens_nothing(opener: Any) -> None:
    request = send()
    first = keep(request, flow_id=b"1" * 16)
    second = keep(request, flow_id=b"2" * 16)
    grant(request.session, str(second))
    assert refusal(opener, request.session, first) == "not_granted"
    open_with(opener, request.session, second)


@OPENERS
@pytest.mark.parametrize("resume_id", ["", "unknown", "A" * 22, "x" * 10_000, "../..", "ü\0"])
def test_an_unknown_id_is_refused(opener: Any, resume_id: str) -> None:
    session, _ = kept()
    assert refusal(opener, session, resume_id) == "expired"
    grant(session, resume_id)
    assert refusal(opener, session, resume_id) == "expired"


@OPENERS
def test_it_ages(opener: Any, conf: EntraSettings) -> None:
    request = send()
    resume_id = str(keep(request, clock=lambda: NOW))
    grant(request.session, resume_id)
    late = NOW + conf.sign_in_max_seconds + 1
    assert refusal(opener, request.session, resume_id, clock=lambda: late) == "expired"
    open_with(opener, request.session, resume_id, clock=lambda: late - 2)


def test_the_cache_forgets_it_in_time(conf: EntraSettings) -> None:
    request = send()
    resume_id = str(keep(request, settings=replace(conf, sign_in_max_seconds=0)))
    grant(request.session, resume_id)
    assert refusal(load_form, request.session, resume_id) == "expired"


def stored() -> dict[str, Any]:
    """The raw cache entries of forms."""
    keys = [key[3:] for key in cache._cache if ":form:" in key]  # type: ignore[attr-defined]
    return {key: cache.get(key) for key in keys}


def test_nothing_of_it_can_be_read_in_the_cache() -> None:
    _, resume_id = kept()
    ((key, sealed),) = stored().items()
    assert resume_id not in key
    assert isinstance(sealed, bytes)
    assert not any(value and value.encode() in sealed for _, value in PAIRS if len(value) > 3)


@OPENERS
def test_an_altered_form_does_not_open(opener: Any) -> None:
    session, resume_id = kept()
    ((key, sealed),) = stored().items()
    for place in (0, 10, len(sealed) // 2, len(sealed) - 1):
        cache.set(key, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        assert refusal(opener, session, resume_id) == "expired"
    cache.set(key, sealed)
    open_with(opener, session, resume_id)


@OPENERS
def test_a_form_that_was_moved_does_not_open(opener: Any) -> None:
    request = send()
    theirs = str(keep(request, flow_id=b"1" * 16, user_id="8"))
    ((their_key, _),) = stored().items()
    mine = str(keep(request, flow_id=b"2" * 16))
    (my_sealed,) = (value for key, value in stored().items() if key != their_key)
    cache.set(their_key, my_sealed)
    for one in (theirs, mine):
        grant(request.session, one)
    assert refusal(opener, request.session, theirs) == "expired"
    open_with(opener, request.session, mine)


@OPENERS
def test_where_it_goes_is_checked_again(opener: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session, resume_id = kept()
    load = Entries.load

    def load_other(self: Entries, key: str) -> Any:
        return {**load(self, key), "path": "//evil.example/"}

    monkeypatch.setattr(Entries, "load", load_other)
    assert refusal(opener, session, resume_id) == "expired"


def test_a_rotated_secret_key_still_opens_it() -> None:
    with override_settings(SECRET_KEY="old" * 20):
        session, resume_id = kept()
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["old" * 20]):
        assert open_with(claim_form, session, resume_id).fields == tuple(PAIRS)


@OPENERS
def test_an_outage_is_told_as_one(opener: Any) -> None:
    session, resume_id = kept()
    with override_settings(CACHES=DOWN), pytest.raises(TemporarilyUnavailable):
        open_with(opener, session, resume_id)
    open_with(opener, session, resume_id)


def test_an_outage_after_the_claim_gives_the_form_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, resume_id = kept()

    def fail(self: Entries, key: str) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(Entries, "delete", fail)
    assert open_with(claim_form, session, resume_id).fields == tuple(PAIRS)
    assert refusal(claim_form, session, resume_id) == "used"


# The session's notes


def test_a_session_remembers_a_bounded_number() -> None:
    request = send()
    ids = [str(keep(request, flow_id=bytes([number]) * 16)) for number in range(MAX_FORMS + 3)]
    for one in ids:
        grant(request.session, one)
    assert list(request.session[FORMS_KEY]) == ids[3:]
    assert refusal(load_form, request.session, ids[2]) == "not_granted"
    open_with(load_form, request.session, ids[3])
    assert len(json.dumps(request.session[FORMS_KEY])) < 300


def test_a_new_grant_makes_an_id_the_newest() -> None:
    session = SessionStore()
    for number in range(MAX_FORMS):
        grant(session, f"id-{number}")
    grant(session, "id-0")
    grant(session, "id-new")
    assert "id-0" in session[FORMS_KEY]
    assert "id-1" not in session[FORMS_KEY]


def test_the_session_is_saved_for_it() -> None:
    session = SessionStore()
    grant(session, "one")
    assert session.modified
    session.modified = False
    grant(session, "two")
    assert session.modified


def test_a_sign_out_drops_what_was_kept_and_what_was_granted(conf: EntraSettings) -> None:
    request = send()
    first = keep(request, flow_id=b"1" * 16)
    second = str(keep(request, flow_id=b"2" * 16))
    grant(request.session, second)
    drop_forms(request.session, conf)
    assert stored() == {}
    assert FORMS_KEY not in request.session
    grant(request.session, str(first))
    assert refusal(load_form, request.session, first) == "expired"


def test_a_sign_out_without_forms_asks_no_cache() -> None:
    with override_settings(CACHES=DOWN):
        drop_forms(SessionStore(), get_settings())


def test_a_sign_out_does_not_fail_with_the_cache(caplog: pytest.LogCaptureFixture) -> None:
    session, resume_id = kept()
    with override_settings(CACHES=DOWN):
        drop_forms(session, get_settings())
    assert FORMS_KEY not in session
    assert "cache is down" in caplog.text
    assert resume_id not in caplog.text


def test_why_a_form_is_not_kept_is_no_id() -> None:
    assert not isinstance(keep(send()), NotKept)
    assert isinstance(keep(send(), user_id=""), NotKept)
