"""The HTTP(S) server: sockets, parsing, limits, keep-alive, faults; no endpoint logic."""

import contextlib
import errno
import logging
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .callers import find_caller, record_call
from .faults import Fault
from .messages import Headers, RecordedRequest, Request, Response, parse_cookies
from .router import answer, find_route
from .state import State

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 30.0
_MAX_BODY_BYTES = 256 * 1024
_MAX_DIGITS = 20
_MAX_FIELDS = 200
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class PortTakenError(OSError):
    """Another program listens on the port."""


def _parse_fields(text: str) -> tuple[dict[str, str], frozenset[str]]:
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    names = [name for name, _ in pairs]
    repeated = frozenset(name for name in names if names.count(name) > 1)
    return dict(reversed(pairs)), repeated


class _Refused(Exception):
    """The message cannot be read; the connection closes after the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: "LoopbackServer"
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    wbufsize = -1
    disable_nagle_algorithm = True
    server_version = "local-emulator"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer any method; the router knows which address takes which."""
        try:
            request = self._read_request()
        except _Refused as refused:
            self.close_connection = True
            self._write(Response(refused.status))
            return
        response, fault = _respond(self.server.state, request)
        if fault is not None and (fault.reset or fault.hang):
            self._break(fault)
            return
        self._write(response, drip=fault.drip if fault else 0.0)

    do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815 - the names the base class calls

    def _read_request(self) -> Request:
        self._require_own_host()
        body = self._read_body()
        headers = Headers(dict(self.headers.items()))
        is_form = self.headers.get_content_type() == "application/x-www-form-urlencoded"
        try:
            parts = urlsplit(self.path)
            query, repeated = _parse_fields(parts.query)
            form, repeated_form = _parse_fields(body.decode()) if is_form else ({}, frozenset())
        except ValueError:
            raise _Refused(400) from None
        cookies = parse_cookies(headers.get("cookie"))
        both = repeated | repeated_form
        return Request(self.command, parts.path, query, form, headers, cookies, both, body)

    def _require_own_host(self) -> None:
        # A page on a name that resolves to loopback (DNS rebinding) must not reach us.
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.own_hosts:
            raise _Refused(421)

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise _Refused(411)
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise _Refused(400)
        if len(length) > _MAX_DIGITS or int(length) > _MAX_BODY_BYTES:
            raise _Refused(413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _Refused(400)
        return body

    def _break(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.hang:
            self.server.state.stopping.wait()
            return
        # Closing with zero linger sends RST, which clients see as "connection reset".
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _write(self, response: Response, *, drip: float = 0.0) -> None:
        length = str(len(response.body))
        declared = Headers(dict(response.headers)).get("content-length")
        if declared not in ("", length):
            self.close_connection = True  # a scripted lie about the length: no next message
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if not declared:
            self.send_header("Content-Length", length)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._write_body(response.body, drip)
        self.wfile.flush()

    def _write_body(self, body: bytes, drip: float) -> None:
        if not drip:
            self.wfile.write(body)
            return
        for index in range(len(body)):
            self.wfile.flush()
            if self.server.state.stopping.wait(drip):
                return
            self.wfile.write(body[index : index + 1])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Nothing: the default would write codes from request lines to stderr."""


def _respond(state: State, request: Request) -> tuple[Response, Fault | None]:
    found = find_route(request.path)
    name = found[0].name if found else ""
    fault = state.faults.take(name, partial(find_caller, state, request, name)) if name else None
    if fault is None:
        response = answer(state, request)
        _record(state, request, response.status, name)
        return response, None
    silent = fault.reset or fault.hang
    if silent or fault.status is not None:
        _record(state, request, 0 if silent else fault.status or 0, name)
    if fault.delay:
        state.stopping.wait(fault.delay)
    if fault.status is None and not silent:
        response = answer(state, request)
        _record(state, request, response.status, name)
        return response, fault
    return _scripted(fault), fault


def _record(state: State, request: Request, status: int, endpoint: str) -> None:
    if endpoint == "graph":
        record_call(state, request, status)
    state.record(
        RecordedRequest(
            request.method,
            request.path,
            dict(request.query),
            dict(request.form),
            request.headers,
            status,
        )
    )
    logger.debug("%s %s %s", request.method, request.path, status)


def _scripted(fault: Fault) -> Response:
    body = fault.body.encode() if isinstance(fault.body, str) else fault.body
    headers = dict(fault.headers)
    if not any(name.lower() == "content-type" for name in headers):
        looks_like_json = body.lstrip().startswith(b"{")
        headers["Content-Type"] = "application/json" if looks_like_json else "text/plain"
    return Response(fault.status or 200, body, tuple(headers.items()))


class LoopbackServer(ThreadingHTTPServer):
    """One listening socket on a loopback address; a thread per connection, ended by `close`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, state: State, family: socket.AddressFamily, port: int, context: ssl.SSLContext | None
    ) -> None:
        self.address_family = family
        self.state = state
        self.own_hosts: frozenset[str] = frozenset()
        self._context = context
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        super().__init__((host, port), _Handler)
        self.own_hosts = frozenset(f"{name}:{self.port}" for name in _LOOPBACK_NAMES)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the host name that the base class does."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.port

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread, so a slow TLS handshake delays nobody."""
        request.settimeout(_IDLE_SECONDS)
        with contextlib.ExitStack() as stack:
            if self._context is not None:
                request = stack.enter_context(self._context.wrap_socket(request, server_side=True))
            with self._connections_lock:
                self._connections[request] = threading.current_thread()
            stack.callback(self._forget, request)
            super().finish_request(request, client_address)

    def _forget(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.pop(connection, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that went away; log what is our fault."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            logger.error("A request failed inside the emulator", exc_info=error)

    def close(self) -> None:
        """Stop listening, end open connections and wait shortly for their threads."""
        self.shutdown()
        self.server_close()
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join(timeout=2)


def open_servers(state: State, port: int, context: ssl.SSLContext | None) -> list[LoopbackServer]:
    """Listen on 127.0.0.1 and, where the machine has it, on ::1; PortTakenError when taken."""
    first = _open(state, socket.AF_INET, port, context)
    try:
        return [first, *_open_ipv6(state, first.port, context)]
    except PortTakenError:
        first.server_close()
        raise


def _open(
    state: State, family: socket.AddressFamily, port: int, context: ssl.SSLContext | None
) -> LoopbackServer:
    try:
        return LoopbackServer(state, family, port, context)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTakenError(error.errno, f"port {port} is taken or not allowed") from error
        raise


def _open_ipv6(state: State, port: int, context: ssl.SSLContext | None) -> Iterable[LoopbackServer]:
    if not socket.has_ipv6:
        return []
    try:
        return [_open(state, socket.AF_INET6, port, context)]
    except PortTakenError:
        raise
    except OSError:
        return []
