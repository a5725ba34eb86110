"""A refresh that waits for Entra while the sign-in is ended: nothing of it comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import path

from django_entra_auth import sign_ins
from django_entra_auth.decorators import entra_login_required
from django_entra_auth.models import EntraSignIn
from tests.site.urls_challenges import urlpatterns as site_urls
from tests.visitor import Visitor, make_client

WAIT_SECONDS = 20


@entra_login_required
def work(request: HttpRequest) -> HttpResponse:
    """Gets a fresh token, and writes to the session it has read before."""
    result = request.entra.acquire_token_silent(["User.Read"], force_refresh=True)
    request.session["worked"] = True
    return HttpResponse("done" if "access_token" in (result or {}) else "nothing")


urlpatterns = [path("jobs/", work), *site_urls]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def db(file_database: Path) -> None:
    """A file: threads on the one connection of a database in memory share its transaction."""


@pytest.fixture
def held(entra: Any) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Entra has the refresh, and answers when it is let go."""
    arrived, let_go = threading.Event(), threading.Event()

    def hold(answer: dict[str, Any]) -> dict[str, Any]:
        arrived.set()
        let_go.wait(WAIT_SECONDS)
        return answer

    entra.mutate_token_response = hold
    yield arrived, let_go
    let_go.set()
    entra.mutate_token_response = None


def by_front_channel(visitor: Visitor, sid: str) -> None:
    make_client().get("/auth/front-channel-logout", {"sid": sid})


def by_hand(visitor: Visitor, sid: str) -> None:
    client = make_client()
    client.cookies.load(visitor.client.cookies.output(header=""))
    assert client.post("/auth/logout/").status_code == 200


def everywhere(visitor: Visitor, sid: str) -> None:
    sign_ins.end_everywhere(EntraSignIn.objects.get().identity.user)


@pytest.mark.parametrize("end", [by_front_channel, by_hand, everywhere])
@pytest.mark.usefixtures("engine")
def test_nothing_is_revived(
    entra: Any, site: Any, left: Any, heard: Any, request: Any, end: Callable[..., None]
) -> None:
    visitor = Visitor(entra)
    visitor.sign_in("bob")
    sid = visitor.client.session["_entra"]["claims"]["sid"]
    arrived, let_go = request.getfixturevalue("held")

    def visit() -> Any:
        try:
            return visitor.client.get("/jobs/")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        running: Future[Any] = pool.submit(visit)
        assert arrived.wait(WAIT_SECONDS)
        end(visitor, sid)
        let_go.set()
        response = running.result(WAIT_SECONDS)
    # Django itself refuses to save a session that has gone, where sessions are kept somewhere.
    assert response.status_code in {200, 400}
    assert left("tokens", "account", "resource") == {"tokens": 0, "account": 0, "resource": 0}
    assert not visitor.is_signed_in()
    assert visitor.client.get("/jobs/").status_code == 302
    assert EntraSignIn.objects.count() == 0
    assert len(heard) == 1
