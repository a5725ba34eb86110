"""HTTP messages as the endpoints see them, free of sockets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


class Headers(dict[str, str]):
    """Header fields by name, whatever the case of the name."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        super().__init__({name.lower(): value for name, value in (fields or {}).items()})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """The field's value, `default` (empty text) when it was not sent."""
        return super().get(name.lower(), default)


@dataclass(frozen=True)
class Request:
    """One request; `repeated` names the parameters that were sent more than once.

    `body` is what was sent as it was sent, form or not.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict, repr=False)
    form: dict[str, str] = field(default_factory=dict, repr=False)
    headers: Headers = field(default_factory=Headers, repr=False)
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    repeated: frozenset[str] = frozenset()
    body: bytes = field(default=b"", repr=False)

    @property
    def parameters(self) -> dict[str, str]:
        """Protocol parameters: the form of a POST, the query otherwise."""
        return self.form if self.method == "POST" else self.query


@dataclass(frozen=True)
class Response:
    """One answer; header names may repeat (cookies), so they are pairs."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def with_headers(self, *fields: tuple[str, str]) -> "Response":
        """The same answer with further header fields."""
        return Response(self.status, self.body, (*self.headers, *fields))


@dataclass(frozen=True)
class RecordedRequest:
    """A request the emulator received; `status` is 0 when the connection got no answer."""

    method: str
    path: str
    query: dict[str, str] = field(repr=False)
    form: dict[str, str] = field(repr=False)
    headers: Headers = field(repr=False)
    status: int


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header by name."""
    # SimpleCookie gives up at the first odd cookie, and browsers send those of all localhost ports.
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in pairs}


def json_response(payload: Mapping[str, object], *, status: int = 200) -> Response:
    """`payload` as a JSON answer."""
    content_type = ("Content-Type", "application/json; charset=utf-8")
    return Response(status, json.dumps(payload).encode(), (content_type,))


def html_response(html: str, *, status: int = 200) -> Response:
    """`html` as a page."""
    return Response(status, html.encode(), (("Content-Type", "text/html; charset=utf-8"),))


def redirect_response(location: str) -> Response:
    """A 302 to `location`, never stored: it carries codes."""
    return Response(302, b"", (("Location", location), ("Cache-Control", "no-store")))
