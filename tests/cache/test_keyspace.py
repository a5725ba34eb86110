"""After a whole day with errors: no secret lies readable in Redis, sessions, logs or database."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from django_entra_auth.emulator.faults import Fault
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.session_entry import SESSION_KEY
from tests.cache.people import list_keys
from tests.redis_cache import REDIS, open_redis
from tests.visitor import SITE, Visitor

PIECE = 24  # so many characters of a secret in a row are a secret told
NOTE = "what-the-person-has-written-into-a-form"
NAVIGATION: Any = {
    "HTTP_ACCEPT": "text/html",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_DEST": "document",
}
FORM_FIELDS = ("code", "code_verifier", "refresh_token", "client_secret", "client_assertion")
COOKIES = ("entra_browser", "sessionid", "csrftoken")

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.site.urls_challenges")]


class Day:
    """What people do in a day, and every secret that came by."""

    def __init__(self, entra: Any) -> None:
        self.entra = entra
        self.secrets: set[str] = set()
        self.ids: set[str] = set()  # of sign-ins: known to the session alone
        entra.mutate_token_response = self._note_tokens
        self.visitor = Visitor(entra)

    def spend(self) -> None:
        self.visitor.sign_in()
        self._open("/mail/", "/me/", "/transfer/", "/step-up/", "/late-step-up/")
        self._send_a_form()
        self._refresh_and_fail()
        self._meet_errors_at_the_callback()
        self._note_rest()
        self._revoke()
        self._note_rest()
        self._come_and_go()
        self._note_rest()

    def _open(self, *pages: str) -> None:
        """Each page, through Entra where it is asked for more."""
        for page in pages:
            response = self.visitor.client.get(page, **NAVIGATION)
            while response.status_code == 302:
                response = self._follow(response["Location"])
            assert response.status_code < 500, page

    def _follow(self, location: str) -> Any:
        if not location.startswith(self.entra.origin):
            return self.visitor.client.get(location, **NAVIGATION)
        answer = self.visitor.answer(location)
        self.secrets.update(answer.fields.get(name, "") for name in ("code",))
        return self.visitor.deliver(answer)

    def _send_a_form(self) -> None:
        """A step-up interrupts it, so it is kept."""
        session = self.visitor.client.session
        session[SESSION_KEY] = {**session[SESSION_KEY], "contexts": {}}
        session.save()
        page = self.visitor.client.post(
            "/late-step-up/", {"note": NOTE, "amount": "12"}, **NAVIGATION
        )
        assert page.status_code < 500
        self.secrets.add(NOTE)

    def _refresh_and_fail(self) -> None:
        for fault in (
            Fault(400, json.dumps({"error": "invalid_grant", "error_description": "AADSTS50076"})),
            Fault(500, "<h1>down</h1>"),
            Fault(200, "no JSON"),
            Fault(reset=True),
            Fault(429, "slow down", {"Retry-After": "1"}),
        ):
            self.entra.faults.add("token", fault)
            self.visitor.client.get("/mail/", **NAVIGATION)
            self.visitor.client.get("/me/", **NAVIGATION)
            self.entra.faults.clear()

    def _meet_errors_at_the_callback(self) -> None:
        other = Visitor(self.entra)
        answer = other.answer(other.begin())
        self.entra.faults.add("token", Fault(400, json.dumps({"error": "invalid_grant"})))
        assert other.deliver(answer).status_code >= 400
        self.secrets.add(answer.fields["code"])
        answer = other.answer(other.begin(), person="bob")
        stranger = Visitor(self.entra)
        assert stranger.deliver(answer).status_code in {302, 400}  # another browser
        self.secrets.add(answer.fields["code"])
        other.client.get("/auth/callback", {"state": "x" * 90, "code": "forged-" * 9})

    def _revoke(self) -> None:
        self.entra.revoke_sign_ins("alice")
        self._open("/me/", "/mail/")
        self.entra.policies.add(Policy(name="m", control="mfa", scopes=frozenset({"Mail.Read"})))
        self._open("/mail/")
        self.entra.policies.clear()

    def _come_and_go(self) -> None:
        self.visitor.client.post("/auth/logout/")
        self.visitor = Visitor(self.entra)
        self.visitor.sign_in("erin")
        self._open("/mail/")
        self._send_a_form()  # what alice had sent went with her session
        Visitor(self.entra).sign_in("carol")

    def _note_tokens(self, answer: dict[str, Any]) -> dict[str, Any]:
        for name in ("access_token", "refresh_token", "id_token"):
            self.secrets.update(str(answer.get(name, "")).split("."))
        return answer

    def _note_rest(self) -> None:
        for request in list(self.entra.requests):
            self.secrets.update(request.form.get(name, "") for name in FORM_FIELDS)
        cookies = self.visitor.client.cookies
        self.secrets.update(cookies[name].value for name in COOKIES if name in cookies)
        with suppress(KeyError):
            self.ids.add(self.visitor.client.session[SESSION_KEY]["id"])


@pytest.fixture
def day(
    entra: Any,
    entra_settings: Any,
    redis_url: str,
    transactional_db: None,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Day]:
    entra_settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis_url}}
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 0}
    caplog.set_level(logging.DEBUG)
    day = Day(entra)
    day.spend()
    yield day
    open_redis().flushdb()


@pytest.fixture
def secrets(day: Day) -> list[bytes]:
    """Long enough to be none by chance; a token's parts, each for itself."""
    found = sorted(text for text in day.secrets if len(text) >= PIECE)
    assert len(found) > 30
    return [text.encode() for text in found]


