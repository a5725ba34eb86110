"""A proxy that ends TLS in front of a site, as in production: it speaks http to the site."""

from __future__ import annotations

import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# Between two neighbours only (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class TlsProxy(ThreadingHTTPServer):
    """Answers https://app.localhost:<port> for the site at `target`, for as long as the block."""

    daemon_threads = True

    def __init__(self, target: str, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        # The handshake is left to the connection's thread: idle connections must not block.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.target = urlsplit(target).netloc
        self.origin = f"https://app.localhost:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="proxy")

    def __enter__(self) -> TlsProxy:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers cut connections without a word."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TlsProxy

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {name: value for name, value in self.headers.items() if not _is_hop(name)}
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
        for name, value in response.getheaders():
            if not _is_hop(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _is_hop(name: str) -> bool:
    return name.lower() in HOP_BY_HOP
