"""A proxy that ends TLS in front of a site, as in production: it speaks http to the site."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from tests.loopback import LoopbackServer, QuietHandler, drop_hops, read_body


class TlsProxy(LoopbackServer):
    """Answers https://app.localhost:<port> for the site at `target`, for as long as the block."""

    def __init__(self, target: str, context: ssl.SSLContext) -> None:
        super().__init__(_Handler)
        # The handshake is left to the connection's thread: idle connections must not block.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.target = urlsplit(target).netloc
        self.origin = f"https://app.localhost:{self.server_address[1]}"


class _Handler(QuietHandler):
    server: TlsProxy

    def do_GET(self) -> None:
        body = read_body(self)
        kept = dict(drop_hops(self.headers.items()))
        kept |= {"X-Forwarded-Proto": "https", "Content-Length": str(len(body))}
        connection = http.client.HTTPConnection(self.server.target, timeout=30)
        try:
            connection.request(self.command, self.path, body, kept)
            self.relay(connection.getresponse())
        finally:
            connection.close()

    def do_POST(self) -> None:
        self.do_GET()

    def relay(self, response: http.client.HTTPResponse) -> None:
        data = response.read()
        self.send_response_only(response.status)
        for name, value in drop_hops(response.getheaders()):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
