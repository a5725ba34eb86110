"""The Graph-like API tells memberships page by page, as Graph does."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from django_entra_auth.emulator import Emulator
from tests.emulator.wire import Wire

PATH = "/v1.0/me/transitiveMemberOf"


class Reader:
    """Asks with one person's token."""

    def __init__(self, wire: Wire, person: str, scope: str) -> None:
        self.entra = wire.entra
        code = wire.sign_in(person, scope=scope)["code"]
        self._token = wire.token(code=code).json()["access_token"]

    def get(self, url: str) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        whole = url if url.startswith("http") else f"{self.entra.origin}{url}"
        return requests.get(whole, headers=headers, timeout=10)

    def read_all(self, url: str) -> list[list[str]]:
        """The ids of each page."""
        pages = []
        while url:
            body = self.get(url).json()
            assert all(one["@odata.type"] == "#microsoft.graph.group" for one in body["value"])
            pages.append([one["id"] for one in body["value"]])
            url = body.get("@odata.nextLink", "")
        return pages


@pytest.fixture
def frank(wire: Wire) -> Reader:
    return Reader(wire, "frank", "openid profile User.Read")


@pytest.mark.parametrize(
    ("query", "largest", "sizes"),
    [
        ("", 999, [100, 100, 50]),
        ("?$select=id&$top=999", 999, [250]),
        ("?$top=125", 999, [125, 125]),
        ("?$top=999", 90, [90, 90, 70]),
    ],
)
def test_memberships_come_by_page(frank, query, largest, sizes):
    frank.entra.graph.largest_page = largest
    pages = frank.read_all(PATH + query)
    assert [len(page) for page in pages] == sizes
    assert [one for page in pages for one in page] == frank.entra.people["frank"].groups


@pytest.mark.parametrize("query", ["?$top=0", "?$top=1000", "?$top=x", "?$top=-1", "?$skiptoken=x"])
def test_what_cannot_be_read_is_refused(frank, query):
    answer = frank.get(PATH + query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")


def test_somebody_in_no_group(wire: Wire, entra: Emulator) -> None:
    reader = Reader(wire, "bob", "openid profile User.Read")
    assert reader.read_all(PATH) == [[]]


def test_a_token_without_the_permission(wire: Wire, entra: Emulator) -> None:
    reader = Reader(wire, "frank", "openid profile Mail.Read")
    assert reader.get(PATH).status_code == 403
