"""The recorder lets nobody wait: rows are written when the answer has been sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.wsgi import WSGIHandler
from django.db.backends.signals import connection_created
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory

from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import TokenErrorRecord
from django_entra_auth.recorder import receivers
from tests.challenges.asking import NAVIGATE, Walker, make_walker

pytestmark = pytest.mark.urls("tests.site.urls_challenges")


def replace_answer(get_response: Callable[..., Any]) -> Callable[..., HttpResponse]:
    """Middleware that makes a page of its own of every error."""

    def answer(request: Any) -> HttpResponse:
        response: HttpResponse = get_response(request)
        return HttpResponse("ours", status=500) if response.status_code >= 500 else response

    return answer


def wrap_request(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Middleware whose request knows something to close as well."""

    def answer(request: Any) -> Any:
        close, request.closed_by = request.close, []
        request.close = lambda: (request.closed_by.append("theirs"), close())
        CLOSED.append(request.closed_by)
        return get_response(request)

    return answer


CLOSED: list[list[str]] = []


@pytest.fixture
def connected() -> Iterator[list[object]]:
    """Every connection to the database that is opened meanwhile."""
    opened: list[object] = []

    def note(connection: object, **_more: Any) -> None:
        opened.append(connection)

    connection_created.connect(note)
    yield opened
    connection_created.disconnect(note)


@pytest.fixture
def walker(entra: Any, entra_settings: Any, file_database: Path) -> Walker:
    """Alice, signed in, while Entra is in trouble."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    walker = make_walker(entra)
    walker.sign_in(next_url="/private/")
    entra.faults.add("token", Fault(503), times=None)
    return walker


def ask(walker: Walker, path: str) -> Any:
    """The answer as a WSGI server has it, before it closes it."""
    cookies = {name: morsel.value for name, morsel in walker.client.cookies.items()}
    factory = RequestFactory(headers=NAVIGATE)
    factory.cookies.load(cookies)
    return WSGIHandler()(factory.get(path, secure=True).environ, lambda *_begun: None)


def counts() -> list[int]:
    return list(TokenErrorRecord.objects.values_list("count", flat=True))


def test_the_row_is_written_after_the_answer(walker: Walker, connected: list[object]) -> None:
    answer = ask(walker, "/mail/")
    assert answer.status_code == 503
    assert b"".join(answer)
    assert counts() == []
    del connected[:]
    answer.close()
    assert connected == []  # Django closes the view's connection only after the row is written
    assert counts() == [1]
    answer.close()
    assert counts() == [1]


def test_the_row_is_written_whoever_answers_in_the_end(walker: Walker, entra_settings: Any) -> None:
    middleware = [f"{__name__}.replace_answer", *entra_settings.MIDDLEWARE]
    entra_settings.MIDDLEWARE = middleware
    answer = ask(walker, "/mail/")
    assert b"".join(answer) == b"ours"
    answer.close()
    assert counts() == [1]


def test_what_else_the_request_closes_is_closed(walker: Walker, entra_settings: Any) -> None:
    CLOSED.clear()
    entra_settings.MIDDLEWARE = [f"{__name__}.wrap_request", *entra_settings.MIDDLEWARE]
    ask(walker, "/mail/").close()
    assert (CLOSED, counts()) == ([["theirs"]], [1])


def test_it_is_closed_whatever_writing_comes_to(
    walker: Walker, entra_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    CLOSED.clear()
    entra_settings.MIDDLEWARE = [f"{__name__}.wrap_request", *entra_settings.MIDDLEWARE]
    answer = ask(walker, "/mail/")
    monkeypatch.setattr(receivers, "write_events", Mock(side_effect=RuntimeError))
    answer.close()
    assert CLOSED == [["theirs"]]


def test_a_request_without_failures_closes_as_always(walker: Walker) -> None:
    answer = ask(walker, "/private/")
    assert answer.status_code == 200
    assert "close" not in vars(walker.client.get("/private/").wsgi_request)
    answer.close()
    assert counts() == []


@pytest.mark.parametrize("path", ["/mail/", "/mail-async/"])
def test_under_asgi_the_row_is_there_with_the_answer(walker: Walker, path: str) -> None:
    client = AsyncClient(headers=NAVIGATE)
    client.cookies = walker.client.cookies
    answer = async_to_sync(client.get)(path, secure=True)
    assert (answer.status_code, counts()) == (503, [1])
