"""When the tokens behind a sign-in were last renewed, as the operator's page tells it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_entra_auth import sign_ins
from django_entra_auth.admin.renewals import find_last_renewal, has_tokens, note_renewals
from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.cache.token_cache import SignInTokenCache, load_renewals
from django_entra_auth.conf import get_settings
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import EntraSignIn
from django_entra_auth.oauth2.token_cache import CachedAccount
from tests.admin.making_rows import make_people, make_person, make_sign_ins, source_of
from tests.visitor import Visitor

LIST = "/admin/django_entra_auth/entrasignin/"
REDIS = "django.core.cache.backends.redis.RedisCache"
DOWN = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}
ACCOUNT = CachedAccount("uid.utid", "utid", "oid", "alice@contoso.example", "host", "rt-one")
THEN, LATER = 1_900_000_000, 1_900_000_700

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(settings: Any) -> Client:
    settings.TIME_ZONE = "UTC"
    client = Client()
    person = make_person("olga", "view_entrasignin", is_superuser=True)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def open_cache(row: EntraSignIn, *, at: float = THEN) -> SignInTokenCache:
    return SignInTokenCache(row.id_hash, get_settings(), clock=lambda: at)


def make_rows(count: int = 2) -> list[EntraSignIn]:
    make_sign_ins(count, make_people(count))
    return list(EntraSignIn.objects.order_by("pk"))


def read(row: EntraSignIn) -> tuple[datetime | None, bool | None]:
    fresh = EntraSignIn.objects.get(pk=row.pk)
    note_renewals([fresh])
    return find_last_renewal(fresh), has_tokens(fresh)


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def test_it_is_the_sign_in_at_first_and_then_each_refresh() -> None:
    (row,) = make_rows(1)
    assert read(row) == (None, False)
    open_cache(row).save_account(ACCOUNT)
    assert read(row) == (at(THEN), True)
    open_cache(row, at=LATER).update_refresh_token("", "rt-one", "rt-two")
    assert read(row) == (at(LATER), True)


def test_a_refresh_token_that_was_dropped_is_no_renewal() -> None:
    (row,) = make_rows(1)
    open_cache(row).save_account(ACCOUNT)
    open_cache(row, at=LATER).update_refresh_token("", "rt-one", None)
    assert read(row) == (at(THEN), False)


def test_an_entry_of_an_older_release_does_not_say() -> None:
    (row,) = make_rows(1)
    members = {"home_account_id": "uid.utid", "tenant_id": "utid", "object_id": "oid",
               "username": "alice", "environment": "host", "refresh_token": "rt"}  # fmt: skip
    kept = {"account": members, "ends_at": LATER + 600}
    Entries(get_settings()).save(build_key("account", row.id_hash), kept, 60)
    assert read(row) == (None, True)
    open_cache(row, at=LATER).update_refresh_token("", "rt", "new")
    assert read(row) == (at(LATER), True)


def test_a_real_refresh_is_told_and_a_failed_one_is_not(
    entra: Any, entra_settings: Any, operator: Client
) -> None:
    Visitor(entra).sign_in("alice")
    row = EntraSignIn.objects.get()
    before, held = read(row)
    assert before
    assert held
    kept = Entries(get_settings()).load(build_key("account", row.id_hash))
    kept["renewed"] = THEN
    Entries(get_settings()).save(build_key("account", row.id_hash), kept, 600)
    user = get_user_model().objects.get(username__startswith="alice")
    entra.faults.add("token", Fault(503), times=2)
    tokens = sign_ins.tokens_for(user)
    assert "error" in (tokens.acquire_token_silent(["api://one/Read"]) or {})
    assert read(row)[0] == at(THEN)
    entra.faults.clear()
    with CaptureQueriesContext(connection) as queries:
        assert "error" not in (tokens.acquire_token_silent(["api://two/Read"], force_refresh=True))
    assert read(row)[0] != at(THEN)
    writes = [one["sql"] for one in queries if not one["sql"].startswith("SELECT")]
    assert writes == [], "a refresh writes nothing into the database"


def test_the_page_asks_the_cache_once_for_all_rows(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_rows(30)
    open_cache(rows[3]).save_account(ACCOUNT)
    calls: list[int] = []
    look = Entries.look
    monkeypatch.setattr(
        Entries, "look", lambda self, keys: (calls.append(len(keys)), look(self, keys))[1]
    )
    page = operator.get(LIST)
    assert calls == [30]
    assert "2030-03-17 17:46" in source_of(page)
    assert source_of(page).count("</span>Yes</td>") == 1
    assert source_of(page).count("</span>No</td>") == 29


def test_the_page_of_one_tells_it_too(operator: Client) -> None:
    (row,) = make_rows(1)
    open_cache(row).save_account(ACCOUNT)
    page = source_of(operator.get(f"{LIST}{row.pk}/change/"))
    assert "Last renewal" in page
    assert "2030-03-17 17:46" in page
    assert "rt-one" not in page


@pytest.mark.parametrize("path", ["", "{}/change/"])
def test_a_cache_that_is_down_leaves_dashes_and_the_page_whole(
    operator: Client, settings: Any, path: str
) -> None:
    (row,) = make_rows(1)
    settings.CACHES = DOWN
    response = operator.get(LIST + path.format(row.pk))
    assert response.status_code == 200
    page = source_of(response)
    assert "person0" in page
    assert "Yes" not in page.partition('id="content"')[2]
    assert find_last_renewal(row) is None
    assert has_tokens(row) is None


def test_the_site_s_own_time_is_shown(operator: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    (row,) = make_rows(1)
    open_cache(row).save_account(ACCOUNT)
    assert "2030-03-17 23:31" in source_of(operator.get(LIST))
    settings.USE_TZ = False
    note_renewals([row])
    moment = find_last_renewal(row)
    assert moment
    assert moment.tzinfo is None


def test_nothing_asked_costs_nothing() -> None:
    assert load_renewals([], get_settings()) == {}


def test_every_sign_in_is_told_by_its_own_entry() -> None:
    first, second = make_rows(2)
    open_cache(first).save_account(ACCOUNT)
    open_cache(second, at=LATER).save_account(ACCOUNT)
    found = load_renewals([first.id_hash, second.id_hash, "gone"], get_settings())
    assert {key: one.at for key, one in found.items()} == {
        first.id_hash: THEN,
        second.id_hash: LATER,
    }


def test_ending_takes_it_away(operator: Client) -> None:
    (row,) = make_rows(1)
    open_cache(row).save_account(ACCOUNT)
    open_cache(row).delete_account("")
    assert read(row) == (None, False)
