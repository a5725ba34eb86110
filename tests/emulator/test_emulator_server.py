"""The server: keep-alive, limits, Host and Origin hygiene, faults, starting and stopping."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import requests

from django_entra_auth.emulator import Emulator, Fault, PortTakenError
from tests.emulator.wire import Wire

CONFIGURATION = "/common/v2.0/.well-known/openid-configuration"


def _raw(entra: Emulator, message: str) -> bytes:
    """Send `message` and read until the server closes."""
    with socket.create_connection(("127.0.0.1", entra.port), timeout=10) as connection:
        connection.sendall(message.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _head(entra: Emulator, *lines: str, path: str = CONFIGURATION, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])


def test_one_connection_serves_many_requests(entra: Emulator) -> None:
    host = f"Host: localhost:{entra.port}"
    body = "grant_type=x"
    post = _head(
        entra,
        host,
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        path="/common/oauth2/v2.0/token",
        method="POST",
    )
    last = _head(entra, host, "Connection: close")
    answer = _raw(
        entra, post + body + _head(entra, host) + _head(entra, host, method="HEAD") + last
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"HTTP/1.1 400 Bad Request") == 1
    assert answer.count(b'"token_endpoint"') == 2


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (421, ["Host: evil.example"]),
        (421, ["Host: localhost"]),
        (421, []),
        (421, ["Host: localhost:{port}", "Host: evil.example"]),
        (411, ["Host: localhost:{port}", "Transfer-Encoding: chunked"]),
        (413, ["Host: localhost:{port}", "Content-Length: 99999999"]),
        (400, ["Host: localhost:{port}", "Content-Length: -1"]),
        (400, ["Host: localhost:{port}", "Content-Length: many"]),
    ],
)
def test_messages_that_are_refused_end_the_connection(
    entra: Emulator, status: int, lines: list[str]
) -> None:
    filled = [line.format(port=entra.port) for line in lines]
    answer = _raw(entra, _head(entra, *filled, method="POST"))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"token_endpoint" not in answer
    assert entra.requests == []


def test_too_many_fields_are_refused(wire: Wire) -> None:
    query = "&".join(f"a{n}=1" for n in range(300))
    assert wire.get(f"{wire.entra.origin}{CONFIGURATION}?{query}").status_code == 400


def test_the_issuer_does_not_follow_the_host_header(wire: Wire) -> None:
    url = f"http://127.0.0.1:{wire.entra.port}{CONFIGURATION}"
    assert wire.get(url).json()["issuer"].startswith(wire.entra.origin)


def test_it_listens_on_loopback_only(entra: Emulator) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        socket.create_connection((address, entra.port), timeout=2)


def test_pages_refuse_frames_and_forbid_everything_they_do_not_need(wire: Wire) -> None:
    page = wire.get(wire.authorize_url())
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/static/emulator.css", 200), ("/error?code=50011", 200), ("/nothing", 404)],
)
def test_other_pages(wire: Wire, path: str, status: int) -> None:
    answer = wire.get(wire.entra.origin + path)
    assert answer.status_code == status
    if not path.endswith(".css"):
        assert "Local emulator, not Microsoft" in answer.text


def test_other_methods_are_told_what_is_allowed(wire: Wire) -> None:
    answer = wire.post(wire.entra.origin + CONFIGURATION, {})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_requests_are_recorded_with_their_status(wire: Wire) -> None:
    wire.token(code="garbage")
    wire.get(f"{wire.entra.origin}{CONFIGURATION}?appid=1")
    token, discovery = wire.entra.requests
    assert (token.method, token.path, token.status) == (
        "POST",
        f"/{wire.entra.tenant_id}/oauth2/v2.0/token",
        400,
    )
    assert token.form["code"] == "garbage"
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert (discovery.query, discovery.form, discovery.status) == ({"appid": "1"}, {}, 200)
    assert "garbage" not in repr(token)


def test_scripted_answers_come_in_order_and_run_out(wire: Wire) -> None:
    wire.entra.faults.add("token", Fault(status=503), times=2)
    headers = {"Retry-After": "7"}
    wire.entra.faults.add("token", Fault(status=429, body="Too Many Requests", headers=headers))
    answers = [wire.token(code="garbage") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 429, 400]
    assert answers[2].text == "Too Many Requests"
    assert answers[2].headers["Retry-After"] == "7"
    assert [request.status for request in wire.entra.requests] == [503, 503, 429, 400]


def test_standing_faults_last_until_cleared(wire: Wire) -> None:
    wire.entra.faults.add("keys", Fault(status=500), times=None)
    url = f"{wire.entra.authority}/discovery/v2.0/keys"
    assert [wire.get(url).status_code for _ in range(3)] == [500] * 3
    assert wire.get(wire.entra.origin + CONFIGURATION).status_code == 200
    wire.entra.faults.clear()
    assert wire.get(url).status_code == 200


def test_faults_for_unknown_endpoints_are_a_mistake(entra: Emulator) -> None:
    with pytest.raises(ValueError, match="no such endpoint"):
        entra.faults.add("tokens", Fault(status=500))  # type: ignore[arg-type]


def test_a_delayed_answer_is_the_real_one(wire: Wire) -> None:
    wire.entra.faults.add("discovery", Fault(delay=0.2))
    started = time.monotonic()
    assert wire.get(wire.entra.origin + CONFIGURATION).json()["token_endpoint"]
    assert time.monotonic() - started >= 0.2


def test_a_reset_connection(wire: Wire) -> None:
    wire.entra.faults.add("token", Fault(reset=True))
    with pytest.raises(requests.ConnectionError):
        wire.token(code="garbage")
    assert wire.entra.requests[0].status == 0


def test_an_answer_in_drips(wire: Wire) -> None:
    wire.entra.faults.add("token", Fault(status=200, body="0123456789", drip=0.02))
    started = time.monotonic()
    assert wire.token(code="garbage").text == "0123456789"
    assert time.monotonic() - started >= 0.15


@pytest.mark.parametrize(
    "fault", [Fault(hang=True), Fault(delay=3600), Fault(200, "ab", drip=3600)]
)
def test_hanging_answers_end_when_the_emulator_stops(fault: Fault) -> None:
    before = set(threading.enumerate())
    entra = Emulator().start()
    entra.faults.add("discovery", fault)
    failed = threading.Event()

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            requests.get(entra.origin + CONFIGURATION, timeout=60)
        failed.set()

    thread = threading.Thread(target=ask)
    thread.start()
    deadline = time.monotonic() + 10
    while not _is_under_way(entra, fault) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not failed.is_set()
    entra.stop()
    assert failed.wait(10)
    thread.join()
    assert set(threading.enumerate()) <= before


def _is_under_way(entra: Emulator, fault: Fault) -> bool:
    # A delayed real answer is recorded only once it is given; the fault is gone before that.
    taken = entra.faults.take("discovery")
    if taken is not None:
        entra.faults.add("discovery", taken)
    return taken is None


def test_a_truncated_answer(wire: Wire) -> None:
    headers = {"Content-Length": "100"}
    wire.entra.faults.add("token", Fault(status=200, body='{"a"', headers=headers))
    with pytest.raises(requests.RequestException):
        wire.token(code="garbage")
    assert wire.token(code="garbage").status_code == 400


def test_a_hanging_answer_lets_the_client_time_out(wire: Wire) -> None:
    wire.entra.faults.add("discovery", Fault(hang=True))
    with pytest.raises(requests.ReadTimeout):
        wire.browser.get(wire.entra.origin + CONFIGURATION, timeout=0.3)


def test_a_taken_port_is_said_at_once(entra: Emulator) -> None:
    with pytest.raises(PortTakenError, match=str(entra.port)):
        Emulator(port=entra.port).start()


def test_a_port_taken_on_ipv6_only(entra: Emulator) -> None:
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with taken, pytest.raises(PortTakenError):
        Emulator(port=taken.getsockname()[1]).start()


def test_it_can_be_stopped_and_started_again() -> None:
    entra = Emulator()
    for _ in range(2):
        with entra:
            assert requests.get(entra.origin + CONFIGURATION, timeout=10).status_code == 200
            with pytest.raises(RuntimeError):
                entra.start()
        with pytest.raises(requests.ConnectionError):
            requests.get(entra.origin + CONFIGURATION, timeout=10)


def test_reset_undoes_everything_but_the_keys(wire: Wire) -> None:
    entra = wire.entra
    keys = entra.keys.published
    wire.sign_in()
    entra.people.clear()
    entra.optional_claims.add("sid")
    entra.clock = lambda: 0.0
    entra.faults.add("token", Fault(status=500))
    entra.application.redirect_uris.clear()
    entra.reset()
    assert (entra.keys.published, entra.requests, entra.optional_claims) == (keys, [], set())
    assert 'data-page="sign_in"' in wire.get(wire.authorize_url()).text
    assert wire.token(code="garbage").status_code == 400


def test_tls_has_a_certificate_for_loopback_made_at_each_start() -> None:
    bundles = []
    for _ in range(2):
        with Emulator(tls=True) as entra:
            assert entra.ca_bundle
            bundle = Path(entra.ca_bundle)
            bundles.append(bundle.read_text())
            for host in ("localhost", "127.0.0.1"):
                url = f"https://{host}:{entra.port}{CONFIGURATION}"
                answer = requests.get(url, verify=entra.ca_bundle, timeout=10)
                assert answer.json()["issuer"].startswith(entra.origin)
        assert not bundle.exists()
    assert bundles[0] != bundles[1]


def test_the_certificate_passes_strict_checks() -> None:
    with Emulator(tls=True) as entra:
        context = ssl.create_default_context(cafile=entra.ca_bundle)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", entra.port), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as connection,
        ):
            assert connection.version() in ("TLSv1.2", "TLSv1.3")


def test_plain_http_to_a_tls_port_does_no_harm() -> None:
    with Emulator(tls=True) as entra:
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1 2" not in _raw(entra, "GET / HTTP/1.1\r\n\r\n")
        url = entra.origin + CONFIGURATION
        assert requests.get(url, verify=entra.ca_bundle, timeout=10).status_code == 200


def test_a_slow_handshake_delays_nobody() -> None:
    with (
        Emulator(tls=True) as entra,
        socket.create_connection(("127.0.0.1", entra.port), timeout=10),
    ):
        url = entra.origin + CONFIGURATION
        assert requests.get(url, verify=entra.ca_bundle, timeout=10).status_code == 200
