"""A person with a browser, as far as Django's test client can be one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client

SITE = "http://127.0.0.1:8000"


def make_client(**extra: Any) -> Client:
    """A client of the site's address; the emulator accepts its redirect URI."""
    return Client(HTTP_HOST="127.0.0.1:8000", **extra)


@dataclass
class Visitor:
    """Drives the site in-process and the local Entra over real HTTP."""

    entra: Any
    client: Client = field(default_factory=make_client)

    def begin(self, next_url: str = "/private/") -> str:
        """Ask for a page through `login`; the authorize URI."""
        response = self.client.get("/auth/login/", {"next": next_url})
        assert response.status_code == 302, response.content
        return response["Location"]

    def answer(self, auth_uri: str, person: str = "alice", **options: Any) -> Any:
        """What Entra sends back for this person."""
        return self.entra.complete_sign_in(auth_uri, person=person, **options)

    def deliver(self, answer: Any, client: Client | None = None) -> Any:
        """Hand an answer to the callback as a browser would; the GET's response.

        The cross-site POST carries no SameSite cookie: it is sent by a client without any.
        """
        client = client or self.client
        if answer.method == "GET":
            return client.get(local(answer.url))
        response = make_client().post(
            local(answer.url),
            urlencode(answer.fields),
            content_type="application/x-www-form-urlencoded",
        )
        if response.status_code != 303:
            return response
        return client.get(response["Location"])

    def sign_in(self, person: str = "alice", next_url: str = "/private/", **options: Any) -> Any:
        """The whole way; the callback's last response."""
        return self.deliver(self.answer(self.begin(next_url), person, **options))

    def is_signed_in(self) -> bool:
        """Whether a protected view lets this browser in."""
        return self.client.get("/private/").status_code == 200


def local(url: str) -> str:
    """Path and query of a URL of the site."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" in {SITE, "://"}, url
    return parts.path + (f"?{parts.query}" if parts.query else "")


def query_of(url: str) -> dict[str, str]:
    """The query parameters of a URL, one value each."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def text_of(response: Any) -> str:
    """The readable text of a page."""
    body = response.content.decode()
    body = re.sub(r"<(style|script|head).*?</\1>", " ", body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))
