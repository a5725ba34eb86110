"""Limits of what is read from Graph: pages, ids, time, and where the token goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from django_entra_auth import graph_pages
from django_entra_auth.conf import EntraSettings
from django_entra_auth.graph_pages import GraphRefusal, read_ids
from django_entra_auth.oauth2.http import HttpResponse, TransportError

GRAPH = "https://graph.microsoft.com"
TID = "11111111-2222-4333-8444-555555555555"
ITEM = {"id": "0B0B0B0B-0000-4000-8000-000000000001"}
SETTINGS = EntraSettings(
    client_id="client",
    client_credential="secret",
    authority=f"https://login.microsoftonline.com/{TID}",
)


class Graph:
    """Answers with the same page, and counts the seconds that each answer takes."""

    def __init__(self, page: Any, *, seconds: float = 0.0) -> None:
        self.page = page
        self.seconds = seconds
        self.now = 0.0
        self.asked: list[tuple[str, float]] = []

    def __call__(self, url: str, *, headers: Any, seconds: float, settings: Any) -> HttpResponse:
        assert headers["Authorization"] == "Bearer the-token"
        self.asked.append((url, seconds))
        self.now += self.seconds
        if isinstance(self.page, Exception):
            raise self.page
        return HttpResponse(200, json.dumps(self.page))

    def read(self) -> list[str]:
        return read_ids(GRAPH, "the-token", SETTINGS, send=self, monotonic=lambda: self.now)

    def refusal(self) -> dict[str, Any]:
        with pytest.raises(GraphRefusal) as caught:
            self.read()
        assert "the-token" not in repr(caught.value.result)
        return caught.value.result


def page(count: int = 1, following: str | None = None) -> dict[str, Any]:
    more = {} if following is None else {"@odata.nextLink": following}
    return {"value": [ITEM] * count, **more}


NEXT = f"{GRAPH}/v1.0/me/transitiveMemberOf?$skiptoken=x"


def test_an_id_has_one_spelling() -> None:
    graph = Graph(page())
    assert graph.read() == [ITEM["id"].lower()]
    assert graph.asked[0][0].startswith(f"{GRAPH}/v1.0/me/transitiveMemberOf?")


def test_pages_are_counted() -> None:
    graph = Graph(page(following=NEXT))
    assert graph.refusal()["category"] == "invalid_answer"
    assert len(graph.asked) == graph_pages.MAX_PAGES


def test_ids_are_counted() -> None:
    graph = Graph(page(999, NEXT))
    assert graph.refusal()["category"] == "invalid_answer"
    assert len(graph.asked) == graph_pages.MAX_IDS // 999 + 1


def test_all_pages_share_one_time() -> None:
    graph = Graph(page(following=NEXT), seconds=4)
    assert graph.refusal()["category"] == "transient"
    assert [seconds for _, seconds in graph.asked] == [10, 6, 2]


@pytest.mark.parametrize(
    "following",
    [
        "https://graph.microsoft.com.evil.example/v1.0/me",
        "https://graph.microsoft.com@evil.example/v1.0/me",
        "https://evil.example/?https://graph.microsoft.com/",
        "http://graph.microsoft.com/v1.0/me/transitiveMemberOf",
        "https://graph.microsoft.com:444/v1.0/me/transitiveMemberOf",
        "https://graph.windows.net/x",
        "//graph.microsoft.com/v1.0/me",
        "/v1.0/me/transitiveMemberOf",
        "https://graph.microsoft.us/v1.0/me",
        "",
        7,
        ["https://graph.microsoft.com/"],
    ],
)
def test_the_token_goes_nowhere_else(following: Any) -> None:
    graph = Graph({"value": [ITEM], "@odata.nextLink": following})
    assert graph.refusal()["category"] == "invalid_answer"
    assert len(graph.asked) == 1


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("connection", "transient"),
        ("timeout", "transient"),
        ("tls", "transient"),
        ("too_large", "invalid_answer"),
    ],
)
def test_no_answer_is_a_refusal(reason: Any, category: str) -> None:
    assert Graph(TransportError(reason, "it failed")).refusal()["category"] == category
