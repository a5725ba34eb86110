"""Puts the hosts of Microsoft's clouds before a local Entra: an https proxy that ends their TLS.

A client that is told of the proxy and of its certificate speaks to these hosts as it would in the
world; whatever host it names, the local Entra answers.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import suppress
from pathlib import Path

from tests.loopback import LoopbackServer, ProxyHandler, drop_hops, read_body, write_certificate


class FrontDoor(LoopbackServer):
    """Takes CONNECT for every host in `hosts` and hands what comes to the local Entra at `port`."""

    def __init__(self, port: int, hosts: tuple[str, ...], folder: Path) -> None:
        super().__init__(_Handler)
        self.target = ("localhost", port)
        self.visited: set[str] = set()
        self.ca_bundle = str(write_certificate(folder / "front-door.pem", hosts))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.ca_bundle)
        self.proxies = {"https": f"http://127.0.0.1:{self.server_address[1]}"}


class _Handler(ProxyHandler):
    server: FrontDoor

    def tls_context(self) -> ssl.SSLContext:
        self.server.visited.add(self.path.partition(":")[0])
        return self.server.context

    def do_GET(self) -> None:
        kept = {
            name: value for name, value in drop_hops(self.headers.items()) if name.lower() != "host"
        }
        upstream = http.client.HTTPConnection(*self.server.target, timeout=30)
        with suppress(ConnectionError):
            upstream.request(self.command, self.path, read_body(self), kept)
            self._relay(upstream.getresponse())
        upstream.close()

    do_POST = do_GET  # noqa: N815 - the name the base class calls

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in drop_hops(answer.getheaders()):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # no thread waits for a next request
        self.end_headers()
        self.wfile.write(body)
