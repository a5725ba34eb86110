"""Requests that cannot be read get an answer: a client sees its mistake, not a cut connection."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from django_entra_auth.emulator import Emulator
from tests.credentials.material import make_pair
from tests.emulator.test_emulator_assertions import send, sign
from tests.emulator.wire import Wire


def _status(entra: Emulator, *lines: str) -> bytes:
    message = "\r\n".join([*lines, f"Host: localhost:{entra.port}", "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", entra.port), timeout=10) as connection:
        connection.sendall(message.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (400, ["GET http://[x HTTP/1.1"]),
        (413, ["POST /common/oauth2/v2.0/token HTTP/1.1", f"Content-Length: {'9' * 5000}"]),
        (200, ["POST /sign-in/password HTTP/1.1", "Origin: http://[x"]),
    ],
)
def test_lines_that_no_parser_likes(entra: Emulator, status: int, lines: list[str]) -> None:
    assert _status(entra, *lines).split()[1:2] == [str(status).encode()]


def test_an_authority_that_is_no_address(wire: Wire) -> None:
    path = "/common/discovery/instance?authorization_endpoint=https://%5Bx"
    answer = wire.get(f"{wire.entra.origin}{path}")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_instance")


@pytest.mark.parametrize("audience", [["x"], 1, {}])
def test_an_assertion_whose_audience_is_no_text(entra: Any, audience: object) -> None:
    pair = make_pair()
    entra.application.credentials.certificates.append(pair.certificate)
    answer = send(entra, sign(entra, pair, aud=audience))
    assert answer.json()["error_codes"] == [700023]
