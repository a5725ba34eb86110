"""An API on a real socket: http by itself, and any https host as a proxy that answers for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.loopback import LoopbackServer, ProxyHandler, read_body, write_certificate

HOSTS = ("graph.microsoft.com", "graph.microsoft.us", "api.example", "other.example", "localhost")


@dataclass(frozen=True)
class Received:
    """One request; `origin` is where the client believed to send it."""

    origin: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def token(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b"{}"


class Api(LoopbackServer):
    """Answers with `decide(request)` and records what came; use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        super().__init__(_Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.ca_bundle = str(write_certificate(folder / "downstream.pem", HOSTS))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.ca_bundle)
        self.received: list[Received] = []
        self.decide: Callable[[Received], Reply] = lambda _: Reply()

    @property
    def through(self) -> dict[str, Any]:
        """Arguments of requests with which https hosts are this server."""
        return {"proxies": {"https": self.url}, "verify": self.ca_bundle, "timeout": 15}

    @property
    def tokens(self) -> list[str | None]:
        """The tokens that came, in order."""
        return [one.token for one in self.received]


class _Handler(ProxyHandler):
    server: Api
    origin = ""

    def tls_context(self) -> ssl.SSLContext:
        self.origin = f"https://{self.path.removesuffix(':443')}"
        return self.server.tls

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        origin = self.origin or self.server.url
        body = self.read_body()
        request = Received(origin, self.command, self.path, headers, body, id(self))
        self.server.received.append(request)
        reply = self.server.decide(request)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body if self.command != "HEAD" else b"")

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return read_body(self)
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