def look_into(raw: bytes, depth: int = 3) -> Iterator[bytes]:
    """The bytes as they are, and whatever usual packing can be undone."""
    yield raw
    if not depth:
        return
    for undo in (pickle.loads, zlib.decompress, base64.b64decode, base64.urlsafe_b64decode):
        with suppress(Exception):
            opened = undo(raw)
            whole = opened if isinstance(opened, bytes) else repr(opened).encode()
            yield from look_into(whole, depth - 1)


def find_told(secrets: list[bytes], text: bytes) -> list[bytes]:
    """The secrets of which a piece can be read; not their beginning alone, which JWTs share."""
    return [one for one in secrets if one[-PIECE:] in text or one[8 : 8 + PIECE] in text]


def test_nothing_can_be_read_in_redis(day: Day, secrets: list[bytes]) -> None:
    store = open_redis()
    kinds = list_keys(store)
    assert {"account", "tokens", "resource", "http", "ended", "successor", "form"} <= {*kinds}
    assert all(kind.isalpha() and kind.islower() for kind in kinds), kinds
    ids = [one.encode() for one in day.ids]
    for key in store.keys("*"):
        assert not find_told(secrets + ids, key)
        for text in look_into(store.get(key)):
            assert find_told(secrets + ids, text) == []


def test_the_search_finds_what_is_there(day: Day, secrets: list[bytes]) -> None:
    """The test of the test: each secret is found in each packing."""
    for secret in secrets:
        packed = zlib.compress(pickle.dumps({"x": secret.decode()}))
        assert any(find_told([secret], text) for text in look_into(packed))


def test_nothing_can_be_read_in_sessions(day: Day, secrets: list[bytes]) -> None:
    rows = list(Session.objects.all())
    assert len(rows) >= 2
    kept = [row.get_decoded() for row in rows]
    assert any(SESSION_KEY in data for data in kept)
    for data in kept:
        text = repr(data).encode()
        assert find_told(secrets, text) == []
        assert len(json.dumps(data)) < 1500


def test_nothing_can_be_read_in_the_database(day: Day, secrets: list[bytes]) -> None:
    """All tables; a session's key is Django's own, in its own table."""
    connection.ensure_connection()
    lines = [line for line in connection.connection.iterdump() if "django_session" not in line]
    assert any("django_entra_auth_entrasignin" in line for line in lines)
    dump = "\n".join(lines).encode()
    ids = [one.encode() for one in day.ids]
    for text in look_into(dump):
        assert find_told(secrets + ids, text) == []


def test_nothing_can_be_read_in_the_logs(
    day: Day, secrets: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG; not only what is said, but all that a handler could say."""
    records = [*caplog.get_records("setup"), *caplog.records]
    ours = [one for one in records if one.name.startswith("django_entra_auth")]
    assert {one.levelno for one in ours} >= {logging.WARNING}
    ids = [one.encode() for one in day.ids]
    format_whole = logging.Formatter("%(message)s").format
    for record in records:
        said = f"{format_whole(record)} {record.__dict__!r}"
        assert find_told(secrets + ids, said.encode()) == [], (record.name, record.msg)
        assert f"{SITE}/auth/callback?" not in said
