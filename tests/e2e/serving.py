"""The tested project as a real server: over http, or over https as an own host."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connections

POLL_SECONDS = 0.02


class QuietRequestHandler(WSGIRequestHandler):
    """Writes no line per request into the test output."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class SiteServer(ThreadedWSGIServer):
    """The project's WSGI application with static files, on a free loopback port.

    Browsers keep connections open; the server cuts them when it is closed, so that no thread, and
    no database connection of a thread, outlives the test.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(
            ("127.0.0.1", 0), QuietRequestHandler, connections_override=_in_memory_connections()
        )
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.set_app(StaticFilesHandler(WSGIHandler()))

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self._lock:
            for connection in self._open:
                _cut(connection)
        super().server_close()


class HttpsServer(ThreadedWSGIServer):
    """The project's WSGI application over TLS, on a free loopback port."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), QuietRequestHandler)
        self.base_environ["HTTPS"] = "on"
        # The handshake is left to the connection's thread: idle connections must not block.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.set_app(StaticFilesHandler(WSGIHandler()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers cut connections without a word."""


@contextmanager
def serving(server: ThreadedWSGIServer) -> Iterator[int]:
    """The port at which the server answers until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="site")
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _in_memory_connections() -> dict[str, Any]:
    """Connections that the server's threads have to share, because the data lives in them."""
    shared = {}
    for connection in connections.all():
        if connection.vendor == "sqlite" and connection.is_in_memory_db():
            connection.inc_thread_sharing()
            shared[connection.alias] = connection
    return shared
