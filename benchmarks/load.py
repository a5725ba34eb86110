"""A small HTTP client that keeps its connections: one thread, any number of them."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Final

_CHUNK: Final = 1 << 16
_SLOWEST: Final = 20.0
"""Seconds after which a server counts as hung."""


@dataclass
class _Connection:
    socket: socket.socket
    received: bytes = b""
    sent_at: float = 0.0
    times: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """What came of some seconds of requests: how many a second, and the median seconds of one."""

    per_second: float
    latency: float


def apply_load(port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Send the same request again on each connection as soon as its answer is there."""
    selector = selectors.DefaultSelector()
    opened = [
        _Connection(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)
    ]
    start = time.perf_counter()
    for one in opened:
        selector.register(one.socket, selectors.EVENT_READ, one)
        _send(one, request)
    # A slow server gets the time for one answer at least on each connection.
    while time.perf_counter() - start < seconds or not all(one.times for one in opened):
        events = selector.select(_SLOWEST)
        if not events:
            raise TimeoutError("the server does not answer")
        for key, _ in events:
            if _receive(key.data):
                _send(key.data, request)
    elapsed = time.perf_counter() - start
    for one in opened:
        one.socket.close()
    times = [value for one in opened for value in one.times]
    return Load(len(times) / elapsed, median(times))


def build_request(path: str, cookie: str) -> bytes:
    """Return the bytes of a GET that leaves the connection open."""
    return (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n").encode()


def _send(one: _Connection, request: bytes) -> None:
    one.received = b""
    one.sent_at = time.perf_counter()
    one.socket.sendall(request)


def _receive(one: _Connection) -> bool:
    """Take what has come; True once it is a whole answer."""
    data = one.socket.recv(_CHUNK)
    if not data:
        raise ConnectionError("the server has closed a connection")
    one.received += data
    head, separator, body = one.received.partition(b"\r\n\r\n")
    if not separator or len(body) < _read_length(head):
        return False
    if not head.startswith(b"HTTP/1.1 200"):  # a request that fails is not to be counted
        raise RuntimeError(f"the server answered {_describe(head)}")
    one.times.append(time.perf_counter() - one.sent_at)
    return True


def _describe(head: bytes) -> str:
    """Return the status, and the path it leads to; a query may hold what is nobody's business."""
    lines = head.decode("latin-1").split("\r\n")
    to = [line.partition("?")[0] for line in lines if line.lower().startswith("location:")]
    return " ".join([lines[0], *to])


def _read_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError("an answer without Content-Length")
