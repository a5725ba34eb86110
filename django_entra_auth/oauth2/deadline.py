"""Makes urllib3 give up a response at a deadline, however slowly the server drips it."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import ProxyManager

_deadline: ContextVar[float | None] = ContextVar("entra_http_deadline", default=None)


@contextmanager
def deadline(at: float) -> Iterator[None]:
    """Bound every read inside the block: after ``at`` (monotonic seconds) it times out."""
    token = _deadline.set(at)
    try:
        yield
    finally:
        _deadline.reset(token)


class _DeadlineReader(io.RawIOBase):
    """Reads a socket; each read waits for the read timeout or the deadline, what comes first.

    A socket's own timeout starts again with every byte, also while the headers arrive, so a
    server that sends one byte at a time could hold a worker for hours.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._step = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        at = _deadline.get()
        if at is not None:
            remaining = at - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("the answer took too long")
            self._sock.settimeout(remaining if self._step is None else min(self._step, remaining))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _TimedHTTPConnection(HTTPConnection):
    response_class = _TimedResponse


class _TimedHTTPSConnection(HTTPSConnection):
    response_class = _TimedResponse


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class DeadlineAdapter(HTTPAdapter):
    """A requests adapter whose connections keep to the ``deadline`` of the running block."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager use connections that know the deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        """Return the manager for ``proxy``, with the same connections except for SOCKS."""
        manager = cast("ProxyManager", super().proxy_manager_for(proxy, **kwargs))
        if proxy.lower().startswith("http"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
